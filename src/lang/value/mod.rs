//! Owns the values of a program: null, boolean, number, text, list and map, their equality, type names and
//! the limits on how deep they nest and how large they grow. Values are immutable: an operation gives a new one, and reuses the old
//! storage only where nobody else holds it. Must not know statements, state, records or where a fault stands.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

mod json_read;
mod json_write;
mod nest;
mod number;
pub mod ops;
mod stored;

pub use json_read::{JsonFault, parse_json};
pub use json_write::JsonStyle;
pub use nest::{List, MAX_BULK, MAX_DEPTH, Map};
pub(crate) use number::Quick;
pub use number::{MAX_DIGITS, Number, NumberFault};

/// A value of the language. Cloning is O(1).
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A decimal: literals, arithmetic, integers of the input.
    Number(Number),
    /// A fraction of the input, kept as it came until arithmetic touches it.
    Float(f64),
    /// Unicode text.
    Text(Arc<str>),
    /// Values in order.
    List(List),
    /// Values by text, in the order of their keys.
    Map(Map),
}

impl Value {
    /// Text from anything that becomes shared text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A whole number.
    pub fn int(number: i64) -> Self {
        Self::Number(Number::from(number))
    }

    /// A list; does not check the depth, see [`ops::list`].
    pub fn list(items: Vec<Value>) -> Self {
        Self::List(List::new(items))
    }

    /// A map; does not check the depth, see [`ops::map`].
    pub fn map(entries: BTreeMap<Arc<str>, Value>) -> Self {
        Self::Map(Map::new(entries))
    }

    /// A map of known fields, for maps the runtime itself makes.
    pub fn fields<const N: usize>(fields: [(&str, Value); N]) -> Self {
        Self::map(fields.into_iter().map(|(key, value)| (Arc::from(key), value)).collect())
    }

    /// Puts a copy of this where `place` is; a short number piece by piece, see [`Number::overwrite`].
    #[inline(always)]
    pub(crate) fn copy_to(&self, place: &mut Value) {
        if let (Self::Number(from), Self::Number(to)) = (self, &mut *place)
            && let Some(quick) = from.as_quick()
        {
            to.overwrite(quick);
        } else {
            *place = self.clone();
        }
    }

    /// Moves the last value of `from` to the end of `to`; a short number piece by piece, see [`Number::overwrite`].
    #[inline(always)]
    pub(crate) fn move_last(from: &mut Vec<Value>, to: &mut Vec<Value>) {
        if let Some(Self::Number(number)) = from.last()
            && let Some(quick) = number.as_quick()
        {
            to.extend(std::iter::once_with(|| Self::Number(Number::from_quick(quick))));
            from.truncate(from.len() - 1);
        } else {
            to.extend(from.pop());
        }
    }

    /// How messages name the type of this value.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) | Self::Float(_) => "number",
            Self::Text(_) => "text",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// The decimal of a number; an untouched fraction becomes the decimal of its shortest text.
    pub fn as_number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(number.clone()),
            Self::Float(float) => Number::from_float(*float),
            _ => None,
        }
    }

    /// The text of a text.
    pub fn as_text(&self) -> Option<&Arc<str>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The items of a list.
    pub fn as_list(&self) -> Option<&List> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    /// The entries of a map.
    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// The truth of a boolean; nothing else has one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// Equality of the language (`is`): numbers by value, lists and maps deep, no coercion except that
    /// `true` equals 1 and `false` equals 0. Never fails.
    pub fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::List(a), Self::List(b)) => {
                a.is_same(b) || (a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals(b)))
            }
            (Self::Map(a), Self::Map(b)) => {
                let pairs = || a.iter().zip(b.iter());
                a.is_same(b)
                    || (a.len() == b.len() && pairs().all(|((ka, va), (kb, vb))| ka == kb && va.equals(vb)))
            }
            (Self::Bool(truth), number @ (Self::Number(_) | Self::Float(_)))
            | (number @ (Self::Number(_) | Self::Float(_)), Self::Bool(truth)) => {
                number.as_number().is_some_and(|number| number == Number::from(i64::from(*truth)))
            }
            (Self::Float(_), Self::Number(_))
            | (Self::Number(_), Self::Float(_))
            | (Self::Float(_), Self::Float(_)) => match (self.as_number(), other.as_number()) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
            _ => false,
        }
    }

    /// The text the runtime makes of a value that a text field takes: written scale and all.
    pub fn to_display(&self) -> String {
        self.to_string()
    }

    /// The value as JSON text, see [`JsonStyle`].
    pub fn to_json(&self, style: JsonStyle) -> String {
        json_write::write(self, style)
    }
}

/// Equality of the language; see [`Value::equals`].
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.equals(other)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Float(float) => f.write_str(&json_write::float_text(*float)),
            Self::Text(text) => f.write_str(text),
            Self::List(_) | Self::Map(_) => f.write_str(&self.to_json(JsonStyle::Canonical)),
        }
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Arc::from(text))
    }
}

#[cfg(test)]
mod tests;
