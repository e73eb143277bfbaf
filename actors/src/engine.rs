//! The engine as a whole: start it, call it, read it, drain it.
//!
//! Owns the wiring of actors and the admission gate. Start it inside an actix system; it needs no HTTP.

mod config;
mod gate;
mod reading;
mod spawner;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Arbiter};
use bytes::Bytes;
use prometheus_client::registry::Registry;

use crate::batch::registry::{BatchPorts, Batchers};
use crate::cache::actor::{CacheChild, CacheShared};
use crate::cache::door::CacheDoor;
use crate::cache::index::CacheIndex;
use crate::cache::orders::{Forget, Order};
use crate::cache::purge::PurgeEpochs;
use crate::cache::{Entry, PurgeFilter};
use crate::call::{Call, CallId, CallKind, ChatWork, EmbedWork, ForwardWork};
use crate::error::{CallError, Stage};
use crate::flight::Orphanage;
use crate::lane::actor::LaneChild;
use crate::lane::queue::JobQueue;
use crate::lane::{Lane, LaneId, LaneLimits, LaneShared};
use crate::mail::{Door, reply};
use crate::metrics::EngineMetrics;
use crate::near::Near;
use crate::pipeline::{self, Answered, Embedded};
use crate::ports::clock::ClockRef;
use crate::ports::counting::Counter;
use crate::ports::egress::Egress;
use crate::ports::policy::Policy;
use crate::ports::tier::TierStore;
use crate::record::{Arrival, CallRecord, Failure, Recorder};
use crate::sites::Sites;
use crate::supervise::actor::{Dismiss, Settle, Supervise, Supervisor};
use crate::upstream::act::Acting;

pub use config::{EngineConfig, Placement, Ports, RunOn};
pub(crate) use gate::Gate;
pub use reading::{CacheReading, EngineReading, LaneReading};
pub(crate) use spawner::Spawner;

/// Everything the path reaches, shared by all calls.
pub(crate) struct Shared {
    pub(crate) config: EngineConfig,
    pub(crate) clock: ClockRef,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) egress: Arc<dyn Egress>,
    pub(crate) counter: Arc<dyn Counter>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) cache: Arc<CacheShared>,
    pub(crate) batchers: Arc<Batchers>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) acting: Arc<Acting>,
    pub(crate) metrics: EngineMetrics,
    pub(crate) spawner: Spawner,
    pub(crate) orphanage: Arc<Orphanage>,
    pub(crate) sites: Sites,
    /// Hides field values in the hashes `explain` compares; new in every process.
    pub(crate) salt: u64,
    interactive: Lane,
    heavy: Lane,
    supervisor: Arc<Door<Supervisor>>,
}

impl Shared {
    /// The lane of a kind of work.
    pub(crate) fn lane(&self, kind: CallKind) -> &Lane {
        match self.config.lane_of(kind) {
            LaneId::Interactive => &self.interactive,
            LaneId::Heavy => &self.heavy,
        }
    }
}

/// A running engine. Clones share it; it stops when drained or when its actix system stops.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Shared>);

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// Starts lanes, cache and supervisor, and registers their metrics.
    ///
    /// Must run inside an actix system. Calls made before [`Engine::ready`] are answered without the cache.
    pub fn start(config: EngineConfig, ports: Ports, registry: &mut Registry) -> Self {
        Self::start_with(config, ports, registry, Sites::default())
    }

    pub(crate) fn start_with(
        config: EngineConfig,
        ports: Ports,
        registry: &mut Registry,
        sites: Sites,
    ) -> Self {
        let metrics = EngineMetrics::register(registry);
        let clock = Arc::clone(&ports.clock);
        let cache = new_cache(&config, &ports, &metrics, &sites);
        let lane = |id: LaneId| {
            let limits = config.lane_limits(id);
            let (clock, metrics) = (Arc::clone(&clock), metrics.lane(id));
            new_lane(id, limits, clock, metrics, sites.clone())
        };
        let (interactive, heavy) = (lane(LaneId::Interactive), lane(LaneId::Heavy));
        let supervisor: Arc<Door<Supervisor>> = Arc::default();
        let arbiters = config.placement.arbiters();
        start_supervisor(&config, &arbiters, &supervisor, &clock, &metrics);
        for lane in [&interactive, &heavy] {
            drop(supervisor.tell(Supervise(Box::new(LaneChild(Arc::clone(&lane.0))))));
        }
        drop(supervisor.tell(Supervise(Box::new(CacheChild(Arc::clone(&cache))))));
        let (ledger, calls) = (Arc::clone(&ports.ledger), metrics.calls.clone());
        let recorder = Recorder::new(config.explain_calls, Arc::clone(&clock), ledger, calls);
        let acting = Arc::new(Acting {
            clock: Arc::clone(&clock),
            ledger: Arc::clone(&ports.ledger),
            metrics: metrics.upstream.clone(),
        });
        let batching = BatchPorts {
            clock: Arc::clone(&clock),
            acting: Arc::clone(&acting),
            lane: match config.lane_of(CallKind::Embed) {
                LaneId::Interactive => interactive.clone(),
                LaneId::Heavy => heavy.clone(),
            },
            cache: Arc::clone(&cache),
            policy: Arc::clone(&ports.policy),
            egress: Arc::clone(&ports.egress),
            supervisor: Arc::clone(&supervisor),
            metrics: metrics.batch.clone(),
            sites: sites.clone(),
            ttl_ms: config.ttl_ms(CallKind::Embed),
        };
        Self(Arc::new(Shared {
            gate: Arc::new(Gate::new(config.max_operations, metrics.calls.active.clone())),
            orphanage: Orphanage::new(config.max_operations),
            spawner: Spawner::new(config.run_on, arbiters.children.as_ref()),
            recorder: Arc::new(recorder),
            acting,
            batchers: Batchers::new(config.batch, batching),
            policy: ports.policy,
            egress: ports.egress,
            counter: ports.counter,
            salt: ports.salt,
            config,
            clock,
            cache,
            metrics,
            sites,
            interactive,
            heavy,
            supervisor,
        }))
    }

    /// Gives an engine with [`Placement::Settled`] the calling thread for its actors; the first call counts.
    pub fn settle(&self) {
        // A supervisor that is gone was dismissed: nothing will be started any more.
        drop(self.0.supervisor.tell(Settle(Arbiter::current())));
    }

    /// Waits until the engine's first actors are up.
    pub async fn ready(&self) {
        self.0.cache.index.online().await;
    }

    /// Answers a chat call from memory, from a flight already in the air, or by starting one.
    ///
    /// Dropping the future abandons this caller only; see orphan grace for the flight.
    ///
    /// # Errors
    /// [`CallError`] with the stage that refused; its retry says if asking again can help. No beginning of an
    /// answer by `call.deadline` is `deadline_exceeded`.
    ///
    /// # Cost
    /// A hit takes one shard read lock and sends no message; a miss sends one to the cache actor.
    pub async fn chat(&self, call: Call<ChatWork>) -> Result<Answered, CallError> {
        pipeline::chat(&self.0, call).await
    }

    /// Answers each item of an embedding call from memory, from a row already on its way, or by one of its own.
    ///
    /// Dropping the future gives its waiting rows up at once; rows others wait for fly on.
    ///
    /// # Errors
    /// [`CallError`] for the call as a whole. A rejected item is named by its place; all other items were
    /// computed and kept.
    ///
    /// # Cost
    /// A remembered item takes one shard read lock; the others of the call take one lock of their batcher together.
    pub async fn embed(&self, call: Call<EmbedWork>) -> Result<Embedded, CallError> {
        pipeline::embed(&self.0, call).await
    }

    /// Passes a request through. Never shared, kept or repeated.
    ///
    /// # Errors
    /// [`CallError`] only where no answer of the upstream exists; an error status of its own is an answer.
    pub async fn forward(&self, call: Call<ForwardWork>) -> Result<Answered, CallError> {
        pipeline::forward(&self.0, call).await
    }

    /// Forgets kept answers, in memory and behind it, and what is in the air will not be kept. Gives how many answers
    /// went; where memory and the store behind it count differently, the larger number.
    ///
    /// With `dry_run` nothing is forgotten and the count is what would go. Walks the whole index: call it on
    /// a thread that may block for a millisecond per ten thousand entries.
    ///
    /// # Errors
    /// `lane_lost` when the cache actor restarts meanwhile; its index is empty then.
    pub async fn purge(&self, filter: &PurgeFilter, dry_run: bool) -> Result<usize, CallError> {
        let cache = &self.0.cache;
        if !dry_run {
            cache.epochs.bump(filter);
        }
        let behind = match &cache.tier {
            Some(tier) => self.purge_behind(&**tier, filter, dry_run).await,
            None => 0,
        };
        let hashes = cache.index.select(|entry| filter.matches(entry));
        if dry_run || hashes.is_empty() {
            return Ok(hashes.len().max(behind));
        }
        Ok(self.forget(hashes).await?.max(behind))
    }

    /// Purges the store behind memory. Answers that were published before the epoch moved have been handed to it when the
    /// writer answers; those read from it before it forgot them are too old once the epoch has moved again.
    async fn purge_behind(&self, tier: &dyn TierStore, filter: &PurgeFilter, dry_run: bool) -> usize {
        if dry_run {
            return tier.forget(filter, true).await;
        }
        // A writer that is lost publishes nothing any more.
        let _ = self.forget(Vec::new()).await;
        let gone = tier.forget(filter, false).await;
        self.0.cache.epochs.bump(filter);
        gone
    }

    async fn forget(&self, hashes: Vec<u128>) -> Result<usize, CallError> {
        let lost = || CallError::lane_lost(Stage::Keep, "cache");
        let (to, from) = reply();
        self.0.cache.door.tell(Order::Forget(Forget { hashes, reply: to })).map_err(|_| lost())?;
        from.await.map_err(|_| lost())
    }

    /// Ends the cache's writer as a crash would: all that is kept is forgotten, and calls are answered without a cache
    /// until the supervisor has started the next one. For operators, and for proving that no answer depends on it.
    ///
    /// Counts as a restart: more of them than `supervise.restarts` within its window leave the engine without a cache.
    /// False if no writer lives just now.
    pub fn restart_cache(&self) -> bool {
        self.0.cache.door.end()
    }

    /// Keeps another coding (`br`, `gzip`, ..) of a kept body beside it.
    pub fn keep_variant(&self, entry: &Entry, coding: &'static str, body: Bytes) {
        let grown = entry.add_variant(coding, body);
        // Told too late, the budget is off by one variant until the next restart; never wrong for readers.
        let _ = self.0.cache.door.tell(Order::Grew(grown));
    }

    /// What is remembered of a recent call, and of the comparable call whose fields differ least.
    pub fn explain(&self, id: CallId) -> Option<(CallRecord, Option<CallRecord>)> {
        let record = self.0.recorder.find(id)?;
        let nearest = match (&record.fields, &record.key) {
            (None, Some(key)) => self.0.recorder.payer_of(key),
            _ => self.0.recorder.nearest(&record),
        };
        Some((record, nearest))
    }

    /// Writes into the ledger that a door refused a call before it began, where there is plenty of room for the row; else it is
    /// counted. Never waits.
    pub fn refuse(&self, arrival: Arrival, failure: Failure, reason: &'static str) {
        self.0.recorder.refuse(arrival, failure, reason);
    }

    /// The engine's clock.
    pub fn clock(&self) -> &ClockRef {
        &self.0.clock
    }

    /// The configuration it was started with.
    pub fn config(&self) -> &EngineConfig {
        &self.0.config
    }

    /// What it counts.
    pub fn metrics(&self) -> &EngineMetrics {
        &self.0.metrics
    }

    /// Stops admitting and waits until every admitted operation is answered, at most `patience`.
    ///
    /// Gives the number of operations that were still in progress.
    pub async fn drain(&self, patience: Duration) -> usize {
        self.0.gate.close();
        let clock = &self.0.clock;
        let late = clock.sleep_until(clock.now().plus(patience));
        tokio::select! {
            () = self.0.gate.emptied() => {}
            () = late => {}
        }
        drop(self.0.supervisor.tell(Dismiss));
        self.0.gate.active()
    }
}

fn new_cache(
    config: &EngineConfig,
    ports: &Ports,
    metrics: &EngineMetrics,
    sites: &Sites,
) -> Arc<CacheShared> {
    // Each admitted operation has at most a join, a landing and two orders of its orphan on the way.
    let orders = config.max_operations.saturating_mul(4).saturating_add(64);
    Arc::new(CacheShared {
        index: CacheIndex::new(),
        door: Arc::new(CacheDoor::new(orders)),
        epochs: PurgeEpochs::default(),
        limits: config.cache,
        tier: ports.tier.clone(),
        clock: Arc::clone(&ports.clock),
        metrics: metrics.cache.clone(),
        sites: sites.clone(),
    })
}

fn new_lane(
    id: LaneId,
    limits: LaneLimits,
    clock: ClockRef,
    metrics: crate::metrics::LaneMetrics,
    sites: Sites,
) -> Lane {
    let queue = Arc::new(JobQueue::new(limits));
    Lane(Arc::new(LaneShared { id, queue, door: Door::default(), near: Near::new(), clock, metrics, sites }))
}

/// The supervisor lives apart from its children, so that a stuck child cannot hold it.
fn start_supervisor(
    config: &EngineConfig,
    arbiters: &config::Arbiters,
    door: &Arc<Door<Supervisor>>,
    clock: &ClockRef,
    metrics: &EngineMetrics,
) {
    let supervisor = Supervisor::new(
        config.supervise,
        arbiters.children.clone(),
        Arc::clone(door),
        Arc::clone(clock),
        metrics.supervise.clone(),
    );
    door.open(Supervisor::start_in_arbiter(&arbiters.supervisor, |_| supervisor));
}
