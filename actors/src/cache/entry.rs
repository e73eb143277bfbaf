//! One remembered answer: what proves that it is the right one, what it says, when it stops being true.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::call::{CallId, CallKind, Tags, WorkspaceId};
use crate::key::Key;
use crate::ports::clock::Tick;
use crate::ports::provider::{Usage, Vector};

/// What an entry takes beside its payload: itself, its place in the index and in the eviction order.
const OVERHEAD_BYTES: usize = 512;

/// An answer in the form it was recorded in.
#[derive(Debug, Clone)]
pub enum Kept {
    /// One body.
    Whole(Bytes),
    /// Events in the vendor's framing, each whole.
    Events(Arc<[Bytes]>),
    /// One embedding, and the model as the upstream named it.
    Row {
        /// The vector.
        vector: Vector,
        /// The answer's `model`.
        model: Arc<str>,
    },
}

impl Kept {
    fn bytes(&self) -> usize {
        match self {
            Self::Whole(body) => body.len(),
            Self::Events(events) => events.iter().map(|event| event.len() + size_of::<Bytes>()).sum(),
            Self::Row { vector, .. } => vector.text.len() + vector.bits.len(),
        }
    }
}

/// Which store an entry was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// This process's memory.
    Hot,
    /// The store behind it, which outlives the process.
    Warm,
}

/// What is known of an entry when it is made.
#[derive(Debug, Clone)]
pub struct EntryFacts {
    /// Finds it and proves it.
    pub key: Key,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Of what kind of work.
    pub kind: CallKind,
    /// The public model it was asked under.
    pub model: Arc<str>,
    /// The target that answered.
    pub target: Arc<str>,
    /// The payer's labels.
    pub tags: Tags,
    /// The call that paid.
    pub payer: CallId,
    /// What it cost.
    pub usage: Option<Usage>,
    /// That is not what the upstream said but our own count or division.
    pub estimated: bool,
    /// When it was kept.
    pub born: Tick,
    /// When it stops being an answer.
    pub expires: Tick,
}

/// One remembered answer.
#[derive(Debug)]
pub struct Entry {
    /// What it is and whose.
    pub facts: EntryFacts,
    /// What it says.
    pub kept: Kept,
    /// Bytes of the answer alone.
    body: u64,
    /// Its age when its clock began: it is from an earlier process.
    older: Duration,
    tier: Tier,
    /// The store behind memory has it.
    stored: bool,
    bytes: AtomicUsize,
    /// Read since the eviction hand last passed (SIEVE).
    visited: AtomicBool,
    /// When it was last read, in the index's sequence (LRU).
    last_read: AtomicU64,
    variants: RwLock<Vec<(&'static str, Bytes)>>,
}

impl Entry {
    pub(crate) fn new(facts: EntryFacts, kept: Kept) -> Self {
        let tags: usize = facts.tags.iter().map(|tag| tag.len()).sum();
        let bytes = OVERHEAD_BYTES + kept.bytes() + tags;
        let body = match &kept {
            Kept::Events(events) => events.iter().map(Bytes::len).sum(),
            Kept::Whole(_) | Kept::Row { .. } => kept.bytes(),
        };
        Self {
            facts,
            kept,
            body: body as u64,
            older: Duration::ZERO,
            tier: Tier::Hot,
            stored: false,
            bytes: AtomicUsize::new(bytes),
            visited: AtomicBool::new(false),
            last_read: AtomicU64::new(0),
            variants: RwLock::new(Vec::new()),
        }
    }

    /// Bytes of the answer.
    pub fn told_bytes(&self) -> u64 {
        self.body
    }

    /// An answer read from the store behind memory. `older` is its age beyond what `facts.born` says.
    pub fn restored(facts: EntryFacts, kept: Kept, older: Duration) -> Self {
        Self { older, tier: Tier::Warm, stored: true, ..Self::new(facts, kept) }
    }

    /// The same answer for memory.
    pub(crate) fn promoted(&self) -> Self {
        Self { older: self.older, stored: true, ..Self::new(self.facts.clone(), self.kept.clone()) }
    }

    /// Where it was read from.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// Whether the store behind memory has it already.
    pub(crate) fn is_stored(&self) -> bool {
        self.stored
    }

    /// How long ago it was kept.
    pub fn age(&self, now: Tick) -> Duration {
        now.since(self.facts.born).saturating_add(self.older)
    }

    /// What it counts against the byte budget.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Age in whole seconds.
    pub fn age_s(&self, now: Tick) -> u64 {
        self.age(now).as_secs()
    }

    /// The same answer in another coding, if somebody made it before.
    pub fn variant(&self, coding: &str) -> Option<Bytes> {
        self.variants.read().iter().find(|(name, _)| *name == coding).map(|(_, body)| body.clone())
    }

    /// Adds a coding; gives the bytes it adds, 0 if it was there.
    pub(crate) fn add_variant(&self, coding: &'static str, body: Bytes) -> usize {
        let mut variants = self.variants.write();
        if variants.iter().any(|(name, _)| *name == coding) {
            return 0;
        }
        let added = body.len();
        variants.push((coding, body));
        self.bytes.fetch_add(added, Ordering::Relaxed);
        added
    }

    pub(crate) fn touch(&self, sequence: u64) {
        // A plain store costs a cache line every reader writes; a look first keeps it shared.
        if !self.visited.load(Ordering::Relaxed) {
            self.visited.store(true, Ordering::Relaxed);
        }
        self.last_read.store(sequence, Ordering::Relaxed);
    }

    pub(crate) fn take_visited(&self) -> bool {
        self.visited.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn last_read(&self) -> u64 {
        self.last_read.load(Ordering::Relaxed)
    }
}
