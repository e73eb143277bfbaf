//! The actix system of a simulated test: one thread, tokio's clock paused.
//!
//! Owns how such a runtime is built; must not know the engine.

use actix::{System, SystemRunner};

/// Names the system to the test macro: `#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]`.
///
/// Time moves only when every task waits, and then at once to the next timer.
#[derive(Debug)]
pub struct SimSystem;

impl SimSystem {
    /// A system that runs what it is given and everything that spawns from it on this thread.
    ///
    /// # Panics
    /// When the operating system gives no event queue.
    #[expect(clippy::new_ret_no_self, reason = "the test macro calls `new` and runs what it gives")]
    pub fn new() -> SystemRunner {
        System::with_tokio_rt(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .expect("a runtime needs only memory and an event queue")
        })
    }
}
