//! The bounded mailbox of a lane: who waits, how many run, and the bell that says so.
//!
//! Owned by the supervisor side, so queued jobs outlive a crashed lane. One short mutex, held O(1);
//! must not know actors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::call::WorkspaceId;
use crate::lane::fair::{FairQueue, Place};
use crate::lane::{LaneLimits, LaneShared, Refused};
use crate::ports::clock::Tick;

/// A job in line: its grant ends the wait.
#[derive(Debug)]
pub(crate) struct Job {
    grant: oneshot::Sender<Slot>,
}

impl Job {
    /// Hands the slot to whoever waits; gives it back if they left.
    pub(crate) fn start(self, slot: Slot) -> Result<(), Slot> {
        self.grant.send(slot)
    }
}

#[derive(Debug)]
struct Inner {
    waiting: FairQueue<Job>,
    running: usize,
    generation: u64,
    closed: bool,
}

/// Numbers of one queue at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct QueueReading {
    pub(crate) depth: usize,
    pub(crate) running: usize,
    pub(crate) oldest: Option<Tick>,
    pub(crate) closed: bool,
}

/// Waiting jobs and running slots of one lane.
#[derive(Debug)]
pub(crate) struct JobQueue {
    inner: Mutex<Inner>,
    bell: AtomicBool,
    progress: AtomicU64,
    limits: LaneLimits,
}

impl JobQueue {
    pub(crate) fn new(limits: LaneLimits) -> Self {
        let waiting = FairQueue::new(Duration::from_millis(limits.aging_ms));
        Self {
            inner: Mutex::new(Inner { waiting, running: 0, generation: 0, closed: false }),
            bell: AtomicBool::new(false),
            progress: AtomicU64::new(0),
            limits,
        }
    }

    /// Puts a job in line and gives its place and its grant, or says why not. At most `queue_jobs` wait beside
    /// those that free slots are about to take.
    pub(crate) fn push(
        &self,
        workspace: &WorkspaceId,
        now: Tick,
    ) -> Result<(Place, oneshot::Receiver<Slot>), Refused> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(Refused::Closed);
        }
        // A job that a free slot is about to take does not wait, even if the lane has not looked yet.
        let free = self.limits.in_flight_jobs.saturating_sub(inner.running);
        if inner.waiting.len() >= self.limits.queue_jobs + free {
            return Err(Refused::Full { own: inner.waiting.len_of(workspace) });
        }
        let (grant, granted) = oneshot::channel();
        let place = inner.waiting.push(workspace, Job { grant }, now);
        Ok((place, granted))
    }

    /// The caller left: its place is free at once.
    pub(crate) fn leave(&self, place: Place) {
        let job = self.inner.lock().waiting.leave(place);
        drop(job);
    }

    /// Takes the next job and a slot for it; `None` without either, or if `generation` was replaced.
    pub(crate) fn pop(
        self: &Arc<Self>,
        lane: &Arc<LaneShared>,
        generation: u64,
        now: Tick,
    ) -> Option<(Job, Slot)> {
        let mut inner = self.inner.lock();
        if inner.generation != generation || inner.running >= self.limits.in_flight_jobs {
            return None;
        }
        let job = inner.waiting.pop(now)?;
        inner.running += 1;
        drop(inner);
        self.progress.fetch_add(1, Ordering::Relaxed);
        Some((job, Slot { lane: Arc::clone(lane) }))
    }

    /// A slot for a newcomer behind whom nobody waits; `None` without one, or if `generation` was replaced.
    pub(crate) fn take_free(self: &Arc<Self>, lane: &Arc<LaneShared>, generation: u64) -> Option<Slot> {
        let mut inner = self.inner.lock();
        let free = inner.running < self.limits.in_flight_jobs && inner.waiting.len() == 0 && !inner.closed;
        if inner.generation != generation || !free {
            return None;
        }
        inner.running += 1;
        drop(inner);
        self.progress.fetch_add(1, Ordering::Relaxed);
        Some(Slot { lane: Arc::clone(lane) })
    }

    /// A slot came home; true if somebody waits for it.
    pub(crate) fn release(&self) -> bool {
        let mut inner = self.inner.lock();
        inner.running -= 1;
        inner.waiting.len() > 0
    }

    /// True if the lane must be told: nobody rang since it last looked.
    pub(crate) fn ring(&self) -> bool {
        !self.bell.swap(true, Ordering::AcqRel)
    }

    /// The lane is about to look: a push from here on rings again.
    pub(crate) fn silence_bell(&self) {
        self.bell.store(false, Ordering::Release);
    }

    /// A new lane takes over; older generations pop nothing from here on.
    pub(crate) fn begin_generation(&self, generation: u64) {
        self.inner.lock().generation = generation;
        self.bell.store(false, Ordering::Release);
    }

    /// No lane will come: everybody in line is let go, newcomers are refused.
    pub(crate) fn close(&self) {
        let jobs = {
            let mut inner = self.inner.lock();
            inner.closed = true;
            inner.waiting.drain()
        };
        drop(jobs); // outside the lock: each wakes its caller
    }

    /// Jobs popped so far; a lane with work and slots whose count stands still is stuck.
    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// True if a job waits and a slot is free.
    pub(crate) fn has_work(&self) -> bool {
        let inner = self.inner.lock();
        inner.waiting.len() > 0 && inner.running < self.limits.in_flight_jobs
    }

    pub(crate) fn read(&self) -> QueueReading {
        let inner = self.inner.lock();
        QueueReading {
            depth: inner.waiting.len(),
            running: inner.running,
            oldest: inner.waiting.oldest(),
            closed: inner.closed,
        }
    }

    pub(crate) fn limits(&self) -> LaneLimits {
        self.limits
    }
}

/// The right to run; held from dispatch to the terminal event. Dropping it, also by a panic, gives it back.
#[derive(Debug)]
pub(crate) struct Slot {
    lane: Arc<LaneShared>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.lane.queue.release() {
            self.lane.ring();
        }
    }
}
