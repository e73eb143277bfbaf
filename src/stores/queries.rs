//! Owns how long queries take: counted by name, and those that took too long told in the log. Must not know what a query asks.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tidegate_actors::ports::clock::ClockRef;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueryLabel {
    query: &'static str,
}

/// Counts queries. Clones are one.
#[derive(Debug, Clone)]
pub(super) struct QueryLog {
    times: Family<QueryLabel, Histogram, fn() -> Histogram>,
    slow: Counter,
    slow_after: Duration,
    clock: ClockRef,
}

impl QueryLog {
    /// Slow is what takes longer than `slow_after`.
    pub(super) fn register(registry: &mut Registry, slow_after: Duration, clock: ClockRef) -> Self {
        let times = Family::<QueryLabel, Histogram, fn() -> Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.000_05, 3.0, 14))
        });
        let slow = Counter::default();
        registry.register(
            "db_query_time_seconds",
            "Time of a query with its transaction, without the wait for a connection",
            times.clone(),
        );
        registry.register("slow_queries", "Queries slower than database.slow_query_ms", slow.clone());
        Self { times, slow, slow_after, clock }
    }

    /// Counts what `work` takes, which asks `query`.
    pub(super) async fn timed<T>(&self, query: &'static str, work: impl Future<Output = T>) -> T {
        let since = self.clock.now();
        let done = work.await;
        let took = self.clock.now().since(since);
        self.times.get_or_create(&QueryLabel { query }).observe(took.as_secs_f64());
        if took > self.slow_after {
            self.slow.inc();
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(query, ms, "slow query (database.slow_query_ms)");
        }
        done
    }
}
