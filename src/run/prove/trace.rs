//! Owns what of a run is compared, as bytes: the same bytes are the same run. Must not know how a run was driven.

use std::fmt::Write;

use crate::lang::App;
use crate::lang::machine::Outcome;
use crate::lang::report;
use crate::lang::value::{JsonStyle, Value};
use crate::run::ingest::Embedding;
use crate::run::payload::yielded;

/// Characters shown around the first difference.
const SHOWN: usize = 60;

/// A run as texts, one for each thing that must be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace(Vec<(&'static str, String)>);

/// Where two runs differ first in one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `result`, `fault`, `state`, `yields`, `steps`, `memory`, `records`, `logs` or `vectors`.
    pub what: &'static str,
    /// The plain serial run there.
    pub plain: String,
    /// This run there.
    pub here: String,
}

impl Trace {
    /// The trace of a run.
    #[must_use]
    pub fn of(app: &App, outcome: &Outcome, vectors: &[Embedding]) -> Self {
        let (result, fault) = match &outcome.result {
            Ok(result) => (json(result), String::new()),
            Err(fault) => (String::new(), report::failure(std::slice::from_ref(fault)).to_string()),
        };
        let yields = Value::list(outcome.yields.iter().map(yielded).collect());
        Self(vec![
            ("result", result),
            ("fault", fault),
            ("state", json(&Value::Map(outcome.state.clone())) + &json(&outcome.shown_state)),
            ("yields", json(&yields)),
            ("steps", steps(outcome)),
            ("memory", json(&outcome.memory.to_value())),
            ("records", records(app, outcome)),
            ("logs", format!("{:?}{:?}", outcome.logs, outcome.metrics)),
            ("vectors", vectors.iter().map(|vector| shown(vector) + "\n").collect()),
        ])
    }

    /// One of its texts.
    #[must_use]
    pub fn of_what(&self, what: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == what).map(|(_, text)| text.as_str())
    }

    /// Where `other` is not the same.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let pairs = self.0.iter().zip(&other.0).filter(|(plain, here)| plain.1 != here.1);
        pairs
            .map(|((what, plain), (_, here))| {
                let same = plain.bytes().zip(here.bytes()).take_while(|(a, b)| a == b).count();
                Difference { what, plain: around(plain, same), here: around(here, same) }
            })
            .collect()
    }
}

fn json(value: &Value) -> String {
    value.to_json(JsonStyle::Compact)
}

fn shown(vector: &Embedding) -> String {
    vector.as_ref().map_or_else(|reason| format!("unavailable: {reason}"), json)
}

/// What the run did, in the order in which a serial run does it.
fn steps(outcome: &Outcome) -> String {
    let mut text = String::new();
    for step in &outcome.steps {
        let what = Value::Text(step.what.clone());
        let _ =
            writeln!(text, "{} {} {}:{}", step.kind.name(), json(&what), step.span.line, step.span.column);
    }
    text
}

fn records(app: &App, outcome: &Outcome) -> String {
    let mut text = String::new();
    for schema in &app.program().schemas {
        for row in outcome.store.rows(schema) {
            let _ = writeln!(
                text,
                "{} {} {:?} {:?} {}",
                schema.name,
                row.key,
                row.tenant,
                row.expires_ms,
                json(&Value::Map(row.fields))
            );
        }
    }
    text
}

/// The text around a byte, cut to what a line can show.
fn around(text: &str, at: usize) -> String {
    let mut start = at.saturating_sub(SHOWN / 3).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let before = if start > 0 { "..." } else { "" };
    let shown: String = text[start..].chars().take(SHOWN).collect();
    let after = if start + shown.len() < text.len() { "..." } else { "" };
    format!("{before}{}{after}", shown.replace('\n', " / "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown_around_its_first_byte() {
        let trace = |text: &str| Trace(vec![("result", text.to_owned()), ("state", "{}".to_owned())]);
        let long = "x".repeat(100);
        let differences = trace(&format!("{long}\u{e9}1")).differences(&trace(&format!("{long}\u{e8}1")));
        let [one] = differences.as_slice() else { panic!("{differences:?}") };
        assert_eq!(
            (one.what, one.here.starts_with("...xxx"), one.here.ends_with("\u{e8}1")),
            ("result", true, true)
        );
        assert_eq!(trace("a").differences(&trace("a")), []);
        let missing = trace("abc").differences(&trace(""));
        assert_eq!((missing[0].plain.as_str(), missing[0].here.as_str()), ("abc", ""));
    }
}
