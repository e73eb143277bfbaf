//! How often a child may be started again, and after which pause. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ports::clock::Tick;
use crate::supervise::SuperviseLimits;

/// Longest pause between two generations.
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// Restarts of one child within a sliding window.
#[derive(Debug)]
pub(crate) struct RestartBudget {
    spent: VecDeque<Tick>,
    limits: SuperviseLimits,
}

impl RestartBudget {
    pub(crate) fn new(limits: SuperviseLimits) -> Self {
        Self { spent: VecDeque::new(), limits }
    }

    /// Takes one restart and gives the pause before it; `None` when the budget is spent.
    pub(crate) fn take(&mut self, now: Tick) -> Option<Duration> {
        let window = Duration::from_millis(self.limits.window_ms);
        while self.spent.front().is_some_and(|&at| now.since(at) >= window) {
            self.spent.pop_front();
        }
        let recent = u32::try_from(self.spent.len()).unwrap_or(u32::MAX);
        if recent >= self.limits.restarts {
            return None;
        }
        self.spent.push_back(now);
        let pause = Duration::from_millis(self.limits.backoff_ms).saturating_mul(1 << recent.min(16));
        Some(pause.min(MAX_BACKOFF))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_within_the_window_are_counted_and_older_ones_are_forgotten() {
        let limits = SuperviseLimits { restarts: 2, window_ms: 1_000, backoff_ms: 10, ..Default::default() };
        let mut budget = RestartBudget::new(limits);
        assert_eq!(budget.take(Tick(0)), Some(Duration::from_millis(10)));
        assert_eq!(budget.take(Tick(0)), Some(Duration::from_millis(20)), "the pause doubles");
        assert_eq!(budget.take(Tick(0).plus_ms(999)), None);
        assert_eq!(budget.take(Tick(0).plus_ms(1_000)), Some(Duration::from_millis(10)));
    }
}
