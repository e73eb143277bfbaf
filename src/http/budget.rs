//! How many bytes of one sort are in memory at once, all clients together: request bodies, or what is remembered of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A budget of bytes: taken before they are held, given back when they are let go.
#[derive(Debug)]
pub struct ByteBudget {
    held: AtomicUsize,
    limit: usize,
}

impl ByteBudget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), limit })
    }

    /// Bytes held now.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Bytes that may be held.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Takes an empty share, to be grown as bytes arrive.
    pub(crate) fn share(self: &Arc<Self>) -> ByteShare {
        ByteShare { budget: Arc::clone(self), bytes: 0 }
    }
}

/// What one holder has of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct ByteShare {
    budget: Arc<ByteBudget>,
    bytes: usize,
}

impl ByteShare {
    /// Takes `bytes` more; false if they do not fit, and then nothing is taken.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let before = self.budget.held.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.budget.limit;
        if fits {
            self.bytes += bytes;
        } else {
            self.budget.held.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }

    /// Gives `bytes` of it back.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for ByteShare {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_never_takes_the_budget_over_its_limit_and_gives_back_what_it_took() {
        let budget = ByteBudget::new(10);
        let (mut one, mut other) = (budget.share(), budget.share());
        assert!(one.grow(6) && !other.grow(5) && other.grow(4));
        assert_eq!(budget.held(), 10);
        drop(one);
        assert_eq!(budget.held(), 4);
        drop(other);
        assert_eq!(budget.held(), 0);
    }
}
