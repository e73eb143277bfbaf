//! Supervision: who starts again after a crash, how often, and what happens when it does not help.
//!
//! Owns generations, restart budgets and the watch on stalled children. actix's own `Supervisor` does not
//! restart after a panic, so nothing here relies on it. Must not know what a child does.

pub(crate) mod actor;
pub(crate) mod budget;
pub(crate) mod metrics;

use std::fmt;
use std::sync::Arc;

use actix::ArbiterHandle;

use crate::mail::Door;
use crate::supervise::actor::{ChildDown, Supervisor};

/// Limits of supervision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuperviseLimits {
    /// Restarts of one child allowed within the window; one more closes it.
    pub restarts: u32,
    /// The window, milliseconds.
    pub window_ms: u64,
    /// Silence, with work waiting, after which a child is replaced, milliseconds.
    pub stall_after_ms: u64,
    /// Pause before the first restart, milliseconds; doubles with each further one in the window.
    pub backoff_ms: u64,
}

impl Default for SuperviseLimits {
    fn default() -> Self {
        Self { restarts: 5, window_ms: 60_000, stall_after_ms: 5_000, backoff_ms: 10 }
    }
}

/// Names a supervised child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ChildId(pub(crate) u64);

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Panic,
    Stopped,
    Stalled,
}

impl Cause {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Stopped => "stopped",
            Self::Stalled => "stalled",
        }
    }
}

/// Work a child has before it: a stalled one has some and does none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulse {
    Idle,
    Busy { progress: u64 },
}

/// What a new generation is born with.
pub(crate) struct Birth {
    pub(crate) generation: u64,
    pub(crate) watch: Deathwatch,
    pub(crate) arbiter: ArbiterHandle,
}

/// How to start a child and what to do around its life.
pub(crate) trait Child: Send + 'static {
    /// Name in logs, metrics and readiness.
    fn name(&self) -> &'static str;

    /// Starts a generation on the arbiter given.
    fn start(&mut self, birth: Birth);

    /// The generation is gone; the next, if any, comes after a pause.
    fn lost(&mut self) {}

    /// The restart budget is spent; no generation will come.
    fn closed(&mut self) {}

    /// Whether there is work and whether it moves.
    fn pulse(&self) -> Pulse {
        Pulse::Idle
    }

    /// True when the child is no longer needed; its end is then not a failure.
    fn retired(&self) -> bool {
        false
    }
}

/// Lives inside a child; its drop reports how the child ended.
pub(crate) struct Deathwatch {
    child: ChildId,
    generation: u64,
    supervisor: Arc<Door<Supervisor>>,
}

impl fmt::Debug for Deathwatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deathwatch")
            .field("child", &self.child)
            .field("generation", &self.generation)
            .finish()
    }
}

impl Drop for Deathwatch {
    fn drop(&mut self) {
        let cause = if std::thread::panicking() { Cause::Panic } else { Cause::Stopped };
        // Without a supervisor the whole engine goes down, and the report has no reader.
        drop(self.supervisor.tell(ChildDown { child: self.child, generation: self.generation, cause }));
    }
}
