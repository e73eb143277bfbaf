//! A provider as the engine knows it: permits, breaker, retry budget, and the one loop that asks.
//!
//! Owns what is learned about a provider while it runs; must not know any vendor. Decisions are in
//! `breaker.rs` and `retry.rs`, the loop in `act.rs`.

pub(crate) mod act;
mod breaker;
mod permits;
mod retry;
mod sent;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use crate::metrics::{ProviderMetrics, UpstreamMetrics};
use crate::ports::clock::Tick;
use crate::ports::provider::Provider;

use breaker::Breaker;
pub use breaker::BreakerRules;
use permits::Permits;
use retry::RetryBudget;
pub use retry::RetryRules;
pub(crate) use sent::Sent;

/// What the engine grants and demands of one provider.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpstreamLimits {
    /// Requests at once; further ones wait with their lane slot, workspaces by turns.
    pub max_in_flight: usize,
    /// When and how often to ask again.
    pub retry: RetryRules,
    /// When to stop asking for a while.
    pub breaker: BreakerRules,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self { max_in_flight: 256, retry: RetryRules::default(), breaker: BreakerRules::default() }
    }
}

/// How a provider is, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamReading {
    /// Its name in configuration.
    pub name: Arc<str>,
    /// Requests it works on.
    pub in_flight: usize,
    /// Requests it may work on.
    pub max_in_flight: usize,
    /// `closed` (asked), `open` (not asked) or `half_open` (asked once).
    pub breaker: &'static str,
    /// Time until it is asked again, milliseconds; 0 unless open.
    pub open_for_ms: u64,
}

/// A provider and its state.
pub struct Upstream {
    name: Arc<str>,
    provider: Arc<dyn Provider>,
    limits: UpstreamLimits,
    permits: Arc<Permits>,
    breaker: Mutex<Breaker>,
    budget: Mutex<RetryBudget>,
    metrics: OnceLock<ProviderMetrics>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Upstream {
    /// Puts a provider under the engine's care.
    pub fn new(name: impl Into<Arc<str>>, provider: Arc<dyn Provider>, limits: UpstreamLimits) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            provider,
            limits,
            permits: Permits::new(limits.max_in_flight),
            breaker: Mutex::new(Breaker::new(limits.breaker)),
            budget: Mutex::new(RetryBudget::new(limits.retry)),
            metrics: OnceLock::new(),
        })
    }

    /// The same provider behind a decorator: name and limits stay, what was learned of it begins anew.
    pub fn decorated(&self, wrap: impl FnOnce(Arc<dyn Provider>) -> Arc<dyn Provider>) -> Arc<Self> {
        Self::new(Arc::clone(&self.name), wrap(Arc::clone(&self.provider)), self.limits)
    }

    /// The same provider under other limits; what was learned of it begins anew.
    pub fn limited(&self, limits: UpstreamLimits) -> Arc<Self> {
        Self::new(Arc::clone(&self.name), Arc::clone(&self.provider), limits)
    }

    /// What is granted and demanded of it.
    pub fn limits(&self) -> UpstreamLimits {
        self.limits
    }

    /// What is counted of it; resolved once, by the engine that asks it first.
    fn metrics(&self, all: &UpstreamMetrics) -> &ProviderMetrics {
        self.metrics.get_or_init(|| all.of(&self.name))
    }

    /// Its name in configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How it is.
    pub fn read(&self, now: Tick) -> UpstreamReading {
        let (breaker, open_for) = self.breaker.lock().read(now);
        UpstreamReading {
            name: Arc::clone(&self.name),
            in_flight: self.limits.max_in_flight.saturating_sub(self.permits.free()),
            max_in_flight: self.limits.max_in_flight,
            breaker,
            open_for_ms: u64::try_from(open_for.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// True unless its breaker is open.
    pub fn is_healthy(&self, now: Tick) -> bool {
        self.breaker.lock().read(now).1 == Duration::ZERO
    }
}
