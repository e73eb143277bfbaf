//! The lane's actor: answers the doorbell by handing free slots to waiting jobs. A caller on its own thread behind whom
//! nobody waits is handed its slot at once.
//!
//! Owns nothing that must survive it: jobs wait in the queue, running work holds slots.

use std::any::Any;
use std::sync::Arc;

use actix::{Actor, Context, Handler, Message};

use crate::lane::LaneShared;
use crate::lane::queue::Slot;
use crate::near::Home;
use crate::sites::Site;
use crate::supervise::{Birth, Child, Deathwatch, Pulse};

/// Says that the lane's queue may hold work. Carries nothing, so losing one loses no job.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Doorbell;

/// A caller met a panic in the lane's work: its actor dies of it, here, as if it had met it itself.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Crash(pub(crate) Box<dyn Any + Send>);

/// What one generation of a lane does.
pub(crate) struct Dispatcher {
    shared: Arc<LaneShared>,
    generation: u64,
}

impl Dispatcher {
    /// A slot for a newcomer, if one is free and nobody waits for it.
    pub(crate) fn grant(&mut self) -> Option<Slot> {
        if !self.shared.sites.pass(Site::LaneDoorbell) {
            return None;
        }
        let slot = self.shared.queue.take_free(&self.shared, self.generation)?;
        self.shared.sites.pass(Site::LaneBeforeStart);
        Some(slot)
    }

    fn dispatch(&mut self) {
        let queue = &self.shared.queue;
        if !self.shared.sites.pass(Site::LaneDoorbell) {
            return;
        }
        queue.silence_bell(); // before popping: a push from here on rings again
        let now = self.shared.clock.now();
        while let Some((job, slot)) = queue.pop(&self.shared, self.generation, now) {
            self.shared.sites.pass(Site::LaneBeforeStart);
            // The caller left between pop and start: its slot goes to the next job.
            drop(job.start(slot));
        }
    }
}

/// One generation of a lane.
pub(crate) struct LaneActor {
    dispatcher: Home<Dispatcher>,
    _watch: Deathwatch,
}

impl LaneActor {
    pub(crate) fn new(shared: Arc<LaneShared>, generation: u64, watch: Deathwatch) -> Self {
        let dispatcher = Dispatcher { shared: Arc::clone(&shared), generation };
        Self { dispatcher: shared.near.settle(dispatcher), _watch: watch }
    }
}

impl Actor for LaneActor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.dispatcher.work(Dispatcher::dispatch); // jobs may have waited for this generation
    }
}

impl Handler<Doorbell> for LaneActor {
    type Result = ();

    fn handle(&mut self, _: Doorbell, _: &mut Self::Context) {
        self.dispatcher.work(Dispatcher::dispatch);
    }
}

impl Handler<Crash> for LaneActor {
    type Result = ();

    fn handle(&mut self, Crash(panic): Crash, _: &mut Self::Context) {
        std::panic::resume_unwind(panic);
    }
}

/// Starts generations of one lane.
pub(crate) struct LaneChild(pub(crate) Arc<LaneShared>);

impl Child for LaneChild {
    fn name(&self) -> &'static str {
        self.0.id.name()
    }

    fn start(&mut self, birth: Birth) {
        let shared = Arc::clone(&self.0);
        let Birth { generation, watch, arbiter } = birth;
        shared.queue.begin_generation(generation);
        let started = arbiter.spawn_fn(move || {
            let lane = LaneActor::new(Arc::clone(&shared), generation, watch).start();
            shared.door.open(lane);
        });
        if !started {
            tracing::error!(lane = self.0.id.name(), "the engine's arbiter is gone");
            self.0.queue.close();
        }
    }

    fn lost(&mut self) {
        self.0.door.shut();
    }

    fn closed(&mut self) {
        self.0.queue.close();
    }

    fn pulse(&self) -> Pulse {
        if self.0.queue.has_work() { Pulse::Busy { progress: self.0.queue.progress() } } else { Pulse::Idle }
    }
}
