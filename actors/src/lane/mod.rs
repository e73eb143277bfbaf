//! Lanes: how many calls run at once, and who waits for a slot.
//!
//! Owns the pair of lanes and what a caller sees of them; order is decided in `fair.rs`, bounds in
//! `queue.rs`, wiring in `actor.rs`.

pub(crate) mod actor;
pub(crate) mod fair;
pub(crate) mod queue;

use std::sync::Arc;
use std::time::Duration;

use crate::call::WorkspaceId;
use crate::error::{CallError, Stage};
use crate::lane::actor::{Crash, Dispatcher, Doorbell, LaneActor};
use crate::lane::fair::Place;
use crate::lane::queue::{JobQueue, Slot};
use crate::mail::Door;
use crate::metrics::LaneMetrics;
use crate::near::{Asked, Near};
use crate::ports::clock::ClockRef;
use crate::sites::Sites;

/// Which of the two lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LaneId {
    /// Somebody waits for the first token.
    Interactive,
    /// Batches and background work.
    Heavy,
}

impl LaneId {
    /// `interactive` or `heavy`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Heavy => "heavy",
        }
    }
}

/// Limits of one lane. Zero never means "unlimited".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLimits {
    /// Jobs that may run at once.
    pub in_flight_jobs: usize,
    /// Jobs that may wait, counted exactly; one more is refused as `lane_full`.
    pub queue_jobs: usize,
    /// Age at which a waiting job goes first, milliseconds; no workspace's do twice in a row while others wait.
    pub aging_ms: u64,
}

/// Splits `slots` into a pair: interactive gets half, rounded down, heavy the rest; each at least one.
pub const fn split_slots(slots: usize) -> (usize, usize) {
    let half = slots / 2;
    let interactive = if half == 0 { 1 } else { half };
    let rest = slots.saturating_sub(interactive);
    (interactive, if rest == 0 { 1 } else { rest })
}

/// Why a job was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full { own: usize },
    Closed,
}

/// What a lane's actor, its slots and its callers share.
#[derive(Debug)]
pub(crate) struct LaneShared {
    pub(crate) id: LaneId,
    pub(crate) queue: Arc<JobQueue>,
    pub(crate) door: Door<LaneActor>,
    /// What the actor does, for its own thread.
    pub(crate) near: Near<Dispatcher>,
    pub(crate) clock: ClockRef,
    pub(crate) metrics: LaneMetrics,
    pub(crate) sites: Sites,
}

impl LaneShared {
    /// Tells the lane that it may have work; without a lane, the next generation rings itself.
    pub(crate) fn ring(&self) {
        if self.queue.ring() && self.door.tell(Doorbell).is_err() {
            self.queue.silence_bell();
        }
    }
}

/// A lane as the path sees it.
#[derive(Debug, Clone)]
pub(crate) struct Lane(pub(crate) Arc<LaneShared>);

/// A place in line that is given up when dropped.
struct InLine<'a> {
    queue: &'a JobQueue,
    place: Place,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.queue.leave(self.place);
    }
}

impl Lane {
    /// Waits for a slot.
    ///
    /// Dropping the future gives the place in line up at once.
    ///
    /// # Errors
    /// `lane_full` and `lane_closed` before anything started; `lane_lost` when the lane died with this job
    /// in its hands.
    pub(crate) async fn acquire(&self, workspace: &WorkspaceId) -> Result<Slot, CallError> {
        let shared = &*self.0;
        if let Some(slot) = self.at_once()? {
            shared.metrics.waited(Duration::ZERO);
            return Ok(slot);
        }
        let since = shared.clock.now();
        let (place, granted) = shared.queue.push(workspace, since).map_err(|refused| self.refuse(refused))?;
        let in_line = InLine { queue: &shared.queue, place };
        shared.ring();
        let slot = granted.await;
        std::mem::forget(in_line); // popped or drained: the place is no longer ours
        shared.metrics.waited(shared.clock.now().since(since));
        slot.map_err(|_| self.lost())
    }

    /// A slot, if the lane lives on this thread and nobody waits for one.
    fn at_once(&self) -> Result<Option<Slot>, CallError> {
        match self.0.near.ask((), |dispatcher, ()| dispatcher.grant()) {
            Asked::Done(slot) => Ok(slot),
            Asked::Away(()) => Ok(None),
            Asked::Broke(panic) => {
                // An actor that cannot be told is dead already.
                drop(self.0.door.tell(Crash(panic)));
                Err(self.lost())
            }
        }
    }

    fn refuse(&self, refused: Refused) -> CallError {
        let shared = &*self.0;
        let lane = shared.id.name();
        match refused {
            Refused::Full { own } => {
                shared.metrics.refused_full.inc();
                let reading = shared.queue.read();
                let oldest = reading.oldest.map_or(Duration::ZERO, |since| shared.clock.now().since(since));
                CallError::lane_full(lane, shared.queue.limits().queue_jobs, own, patience(oldest))
            }
            Refused::Closed => {
                shared.metrics.refused_closed.inc();
                CallError::lane_closed(lane)
            }
        }
    }

    fn lost(&self) -> CallError {
        let lane = self.0.id.name();
        if self.0.queue.read().closed {
            return CallError::lane_closed(lane);
        }
        CallError::lane_lost(Stage::Lane, "lane")
    }
}

/// How long to stay away from a full lane: about as long as its oldest job waits, 50 ms to 5 s.
fn patience(oldest: Duration) -> Duration {
    oldest.clamp(Duration::from_millis(50), Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use super::split_slots;

    #[test]
    fn a_pair_splits_its_slots_and_neither_lane_is_empty() {
        for (slots, pair) in [(1, (1, 1)), (2, (1, 1)), (3, (1, 2)), (8, (4, 4)), (1024, (512, 512))] {
            assert_eq!(split_slots(slots), pair, "{slots} slots");
        }
    }
}
