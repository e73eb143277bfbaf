//! The batcher: items of many embedding calls travel in common batches and come home to their callers.
//!
//! Owns rows from the moment a call misses the cache until each is delivered by (call, position). Pure
//! decisions are in `cut.rs` (what travels together), `assemble.rs` (which vector is whose, who pays) and
//! `bisect.rs` (which item is to blame) and `pace.rs` (how much to leave for the next slot); `count.rs` learns how an upstream counts, `template.rs` says what
//! travels beside the items, `fly.rs` takes one batch upstream. Must not know any vendor.

mod actor;
pub mod assemble;
pub(crate) mod bisect;
mod budget;
mod count;
pub mod cut;
mod fly;
pub(crate) mod metrics;
mod pace;
pub(crate) mod queue;
pub(crate) mod registry;
pub(crate) mod row;
mod table;
mod template;
#[cfg(test)]
mod tests;
#[cfg(feature = "testkit")]
pub mod trial;

use std::sync::Arc;
use std::time::Duration;

use crate::cache::Entry;
use crate::call::{Call, EmbedItem, EmbedWork};
use crate::flight::Stamps;
use crate::ports::clock::Tick;
use crate::ports::ledger::AttemptId;

use cut::CutLimits;
use queue::QueueLimits;
pub(crate) use table::{Asker, RowAsk};

/// Limits and switches of batching. Zero never means "unlimited".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Rows of several calls travel together. Off, each call's rows travel alone, and only the lane and the
    /// target limit how many batches fly.
    pub mix_calls: bool,
    /// Batches of one batcher on their way at once.
    pub in_flight_batches: usize,
    /// Rows of one batch.
    pub max_items: usize,
    /// Tokens of one batch; a single larger row travels alone.
    pub max_tokens: u64,
    /// How long a batch that is not full waits for company although a slot is free, milliseconds.
    pub max_linger_ms: u64,
    /// Rows that may wait for one batcher.
    pub max_rows: usize,
    /// Rows that may wait for all batchers together.
    pub max_rows_in_all: usize,
    /// Batchers that exist at once.
    pub max_batchers: usize,
    /// Time without work after which a batcher leaves, milliseconds.
    pub idle_ms: u64,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            mix_calls: true,
            in_flight_batches: 2,
            max_items: 2_048,
            max_tokens: 300_000,
            max_linger_ms: 0,
            max_rows: 65_536,
            max_rows_in_all: 131_072,
            max_batchers: 1_024,
            idle_ms: 60_000,
        }
    }
}

impl BatchLimits {
    fn queue(&self) -> QueueLimits {
        let cut = CutLimits {
            max_items: self.max_items,
            max_tokens: self.max_tokens,
            max_linger: Duration::from_millis(self.max_linger_ms),
            mix_calls: self.mix_calls,
        };
        let in_flight_batches = if self.mix_calls { self.in_flight_batches } else { usize::MAX };
        QueueLimits { max_rows: self.max_rows, in_flight_batches, cut }
    }
}

/// What the rows of one call have in common.
#[derive(Debug)]
pub(crate) struct RowOrder {
    pub(crate) call: Call<EmbedWork>,
    /// Versions in force when the call looked its keys up.
    pub(crate) stamps: Stamps,
    /// Its vectors may be kept.
    pub(crate) keep: bool,
    /// How long its rows fly on when it has left.
    pub(crate) grace: Duration,
}

/// What one row carries: an item of a call.
#[derive(Debug, Clone)]
pub(crate) struct RowItem {
    pub(crate) order: Arc<RowOrder>,
    pub(crate) at: u32,
}

impl RowItem {
    pub(crate) fn item(&self) -> &EmbedItem {
        &self.order.call.work.items[self.at as usize]
    }
}

/// A vector that came home, kept or not, and how it came: `None` if it was remembered.
#[derive(Debug, Clone)]
pub(crate) struct Landed {
    pub(crate) entry: Arc<Entry>,
    pub(crate) flown: Option<Arc<Flown>>,
}

/// The upstream request that gave some rows their vectors; one for all of them.
#[derive(Debug)]
pub(crate) struct Flown {
    pub(crate) asked: Tick,
    pub(crate) answered: Tick,
    /// Attempts at it, the one that succeeded included.
    pub(crate) attempts: u32,
    /// The one that succeeded.
    pub(crate) attempt: AttemptId,
    /// What its rows cost is our own count or our own division of the invoice.
    pub(crate) estimated: bool,
}

/// One batcher at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatcherReading {
    /// `provider/model` it asks.
    pub target: Arc<str>,
    /// `text` or `tokens`.
    pub input: &'static str,
    /// Rows waiting.
    pub waiting: usize,
    /// Rows that may wait.
    pub max_rows: usize,
    /// Rows in the air.
    pub in_air: usize,
    /// Batches on their way, those that wait for a lane slot included.
    pub batches: usize,
    /// How long the oldest row waits, milliseconds.
    pub oldest_wait_ms: u64,
    /// It failed more often than it may; its callers are refused.
    pub closed: bool,
}
