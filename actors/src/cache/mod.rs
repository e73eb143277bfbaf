//! The cache: what was answered before, and what is being asked right now.
//!
//! Owns entries, the index readers share, eviction and the single-flight table. A read happens in the
//! caller's own task; every change is made by the one writer. Must not know why a call may be kept.

pub(crate) mod actor;
pub(crate) mod door;
pub(crate) mod entry;
pub(crate) mod evict;
pub(crate) mod index;
pub(crate) mod orders;
pub(crate) mod purge;
pub(crate) mod writer;

pub use entry::{Entry, EntryFacts, Kept, Tier};
pub use purge::PurgeFilter;

/// How much the cache may hold, and what goes when it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// A budget of bytes; SIEVE decides what goes.
    Bytes(usize),
    /// A number of entries; the least recently used goes.
    Entries(usize),
}

/// Limits of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// What all entries together may take.
    pub capacity: Capacity,
    /// A larger answer is not kept, bytes.
    pub max_entry_bytes: usize,
}
