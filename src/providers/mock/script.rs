//! The mock's planned failures: which request fails, and how.
//!
//! Owns the count of requests; how a failure looks is decided in `mock.rs`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::ScriptedFailure;

/// Failures in the order they happen: each `after` counts the requests that succeed since the last.
pub(super) struct Script {
    failures: Vec<ScriptedFailure>,
    asked: AtomicU64,
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Succeeds,
    Fails { status: u16, retry_after: Option<Duration> },
    CutAfter(u32),
}

impl Script {
    pub(super) fn new(failures: Vec<ScriptedFailure>) -> Self {
        Self { failures, asked: AtomicU64::new(0) }
    }

    /// What becomes of the request that asks now.
    pub(super) fn turn(&self) -> Turn {
        if self.failures.is_empty() {
            return Turn::Succeeds;
        }
        let mut left = self.asked.fetch_add(1, Ordering::Relaxed);
        for failure in &self.failures {
            if left < failure.after {
                return Turn::Succeeds;
            }
            left -= failure.after;
            if left < failure.times {
                return turn_of(failure);
            }
            left -= failure.times;
        }
        Turn::Succeeds
    }
}

fn turn_of(failure: &ScriptedFailure) -> Turn {
    match (failure.cut_after_events, failure.status) {
        (Some(events), _) => Turn::CutAfter(events),
        (None, Some(status)) => {
            Turn::Fails { status, retry_after: failure.retry_after_ms.map(Duration::from_millis) }
        }
        (None, None) => Turn::Succeeds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(after: u64, times: u64, status: u16) -> ScriptedFailure {
        ScriptedFailure { after, times, status: Some(status), ..ScriptedFailure::default() }
    }

    #[test]
    fn failures_come_in_order_with_successes_between() {
        let script = Script::new(vec![failure(1, 2, 500), failure(2, 1, 429)]);
        let seen: Vec<u16> = (0..8)
            .map(|_| match script.turn() {
                Turn::Fails { status, .. } => status,
                _ => 200,
            })
            .collect();
        assert_eq!(seen, [200, 500, 500, 200, 200, 429, 200, 200]);
    }

    #[test]
    fn a_cut_names_the_events_before_it() {
        let cut = ScriptedFailure { cut_after_events: Some(3), ..ScriptedFailure::default() };
        let script = Script::new(vec![cut]);
        assert_eq!((script.turn(), script.turn()), (Turn::CutAfter(3), Turn::Succeeds));
    }
}
