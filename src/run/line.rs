//! Owns the line before what an app keeps: whose turn it is, who waits and how many may, and that nobody joins once the
//! server ends. Must not know runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidegate_actors::ports::clock::ClockRef;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::refusal::Refusal;

/// First come, first served; one at a time.
pub(super) struct Line {
    turn: Arc<Semaphore>,
    waiting: watch::Sender<usize>,
    /// Runs that have had a turn and are not over.
    under_way: watch::Sender<usize>,
    at_most: usize,
    closed: AtomicBool,
}

/// The turn. Ends when dropped.
#[must_use]
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// One more of something as long as this lives.
pub(super) struct Counted(watch::Sender<usize>);

impl Counted {
    fn one_more(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }

    /// One more, unless there are so many already. Looks and counts at once: others do so on other threads.
    fn if_fewer_than(at_most: usize, count: &watch::Sender<usize>) -> Option<Self> {
        let fits = count.send_if_modified(|count| {
            let fits = *count < at_most;
            *count += usize::from(fits);
            fits
        });
        fits.then(|| Self(count.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Line {
    /// A line in which `at_most` may wait.
    pub(super) fn new(at_most: usize) -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            waiting: watch::Sender::new(0),
            under_way: watch::Sender::new(0),
            at_most,
            closed: AtomicBool::new(false),
        }
    }

    /// Waits for the turn, for `patience_ms` at most. Dropping the future gives up the place.
    pub(super) async fn join(&self, clock: &ClockRef, patience_ms: u64) -> Result<Turn, Refusal> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Refusal::Closing);
        }
        let turn = Arc::clone(&self.turn);
        if let Ok(permit) = turn.try_acquire_owned() {
            return Ok(Turn { _permit: permit });
        }
        let limit = self.at_most;
        let place = Counted::if_fewer_than(limit, &self.waiting).ok_or(Refusal::LineFull { limit })?;
        let deadline = clock.now().plus(Duration::from_millis(patience_ms));
        tokio::select! {
            biased;
            turn = self.next(place) => turn,
            () = clock.sleep_until(deadline) => Err(Refusal::Late { after_ms: patience_ms }),
        }
    }

    /// As [`Line::join`], for one that had the turn before: always admitted, without a deadline.
    pub(super) async fn rejoin(&self) -> Result<Turn, Refusal> {
        self.next(Counted::one_more(&self.waiting)).await
    }

    /// Waits at this place.
    async fn next(&self, _place: Counted) -> Result<Turn, Refusal> {
        let permit = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| Refusal::Closing)?;
        Ok(Turn { _permit: permit })
    }

    /// Waits until somebody waits.
    pub(super) async fn wanted(&self) {
        until(&self.waiting, |waiting| waiting > 0).await;
    }

    /// Counts a run as under way for as long as the answer lives.
    pub(super) fn under_way(&self) -> Counted {
        Counted::one_more(&self.under_way)
    }

    /// How many wait, and how many may.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (*self.waiting.borrow(), self.at_most)
    }

    /// Lets nobody join any more, and waits until no run is under way.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        until(&self.waiting, |waiting| waiting == 0).await;
        until(&self.under_way, |running| running == 0).await;
    }
}

async fn until(count: &watch::Sender<usize>, holds: impl Fn(usize) -> bool) {
    // The sender lives as long as the line, so that the wait ends with the condition alone.
    drop(count.subscribe().wait_for(|count| holds(*count)).await);
}
