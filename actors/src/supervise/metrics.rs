//! How often supervised actors were replaced, and why.
//!
//! Owns the counters; must not decide about restarts.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use crate::metrics::{Counters, counter};
use crate::supervise::Cause;

/// How often a child was replaced for one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restarts {
    /// The child's name.
    pub child: &'static str,
    /// `panic`, `stopped` or `stalled`.
    pub cause: &'static str,
    /// How often, since start.
    pub count: u64,
}

/// Restarts.
#[derive(Debug, Clone)]
pub(crate) struct SuperviseMetrics {
    restarts: Counters,
    /// The family's children, which it does not list itself.
    seen: Arc<Mutex<BTreeMap<(&'static str, &'static str), Counter>>>,
}

impl SuperviseMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let restarts = Counters::default();
        registry.register(
            "tidegate_restarts",
            "Actors that ended and were replaced, by cause",
            restarts.clone(),
        );
        Self { restarts, seen: Arc::default() }
    }

    pub(crate) fn restarted(&self, child: &'static str, cause: Cause) {
        let labels = || vec![("child", child.to_owned()), ("cause", cause.name().to_owned())];
        let mut seen = self.seen.lock();
        seen.entry((child, cause.name())).or_insert_with(|| counter(&self.restarts, labels())).inc();
    }

    /// What was restarted so far, by child and cause.
    pub(crate) fn read(&self) -> Vec<Restarts> {
        let seen = self.seen.lock();
        seen.iter().map(|(&(child, cause), count)| Restarts { child, cause, count: count.get() }).collect()
    }
}
