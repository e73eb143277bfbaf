//! Why `supervise/` restarts with a factory and a generation, and owns the queue of the lanes it restarts.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;

use actix::prelude::*;

use super::{after_one_turn, die};

#[derive(Default, Clone)]
struct Seen {
    starts: Rc<Cell<usize>>,
    restarts: Rc<Cell<usize>>,
    stopped_while_panicking: Rc<Cell<bool>>,
}

/// Stops itself in `started` until it has been started `stop_until` times.
struct Ward {
    seen: Seen,
    stop_until: usize,
    value: usize,
}

impl Ward {
    fn start(seen: &Seen, stop_until: usize) -> Addr<Self> {
        let seen = seen.clone();
        Supervisor::start(move |_| Self { seen, stop_until, value: 0 })
    }
}

impl Actor for Ward {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.seen.starts.set(self.seen.starts.get() + 1);
        if self.seen.starts.get() < self.stop_until {
            ctx.stop();
        }
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.seen.stopped_while_panicking.set(thread::panicking());
    }
}

impl Supervised for Ward {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.seen.restarts.set(self.seen.restarts.get() + 1);
    }
}

/// Adds to the ward's value and returns it.
#[derive(Message)]
#[rtype(result = "usize")]
struct Add(usize);

impl Handler<Add> for Ward {
    type Result = usize;

    fn handle(&mut self, Add(more): Add, _: &mut Context<Self>) -> usize {
        self.value += more;
        self.value
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Stop;

impl Handler<Stop> for Ward {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Boom;

impl Handler<Boom> for Ward {
    type Result = ();

    fn handle(&mut self, _: Boom, _: &mut Context<Self>) {
        die();
    }
}

#[actix_rt::test]
async fn after_a_panic_there_is_no_restart_and_the_mailbox_is_lost() {
    let seen = Seen::default();
    let ward = Ward::start(&seen, 1);
    let other = ward.clone();
    let boom = ward.send(Boom);
    let queued_behind = ward.send(Add(1));

    assert_eq!(boom.await, Err(MailboxError::Closed));
    assert_eq!(queued_behind.await, Err(MailboxError::Closed), "a message already queued is dropped");
    assert_eq!(seen.restarts.get(), 0);
    assert!(!ward.connected() && !other.connected(), "every Addr is dead");
    assert_eq!(other.send(Add(1)).await, Err(MailboxError::Closed));
}

/// `stopped` runs inside the unwinding: a panic there would be the second one, which aborts (see `unwinding`).
#[actix_rt::test]
async fn after_a_panic_stopped_is_called_while_the_thread_unwinds() {
    let seen = Seen::default();
    assert_eq!(Ward::start(&seen, 1).send(Boom).await, Err(MailboxError::Closed));
    assert!(seen.stopped_while_panicking.get());
}

#[actix_rt::test]
async fn a_restart_after_stop_keeps_the_same_value_and_the_mailbox() {
    let seen = Seen::default();
    let ward = Ward::start(&seen, 1);
    let before = ward.send(Add(7));
    ward.do_send(Stop);
    let queued_behind = ward.send(Add(1));

    assert_eq!(before.await, Ok(7));
    assert_eq!(queued_behind.await, Ok(8), "the restarted actor still holds what the old one held");
    assert_eq!((seen.starts.get(), seen.restarts.get()), (2, 1));
}

/// A thousand restarts happen in one poll: there is no pause, not even a turn for other tasks.
#[actix_rt::test]
async fn restarts_follow_each_other_without_backoff() {
    let seen = Seen::default();
    let _ward = Ward::start(&seen, 1_000);
    let starts = seen.starts.clone();
    assert_eq!(after_one_turn(move || starts.get()).await, 1_000);
    assert_eq!(seen.restarts.get(), 999);
}
