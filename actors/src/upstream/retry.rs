//! When to ask again, after which pause, and when the budget for it is spent. Pure.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use crate::call::CallId;
use crate::ports::clock::Tick;
use crate::ports::provider::{Fault, FaultKind};

/// When and how often to ask one provider again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryRules {
    /// Further attempts of one call.
    pub retries: u32,
    /// First pause, milliseconds; doubles with each attempt, jittered down to half.
    pub base_ms: u64,
    /// Longest pause, milliseconds; a longer wish of the upstream ends our tries.
    pub max_ms: u64,
    /// Retries earned by each first attempt: 0.1 lets retries add a tenth to the load.
    pub budget: f64,
    /// Retries granted each second whatever the load.
    pub budget_per_s: f64,
}

impl Default for RetryRules {
    fn default() -> Self {
        Self { retries: 2, base_ms: 200, max_ms: 10_000, budget: 0.1, budget_per_s: 5.0 }
    }
}

impl RetryRules {
    /// The pause before attempt `next` of `call`, or `None` if asking again is no use.
    pub(super) fn pause(&self, call: CallId, next: u32, fault: &Fault) -> Option<Duration> {
        let again = match fault.kind {
            FaultKind::Busy { .. } | FaultKind::Broken { .. } | FaultKind::Cut => true,
            FaultKind::Rejected { .. } | FaultKind::Unusable => false,
            FaultKind::Timeout { .. } | FaultKind::Credential { .. } => false,
        };
        if !again || next > self.retries + 1 {
            return None;
        }
        let most = Duration::from_millis(self.max_ms);
        if let Some(wish) = fault.retry_after {
            return (wish <= most).then_some(wish);
        }
        let doubled = self.base_ms.saturating_mul(1 << (next.saturating_sub(2)).min(20));
        let full = doubled.min(self.max_ms);
        Some(Duration::from_millis(full / 2 + jitter(call, next) % (full / 2 + 1)))
    }
}

/// Spreads the retries of different calls; the same call always pauses alike.
fn jitter(call: CallId, attempt: u32) -> u64 {
    let mut seed = [0; 20];
    seed[..16].copy_from_slice(&call.bytes());
    seed[16..].copy_from_slice(&attempt.to_le_bytes());
    xxh3_64(&seed)
}

/// Retries a provider may still be asked for: earned by load, so that they never multiply it.
#[derive(Debug)]
pub(super) struct RetryBudget {
    rules: RetryRules,
    saved: f64,
    last: Tick,
}

impl RetryBudget {
    /// A budget of two seconds' grant.
    pub(super) fn new(rules: RetryRules) -> Self {
        Self { rules, saved: rules.budget_per_s * 2.0, last: Tick(0) }
    }

    /// A first attempt earns its share.
    pub(super) fn earn(&mut self) {
        self.saved = (self.saved + self.rules.budget).min(self.most());
    }

    /// Spends one retry, if there is one.
    pub(super) fn spend(&mut self, now: Tick) -> bool {
        let seconds = now.since(self.last).as_secs_f64();
        self.last = now;
        self.saved = (self.saved + seconds * self.rules.budget_per_s).min(self.most());
        let granted = self.saved >= 1.0;
        if granted {
            self.saved -= 1.0;
        }
        granted
    }

    fn most(&self) -> f64 {
        (self.rules.budget_per_s * 10.0).max(10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_jitter_and_stay_below_the_longest() {
        let rules = RetryRules { retries: 20, base_ms: 200, max_ms: 1_000, ..Default::default() };
        let fault = Fault::broken(Some(503), "busy");
        for (next, most) in [(2, 200), (3, 400), (4, 800), (5, 1_000), (20, 1_000)] {
            let pause = rules.pause(CallId::fresh(), next, &fault).expect("retryable").as_millis();
            assert!((most / 2..=most).contains(&pause), "attempt {next}: {pause} ms");
        }
    }

    #[test]
    fn the_upstreams_wish_is_honoured_unless_it_is_longer_than_we_wait() {
        let rules = RetryRules::default();
        let busy = |ms| {
            Fault::new(FaultKind::Busy { status: 429 }, "429")
                .with_retry_after(Some(Duration::from_millis(ms)))
        };
        assert_eq!(rules.pause(CallId::fresh(), 2, &busy(700)), Some(Duration::from_millis(700)));
        assert_eq!(rules.pause(CallId::fresh(), 2, &busy(300_000)), None);
    }

    #[test]
    fn what_would_fail_again_is_not_asked_again() {
        let rules = RetryRules::default();
        let rejected = Fault::new(FaultKind::Rejected { status: 400 }, "400");
        assert_eq!(rules.pause(CallId::fresh(), 2, &rejected), None);
        assert_eq!(
            rules.pause(CallId::fresh(), 4, &Fault::broken(None, "cut")),
            None,
            "two retries, no third"
        );
    }

    #[test]
    fn retries_are_earned_by_load() {
        let rules = RetryRules { budget: 0.1, budget_per_s: 0.0, ..Default::default() };
        let mut budget = RetryBudget::new(rules);
        assert!(!budget.spend(Tick(0)));
        for _ in 0..21 {
            budget.earn();
        }
        assert!(budget.spend(Tick(0)) && budget.spend(Tick(0)));
        assert!(!budget.spend(Tick(0)), "21 first attempts earn two retries");
    }
}
