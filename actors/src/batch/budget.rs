//! Owns the bound on rows that wait in all batchers together. Must not know queues.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows that may wait in all queues together.
#[derive(Debug)]
pub(crate) struct RowBudget {
    waiting: AtomicUsize,
    limit: usize,
}

impl RowBudget {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { waiting: AtomicUsize::new(0), limit }
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Room for one more row, if there is any.
    pub(crate) fn take(&self) -> bool {
        let more = |waiting: usize| (waiting < self.limit).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// So many rows wait no more.
    pub(crate) fn give(&self, rows: usize) {
        self.waiting.fetch_sub(rows, Ordering::Relaxed);
    }
}
