//! The side of the cache that every caller reads: no message, no allocation, no waiting.
//!
//! Only the cache actor writes. A guard of the map never leaves this file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::try_result::TryResult;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::cache::entry::Entry;
use crate::call::CacheWish;
use crate::key::{Key, KeyHash};
use crate::ports::clock::Tick;

/// Shards of the map: enough that two readers rarely meet a writer.
const SHARDS: usize = 256;

/// Why nothing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum MissReason {
    /// Nobody asked this before, or it was evicted or purged.
    Absent,
    /// It was kept and its time is over.
    Expired,
    /// It is older than the caller accepts.
    TooOld,
    /// Another request with the same xxh3; its SHA-256 differs.
    Mismatch,
    /// A writer holds the shard this moment; the actor looks again.
    Locked,
    /// The cache actor is down.
    Offline,
    /// The caller did not want a kept answer.
    NotRead,
}

impl MissReason {
    /// Name in `explain` and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Expired => "expired",
            Self::TooOld => "too_old",
            Self::Mismatch => "mismatch",
            Self::Locked => "locked",
            Self::Offline => "offline",
            Self::NotRead => "not_read",
        }
    }
}

/// The generation that wanted to write was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fenced;

/// All entries, by the hash of their key.
#[derive(Debug)]
pub(crate) struct CacheIndex {
    /// The generation that writes, held while it does: one that was stuck and replaced changes nothing any more.
    writer: Mutex<Option<u64>>,
    map: DashMap<u128, Arc<Entry>, KeyHash>,
    online: AtomicBool,
    came_online: Notify,
    sequence: AtomicU64,
    bytes: AtomicUsize,
}

impl CacheIndex {
    pub(crate) fn new() -> Self {
        Self {
            writer: Mutex::new(None),
            map: DashMap::with_hasher_and_shard_amount(KeyHash::default(), SHARDS),
            online: AtomicBool::new(false),
            came_online: Notify::new(),
            sequence: AtomicU64::new(1),
            bytes: AtomicUsize::new(0),
        }
    }

    /// Looks a key up in the caller's own task.
    pub(crate) fn get(&self, key: &Key, wish: CacheWish, now: Tick) -> Result<Arc<Entry>, MissReason> {
        if !wish.read {
            return Err(MissReason::NotRead);
        }
        if !self.online.load(Ordering::Acquire) {
            return Err(MissReason::Offline);
        }
        let entry = match self.map.try_get(&key.hash) {
            TryResult::Present(found) => Arc::clone(found.value()),
            TryResult::Absent => return Err(MissReason::Absent),
            TryResult::Locked => return Err(MissReason::Locked),
        };
        self.accept(entry, key, wish, now)
    }

    /// Looks a key up where waiting for a shard is fine: in the cache actor and the batcher's queue.
    pub(crate) fn get_again(&self, key: &Key, wish: CacheWish, now: Tick) -> Result<Arc<Entry>, MissReason> {
        if !wish.read {
            return Err(MissReason::NotRead);
        }
        let found = self.map.get(&key.hash).map(|found| Arc::clone(found.value()));
        self.accept(found.ok_or(MissReason::Absent)?, key, wish, now)
    }

    fn accept(
        &self,
        entry: Arc<Entry>,
        key: &Key,
        wish: CacheWish,
        now: Tick,
    ) -> Result<Arc<Entry>, MissReason> {
        if entry.facts.key.sha != key.sha {
            return Err(MissReason::Mismatch);
        }
        if now >= entry.facts.expires {
            return Err(MissReason::Expired);
        }
        if wish.max_age_ms.is_some_and(|max| entry.age(now).as_millis() > u128::from(max)) {
            return Err(MissReason::TooOld);
        }
        entry.touch(self.sequence.fetch_add(1, Ordering::Relaxed));
        Ok(entry)
    }

    /// Publishes an entry, in place of the one under its hash.
    ///
    /// # Errors
    /// When `writer` is not the generation that writes.
    pub(crate) fn publish(&self, writer: u64, entry: Arc<Entry>) -> Result<(), Fenced> {
        let current = self.writer.lock();
        if *current != Some(writer) {
            return Err(Fenced);
        }
        entry.touch(self.sequence.fetch_add(1, Ordering::Relaxed));
        entry.take_visited(); // being new is not being read
        self.bytes.fetch_add(entry.bytes(), Ordering::Relaxed);
        if let Some(old) = self.map.insert(entry.facts.key.hash, entry) {
            self.bytes.fetch_sub(old.bytes(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Takes an entry out, if `writer` is the generation that writes.
    pub(crate) fn remove(&self, writer: u64, hash: u128) -> Option<Arc<Entry>> {
        let current = self.writer.lock();
        if *current != Some(writer) {
            return None;
        }
        let (_, entry) = self.map.remove(&hash)?;
        self.bytes.fetch_sub(entry.bytes(), Ordering::Relaxed);
        Some(entry)
    }

    /// An entry grew by a coded variant.
    pub(crate) fn grew(&self, writer: u64, by: usize) {
        let current = self.writer.lock();
        if *current == Some(writer) {
            self.bytes.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// This generation writes from here on.
    pub(crate) fn begin(&self, writer: u64) {
        *self.writer.lock() = Some(writer);
        self.online.store(true, Ordering::Release);
        self.came_online.notify_waiters();
    }

    /// The writer is gone. Without one nothing can be evicted or purged, so nothing is read.
    pub(crate) fn end(&self) {
        self.empty(&mut self.writer.lock());
    }

    /// [`Self::end`], unless another generation writes already.
    pub(crate) fn leave(&self, writer: u64) {
        let mut current = self.writer.lock();
        if *current == Some(writer) {
            self.empty(&mut current);
        }
    }

    fn empty(&self, current: &mut Option<u64>) {
        *current = None;
        self.online.store(false, Ordering::Release);
        self.map.clear();
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// Ready once there is a writer.
    pub(crate) async fn online(&self) {
        loop {
            let came_online = self.came_online.notified();
            tokio::pin!(came_online);
            came_online.as_mut().enable();
            if self.is_online() {
                return;
            }
            came_online.await;
        }
    }

    pub(crate) fn is_online(&self) -> bool {
        self.online.load(Ordering::Acquire)
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Hashes of the entries that satisfy `wanted`, a shard at a time.
    pub(crate) fn select(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<u128> {
        self.map.iter().filter(|found| wanted(found.value())).map(|found| *found.key()).collect()
    }
}
