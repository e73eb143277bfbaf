//! The actor behind the cache's writer: its thread, its life, its alarms. Orders wait in `door.rs`, `writer.rs` carries
//! them out.
//!
//! Its death costs misses, never answers: the index goes offline until the next generation.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message};

use crate::cache::CacheLimits;
use crate::cache::door::CacheDoor;
use crate::cache::entry::Entry;
use crate::cache::index::CacheIndex;
use crate::cache::purge::PurgeEpochs;
use crate::cache::writer::Writer;
use crate::flight::Stamps;
use crate::metrics::CacheMetrics;
use crate::near::Home;
use crate::ports::clock::ClockRef;
use crate::ports::tier::TierStore;
use crate::sites::Sites;
use crate::supervise::{Birth, Child, Deathwatch, Pulse};

/// How often entries whose time is over are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// What the actor, its factory and the readers share.
#[derive(Debug)]
pub(crate) struct CacheShared {
    pub(crate) index: CacheIndex,
    pub(crate) door: Arc<CacheDoor>,
    pub(crate) epochs: PurgeEpochs,
    pub(crate) limits: CacheLimits,
    /// What is kept behind memory.
    pub(crate) tier: Option<Arc<dyn TierStore>>,
    pub(crate) clock: ClockRef,
    pub(crate) metrics: CacheMetrics,
    pub(crate) sites: Sites,
}

impl CacheShared {
    /// True if an answer looked up under `stamps` may still be kept for `workspace`.
    pub(crate) fn is_current(&self, entry: &Entry, stamps: Stamps) -> bool {
        self.epochs.of(&entry.facts.workspace) == stamps.purge
    }
}

/// Says that orders may wait. Carries nothing, so losing one loses no order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Doorbell;

/// Ends this generation; the supervisor sees to the next.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct End;

/// Look for entries whose time is over. Names its generation: one that was stuck must not sweep for its successor.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Sweep {
    pub(crate) generation: u64,
}

/// A caller met a panic in the writer: its actor dies of it, here, as if it had met it itself.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Crash(pub(crate) Box<dyn Any + Send>);

/// One generation of the cache's writer.
pub(crate) struct CacheActor {
    shared: Arc<CacheShared>,
    generation: u64,
    writer: Home<Writer>,
    _watch: Deathwatch,
}

impl CacheActor {
    fn new(shared: Arc<CacheShared>, birth: Birth) -> Self {
        let Birth { generation, watch, .. } = birth;
        let writer = shared.door.near.settle(Writer::new(Arc::clone(&shared), generation));
        Self { shared, generation, writer, _watch: watch }
    }

    fn sweep_later(&self, ctx: &mut Context<Self>) {
        let (door, generation) = (Arc::clone(&self.shared.door), self.generation);
        let ready = self.shared.clock.sleep_until(self.shared.clock.now().plus(SWEEP));
        ctx.spawn(actix::fut::wrap_future(async move {
            ready.await;
            door.sweep(generation);
        }));
    }
}

impl Actor for CacheActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.sweep_later(ctx);
    }
}

impl Handler<Doorbell> for CacheActor {
    type Result = ();

    fn handle(&mut self, _: Doorbell, _: &mut Self::Context) {
        self.writer.work(Writer::work);
    }
}

impl Handler<End> for CacheActor {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<Crash> for CacheActor {
    type Result = ();

    fn handle(&mut self, Crash(panic): Crash, _: &mut Self::Context) {
        std::panic::resume_unwind(panic);
    }
}

impl Handler<Sweep> for CacheActor {
    type Result = ();

    fn handle(&mut self, sweep: Sweep, ctx: &mut Self::Context) {
        if sweep.generation == self.generation {
            self.writer.work(Writer::sweep);
            self.sweep_later(ctx);
        }
    }
}

/// Starts generations of the cache's writer.
pub(crate) struct CacheChild(pub(crate) Arc<CacheShared>);

impl Child for CacheChild {
    fn name(&self) -> &'static str {
        "cache"
    }

    fn start(&mut self, birth: Birth) {
        let shared = Arc::clone(&self.0);
        let (generation, arbiter) = (birth.generation, birth.arbiter.clone());
        let started = arbiter.spawn_fn(move || {
            let writer = CacheActor::new(Arc::clone(&shared), birth).start();
            shared.door.open(generation, writer);
            shared.index.begin(generation);
        });
        if !started {
            tracing::error!("the engine's arbiter is gone; the cache stays offline");
        }
    }

    fn lost(&mut self) {
        self.0.door.shut();
        self.0.index.end();
    }

    fn pulse(&self) -> Pulse {
        if self.0.door.has_work() { Pulse::Busy { progress: self.0.door.progress() } } else { Pulse::Idle }
    }
}
