//! Owns what is counted of the main database. Must not know what its connections do.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabel {
    pool: &'static str,
}

/// What is counted of the database.
#[derive(Debug, Clone)]
pub(super) struct DatabaseMetrics {
    pub(super) readers: PoolMetrics,
    pub(super) writer: PoolMetrics,
    pub(super) statistics: StatisticsMetrics,
}

/// What is counted of the statistics by which queries are planned.
#[derive(Debug, Clone, Default)]
pub(super) struct StatisticsMetrics {
    updated_s: Gauge<f64, AtomicU64>,
    failures: Counter,
}

/// What is counted of one pool.
#[derive(Debug, Clone)]
pub(super) struct PoolMetrics {
    connections: Gauge,
    in_use: Gauge,
    waits: Histogram,
}

impl DatabaseMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let connections = Family::<PoolLabel, Gauge>::default();
        let in_use = Family::<PoolLabel, Gauge>::default();
        let waits = Family::<PoolLabel, Histogram, fn() -> Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.01, 4.0, 12))
        });
        registry.register(
            "active_database_connections",
            "Connections to the main database that are open",
            connections.clone(),
        );
        registry.register("pool_in_use", "Connections to the main database that are in use", in_use.clone());
        registry.register("pool_wait_ms", "Milliseconds waited for a connection", waits.clone());
        let pool = |pool: &'static str| {
            let label = PoolLabel { pool };
            let (connections, in_use) =
                (connections.get_or_create_owned(&label), in_use.get_or_create_owned(&label));
            PoolMetrics { connections, in_use, waits: waits.get_or_create_owned(&label) }
        };
        let statistics = StatisticsMetrics::register(registry);
        Self { readers: pool("read"), writer: pool("write"), statistics }
    }
}

impl StatisticsMetrics {
    fn register(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register(
            "tidegate_statistics_updated_timestamp_seconds",
            "When the statistics for planning queries were last brought up to date, 0 if never",
            all.updated_s.clone(),
        );
        registry.register(
            "tidegate_statistics_failures",
            "Times that statistics could not all be brought up to date",
            all.failures.clone(),
        );
        all
    }

    /// They were brought up to date at this moment, microseconds since 1970.
    pub(super) fn updated(&self, at_us: i64) {
        self.updated_s.set(at_us as f64 / 1e6);
    }

    /// They could not be, or not all.
    pub(super) fn failed(&self) {
        self.failures.inc();
    }
}

impl PoolMetrics {
    pub(super) fn waited(&self, wait: Duration) {
        self.waits.observe(wait.as_secs_f64() * 1e3);
    }

    pub(super) fn taken(&self, connections: u32) {
        self.in_use.inc();
        self.connections.set(connections.into());
    }

    pub(super) fn given_back(&self, connections: u32) {
        self.in_use.dec();
        self.connections.set(connections.into());
    }
}
