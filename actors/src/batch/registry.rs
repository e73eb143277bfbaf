//! Which batchers exist: one per kind of request, made at first use, gone when idle, never too many.
//!
//! Owns the way in for calls; must not know how a batch travels.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::batch::actor::{BatcherActor, BatcherChild, Doorbell, Leave};
use crate::batch::budget::RowBudget;
use crate::batch::count::Counting;
use crate::batch::metrics::BatchMetrics;
use crate::batch::queue::{Refused, RowQueue, Stay};
use crate::batch::table::{Asker, RowAsk};
use crate::batch::{BatchLimits, BatcherReading, Landed, RowItem};
use crate::cache::actor::CacheShared;
use crate::call::Affecting;
use crate::error::{CallError, Stage};
use crate::key::{BodyDigest, ItemKind, Key};
use crate::lane::Lane;
use crate::mail::Door;
use crate::ports::clock::{ClockRef, Tick};
use crate::ports::egress::Egress;
use crate::ports::policy::Policy;
use crate::route::Target;
use crate::sites::Sites;
use crate::supervise::actor::{Supervise, Supervisor};
use crate::upstream::act::Acting;

/// What must be equal for rows to travel in one request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BatchKey {
    pub(crate) target: Arc<str>,
    pub(crate) input: ItemKind,
    /// Every field but the items and the encoding.
    pub(crate) others: BodyDigest,
    pub(crate) affecting: Affecting,
}

/// Where rows are bound for.
#[derive(Debug)]
pub(crate) struct Bound<'a> {
    pub(crate) key: BatchKey,
    pub(crate) target: &'a Target,
}

/// What the batchers take from the engine.
pub(crate) struct BatchPorts {
    pub(crate) clock: ClockRef,
    pub(crate) acting: Arc<Acting>,
    pub(crate) lane: Lane,
    pub(crate) cache: Arc<CacheShared>,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) egress: Arc<dyn Egress>,
    pub(crate) supervisor: Arc<Door<Supervisor>>,
    pub(crate) metrics: BatchMetrics,
    pub(crate) sites: Sites,
    /// How long a vector is kept, milliseconds.
    pub(crate) ttl_ms: u64,
}

/// What a batcher's actor, its batches and its callers share.
pub(crate) struct Batcher {
    pub(crate) key: BatchKey,
    pub(crate) target: Target,
    pub(crate) queue: Arc<RowQueue<RowItem, Landed>>,
    pub(crate) door: Door<BatcherActor>,
    pub(crate) ports: Arc<BatchPorts>,
    pub(crate) idle: Duration,
    pub(crate) counting: Counting,
    batchers: Weak<Batchers>,
    retired: AtomicBool,
}

impl fmt::Debug for Batcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Batcher {
    /// Tells the batcher that it may have work; without one, the next generation rings itself.
    pub(crate) fn ring(&self) {
        if self.queue.ring() && self.door.tell(Doorbell).is_err() {
            self.queue.silence_bell();
        }
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Leaves the registry if there is nothing to do; newcomers make a new one.
    pub(crate) fn retire_if_idle(self: &Arc<Self>) -> bool {
        if self.queue.close_if_idle() {
            self.retired.store(true, Ordering::Release);
            if let Some(batchers) = self.batchers.upgrade() {
                batchers.forget(self);
            }
        }
        self.is_retired()
    }

    fn read(&self, now: Tick) -> BatcherReading {
        let reading = self.queue.read();
        let oldest = reading.oldest.map_or(0, |since| now.since(since).as_millis());
        BatcherReading {
            target: Arc::clone(&self.key.target),
            input: match self.key.input {
                ItemKind::Text => "text",
                ItemKind::Tokens => "tokens",
            },
            waiting: reading.waiting,
            max_rows: self.queue.limits().max_rows,
            in_air: reading.in_air,
            batches: reading.running,
            oldest_wait_ms: u64::try_from(oldest).unwrap_or(u64::MAX),
            closed: reading.closed && !self.is_retired(),
        }
    }
}

/// All batchers.
pub(crate) struct Batchers {
    map: Mutex<HashMap<BatchKey, Arc<Batcher>>>,
    budget: Arc<RowBudget>,
    limits: BatchLimits,
    ports: Arc<BatchPorts>,
}

impl Batchers {
    pub(crate) fn new(limits: BatchLimits, ports: BatchPorts) -> Arc<Self> {
        let budget = Arc::new(RowBudget::new(limits.max_rows_in_all));
        Arc::new(Self { map: Mutex::new(HashMap::new()), budget, limits, ports: Arc::new(ports) })
    }

    /// Joins or queues the rows of one call, all or none.
    ///
    /// `make` builds the rows; it runs again if the batcher leaves at this very moment.
    ///
    /// # Errors
    /// `rows_full` when too many rows or batchers exist, `lane_closed` when the batcher failed too often.
    pub(crate) fn enter(
        self: &Arc<Self>,
        bound: &Bound<'_>,
        asker: &Asker<'_, Landed>,
        make: impl Fn() -> Vec<RowAsk<RowItem>>,
        recheck: impl Fn(&Key) -> Option<Landed>,
    ) -> Result<Stay<RowItem, Landed>, CallError> {
        loop {
            let batcher = self.of(bound)?;
            match batcher.queue.enter(asker, make(), &recheck) {
                Ok(stay) => {
                    self.ports.metrics.joined(stay.joined);
                    if stay.queued > 0 {
                        batcher.ring();
                    }
                    return Ok(stay);
                }
                Err(Refused::Closed) if batcher.is_retired() => self.forget(&batcher),
                Err(Refused::Closed) => return Err(CallError::lane_closed("batcher")),
                Err(Refused::Full { limit, own, oldest }) => {
                    self.ports.metrics.refused();
                    let wait = oldest.map_or(Duration::ZERO, |since| asker.now.since(since));
                    return Err(CallError::rows_full("rows", limit, own, patience(wait)));
                }
            }
        }
    }

    fn of(self: &Arc<Self>, bound: &Bound<'_>) -> Result<Arc<Batcher>, CallError> {
        let mut map = self.map.lock();
        if let Some(batcher) = map.get(&bound.key) {
            return Ok(Arc::clone(batcher));
        }
        if map.len() >= self.limits.max_batchers && !make_room(&mut map) {
            self.ports.metrics.refused();
            return Err(CallError::rows_full(
                "batchers",
                self.limits.max_batchers,
                0,
                patience(Duration::ZERO),
            ));
        }
        let batcher = Arc::new(Batcher {
            key: bound.key.clone(),
            target: bound.target.clone(),
            queue: Arc::new(RowQueue::new(self.limits.queue(), Arc::clone(&self.budget))),
            door: Door::default(),
            ports: Arc::clone(&self.ports),
            idle: Duration::from_millis(self.limits.idle_ms),
            counting: Counting::default(),
            batchers: Arc::downgrade(self),
            retired: AtomicBool::new(false),
        });
        map.insert(bound.key.clone(), Arc::clone(&batcher));
        drop(map);
        let child = Box::new(BatcherChild(Arc::clone(&batcher)));
        if self.ports.supervisor.tell(Supervise(child)).is_err() {
            self.forget(&batcher);
            return Err(CallError::lane_lost(Stage::Group, "supervisor"));
        }
        Ok(batcher)
    }

    fn forget(&self, batcher: &Arc<Batcher>) {
        let mut map = self.map.lock();
        if map.get(&batcher.key).is_some_and(|stands| Arc::ptr_eq(stands, batcher)) {
            map.remove(&batcher.key);
        }
    }

    /// Every batcher at this moment.
    pub(crate) fn read(&self) -> Vec<BatcherReading> {
        let batchers: Vec<_> = self.map.lock().values().cloned().collect();
        let now = self.ports.clock.now();
        batchers.iter().map(|batcher| batcher.read(now)).collect()
    }

    /// Rows waiting in all queues, and how many may.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.budget.waiting(), self.limits.max_rows_in_all)
    }
}

/// Lets one idle batcher go before its time. Walks the map, but only when it is full.
fn make_room(map: &mut HashMap<BatchKey, Arc<Batcher>>) -> bool {
    let idle = map.values().find(|batcher| !batcher.is_retired() && batcher.queue.close_if_idle()).cloned();
    let Some(batcher) = idle else { return false };
    batcher.retired.store(true, Ordering::Release);
    map.remove(&batcher.key);
    // Not started yet or between generations: the next one sees that it is retired.
    drop(batcher.door.tell(Leave));
    true
}

/// How long to stay away: about as long as the oldest row waits, 50 ms to 5 s.
fn patience(oldest: Duration) -> Duration {
    oldest.clamp(Duration::from_millis(50), Duration::from_secs(5))
}
