//! Flights: one upstream request in the air and everybody who waits for its answer.
//!
//! Owned by the engine, not by the first caller: callers are followers with their own cursor, so a late
//! joiner gets the whole prefix and a disconnect cancels nobody else. Must not know who asks upstream.

mod log;
mod orphans;
mod pilot;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;

use crate::cache::entry::Entry;
use crate::call::CallId;
use crate::error::{CallError, Stage};
use crate::key::Key;
use crate::pipeline::Vetted;
use crate::ports::clock::{ClockRef, Tick};
use crate::ports::provider::Finish;
use crate::record::Bill;
use crate::upstream::Sent;

use log::Log;
pub(crate) use orphans::Orphanage;
pub(crate) use pilot::{Landing, Pilot};

/// The form in which an answer was recorded. Known before its first byte is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// One body.
    Whole,
    /// Events in the vendor's framing.
    Events,
    /// A passed-through answer of any status.
    Passed {
        /// Status code.
        status: u16,
        /// Fields that travel back, names lower case.
        fields: Arc<[(Arc<str>, Arc<str>)]>,
    },
}

/// How a flight ended well.
#[derive(Debug, Clone)]
pub struct Ending {
    /// What the upstream said at the end.
    pub finish: Finish,
    /// The entry under which the answer is kept, if it is.
    pub kept: Option<Arc<Entry>>,
}

/// Who answered: known when the answer begins.
#[derive(Debug, Clone)]
pub struct Origin {
    /// In which form the answer comes.
    pub shape: Shape,
    /// `provider/model` of the target.
    pub target: Arc<str>,
    /// Attempts made, this one included.
    pub attempts: u32,
    /// When the upstream was asked, and when its answer began (a whole one: when it was there).
    pub asked: Tick,
    /// See `asked`.
    pub began: Tick,
}

/// Versions in force when a call looked its key up; keep drops the answer if one has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamps {
    /// Purges of the workspace or of everything.
    pub(crate) purge: u64,
    /// Policy.
    pub(crate) policy: u64,
    /// Redaction rules.
    pub(crate) redaction: u64,
}

/// What a flight needs to know of the call that starts it.
#[derive(Debug, Clone)]
pub(crate) struct FlightPlan {
    pub(crate) key: Key,
    pub(crate) call: CallId,
    pub(crate) credential: u64,
    pub(crate) stamps: Stamps,
    pub(crate) max_bytes: usize,
    pub(crate) grace: Duration,
    /// Where the bytes held for followers are counted.
    pub(crate) bytes: Gauge,
}

/// One upstream request and its answer so far.
pub(crate) struct Flight {
    pub(crate) plan: FlightPlan,
    /// What it costs, and who pays.
    pub(crate) bill: Arc<Bill>,
    /// Who was asked.
    pub(crate) sent: Sent,
    log: Mutex<Log>,
    /// It has its slot: from here on the upstream is waited for, not a lane.
    dispatched: AtomicBool,
    deserted: Notify,
    space: Notify,
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("call", &self.plan.call)
            .field("key", &self.plan.key)
            .finish_non_exhaustive()
    }
}

impl Flight {
    /// A flight and its first follower.
    pub(crate) fn start(plan: FlightPlan) -> (Arc<Self>, Follower) {
        let mut log = Log::new(plan.max_bytes, plan.grace, plan.bytes.clone());
        let seat = log.sit();
        let flight = Arc::new(Self {
            plan,
            bill: Arc::default(),
            sent: Sent::default(),
            log: Mutex::new(log),
            dispatched: AtomicBool::new(false),
            deserted: Notify::new(),
            space: Notify::new(),
        });
        let follower = Follower { flight: Arc::clone(&flight), seat };
        (flight, follower)
    }

    /// Joins; `None` if the flight is over its limit, was cancelled or failed.
    ///
    /// `grace` is what this follower's leaving is worth; the longest of all counts.
    pub(crate) fn join(self: &Arc<Self>, grace: Duration) -> Option<Follower> {
        let seat = self.log.lock().join(grace)?;
        Some(Follower { flight: Arc::clone(self), seat })
    }

    /// It got its slot.
    pub(crate) fn dispatch(&self) {
        self.dispatched.store(true, Ordering::Relaxed);
    }

    /// Where it is: waiting for a slot, or for the upstream.
    pub(crate) fn stage(&self) -> Stage {
        if self.dispatched.load(Ordering::Relaxed) { Stage::Act } else { Stage::Lane }
    }

    /// Says who answers and in which form; before the first piece.
    pub(crate) fn begin(&self, origin: Origin) {
        let wakers = self.log.lock().begin(origin);
        wake(wakers);
    }

    /// Appends a piece; waits while an over-long answer is more than its limit ahead of its slowest follower.
    pub(crate) async fn push(&self, piece: Vetted) {
        let (wakers, must_wait) = {
            let mut log = self.log.lock();
            (log.push(piece.into_bytes()), log.must_wait())
        };
        wake(wakers);
        if !must_wait {
            return;
        }
        loop {
            let space = self.space.notified();
            tokio::pin!(space);
            space.as_mut().enable();
            if !self.log.lock().must_wait() {
                return;
            }
            space.await;
        }
    }

    /// Everything told so far, if it is complete and within the limit.
    pub(crate) fn recorded(&self) -> Option<(Origin, Vec<Bytes>)> {
        self.log.lock().recorded()
    }

    /// The form in which the answer began, what is held of it, and how many bytes are not held any more.
    pub(crate) fn told(&self) -> (Option<Shape>, Vec<Bytes>, usize) {
        self.log.lock().told()
    }

    /// Ends the flight for everybody. The first end counts.
    pub(crate) fn close(&self, end: Result<Ending, CallError>) {
        let wakers = self.log.lock().close(end);
        wake(wakers);
    }

    /// Ready when the last follower has left and the grace is over; cancelled from then on.
    ///
    /// `place` is asked each time the flight begins to wait for a retry, and held while it waits; without one it does not wait.
    pub(crate) async fn abandoned<P>(&self, clock: &ClockRef, place: impl Fn() -> Option<P>) {
        loop {
            let left = self.deserted.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            let grace = self.log.lock().empty_for();
            match grace {
                None => left.await,
                Some(grace) => {
                    if !grace.is_zero()
                        && let Some(_place) = place()
                    {
                        clock.sleep_until(clock.now().plus(grace)).await;
                    }
                    if self.log.lock().cancel_if_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// True while nobody follows.
    pub(crate) fn is_empty(&self) -> bool {
        self.log.lock().empty_for().is_some()
    }
}

fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        waker.wake();
    }
}

/// One step of an answer as a follower sees it.
#[derive(Debug)]
pub enum Step {
    /// The next piece.
    Piece(Bytes),
    /// The end, good or bad. Asked again, it is told again.
    End(Result<Ending, CallError>),
}

/// A caller's own cursor over a flight. Dropping it leaves the flight.
#[derive(Debug)]
pub struct Follower {
    flight: Arc<Flight>,
    seat: usize,
}

impl Follower {
    /// The next step; pieces come whole and in order, each exactly once.
    pub fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let polled = self.flight.log.lock().poll(self.seat, cx.waker());
        let (step, freed) = polled;
        if freed {
            self.flight.space.notify_waiters();
        }
        step
    }

    /// The next step.
    pub async fn step(&mut self) -> Step {
        std::future::poll_fn(|cx| self.poll_step(cx)).await
    }

    /// Waits until the answer begins.
    ///
    /// # Errors
    /// The flight's own, if it ended before.
    pub async fn origin(&mut self) -> Result<Origin, CallError> {
        std::future::poll_fn(|cx| self.flight.log.lock().poll_origin(self.seat, cx.waker())).await
    }

    /// Everything, from the first piece to the end.
    ///
    /// # Errors
    /// The flight's own.
    pub async fn collect(&mut self) -> Result<(Origin, Vec<Bytes>, Ending), CallError> {
        let mut pieces = Vec::new();
        loop {
            match self.step().await {
                Step::Piece(piece) => pieces.push(piece),
                Step::End(end) => {
                    let ending = end?;
                    return Ok((self.origin().await?, pieces, ending));
                }
            }
        }
    }

    /// The flight it follows.
    pub(crate) fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// The call that pays for this flight.
    pub fn payer(&self) -> CallId {
        self.flight.plan.call
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let empty = self.flight.log.lock().leave(self.seat);
        if empty {
            self.flight.deserted.notify_waiters();
        }
        self.flight.space.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
