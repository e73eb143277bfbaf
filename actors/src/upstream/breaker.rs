//! When to stop asking a provider that only fails. Pure.

use std::time::Duration;

use crate::ports::clock::Tick;

/// When a breaker opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open, milliseconds; then one request is let through to try.
    pub open_ms: u64,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self { failures: 5, open_ms: 10_000 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Tick,
    },
    /// One request is on its way; a caller that never reports back is forgotten at `until`.
    Trying {
        until: Tick,
    },
}

/// The breaker of one provider.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    rules: BreakerRules,
}

impl Breaker {
    pub(super) fn new(rules: BreakerRules) -> Self {
        Self { state: State::Closed { failures: 0 }, rules }
    }

    /// Whether a request may be sent now; if not, for how long not.
    pub(super) fn admit(&mut self, now: Tick) -> Result<(), Duration> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until } | State::Trying { until } if now < until => Err(until.since(now)),
            State::Open { .. } | State::Trying { .. } => {
                self.state = State::Trying { until: now.plus_ms(self.rules.open_ms) };
                Ok(())
            }
        }
    }

    pub(super) fn succeeded(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    pub(super) fn failed(&mut self, now: Tick) {
        let failures = match self.state {
            State::Closed { failures } => failures + 1,
            State::Open { .. } => return,
            State::Trying { .. } => self.rules.failures,
        };
        self.state = if failures >= self.rules.failures {
            State::Open { until: now.plus_ms(self.rules.open_ms) }
        } else {
            State::Closed { failures }
        };
    }

    /// Its state's name and how long it stays open.
    pub(super) fn read(&self, now: Tick) -> (&'static str, Duration) {
        match self.state {
            State::Closed { .. } => ("closed", Duration::ZERO),
            State::Open { until } if now < until => ("open", until.since(now)),
            State::Open { .. } | State::Trying { .. } => ("half_open", Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> Breaker {
        let mut breaker = Breaker::new(BreakerRules { failures: 2, open_ms: 100 });
        breaker.failed(Tick(0));
        breaker.failed(Tick(0));
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut breaker = Breaker::new(BreakerRules { failures: 2, open_ms: 100 });
        breaker.failed(Tick(0));
        breaker.succeeded();
        breaker.failed(Tick(0));
        assert_eq!(breaker.admit(Tick(0)), Ok(()));
        assert_eq!(broken().admit(Tick(0)), Err(Duration::from_millis(100)));
    }

    #[test]
    fn after_the_pause_one_request_tries_and_its_fate_decides() {
        let later = Tick(0).plus_ms(100);
        let mut breaker = broken();
        assert_eq!(breaker.admit(later), Ok(()));
        assert_eq!(breaker.admit(later), Err(Duration::from_millis(100)), "only one tries");
        breaker.failed(later);
        assert_eq!(breaker.read(later).0, "open");

        let mut breaker = broken();
        assert_eq!(breaker.admit(later), Ok(()));
        breaker.succeeded();
        assert_eq!(breaker.read(later).0, "closed");
    }
}
