//! The batcher's actor: answers the doorbell by sending batches off, and leaves when there is nothing to do.
//!
//! Owns nothing that must survive it: rows wait in the queue, batches in the air hold slots.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message};

use crate::batch::fly::{BatchSlot, fly};
use crate::batch::queue::Start;
use crate::batch::registry::Batcher;
use crate::error::CallError;
use crate::ports::clock::Tick;
use crate::sites::Site;
use crate::supervise::{Birth, Child, Deathwatch, Pulse};

/// Says that rows may wait. Carries nothing, so losing one loses no row.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Doorbell;

/// Says that the batcher was retired.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Leave;

/// A moment has come: to look for rows that lingered, or to see whether anything was done.
#[derive(Debug, Message)]
#[rtype(result = "()")]
enum Alarm {
    Linger,
    Idle { progress: u64 },
}

/// One generation of a batcher.
pub(crate) struct BatcherActor {
    batcher: Arc<Batcher>,
    generation: u64,
    /// When the alarm for lingering rows rings, if one is set.
    linger: Option<Tick>,
    _watch: Deathwatch,
}

impl BatcherActor {
    fn dispatch(&mut self, ctx: &mut Context<Self>) {
        if !self.batcher.ports.sites.pass(Site::BatcherDoorbell) {
            return;
        }
        let queue = &self.batcher.queue;
        queue.silence_bell(); // before looking: a row from here on rings again
        loop {
            match queue.start(self.generation, self.batcher.ports.clock.now()) {
                Start::Go(turn) => {
                    let slot = BatchSlot::new(Arc::clone(&self.batcher));
                    drop(actix::spawn(fly(slot, turn)));
                }
                Start::At(due) if self.linger.is_none_or(|set| set > due) => {
                    self.linger = Some(due);
                    return self.alarm(ctx, due, Alarm::Linger);
                }
                Start::At(_) | Start::No => return,
            }
        }
    }

    fn alarm(&self, ctx: &mut Context<Self>, at: Tick, alarm: Alarm) {
        let batcher = Arc::clone(&self.batcher);
        let ready = batcher.ports.clock.sleep_until(at);
        ctx.spawn(actix::fut::wrap_future(async move {
            ready.await;
            // A full mailbox has a doorbell in it; the next generation sets its own alarms.
            drop(batcher.door.tell(alarm));
        }));
    }

    fn watch_idleness(&self, ctx: &mut Context<Self>) {
        let progress = self.batcher.queue.progress();
        let at = self.batcher.ports.clock.now().plus(self.batcher.idle.max(Duration::from_millis(1)));
        self.alarm(ctx, at, Alarm::Idle { progress });
    }
}

impl Actor for BatcherActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.batcher.is_retired() {
            return ctx.stop();
        }
        self.dispatch(ctx); // rows may have waited for this generation
        self.watch_idleness(ctx);
    }
}

impl Handler<Doorbell> for BatcherActor {
    type Result = ();

    fn handle(&mut self, _: Doorbell, ctx: &mut Self::Context) {
        self.dispatch(ctx);
    }
}

impl Handler<Leave> for BatcherActor {
    type Result = ();

    fn handle(&mut self, _: Leave, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<Alarm> for BatcherActor {
    type Result = ();

    fn handle(&mut self, alarm: Alarm, ctx: &mut Self::Context) {
        match alarm {
            Alarm::Linger => {
                self.linger = None;
                self.dispatch(ctx);
            }
            Alarm::Idle { progress } if progress == self.batcher.queue.progress() => {
                if self.batcher.retire_if_idle() { ctx.stop() } else { self.watch_idleness(ctx) }
            }
            Alarm::Idle { .. } => self.watch_idleness(ctx),
        }
    }
}

/// Starts generations of one batcher.
pub(crate) struct BatcherChild(pub(crate) Arc<Batcher>);

impl Child for BatcherChild {
    fn name(&self) -> &'static str {
        "batcher"
    }

    fn start(&mut self, birth: Birth) {
        let batcher = Arc::clone(&self.0);
        let Birth { generation, watch, arbiter } = birth;
        batcher.queue.begin_generation(generation);
        let started = arbiter.spawn_fn(move || {
            let actor =
                BatcherActor { batcher: Arc::clone(&batcher), generation, linger: None, _watch: watch };
            batcher.door.open(actor.start());
        });
        if !started {
            tracing::error!(child = "batcher", "the engine's arbiter is gone");
            self.closed();
        }
    }

    fn lost(&mut self) {
        self.0.door.shut();
    }

    fn closed(&mut self) {
        self.0.queue.close(&CallError::lane_closed("batcher"));
    }

    fn pulse(&self) -> Pulse {
        let queue = &self.0.queue;
        let busy = queue.has_work(self.0.ports.clock.now());
        if busy { Pulse::Busy { progress: queue.progress() } } else { Pulse::Idle }
    }

    fn retired(&self) -> bool {
        self.0.is_retired()
    }
}
