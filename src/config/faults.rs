//! Owns where a setting came from and what is wrong with it. Must not decide what is wrong: sections do that.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Dotted place of a setting, as a user would write it: `providers.up.base_url`, `models."m".targets[0]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyPath(String);

impl KeyPath {
    /// The table all sections live in.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The setting `key` below this one; quoted when TOML would need quotes.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let bare =
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let name = if bare { key.to_owned() } else { format!("{key:?}") };
        if self.0.is_empty() { Self(name) } else { Self(format!("{}.{name}", self.0)) }
    }

    /// Element `index` of this list, counted from 0.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The layer that gave a setting its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Built in.
    Default,
    /// A line of a file, counted from 1.
    File {
        /// The file as it was named.
        name: Arc<str>,
        /// Line of the value.
        line: usize,
    },
    /// A variable of the environment.
    Env(String),
    /// A flag of the command line.
    Flag(String),
    /// Follows from other settings; says from which.
    Implied(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "file {name}:{line}"),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Implied(why) => write!(f, "implied by {why}"),
        }
    }
}

impl serde::Serialize for Source {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The layer to correct, when one can be named.
    pub source: Option<Source>,
    /// The whole sentence, starting with the path of the setting.
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(Source::File { name, line }) => write!(f, "{name}:{line}: {}", self.text),
            Some(source @ (Source::Env(_) | Source::Flag(_))) => {
                write!(f, "{source}: {}", self.text)
            }
            Some(Source::Default | Source::Implied(_)) | None => f.write_str(&self.text),
        }
    }
}

/// Everything that is wrong with a configuration, found in one pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    list: Vec<Fault>,
    places: BTreeMap<String, Source>,
}

impl Faults {
    /// True when nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The faults in the order they were found.
    #[must_use]
    pub fn list(&self) -> &[Fault] {
        &self.list
    }

    /// Appends a fault of the setting at `path`; its layer and line are looked up.
    pub(crate) fn add(&mut self, path: &KeyPath, message: impl fmt::Display) {
        let source = self.places.get(path.as_str()).cloned();
        self.list.push(Fault { source, text: format!("{path}: {message}") });
    }

    /// Appends a fault whose text is already whole.
    pub(crate) fn add_plain(&mut self, source: Option<Source>, text: impl Into<String>) {
        self.list.push(Fault { source, text: text.into() });
    }

    /// Appends `message` unless `holds`.
    pub(crate) fn require(&mut self, holds: bool, path: &KeyPath, message: impl fmt::Display) {
        if !holds {
            self.add(path, message);
        }
    }

    /// Remembers the layer a setting or table came from.
    pub(crate) fn place(&mut self, path: &KeyPath, source: Source) {
        self.places.insert(path.as_str().to_owned(), source);
    }

    /// Whether the user gave this setting or table, in any layer.
    pub(crate) fn given(&self, path: &KeyPath) -> bool {
        self.source(path).is_some_and(|source| !matches!(source, Source::Default | Source::Implied(_)))
    }

    /// Whether a fault was found at `path` or inside it, so that what follows from it need not be said.
    pub(crate) fn faulty_below(&self, path: &KeyPath) -> bool {
        let inside = |text: &str| {
            text.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with([':', '.', '[']))
        };
        self.list.iter().any(|fault| inside(&fault.text))
    }

    /// The layer the setting or table came from.
    pub(crate) fn source(&self, path: &KeyPath) -> Option<&Source> {
        self.places.get(path.as_str())
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.list.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
