//! What the engine counts. A metric is a field here; label children are resolved once, at start.
//!
//! Gauges that mirror a queue or an index are read from it at scrape time, through [`crate::Engine::read`].

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::batch::metrics::BatchMetrics;
use crate::call::CallKind;
use crate::error::CallError;
use crate::lane::LaneId;
use crate::supervise::metrics::SuperviseMetrics;

pub(crate) type Pairs = Vec<(&'static str, String)>;
pub(crate) type Counters = Family<Pairs, Counter>;
type Histograms = Family<Pairs, Histogram, fn() -> Histogram>;

/// A counter of a family. The family's guard must not live on: two in one expression would lock each other out.
pub(crate) fn counter(of: &Counters, labels: Pairs) -> Counter {
    of.get_or_create_owned(&labels)
}

/// A histogram of a family; see [`counter`].
fn histogram(of: &Histograms, labels: Pairs) -> Histogram {
    of.get_or_create_owned(&labels)
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.5, 16))
}

/// Everything the engine counts.
#[derive(Debug, Clone)]
pub struct EngineMetrics {
    pub(crate) lanes: [LaneMetrics; 2],
    pub(crate) cache: CacheMetrics,
    pub(crate) batch: BatchMetrics,
    pub(crate) upstream: UpstreamMetrics,
    pub(crate) supervise: SuperviseMetrics,
    pub(crate) calls: CallMetrics,
    /// The three counters of the performance controls, under their exact names.
    pub performance: PerformanceCounters,
}

impl EngineMetrics {
    /// Registers every metric of the engine.
    pub fn register(registry: &mut Registry) -> Self {
        let performance = PerformanceCounters::default();
        Self {
            lanes: LaneMetrics::register(registry, &performance),
            cache: CacheMetrics::register(registry),
            batch: BatchMetrics::register(registry),
            upstream: UpstreamMetrics::register(registry),
            supervise: SuperviseMetrics::register(registry),
            calls: CallMetrics::register(registry, &performance),
            performance,
        }
    }

    pub(crate) fn lane(&self, id: LaneId) -> LaneMetrics {
        match id {
            LaneId::Interactive => self.lanes[0].clone(),
            LaneId::Heavy => self.lanes[1].clone(),
        }
    }
}

/// Counters whose names are given: no suffix, no unit, no renamed twin. Not registered here: the exposition
/// writes them under these names.
#[derive(Debug, Clone, Default)]
pub struct PerformanceCounters {
    /// `performance_ai_cache_hit`: calls answered from memory.
    pub ai_cache_hit: Counter,
    /// `performance_ai_cache_miss`: calls that had to be computed although the cache was asked.
    pub ai_cache_miss: Counter,
    /// `performance_scheduler_wait_ms`: milliseconds waited for lane slots, summed.
    pub scheduler_wait_ms: Counter,
}

/// One lane.
#[derive(Debug, Clone)]
pub(crate) struct LaneMetrics {
    pub(crate) refused_full: Counter,
    pub(crate) refused_closed: Counter,
    wait: Histogram,
    wait_ms: Counter,
}

impl LaneMetrics {
    fn register(registry: &mut Registry, performance: &PerformanceCounters) -> [Self; 2] {
        let refused = Counters::default();
        let wait = Histograms::new_with_constructor(seconds);
        registry.register("tidegate_lane_refused", "Jobs refused by a lane, by reason", refused.clone());
        registry.register("tidegate_lane_wait_seconds", "Time jobs waited for a slot", wait.clone());
        [LaneId::Interactive, LaneId::Heavy].map(|lane| {
            let name = || ("lane", lane.name().to_owned());
            let because = |reason: &str| vec![name(), ("reason", reason.to_owned())];
            Self {
                refused_full: counter(&refused, because("full")),
                refused_closed: counter(&refused, because("closed")),
                wait: histogram(&wait, vec![name()]),
                wait_ms: performance.scheduler_wait_ms.clone(),
            }
        })
    }

    /// A job got its slot after this long.
    pub(crate) fn waited(&self, wait: Duration) {
        self.wait.observe(wait.as_secs_f64());
        self.wait_ms.inc_by(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    }
}

/// The cache.
#[derive(Debug, Clone)]
pub(crate) struct CacheMetrics {
    pub(crate) kept: Counter,
    pub(crate) not_kept: Counter,
    pub(crate) evicted: Counter,
    pub(crate) expired: Counter,
    pub(crate) purged: Counter,
    pub(crate) orphaned: Counter,
    pub(crate) mismatched: Counter,
    pub(crate) offline: Counter,
}

impl CacheMetrics {
    fn register(registry: &mut Registry) -> Self {
        let events = Counters::default();
        registry.register("tidegate_cache_events", "What happened to cache entries", events.clone());
        let event = |name: &str| counter(&events, vec![("event", name.to_owned())]);
        Self {
            kept: event("kept"),
            not_kept: event("not_kept"),
            evicted: event("evicted"),
            expired: event("expired"),
            purged: event("purged"),
            orphaned: event("orphaned"),
            mismatched: event("mismatched"),
            offline: event("offline"),
        }
    }
}

/// Upstream requests.
#[derive(Debug, Clone)]
pub(crate) struct UpstreamMetrics {
    attempts: Counters,
    duration: Histograms,
    retries: Counters,
}

impl UpstreamMetrics {
    fn register(registry: &mut Registry) -> Self {
        let made = Self {
            attempts: Counters::default(),
            duration: Histograms::new_with_constructor(seconds),
            retries: Counters::default(),
        };
        registry.register(
            "tidegate_upstream_requests",
            "Requests sent upstream, by how they ended",
            made.attempts.clone(),
        );
        registry.register(
            "tidegate_upstream_seconds",
            "Time from dispatch to the end of the answer",
            made.duration.clone(),
        );
        registry.register("tidegate_upstream_retries", "Requests sent again", made.retries.clone());
        made
    }

    /// The children of one provider. Models are no label: with a catch-all their names are the clients' to choose.
    pub(crate) fn of(&self, provider: &Arc<str>) -> ProviderMetrics {
        let name = || ("provider", provider.to_string());
        ProviderMetrics {
            all: self.clone(),
            name: Arc::clone(provider),
            ok: counter(&self.attempts, vec![name(), ("status", "ok".to_owned())]),
            duration: histogram(&self.duration, vec![name()]),
            retries: counter(&self.retries, vec![name()]),
        }
    }
}

/// Upstream requests of one provider.
#[derive(Debug, Clone)]
pub(crate) struct ProviderMetrics {
    all: UpstreamMetrics,
    name: Arc<str>,
    ok: Counter,
    duration: Histogram,
    pub(crate) retries: Counter,
}

impl ProviderMetrics {
    /// A request ended with `status` after `took`.
    pub(crate) fn attempt(&self, status: &'static str, took: Duration) {
        if status == "ok" {
            self.ok.inc();
        } else {
            let labels = vec![("provider", self.name.to_string()), ("status", status.to_owned())];
            self.all.attempts.get_or_create(&labels).inc();
        }
        self.duration.observe(took.as_secs_f64());
    }
}

/// How a call ended, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    Hit,
    Joined,
    Miss,
    Mixed,
    Bypass,
    Failed,
    Abandoned,
}

impl Told {
    const ALL: [Self; 7] =
        [Self::Hit, Self::Joined, Self::Miss, Self::Mixed, Self::Bypass, Self::Failed, Self::Abandoned];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Joined => "joined",
            Self::Miss => "miss",
            Self::Mixed => "mixed",
            Self::Bypass => "bypass",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ErrorLabels {
    stage: &'static str,
    kind: &'static str,
    blame: &'static str,
}

/// Calls as their callers saw them.
#[derive(Debug, Clone)]
pub(crate) struct CallMetrics {
    told: [[(Counter, Histogram); 7]; 3],
    errors: Family<ErrorLabels, Counter>,
    pub(crate) active: Gauge,
    pub(crate) flights: Gauge,
    pub(crate) flight_bytes: Gauge,
    pub(crate) flights_cancelled: Counter,
    /// Calls whose row the books had no room for.
    pub(crate) unbooked: Counter,
    completed: Counter,
    failed: Counter,
    duration_sum: Counter<f64, std::sync::atomic::AtomicU64>,
    items: [Counter; 3],
    hits: Counter,
    misses: Counter,
}

const KINDS: [CallKind; 3] = [CallKind::Chat, CallKind::Embed, CallKind::Forward];

impl CallMetrics {
    fn register(registry: &mut Registry, performance: &PerformanceCounters) -> Self {
        let calls = Counters::default();
        let duration = Histograms::new_with_constructor(seconds);
        let items = Counters::default();
        registry.register("tidegate_calls", "Calls by kind and how they were answered", calls.clone());
        registry.register(
            "tidegate_call_seconds",
            "Time from admission to the last byte handed over",
            duration.clone(),
        );
        registry.register("tidegate_embed_items", "Embedding items by how they were answered", items.clone());
        let told = KINDS.map(|kind| {
            Told::ALL.map(|told| {
                let labels = vec![("kind", kind.name().to_owned()), ("outcome", told.name().to_owned())];
                (counter(&calls, labels.clone()), histogram(&duration, labels))
            })
        });
        let item = |name: &str| counter(&items, vec![("outcome", name.to_owned())]);
        let made = Self {
            told,
            errors: Family::default(),
            active: Gauge::default(),
            flights: Gauge::default(),
            flight_bytes: Gauge::default(),
            flights_cancelled: Counter::default(),
            unbooked: Counter::default(),
            completed: Counter::default(),
            failed: Counter::default(),
            duration_sum: Counter::default(),
            items: [item("hit"), item("joined"), item("miss")],
            hits: performance.ai_cache_hit.clone(),
            misses: performance.ai_cache_miss.clone(),
        };
        made.register_plain(registry);
        made
    }

    fn register_plain(&self, registry: &mut Registry) {
        registry.register(
            "tidegate_errors",
            "Calls that failed, by stage, kind and blame",
            self.errors.clone(),
        );
        registry.register(
            "active_operations",
            "Operations admitted and not yet answered",
            self.active.clone(),
        );
        registry.register("tidegate_flights", "Upstream answers in the air", self.flights.clone());
        registry.register(
            "tidegate_flight_bytes",
            "Bytes of answers held for those who follow them",
            self.flight_bytes.clone(),
        );
        registry.register(
            "tidegate_flights_cancelled",
            "Flights every caller had left",
            self.flights_cancelled.clone(),
        );
        registry.register(
            "tidegate_calls_unbooked",
            "Calls that were refused and have no row, because the ledger had no room for it",
            self.unbooked.clone(),
        );
        registry.register("operations_completed", "Operations answered", self.completed.clone());
        registry.register(
            "operations_failed",
            "Operations that failed or were abandoned",
            self.failed.clone(),
        );
        registry.register(
            "operation_duration_seconds",
            "Time all ended operations took; divide by their number for the average",
            self.duration_sum.clone(),
        );
    }

    pub(crate) fn told(&self, kind: CallKind, told: Told, took: Duration) {
        let seconds = took.as_secs_f64();
        let (calls, duration) = &self.told[kind as usize][told as usize];
        calls.inc();
        duration.observe(seconds);
        self.duration_sum.inc_by(seconds);
        match told {
            Told::Failed | Told::Abandoned => self.failed.inc(),
            _ => self.completed.inc(),
        };
        match told {
            Told::Hit => self.hits.inc(),
            Told::Joined | Told::Miss | Told::Mixed => self.misses.inc(),
            Told::Bypass | Told::Failed | Told::Abandoned => 0,
        };
    }

    pub(crate) fn items(&self, hit: u64, joined: u64, miss: u64) {
        for (counter, count) in self.items.iter().zip([hit, joined, miss]) {
            counter.inc_by(count);
        }
    }

    pub(crate) fn failed(&self, error: &CallError) {
        let labels =
            ErrorLabels { stage: error.stage.name(), kind: error.kind.name(), blame: error.blame.name() };
        self.errors.get_or_create(&labels).inc();
    }

    /// Calls answered from memory, by kind.
    pub(crate) fn hits(&self) -> [(CallKind, u64); 3] {
        KINDS.map(|kind| (kind, self.told[kind as usize][Told::Hit as usize].0.get()))
    }

    /// Embedding items answered from memory, by another call's row, and by the upstream.
    pub(crate) fn embed_items(&self) -> [u64; 3] {
        [0, 1, 2].map(|outcome: usize| self.items[outcome].get())
    }

    /// Operations ended well, ended badly, and the mean time of all in seconds.
    pub(crate) fn operations(&self) -> (u64, u64, f64) {
        let (completed, failed) = (self.completed.get(), self.failed.get());
        let ended = completed + failed;
        let mean = if ended == 0 { 0.0 } else { self.duration_sum.get() / ended as f64 };
        (completed, failed, mean)
    }
}
