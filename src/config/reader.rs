//! Owns the walk: each section asks for its keys, the strongest layer answers, unknown keys and wrong types are
//! collected. Must not know any section, and never stops at the first fault.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use toml::de::{DeTable, DeValue};

use super::faults::{Faults, KeyPath, Source};
use super::layers::{Layers, env_name};
use super::leaf::{Leaf, Ranged, decode_text, decode_value};
use super::near;

/// One effective setting, as `tidegate config` shows it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Value {
    /// Dotted path.
    pub path: String,
    /// Typed value; a secret is the word `set`.
    pub value: serde_json::Value,
    /// The layer it came from.
    pub source: Source,
}

/// A group of keys that is read as one table, or flat inside another section.
pub(crate) trait Section: Sized {
    /// Reads every key; what the user did not give keeps its value in `default`.
    fn read(reader: &mut Reader<'_, '_>, default: Self) -> Self;

    /// Appends a fault for every value outside its own range.
    fn ranges(&self, at: &KeyPath, faults: &mut Faults);
}

/// What a walk has found so far.
pub(crate) struct Walk<'l> {
    pub(crate) layers: &'l Layers<'l>,
    pub(crate) faults: Faults,
    pub(crate) values: Vec<Value>,
    /// Every variable that is a key, or that a key names.
    pub(crate) variables: BTreeSet<String>,
}

impl<'l> Walk<'l> {
    pub(crate) fn new(layers: &'l Layers<'l>) -> Self {
        Self { layers, faults: Faults::default(), values: Vec::new(), variables: BTreeSet::new() }
    }

    /// A reader of the outermost table.
    pub(crate) fn root(&mut self) -> Reader<'_, 'l> {
        let table = self.layers.file.as_ref().map(|file| &file.table);
        Reader {
            walk: self,
            path: KeyPath::root(),
            table,
            known: Vec::new(),
            overridable: true,
            fallback: Source::Default,
        }
    }

    /// Records the effective value of `path`.
    pub(crate) fn record(&mut self, path: &KeyPath, value: serde_json::Value, source: Source) {
        self.faults.place(path, source.clone());
        self.values.push(Value { path: path.as_str().to_owned(), value, source });
    }

    /// Replaces what was recorded for `path`.
    pub(crate) fn amend(&mut self, path: &KeyPath, value: serde_json::Value, source: Source) {
        self.values.retain(|recorded| recorded.path != path.as_str());
        self.record(path, value, source);
    }

    /// Faults for variables that look like ours and set nothing. Kubernetes adds `TIDEGATE_PORT` and
    /// `TIDEGATE_SERVICE_*` for a service of that name, so only names that start with a section count.
    pub(crate) fn refuse_unknown_variables(&mut self, sections: &[&str]) {
        let prefixes: Vec<String> =
            sections.iter().map(|s| format!("{}_", env_name(&KeyPath::root().key(s)))).collect();
        for name in self.layers.env.keys() {
            let ours = prefixes.iter().any(|prefix| name.starts_with(prefix));
            if ours && !self.variables.contains(name) {
                let hint = near::hint(name, self.variables.iter().map(String::as_str));
                self.faults
                    .add_plain(None, format!("{name}: this environment variable is not a setting{hint}"));
            }
        }
    }
}

/// Reads the keys of one table.
pub(crate) struct Reader<'w, 'l> {
    pub(crate) walk: &'w mut Walk<'l>,
    pub(crate) path: KeyPath,
    table: Option<&'l DeTable<'l>>,
    known: Vec<&'static str>,
    /// False inside lists, whose elements have no variable of their own.
    overridable: bool,
    /// What to say of keys that nobody gave.
    fallback: Source,
}

/// What a layer holds for a key.
enum Given<'l> {
    Text(&'l str),
    Tree(&'l DeValue<'l>),
}

impl<'l> Reader<'_, 'l> {
    /// The value of `key` from the strongest layer that has one, else `default`.
    pub(crate) fn leaf<T: Leaf>(&mut self, key: &'static str, default: T) -> T {
        let path = self.path.key(key);
        let Some((given, source)) = self.find(&path, key) else {
            let fallback = self.fallback.clone();
            self.walk.record(&path, default.show(), fallback);
            return default;
        };
        let decoded = match given {
            Given::Text(text) => decode_text::<T>(text),
            Given::Tree(value) => decode_value::<T>(value),
        };
        self.walk.faults.place(&path, source.clone());
        let value = decoded.unwrap_or_else(|message| {
            self.walk.faults.add(&path, message);
            default
        });
        self.walk.record(&path, value.show(), source);
        value
    }

    /// The table `key`, read as a section.
    pub(crate) fn section<T: Section>(&mut self, key: &'static str, default: T) -> T {
        self.known.push(key);
        let fallback = self.fallback.clone();
        let table = self.table_at(&self.path.key(key), key);
        self.below(self.path.key(key), table, fallback, |reader| T::read(reader, default))
    }

    /// The table `key`, whose keys are names chosen by the user. Entries of the file replace `default`, which is shown
    /// with `fallback` as its source.
    pub(crate) fn named<T: Section + Default>(
        &mut self,
        key: &'static str,
        default: BTreeMap<String, T>,
        fallback: Source,
    ) -> BTreeMap<String, T> {
        self.known.push(key);
        let at = self.path.key(key);
        let Some(table) = self.table_at(&at, key).filter(|table| !table.is_empty()) else {
            let entries = default.into_iter();
            return entries
                .map(|(name, entry)| {
                    let entry =
                        self.below(at.key(&name), None, fallback.clone(), |reader| T::read(reader, entry));
                    (name, entry)
                })
                .collect();
        };
        let entries = table.keys().map(|name| name.get_ref().to_string());
        let entries: Vec<String> = entries.collect();
        let mut read = BTreeMap::new();
        for name in entries {
            let inner = self.table_in(table, &at.key(&name), &name);
            let entry =
                self.below(at.key(&name), inner, Source::Default, |reader| T::read(reader, T::default()));
            read.insert(name, entry);
        }
        read
    }

    /// The list `key` of tables; a list of the file replaces `default`.
    pub(crate) fn list<T: Section + Default>(&mut self, key: &'static str, default: Vec<T>) -> Vec<T> {
        self.known.push(key);
        let at = self.path.key(key);
        let Some((_, value)) = self.table.and_then(|table| table.get_key_value(key)) else {
            let fallback = self.fallback.clone();
            self.walk.faults.place(&at, fallback.clone());
            if default.is_empty() {
                self.walk.record(&at, serde_json::json!([]), fallback.clone());
            }
            let items = default.into_iter().enumerate();
            return items.map(|(n, item)| self.item(at.item(n), None, item, fallback.clone())).collect();
        };
        let source = self.source(value.span());
        self.walk.faults.place(&at, source.clone());
        let DeValue::Array(items) = value.get_ref() else {
            self.walk.faults.add(&at, "must be a list of tables, [{ .. }]");
            return default;
        };
        if items.is_empty() {
            self.walk.record(&at, serde_json::json!([]), source);
        }
        let mut read = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            let path = at.item(n);
            let place = self.source(item.span());
            self.walk.faults.place(&path, place);
            match item.get_ref() {
                DeValue::Table(table) => {
                    read.push(self.item(path, Some(table), T::default(), Source::Default));
                }
                other => self.walk.faults.add(
                    &path,
                    format!("must be a table {{ .. }}, got a value of type {}", other.type_str()),
                ),
            }
        }
        read
    }

    fn item<T: Section>(
        &mut self,
        path: KeyPath,
        table: Option<&'l DeTable<'l>>,
        default: T,
        fallback: Source,
    ) -> T {
        let overridable = std::mem::replace(&mut self.overridable, false);
        let item = self.below(path, table, fallback, |reader| T::read(reader, default));
        self.overridable = overridable;
        item
    }

    /// Runs `read` on the table below and then refuses the keys it did not ask for.
    fn below<T>(
        &mut self,
        path: KeyPath,
        table: Option<&'l DeTable<'l>>,
        fallback: Source,
        read: impl FnOnce(&mut Reader<'_, 'l>) -> T,
    ) -> T {
        let overridable = self.overridable;
        let mut reader = Reader { walk: self.walk, path, table, known: Vec::new(), overridable, fallback };
        let section = read(&mut reader);
        reader.refuse_unknown_keys();
        section
    }

    /// Faults for the keys of the file that nobody asked for.
    pub(crate) fn refuse_unknown_keys(&mut self) {
        let Some(table) = self.table else { return };
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !self.known.contains(&name) {
                let path = self.path.key(name);
                let source = self.source(key.span());
                self.walk.faults.place(&path, source);
                let hint = near::hint(name, self.known.iter().copied());
                self.walk.faults.add(&path, format!("is not a setting{hint}"));
            }
        }
    }

    fn find(&mut self, path: &KeyPath, key: &'static str) -> Option<(Given<'l>, Source)> {
        self.known.push(key);
        let layers = self.walk.layers;
        if self.overridable {
            let name = env_name(path);
            self.walk.variables.insert(name.clone());
            if let Some(flag) = layers.flag(path) {
                return Some((Given::Text(&flag.text), Source::Flag(flag.name.to_owned())));
            }
            if let Some(text) = layers.env(&name) {
                return Some((Given::Text(text), Source::Env(name)));
            }
        }
        let value = self.table?.get(key)?;
        Some((Given::Tree(value.get_ref()), self.source(value.span())))
    }

    fn table_at(&mut self, at: &KeyPath, key: &str) -> Option<&'l DeTable<'l>> {
        self.table.and_then(|table| self.table_in(table, at, key))
    }

    fn table_in(&mut self, table: &'l DeTable<'l>, at: &KeyPath, key: &str) -> Option<&'l DeTable<'l>> {
        let (name, value) = table.get_key_value(key)?;
        let source = self.source(name.span());
        self.walk.faults.place(at, source);
        if value.get_ref().as_table().is_none() {
            let found = value.get_ref().type_str();
            self.walk.faults.add(at, format!("must be a table, got a value of type {found}"));
        }
        value.get_ref().as_table()
    }

    fn source(&self, span: std::ops::Range<usize>) -> Source {
        self.walk.layers.file.as_ref().map_or(Source::Default, |file| file.source(&span))
    }
}

/// Appends a fault when the number at `path` lies outside `range`.
pub(crate) fn within<T: Ranged>(
    faults: &mut Faults,
    path: &KeyPath,
    value: &T,
    range: &RangeInclusive<T::Number>,
) {
    let Some(number) = value.number() else { return };
    if !range.contains(number) {
        let (low, high) = (range.start(), range.end());
        faults.add(path, format!("must be between {low} and {high}, got {number}"));
    }
}

/// Declares a section whose keys are all plain values: the struct, its defaults, its reading and its ranges. One line
/// per key: `name: type = default, in low..=high;`.
macro_rules! settings {
    ($(#[$doc:meta])* pub struct $name:ident {
        $($(#[$kdoc:meta])* $key:ident : $type:ty = $default:expr $(, in $range:expr)?;)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $($(#[$kdoc])* pub $key: $type),* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default),* }
            }
        }

        impl $crate::config::reader::Section for $name {
            fn read(reader: &mut $crate::config::reader::Reader<'_, '_>, default: Self) -> Self {
                Self { $($key: reader.leaf(stringify!($key), default.$key)),* }
            }

            fn ranges(&self, at: &$crate::config::KeyPath, faults: &mut $crate::config::Faults) {
                $($($crate::config::reader::within(faults, &at.key(stringify!($key)), &self.$key, &$range);)?)*
                let _ = (at, faults);
            }
        }
    };
}
pub(crate) use settings;
