//! Pins what the actix version in `Cargo.lock` really does where the engine leans on it.
//!
//! Every test here is a fact that `actors/` was designed around, not a wish: when an upgrade turns one red, the part of
//! the engine named in its comment has to be looked at again. No engine code is used here and none may be added.
//!
//! Determinism: every actor of a test lives on the test's own thread, so nothing runs between two `.await`s, and tasks
//! that are ready run in the order in which they were spawned or woken. Panics are raised with [`die`], which takes the
//! normal unwinding path and prints nothing.
#![expect(clippy::disallowed_methods, reason = "the subject of these tests is actix's own sends")]

#[path = "actix_semantics/capacity.rs"]
mod capacity;
#[path = "actix_semantics/polling.rs"]
mod polling;
#[path = "actix_semantics/supervisor.rs"]
mod supervisor;
#[path = "actix_semantics/sync_arbiter.rs"]
mod sync_arbiter;
#[path = "actix_semantics/unwinding.rs"]
mod unwinding;

use std::cell::Cell;
use std::panic::resume_unwind;
use std::rc::Rc;

use actix::prelude::*;

/// The mailbox capacity actix gives an actor that asks for none.
const CAPACITY: usize = 16;

/// Panics without the message on stderr that a panic hook would print.
fn die() -> ! {
    resume_unwind(Box::new("planned"))
}

/// Counts what it handles in a cell that the test reads.
struct Counter(Rc<Cell<usize>>);

impl Actor for Counter {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Tick;

impl Handler<Tick> for Counter {
    type Result = ();

    fn handle(&mut self, _: Tick, _: &mut Context<Self>) {
        self.0.set(self.0.get() + 1);
    }
}

/// What `read` returns once every task that is ready now has been polled once more.
async fn after_one_turn<T: 'static>(read: impl FnOnce() -> T + 'static) -> T {
    actix_rt::spawn(async move { read() }).await.expect("reading a cell does not panic")
}
