//! The lane's actor: answers the doorbell by handing free slots to waiting jobs.
//!
//! Owns nothing that must survive it: jobs wait in the queue, running work holds slots.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message};

use crate::lane::LaneShared;
use crate::sites::Site;
use crate::supervise::{Birth, Child, Deathwatch, Pulse};

/// Says that the lane's queue may hold work. Carries nothing, so losing one loses no job.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Doorbell;

/// One generation of a lane.
#[derive(Debug)]
pub(crate) struct LaneActor {
    shared: Arc<LaneShared>,
    generation: u64,
    _watch: Deathwatch,
}

impl LaneActor {
    pub(crate) fn new(shared: Arc<LaneShared>, generation: u64, watch: Deathwatch) -> Self {
        Self { shared, generation, _watch: watch }
    }

    fn dispatch(&self) {
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

impl Actor for LaneActor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.dispatch(); // jobs may have waited for this generation
    }
}

impl Handler<Doorbell> for LaneActor {
    type Result = ();

    fn handle(&mut self, _: Doorbell, _: &mut Self::Context) {
        self.dispatch();
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
