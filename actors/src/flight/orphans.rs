//! Flights that wait for a caller to come back: how many there are, and how many there may be.
//!
//! Owns the count. A flight that gets no place is given up at once, as if its callers never came back. Must not know flights.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Places for flights that nobody follows. They need no permit of the gate, which went home with their callers, and those that
/// are complete need no slot of a lane: without a limit, callers that come and go would pile up answers.
#[derive(Debug)]
pub(crate) struct Orphanage {
    waiting: AtomicUsize,
    limit: usize,
}

/// A place, free again when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Orphanage>);

impl Orphanage {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { waiting: AtomicUsize::new(0), limit })
    }

    /// A place, if there is one.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Place> {
        let taken = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < self.limit).then_some(waiting + 1)
        });
        taken.is_ok().then(|| Place(Arc::clone(self)))
    }

    /// Flights that wait, and how many may.
    pub(crate) fn read(&self) -> (usize, usize) {
        (self.waiting.load(Ordering::Relaxed), self.limit)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
