//! Owns what one run of the generator saw: counts and latencies.
//!
//! Must not know what was asked or what the figures should be.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::connection::{Answer, Source};

/// Latencies are kept in units of 100 ns, with three digits, up to ten minutes.
const UNIT_NS: u128 = 100;
const LONGEST_UNITS: u64 = 6_000_000_000;

/// Latencies of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u32>);

impl Latencies {
    fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_UNITS, 3);
        Self(histogram.expect("bounds with high >= 2 * low and 3 digits are valid"))
    }

    /// Adds one; anything above ten minutes counts as ten minutes.
    pub(crate) fn record(&mut self, latency: Duration) {
        let units = u64::try_from(latency.as_nanos() / UNIT_NS).unwrap_or(LONGEST_UNITS);
        self.0.saturating_record(units.max(1));
    }

    /// Milliseconds below which `percent` of the latencies lie; 0 when there are none.
    pub(crate) fn ms(&self, percent: f64) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.value_at_percentile(percent) as f64 / 10_000.0 }
    }
}

/// Counts and latencies of one run.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// From the intended send time (open loop) or the send (closed loop) to the end of the answer.
    pub(crate) latency: Latencies,
    /// The same, to the first event.
    pub(crate) first: Latencies,
    /// Answers inside the measured window.
    pub(crate) measured: u64,
    /// The measured window.
    pub(crate) window: Duration,
    /// Every answer since the run began, warm-up included.
    pub(crate) answers: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) sources: BTreeMap<Source, u64>,
    /// Answers that belong to another question.
    pub(crate) wrong: u64,
    /// Connections that broke, with the first reason.
    pub(crate) broken: u64,
    pub(crate) first_break: Option<String>,
}

impl Tally {
    /// Nothing seen yet.
    pub(crate) fn new() -> Self {
        Self {
            latency: Latencies::new(),
            first: Latencies::new(),
            measured: 0,
            window: Duration::ZERO,
            answers: 0,
            statuses: BTreeMap::new(),
            sources: BTreeMap::new(),
            wrong: 0,
            broken: 0,
            first_break: None,
        }
    }

    /// Counts an answer; its latencies only when `within` the measured window.
    pub(crate) fn add(&mut self, answer: &Answer, since: tokio::time::Instant, within: bool) {
        self.answers += 1;
        *self.statuses.entry(answer.status).or_default() += 1;
        *self.sources.entry(answer.source).or_default() += 1;
        self.wrong += u64::from(!answer.belongs);
        if within {
            self.measured += 1;
            self.latency.record(answer.end - since);
            self.first.record(answer.first - since);
        }
    }

    /// Counts a connection that broke.
    pub(crate) fn add_break(&mut self, reason: &std::io::Error) {
        self.broken += 1;
        self.first_break.get_or_insert_with(|| reason.to_string());
    }

    /// Answers per second inside the measured window.
    pub(crate) fn per_second(&self) -> f64 {
        self.measured as f64 / self.window.as_secs_f64().max(1e-9)
    }

    /// How many answers came from `source`.
    pub(crate) fn from(&self, source: Source) -> u64 {
        self.sources.get(&source).copied().unwrap_or(0)
    }

    /// What is wrong with this run, or `None` when every answer was a 200 that belongs to its question.
    pub(crate) fn fault(&self) -> Option<String> {
        let good = self.statuses.get(&200).copied().unwrap_or(0);
        if good == self.answers && self.wrong == 0 && self.broken == 0 && self.answers > 0 {
            return None;
        }
        let reason = self.first_break.as_deref().unwrap_or("-");
        Some(format!(
            "{} answers, statuses {:?}, {} of another question, {} broken connections ({reason})",
            self.answers, self.statuses, self.wrong, self.broken
        ))
    }
}
