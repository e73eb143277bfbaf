//! Owns what is counted of the answers behind memory.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabel {
    event: &'static str,
}

/// See the field names.
#[derive(Debug, Clone)]
pub(super) struct WarmMetrics {
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    pub(super) kept: Counter,
    /// Not kept, as too much waited to be written.
    pub(super) dropped: Counter,
    pub(super) evicted: Counter,
    pub(super) expired: Counter,
    pub(super) purged: Counter,
    /// Rows that were not what was written.
    pub(super) corrupt: Counter,
    /// Reads and writes the disk refused.
    pub(super) failed: Counter,
    pub(super) bytes: Gauge,
    pub(super) rows: Gauge,
}

impl WarmMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let events = Family::<EventLabel, Counter>::default();
        let (bytes, rows) = (Gauge::default(), Gauge::default());
        registry.register("tidegate_warm_events", "What happened to answers behind memory", events.clone());
        registry.register("tidegate_warm_bytes", "Bytes of answers behind memory", bytes.clone());
        registry.register("tidegate_warm_entries", "Answers behind memory", rows.clone());
        let event = |event| events.get_or_create_owned(&EventLabel { event });
        Self {
            hits: event("hit"),
            misses: event("miss"),
            kept: event("kept"),
            dropped: event("dropped"),
            evicted: event("evicted"),
            expired: event("expired"),
            purged: event("purged"),
            corrupt: event("corrupt"),
            failed: event("failed"),
            bytes,
            rows,
        }
    }
}
