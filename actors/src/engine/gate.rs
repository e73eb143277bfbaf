//! The admission gate: how many operations are in progress, and when none is any more.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;

use crate::error::CallError;
use crate::pipeline::OVERLOADED_RETRY;

/// Counts operations from admission to the last byte of their answer.
#[derive(Debug)]
pub(crate) struct Gate {
    active: AtomicUsize,
    closed: AtomicBool,
    limit: usize,
    emptied: Notify,
    gauge: Gauge,
}

impl Gate {
    pub(crate) fn new(limit: usize, gauge: Gauge) -> Self {
        Self {
            active: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            limit,
            emptied: Notify::new(),
            gauge,
        }
    }

    /// Admits one operation or says why not; never waits.
    pub(crate) fn enter(&self) -> Result<(), CallError> {
        let before = self.active.fetch_add(1, Ordering::AcqRel);
        self.gauge.inc();
        let error = if self.closed.load(Ordering::Acquire) {
            CallError::shutting_down()
        } else if before >= self.limit {
            CallError::overloaded(self.limit, OVERLOADED_RETRY)
        } else {
            return Ok(());
        };
        self.leave();
        Err(error)
    }

    /// An operation ended.
    pub(crate) fn leave(&self) {
        self.gauge.dec();
        if self.active.fetch_sub(1, Ordering::AcqRel) == 1 && self.closed.load(Ordering::Acquire) {
            self.emptied.notify_waiters();
        }
    }

    /// Admits nothing from here on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Acquire)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Ready when nothing is in progress. Close the gate first.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.active() == 0 {
                return;
            }
            emptied.await;
        }
    }
}
