//! The supervisor's actor: hears of deaths and stalls, starts the next generation after a pause.
//!
//! Owns the children's factories and budgets; decisions are in `budget.rs`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Arbiter, ArbiterHandle, AsyncContext, Context, Handler, Message};

use crate::mail::Door;
use crate::ports::clock::ClockRef;
use crate::supervise::budget::RestartBudget;
use crate::supervise::metrics::SuperviseMetrics;
use crate::supervise::{Birth, Cause, Child, ChildId, Deathwatch, Pulse, SuperviseLimits};

/// Messages the mailbox holds: a burst of new batchers, and the death of as many. A birth it cannot take is
/// refused to the caller, who may ask again.
const MAILBOX: usize = 4_096;

/// Take a child under supervision and start it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Supervise(pub(crate) Box<dyn Child>);

/// Here is the thread children live on; those that wait for it start now.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Settle(pub(crate) ArbiterHandle);

/// A child ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ChildDown {
    pub(crate) child: ChildId,
    pub(crate) generation: u64,
    pub(crate) cause: Cause,
}

/// The pause before a restart is over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Restart(ChildId);

/// Look for stalled children.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Round;

/// End: children are told nothing, their arbiters stop with the system.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Dismiss;

struct Watched {
    child: Box<dyn Child>,
    generation: u64,
    budget: RestartBudget,
    /// A thread of its own, since it stalled on the common one.
    moved_to: Option<ArbiterHandle>,
    last: Pulse,
    same_since_ms: u64,
}

/// Starts children, and starts them again.
pub(crate) struct Supervisor {
    children: HashMap<ChildId, Watched>,
    next: u64,
    limits: SuperviseLimits,
    /// The children's common thread, once it is known.
    arbiter: Option<ArbiterHandle>,
    door: Arc<Door<Supervisor>>,
    clock: ClockRef,
    metrics: SuperviseMetrics,
}

impl Supervisor {
    /// Children start on `arbiter`, or when [`Settle`] names one; one that stalls is replaced on an arbiter of its own.
    pub(crate) fn new(
        limits: SuperviseLimits,
        arbiter: Option<ArbiterHandle>,
        door: Arc<Door<Self>>,
        clock: ClockRef,
        metrics: SuperviseMetrics,
    ) -> Self {
        Self { children: HashMap::new(), next: 0, limits, arbiter, door, clock, metrics }
    }

    fn round_ms(&self) -> u64 {
        (self.limits.stall_after_ms / 4).max(25)
    }

    fn tell_later<M>(&self, ctx: &mut Context<Self>, message: M, after: Duration)
    where
        M: Message<Result = ()> + Send + 'static,
        Self: Handler<M>,
    {
        let door = Arc::clone(&self.door);
        let ready = self.clock.sleep_until(self.clock.now().plus(after));
        ctx.spawn(actix::fut::wrap_future(async move {
            ready.await;
            // Full or gone: the engine is going down, nobody waits for this restart.
            drop(door.tell(message));
        }));
    }

    fn start(&mut self, id: ChildId) {
        let Some(watched) = self.children.get_mut(&id) else { return };
        let Some(arbiter) = watched.moved_to.clone().or_else(|| self.arbiter.clone()) else { return };
        watched.generation += 1;
        watched.last = Pulse::Idle;
        watched.same_since_ms = 0;
        let watch =
            Deathwatch { child: id, generation: watched.generation, supervisor: Arc::clone(&self.door) };
        watched.child.start(Birth { generation: watched.generation, watch, arbiter });
    }

    fn bury(&mut self, id: ChildId, cause: Cause, ctx: &mut Context<Self>) {
        let Some(watched) = self.children.get_mut(&id) else { return };
        watched.child.lost();
        if watched.child.retired() {
            self.children.remove(&id);
            return;
        }
        let name = watched.child.name();
        self.metrics.restarted(name, cause);
        match watched.budget.take(self.clock.now()) {
            Some(pause) => {
                tracing::warn!(
                    child = name,
                    cause = cause.name(),
                    pause_ms = pause.as_millis() as u64,
                    "restarting"
                );
                self.tell_later(ctx, Restart(id), pause);
            }
            None => {
                tracing::error!(child = name, cause = cause.name(), "restart budget spent; closed");
                watched.generation += 1; // fences what may still run
                watched.child.closed();
            }
        }
    }

    /// Children that have had work for `stall_after_ms` and did none of it.
    fn stalled(&mut self) -> Vec<ChildId> {
        let round_ms = self.round_ms();
        let mut stalled = Vec::new();
        for (id, watched) in &mut self.children {
            let pulse = watched.child.pulse();
            let stuck = pulse != Pulse::Idle && pulse == watched.last;
            watched.same_since_ms = if stuck { watched.same_since_ms + round_ms } else { 0 };
            watched.last = pulse;
            if watched.same_since_ms >= self.limits.stall_after_ms {
                stalled.push(*id);
            }
        }
        stalled
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.tell_later(ctx, Round, Duration::from_millis(self.round_ms()));
    }
}

impl Handler<Supervise> for Supervisor {
    type Result = ();

    fn handle(&mut self, Supervise(child): Supervise, _: &mut Self::Context) {
        self.next += 1;
        let id = ChildId(self.next);
        let watched = Watched {
            child,
            generation: 0,
            budget: RestartBudget::new(self.limits),
            moved_to: None,
            last: Pulse::Idle,
            same_since_ms: 0,
        };
        self.children.insert(id, watched);
        self.start(id);
    }
}

impl Handler<Settle> for Supervisor {
    type Result = ();

    fn handle(&mut self, Settle(arbiter): Settle, _: &mut Self::Context) {
        if self.arbiter.is_some() {
            return; // the first one counts
        }
        self.arbiter = Some(arbiter);
        let mut waiting: Vec<ChildId> = self.children.keys().copied().collect();
        waiting.sort_by_key(|id| id.0);
        for id in waiting {
            self.start(id);
        }
    }
}

impl Handler<ChildDown> for Supervisor {
    type Result = ();

    fn handle(&mut self, down: ChildDown, ctx: &mut Self::Context) {
        let current = self.children.get(&down.child).map(|watched| watched.generation);
        if current == Some(down.generation) {
            self.bury(down.child, down.cause, ctx);
        }
    }
}

impl Handler<Restart> for Supervisor {
    type Result = ();

    fn handle(&mut self, Restart(id): Restart, _: &mut Self::Context) {
        self.start(id);
    }
}

impl Handler<Round> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Round, ctx: &mut Self::Context) {
        for id in self.stalled() {
            if let Some(watched) = self.children.get_mut(&id) {
                // Its thread may be stuck for good: the next generation gets one of its own.
                watched.moved_to = Some(Arbiter::new().handle());
                watched.generation += 1; // the late death of the old one is no news
            }
            self.bury(id, Cause::Stalled, ctx);
        }
        self.tell_later(ctx, Round, Duration::from_millis(self.round_ms()));
    }
}

impl Handler<Dismiss> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Dismiss, ctx: &mut Self::Context) {
        use actix::ActorContext;
        self.children.clear();
        self.door.shut();
        ctx.stop();
    }
}
