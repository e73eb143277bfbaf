//! Owns what the runs of an app said of themselves since it was loaded: log lines, metric points, spans. Bounded; the
//! oldest lines go first. Must not know who reads them.

mod series;

use std::collections::VecDeque;

use parking_lot::Mutex;

use self::series::Series;
use super::counters::Counters;
use crate::lang::machine::{Logged, Outcome, Step};
use crate::lang::report::cut;
use crate::lang::value::{JsonStyle, Value};

/// Lines of each kind that are kept.
const KEPT_LINES: usize = 1_000;
/// Bytes they may take as JSON.
const KEPT_BYTES: usize = 4 << 20;
/// Characters of what a span was about.
const SPAN_CHARS: usize = 200;

/// What is observed. Nothing, unless it is on.
#[derive(Debug)]
pub struct Observed {
    on: bool,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    logs: Lines,
    spans: Lines,
    series: Series,
}

/// The latest lines of one kind.
#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<(usize, Value)>,
    bytes: usize,
    written: u64,
}

impl Lines {
    /// Appends a line; it is given its id.
    fn push(&mut self, kind: &str, mut fields: Vec<(&str, Value)>) {
        self.written += 1;
        fields.push(("id", Value::text(format!("{kind}:{:04}", self.written))));
        let line = Value::map(fields.into_iter().map(|(name, value)| (name.into(), value)).collect());
        let bytes = line.to_json(JsonStyle::Compact).len();
        self.bytes += bytes;
        self.lines.push_back((bytes, line));
        while self.lines.len() > KEPT_LINES || self.bytes > KEPT_BYTES {
            let Some((bytes, _)) = self.lines.pop_front() else { break };
            self.bytes -= bytes;
        }
    }

    /// Those of `lines` that will be kept; the others are numbered, and no more work is done for them.
    fn latest<'l, T>(&mut self, lines: &'l [T]) -> &'l [T] {
        let skipped = lines.len().saturating_sub(KEPT_LINES);
        self.written += skipped as u64;
        &lines[skipped..]
    }

    fn read(&self) -> Vec<Value> {
        self.lines.iter().map(|(_, line)| line.clone()).collect()
    }
}

impl Observed {
    pub(super) fn new(on: bool) -> Self {
        Self { on, book: Mutex::new(Book::default()) }
    }

    /// Whether anything is collected.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Takes what a run left.
    pub(super) fn note(&self, outcome: &Outcome) {
        if !self.on {
            return;
        }
        let mut book = self.book.lock();
        for line in book.logs.latest(&outcome.logs) {
            book.logs.push("log", log(outcome, line));
        }
        for step in book.spans.latest(&outcome.steps) {
            book.spans.push("span", span(outcome, step));
        }
        for point in &outcome.metrics {
            book.series.note(point);
        }
    }

    /// The latest log lines, oldest first.
    #[must_use]
    pub fn logs(&self) -> Vec<Value> {
        self.book.lock().logs.read()
    }

    /// The latest things runs did, oldest first.
    #[must_use]
    pub fn spans(&self) -> Vec<Value> {
        self.book.lock().spans.read()
    }

    /// `{ok, counters, timings}`: metrics of programs, and `calls` by flow. Empty where nothing is collected.
    #[must_use]
    pub fn metrics(&self, calls: &Counters) -> Value {
        let (counters, timings) = match self.on {
            true => self.book.lock().series.read(calls),
            false => Default::default(),
        };
        Value::fields([
            ("counters", Value::list(counters)),
            ("ok", true.into()),
            ("timings", Value::list(timings)),
        ])
    }
}

fn log(outcome: &Outcome, line: &Logged) -> Vec<(&'static str, Value)> {
    vec![
        ("fields", line.fields.clone().unwrap_or_else(|| Value::fields([]))),
        ("flow_name", Value::Text(outcome.flow.clone())),
        ("level", line.level.name().into()),
        ("message", line.message.clone()),
    ]
}

fn span(outcome: &Outcome, step: &Step) -> Vec<(&'static str, Value)> {
    vec![
        ("column", Value::int(step.span.column.into())),
        ("flow_name", Value::Text(outcome.flow.clone())),
        ("kind", step.kind.name().into()),
        ("line", Value::int(step.span.line.into())),
        ("name", cut(&step.what, SPAN_CHARS).into()),
    ]
}
