//! What an engine is started with.

use std::sync::Arc;

use actix::{Arbiter, ArbiterHandle};

use crate::batch::BatchLimits;
use crate::cache::{CacheLimits, Capacity};
use crate::call::CallKind;
use crate::lane::{LaneId, LaneLimits, split_slots};
use crate::ports::clock::{ClockRef, SystemClock};
use crate::ports::counting::{Counter, NoCounter};
use crate::ports::egress::{Egress, PassThrough};
use crate::ports::ledger::{Ledger, NoLedger};
use crate::ports::policy::{AllowAll, Policy};
use crate::ports::tier::TierStore;
use crate::supervise::SuperviseLimits;

/// On which threads the engine's actors live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// On threads of their own: one for the actors, one for their supervisor.
    Own,
    /// On the thread that starts the engine; for a single-threaded program.
    Current,
    /// On the thread that first calls [`super::Engine::settle`]: a server's worker, so that calls on it reach the
    /// actors without waking another thread. Until then calls wait in their lanes.
    Settled,
}

/// The threads an engine uses.
pub(crate) struct Arbiters {
    /// Unknown until the engine is settled.
    pub(crate) children: Option<ArbiterHandle>,
    pub(crate) supervisor: ArbiterHandle,
}

impl Placement {
    pub(crate) fn arbiters(self) -> Arbiters {
        match self {
            Self::Own => {
                Arbiters { children: Some(Arbiter::new().handle()), supervisor: Arbiter::new().handle() }
            }
            Self::Current => Arbiters { children: Some(Arbiter::current()), supervisor: Arbiter::current() },
            Self::Settled => Arbiters { children: None, supervisor: Arbiter::new().handle() },
        }
    }
}

/// Where the task of a flight runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOn {
    /// On the thread of the call that started it.
    Caller,
    /// On the lanes' thread.
    Lane,
}

/// Limits and switches of an engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineConfig {
    /// Operations in progress at once.
    pub max_operations: usize,
    /// Slots of the lane pair together.
    pub max_concurrency: usize,
    /// Jobs that may wait in each lane.
    pub queue_jobs: usize,
    /// Age at which a waiting job goes before every workspace's turn, milliseconds.
    pub aging_ms: u64,
    /// Lane of generated answers, of embeddings, of what is passed through.
    pub lanes: [LaneId; 3],
    /// Lifetime of a kept answer of each kind, milliseconds; of what is passed through it means nothing.
    pub ttl_ms: [u64; 3],
    /// Limits of the cache.
    pub cache: CacheLimits,
    /// Limits of batching.
    pub batch: BatchLimits,
    /// Answers stopped for length or by a filter are kept too.
    pub keep_cut_answers: bool,
    /// Equal calls share a flight.
    pub join: bool,
    /// Bytes of one answer held for its followers.
    pub flight_max_bytes: usize,
    /// How long an answer waits for the retry of a caller that left, milliseconds. As many as `max_operations` wait at once.
    pub orphan_grace_ms: u64,
    /// Recent calls `explain` knows.
    pub explain_calls: usize,
    /// Restarts.
    pub supervise: SuperviseLimits,
    /// Threads of the actors.
    pub placement: Placement,
    /// Thread of a flight.
    pub run_on: RunOn,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            max_operations: 16_384,
            max_concurrency: 1_024,
            queue_jobs: 4_096,
            aging_ms: 2_000,
            lanes: [LaneId::Interactive, LaneId::Heavy, LaneId::Interactive],
            ttl_ms: [7 * 86_400_000, 30 * 86_400_000, 1],
            cache: CacheLimits { capacity: Capacity::Bytes(256 << 20), max_entry_bytes: 8 << 20 },
            batch: BatchLimits::default(),
            keep_cut_answers: false,
            join: true,
            flight_max_bytes: 16 << 20,
            orphan_grace_ms: 1_500,
            explain_calls: 4_096,
            supervise: SuperviseLimits::default(),
            placement: Placement::Own,
            run_on: RunOn::Caller,
        }
    }
}

impl EngineConfig {
    pub(crate) fn lane_limits(&self, id: LaneId) -> LaneLimits {
        let (interactive, heavy) = split_slots(self.max_concurrency);
        let in_flight_jobs = match id {
            LaneId::Interactive => interactive,
            LaneId::Heavy => heavy,
        };
        LaneLimits { in_flight_jobs, queue_jobs: self.queue_jobs, aging_ms: self.aging_ms }
    }

    pub(crate) fn lane_of(&self, kind: CallKind) -> LaneId {
        self.lanes[kind as usize]
    }

    pub(crate) fn ttl_ms(&self, kind: CallKind) -> u64 {
        self.ttl_ms[kind as usize]
    }
}

/// The adapters an engine works with.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: ClockRef,
    /// Who may call.
    pub policy: Arc<dyn Policy>,
    /// What may leave.
    pub egress: Arc<dyn Egress>,
    /// Where calls are written down.
    pub ledger: Arc<dyn Ledger>,
    /// Who counts tokens that no upstream counted.
    pub counter: Arc<dyn Counter>,
    /// What keeps answers behind memory, if anything does.
    pub tier: Option<Arc<dyn TierStore>>,
    /// Random, new in every process: hides field values in what `explain` compares.
    pub salt: u64,
}

impl Ports {
    /// The machine's clock, and ports that let everything pass.
    pub fn open(salt: u64) -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            policy: Arc::new(AllowAll),
            egress: Arc::new(PassThrough),
            ledger: Arc::new(NoLedger),
            counter: Arc::new(NoCounter),
            tier: None,
            salt,
        }
    }
}
