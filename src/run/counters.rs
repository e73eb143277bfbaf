//! Owns the counters of an app's AI calls, by flow, as `language.md` names them. Counts what it is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tidegate_actors::Outcome;

use super::ask::Told;

/// Counters since the app was loaded.
#[derive(Debug, Default)]
pub struct Counters {
    counts: Mutex<BTreeMap<(&'static str, Arc<str>), u64>>,
}

impl Counters {
    /// Counts the asks of one run. `scheduled`: calls went through lanes.
    pub fn count(&self, told: &[Told], caching: bool, scheduled: bool) {
        let mut counts = self.counts.lock();
        let mut add = |name, flow: &Arc<str>, by| *counts.entry((name, Arc::clone(flow))).or_insert(0) += by;
        for Told { ask, outcome, waited, .. } in told {
            let Some(outcome) = outcome else { continue };
            let known = matches!(outcome, Outcome::Hit | Outcome::Joined);
            match known {
                true => add("performance_ai_cache_hit", &ask.flow, 1),
                false if caching && ask.cacheable() => add("performance_ai_cache_miss", &ask.flow, 1),
                false => {}
            }
            if scheduled && !known {
                let waited = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
                add("performance_scheduler_wait_ms", &ask.flow, waited);
            }
        }
    }

    /// Name, flow, count; sorted.
    pub fn read(&self) -> Vec<(&'static str, Arc<str>, u64)> {
        let counts = self.counts.lock();
        counts.iter().map(|((name, flow), count)| (*name, Arc::clone(flow), *count)).collect()
    }
}
