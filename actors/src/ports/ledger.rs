//! The port to the books: a row per caller, a row per upstream request.
//!
//! Owns the rows; must not know where they are stored.

use std::sync::Arc;

use crate::call::CallId;
use crate::ports::clock::Tick;
use crate::ports::provider::Usage;
use crate::record::CallRecord;

/// One request to an upstream, as it is opened before dispatch.
#[derive(Debug, Clone)]
pub struct AttemptRow {
    /// The call, or the first of a batch, it serves.
    pub call: CallId,
    /// Target asked.
    pub target: Arc<str>,
    /// 1 for the first.
    pub attempt: u32,
    /// When, on the engine's clock.
    pub opened: Tick,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptEnd {
    /// `ok`, the fault's name, or `interrupted` when it was cancelled.
    pub status: &'static str,
    /// Tokens, if the upstream said so.
    pub usage: Option<Usage>,
    /// When, on the engine's clock.
    pub closed: Tick,
}

/// Keeps the books. Answers at once; rows are copied out, never waited for.
pub trait Ledger: Send + Sync + 'static {
    /// An attempt is about to be dispatched.
    fn open(&self, row: &AttemptRow);

    /// The attempt ended.
    fn close(&self, row: &AttemptRow, end: AttemptEnd);

    /// A caller was told its answer, or left.
    fn tell(&self, record: &CallRecord);
}

/// Keeps no books: metrics and the ring of recent calls are all there is.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLedger;

impl Ledger for NoLedger {
    fn open(&self, _: &AttemptRow) {}
    fn close(&self, _: &AttemptRow, _: AttemptEnd) {}
    fn tell(&self, _: &CallRecord) {}
}
