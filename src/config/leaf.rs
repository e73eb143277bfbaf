//! Owns how one TOML value becomes one typed value and how it is shown. Must not know paths, layers or limits.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::json;
use toml::de::DeValue;

use super::secret::Secret;

/// A value of one key.
pub(crate) trait Leaf: Sized {
    /// Whether a value may not be repeated, not even in a fault.
    const HIDDEN: bool = false;

    /// What the key takes, for a fault: `an integer`.
    fn shape() -> String;

    /// The typed value, or nothing when `value` has another shape.
    fn decode(value: &DeValue<'_>) -> Option<Self>;

    /// The value as `tidegate config --json` shows it. Never a secret.
    fn show(&self) -> serde_json::Value;
}

/// Reads `text` of a flag or variable: as plain text when the key takes text, else as a TOML value.
pub(crate) fn decode_text<T: Leaf>(text: &str) -> Result<T, String> {
    let plain = T::decode(&DeValue::String(text.into()));
    let typed = || DeValue::parse(text.trim()).ok().and_then(|value| T::decode(value.get_ref()));
    plain.or_else(typed).ok_or_else(|| refusal::<T>(&format!("{text:?}")))
}

/// Reads a value of a file.
pub(crate) fn decode_value<T: Leaf>(value: &DeValue<'_>) -> Result<T, String> {
    T::decode(value).ok_or_else(|| refusal::<T>(&describe(value)))
}

fn refusal<T: Leaf>(found: &str) -> String {
    let found = if T::HIDDEN { "something else" } else { found };
    format!("must be {}, got {found}", T::shape())
}

/// A found value for a fault: short ones verbatim, tables and lists by name.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.len() <= 60 => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        other => format!("a value of type {}", other.type_str()),
    }
}

fn whole<N: TryFrom<i128>>(value: &DeValue<'_>) -> Option<N> {
    let number = value.as_integer()?;
    i128::from_str_radix(number.as_str(), number.radix()).ok()?.try_into().ok()
}

macro_rules! whole_numbers {
    ($($number:ty: $shape:literal),*) => {$(
        impl Leaf for $number {
            fn shape() -> String {
                $shape.to_owned()
            }
            fn decode(value: &DeValue<'_>) -> Option<Self> {
                whole(value)
            }
            fn show(&self) -> serde_json::Value {
                json!(self)
            }
        }
    )*};
}
whole_numbers!(
    u16: "an integer from 0 to 65535",
    u32: "an integer from 0 to 4294967295",
    u64: "an integer that is not negative",
    usize: "an integer that is not negative"
);

impl Leaf for f64 {
    fn shape() -> String {
        "a number".to_owned()
    }
    fn decode(value: &DeValue<'_>) -> Option<Self> {
        let number = match value {
            DeValue::Float(number) => number.as_str().parse().ok()?,
            other => f64::from(whole::<i32>(other)?),
        };
        number.is_finite().then_some(number)
    }
    fn show(&self) -> serde_json::Value {
        json!(self)
    }
}

impl Leaf for bool {
    fn shape() -> String {
        "true or false".to_owned()
    }
    fn decode(value: &DeValue<'_>) -> Option<Self> {
        value.as_bool()
    }
    fn show(&self) -> serde_json::Value {
        json!(self)
    }
}

impl Leaf for String {
    fn shape() -> String {
        "text".to_owned()
    }
    fn decode(value: &DeValue<'_>) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
    fn show(&self) -> serde_json::Value {
        json!(self)
    }
}

impl Leaf for Secret {
    const HIDDEN: bool = true;

    fn shape() -> String {
        "text".to_owned()
    }
    fn decode(value: &DeValue<'_>) -> Option<Self> {
        value.as_str().map(Secret::new)
    }
    fn show(&self) -> serde_json::Value {
        json!("set")
    }
}

impl<T: Leaf> Leaf for Option<T> {
    const HIDDEN: bool = T::HIDDEN;

    fn shape() -> String {
        T::shape()
    }
    fn decode(value: &DeValue<'_>) -> Option<Self> {
        T::decode(value).map(Some)
    }
    fn show(&self) -> serde_json::Value {
        self.as_ref().map_or(serde_json::Value::Null, T::show)
    }
}

impl<T: Leaf> Leaf for Vec<T> {
    const HIDDEN: bool = T::HIDDEN;

    fn shape() -> String {
        format!("a list where each element is {}", T::shape())
    }
    fn decode(value: &DeValue<'_>) -> Option<Self> {
        value.as_array()?.iter().map(|item| T::decode(item.get_ref())).collect()
    }
    fn show(&self) -> serde_json::Value {
        self.iter().map(T::show).collect()
    }
}

impl<T: Leaf> Leaf for BTreeMap<String, T> {
    const HIDDEN: bool = T::HIDDEN;

    fn shape() -> String {
        format!("a table where each value is {}", T::shape())
    }
    fn decode(value: &DeValue<'_>) -> Option<Self> {
        let pairs = value.as_table()?.iter();
        pairs.map(|(key, item)| Some((key.get_ref().to_string(), T::decode(item.get_ref())?))).collect()
    }
    fn show(&self) -> serde_json::Value {
        self.iter().map(|(key, item)| (key.clone(), item.show())).collect()
    }
}

/// A value that has a lower and an upper bound.
pub(crate) trait Ranged {
    /// The number compared.
    type Number: PartialOrd + Display;

    /// The number, when one is set.
    fn number(&self) -> Option<&Self::Number>;
}

macro_rules! ranged {
    ($($number:ty),*) => {$(
        impl Ranged for $number {
            type Number = $number;
            fn number(&self) -> Option<&$number> {
                Some(self)
            }
        }
        impl Ranged for Option<$number> {
            type Number = $number;
            fn number(&self) -> Option<&$number> {
                self.as_ref()
            }
        }
    )*};
}
ranged!(u16, u32, u64, usize, f64);

/// Declares an enum whose values are words of the file.
macro_rules! choices {
    ($(#[$doc:meta])* pub enum $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// Every choice, in the order they are written.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word of the file.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl $crate::config::leaf::Leaf for $name {
            fn shape() -> String {
                [$(concat!("\"", $word, "\"")),*].join(" or ")
            }
            fn decode(value: &toml::de::DeValue<'_>) -> Option<Self> {
                match value.as_str()? { $($word => Some(Self::$variant),)* _ => None }
            }
            fn show(&self) -> serde_json::Value {
                serde_json::Value::from(self.word())
            }
        }
    };
}
pub(crate) use choices;
