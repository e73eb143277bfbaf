//! Owns what is counted of bodies.

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
pub(super) struct BodyMetrics {
    pub(super) kept: Counter,
    /// There was one like it already.
    pub(super) equal: Counter,
    /// Not kept, as too much waited to be written.
    pub(super) dropped: Counter,
    /// Not kept, as it was longer than may be.
    pub(super) too_large: Counter,
    /// Not kept, as the disk refused it.
    pub(super) failed: Counter,
    /// Read, and not what was written.
    pub(super) corrupt: Counter,
    /// Bytes that are held until they are written.
    pub(super) waiting: Gauge,
}

impl BodyMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let events = Family::<EventLabel, Counter>::default();
        registry.register(
            "tidegate_body_events",
            "What happened to requests and answers to be kept",
            events.clone(),
        );
        let waiting = Gauge::default();
        registry.register(
            "tidegate_body_waiting_bytes",
            "Bytes of requests and answers that wait to be written",
            waiting.clone(),
        );
        let event = |event| events.get_or_create_owned(&EventLabel { event });
        Self {
            kept: event("kept"),
            equal: event("equal"),
            dropped: event("dropped"),
            too_large: event("too_large"),
            failed: event("failed"),
            corrupt: event("corrupt"),
            waiting,
        }
    }
}
