//! Owns the four layers as they were given: a parsed file with its lines, the environment, the flags. Must not know
//! any key: sections ask for theirs by path.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use toml::de::DeTable;

use super::faults::{KeyPath, Source};

/// A flag of the command line that sets one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Path of the key, `listen.port`.
    pub path: &'static str,
    /// The flag as typed, `--port`.
    pub name: &'static str,
    /// Its value as typed.
    pub text: String,
}

/// A TOML file in memory that can say on which line a value stands. Not `Debug`: it may hold keys.
pub(crate) struct FileLayer<'t> {
    name: Arc<str>,
    line_starts: Vec<usize>,
    /// The parsed tables; every value carries its byte range.
    pub(crate) table: DeTable<'t>,
}

impl<'t> FileLayer<'t> {
    /// Parses `text`.
    ///
    /// # Errors
    /// Every syntax error with its place; then no value can be trusted.
    pub(crate) fn parse(name: &str, text: &'t str) -> Result<Self, Vec<(Source, String)>> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let table = document.into_inner();
        let layer = Self { name: Arc::from(name), line_starts: line_starts(text), table };
        if errors.is_empty() {
            return Ok(layer);
        }
        let place = |error: &toml::de::Error| layer.source(&error.span().unwrap_or(0..0));
        let message = |error: &toml::de::Error| error.message().trim_end_matches('.').to_owned();
        Err(errors.iter().map(|error| (place(error), message(error))).collect())
    }

    /// The place of a byte range of this file.
    pub(crate) fn source(&self, span: &Range<usize>) -> Source {
        Source::File { name: Arc::clone(&self.name), line: line_at(&self.line_starts, span.start) }
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1)).collect()
}

fn line_at(starts: &[usize], offset: usize) -> usize {
    starts.partition_point(|start| *start <= offset)
}

/// What was given from outside, in order of strength: flag, environment, file. Not
/// `Debug`: the environment holds keys.
#[derive(Default)]
pub(crate) struct Layers<'t> {
    /// `tidegate.toml`, when there is one.
    pub(crate) file: Option<FileLayer<'t>>,
    /// The whole environment of the process.
    pub(crate) env: BTreeMap<String, String>,
    /// Folder that relative paths in the file start from.
    pub(crate) folder: PathBuf,
    /// Flags that set a key.
    pub(crate) flags: Vec<Flag>,
}

impl Layers<'_> {
    /// The flag that sets `path`.
    pub(crate) fn flag(&self, path: &KeyPath) -> Option<&Flag> {
        self.flags.iter().find(|flag| flag.path == path.as_str())
    }

    /// The variable `name`; set but empty counts as not set.
    pub(crate) fn env(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }
}

/// The variable that sets `path`: `listen.port` is `TIDEGATE_LISTEN_PORT`; a character a variable cannot hold is `_`.
pub(crate) fn env_name(path: &KeyPath) -> String {
    let mut name = String::from("TIDEGATE_");
    for c in path.as_str().chars().filter(|c| *c != '"') {
        name.push(if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    }
    name
}
