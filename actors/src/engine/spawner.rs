//! Where flights run. Both ways are kept because the faster one depends on how many threads call.

use actix::{Arbiter, ArbiterHandle};

use super::config::RunOn;

/// Starts tasks that outlive the caller that started them.
#[derive(Debug, Clone)]
pub(crate) enum Spawner {
    Caller,
    Lane(ArbiterHandle),
}

impl Spawner {
    /// Flights that run on lanes' threads share the actors' thread, or get one where that is not known yet.
    pub(crate) fn new(run_on: RunOn, lanes: Option<&ArbiterHandle>) -> Self {
        match run_on {
            RunOn::Caller => Self::Caller,
            RunOn::Lane => Self::Lane(lanes.cloned().unwrap_or_else(|| Arbiter::new().handle())),
        }
    }

    /// Runs a task. On an arbiter that is gone it is dropped, and its drop guards answer for it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            // Boxed: a task is aligned to a cache line, which an allocator does slowly for anything large.
            Self::Caller => drop(actix::spawn(Box::pin(task))),
            Self::Lane(arbiter) => {
                if !arbiter.spawn(task) {
                    tracing::error!("the engine's arbiter is gone; a flight was dropped");
                }
            }
        }
    }
}
