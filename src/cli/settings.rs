//! Owns `tidegate config`: the effective settings as a table or JSON, or the verdict alone. Must not print a secret;
//! the configuration never hands one out as a value.

use std::io::Write;

use super::flags::{self, ServerArgs};
use crate::config::Loaded;

/// What to print.
#[derive(Debug, Clone, Copy)]
pub(super) enum View {
    Table,
    Json,
    Check,
}

impl View {
    pub(super) fn new(check: bool, json: bool) -> Self {
        match (check, json) {
            (true, _) => Self::Check,
            (false, true) => Self::Json,
            (false, false) => Self::Table,
        }
    }
}

pub(super) fn run(settings: &ServerArgs, view: View) -> Result<(), String> {
    let loaded = flags::load(&settings.load_args())?;
    let text = match view {
        View::Check => format!("{}: ok\n", loaded.file.as_deref().unwrap_or("defaults")),
        View::Json => format!("{}\n", serde_json::json!({ "values": loaded.values })),
        View::Table => table(&loaded),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // A reader such as `head` that has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| format!("cannot write: {error}")),
    }
}

/// Columns as wide as their content, up to a width that keeps one setting on one line of a terminal.
fn table(loaded: &Loaded) -> String {
    const WIDEST: usize = 44;
    let rows: Vec<[String; 3]> = loaded
        .values
        .iter()
        .map(|value| [value.path.clone(), shown(&value.value), value.source.to_string()])
        .collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or(0)
    };
    let (path, value) = (width(0), width(1));
    rows.iter().map(|row| format!("{:<path$}  {:<value$}  {}\n", row[0], row[1], row[2])).collect()
}

/// A key without a default that nobody set is empty, as in the file.
fn shown(value: &serde_json::Value) -> String {
    if value.is_null() { "-".to_owned() } else { value.to_string() }
}
