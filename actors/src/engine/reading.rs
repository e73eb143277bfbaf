//! The engine at one moment, for people and gauges. Reading locks each queue for an instant.

use crate::batch::BatcherReading;
use crate::call::CallKind;
use crate::lane::{Lane, LaneId};
use crate::ports::clock::Tick;
use crate::supervise::metrics::Restarts;

use super::Engine;

/// One lane at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneReading {
    /// Which.
    pub id: LaneId,
    /// Jobs waiting.
    pub depth: usize,
    /// Jobs that may wait.
    pub queue_jobs: usize,
    /// Jobs running.
    pub in_flight: usize,
    /// Jobs that may run.
    pub in_flight_jobs: usize,
    /// How long the oldest job waits, milliseconds.
    pub oldest_wait_ms: u64,
    /// Jobs refused because the queue was full.
    pub refused_full: u64,
    /// Jobs refused because the lane was closed.
    pub refused_closed: u64,
    /// The restart budget is spent.
    pub closed: bool,
}

/// The cache at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheReading {
    /// Entries kept.
    pub entries: usize,
    /// What they count, bytes.
    pub bytes: usize,
    /// The cache actor lives.
    pub online: bool,
    /// Entries published since start.
    pub kept: u64,
    /// Entries that had to go.
    pub evicted: u64,
    /// Entries whose time was over.
    pub expired: u64,
    /// Entries purged.
    pub purged: u64,
    /// Calls answered from memory, by kind.
    pub hits: [(CallKind, u64); 3],
    /// Embedding items by how they were answered: hit, joined, miss.
    pub embed_items: [u64; 3],
}

/// The engine at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineReading {
    /// Both lanes.
    pub lanes: [LaneReading; 2],
    /// The cache.
    pub cache: CacheReading,
    /// Actors that were replaced, by child and cause.
    pub restarts: Vec<Restarts>,
    /// Every batcher.
    pub batchers: Vec<BatcherReading>,
    /// Embedding rows waiting at all batchers, and how many may.
    pub rows_waiting: (usize, usize),
    /// Answers in the air.
    pub flights: i64,
    /// Answers in the air or complete that wait for a caller to come back, and how many may; one more is given up.
    pub orphans: (usize, usize),
    /// Bytes of answers held for those who follow them; each flight holds `flight_max_bytes` at most.
    pub flight_bytes: i64,
    /// Operations in progress.
    pub active_operations: usize,
    /// Operations that may be in progress.
    pub max_operations: usize,
    /// Operations answered, failed or abandoned, and the mean time of all, seconds.
    pub operations: (u64, u64, f64),
    /// Calls the recent-call ring holds, and how many it has seen.
    pub recorded: (usize, u64),
    /// Nothing is admitted any more.
    pub draining: bool,
}

impl Engine {
    /// The engine at this moment.
    pub fn read(&self) -> EngineReading {
        let shared = &*self.0;
        let now = shared.clock.now();
        let cache = &shared.cache;
        EngineReading {
            lanes: [read_lane(&shared.interactive, now), read_lane(&shared.heavy, now)],
            cache: CacheReading {
                entries: cache.index.len(),
                bytes: cache.index.bytes(),
                online: cache.index.is_online(),
                kept: cache.metrics.kept.get(),
                evicted: cache.metrics.evicted.get(),
                expired: cache.metrics.expired.get(),
                purged: cache.metrics.purged.get(),
                hits: shared.metrics.calls.hits(),
                embed_items: shared.metrics.calls.embed_items(),
            },
            restarts: shared.metrics.supervise.read(),
            batchers: shared.batchers.read(),
            rows_waiting: shared.batchers.waiting(),
            flights: shared.metrics.calls.flights.get(),
            orphans: shared.orphanage.read(),
            flight_bytes: shared.metrics.calls.flight_bytes.get(),
            active_operations: shared.gate.active(),
            max_operations: shared.gate.limit(),
            operations: shared.metrics.calls.operations(),
            recorded: shared.recorder.size(),
            draining: shared.gate.is_closed(),
        }
    }
}

fn read_lane(lane: &Lane, now: Tick) -> LaneReading {
    let shared = &*lane.0;
    let reading = shared.queue.read();
    let limits = shared.queue.limits();
    let oldest = reading.oldest.map_or(0, |since| now.since(since).as_millis());
    LaneReading {
        id: shared.id,
        depth: reading.depth,
        queue_jobs: limits.queue_jobs,
        in_flight: reading.running,
        in_flight_jobs: limits.in_flight_jobs,
        oldest_wait_ms: u64::try_from(oldest).unwrap_or(u64::MAX),
        refused_full: shared.metrics.refused_full.get(),
        refused_closed: shared.metrics.refused_closed.get(),
        closed: reading.closed,
    }
}
