//! A store behind memory for tests: what outlives one world is handed to the next.
//!
//! Owns when its reads come back. Must not know what an answer says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::cache::{Entry, PurgeFilter};
use crate::key::Key;
use crate::ports::tier::{TierFuture, TierStore};

/// Answers by their SHA-256. Clones share them.
#[derive(Debug, Clone)]
pub struct Shelf(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    entries: Mutex<BTreeMap<[u8; 32], Arc<Entry>>>,
    kept: AtomicUsize,
    reads: AtomicUsize,
    held: watch::Sender<bool>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self(Arc::new(Inner {
            entries: Mutex::default(),
            kept: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            held: watch::Sender::new(false),
        }))
    }
}

impl Shelf {
    /// Answers it was handed so far.
    pub fn kept(&self) -> usize {
        self.0.kept.load(Ordering::Relaxed)
    }

    /// Reads begun so far.
    pub fn reads(&self) -> usize {
        self.0.reads.load(Ordering::Relaxed)
    }

    /// From here on reads find what is there now and come back once they are let go.
    pub fn hold(&self) {
        self.0.held.send_replace(true);
    }

    /// Lets them go.
    pub fn let_go(&self) {
        self.0.held.send_replace(false);
    }
}

impl TierStore for Shelf {
    fn may_have(&self, key: &Key) -> bool {
        self.0.entries.lock().contains_key(&key.sha)
    }

    fn read(&self, keys: Vec<Key>) -> TierFuture<Vec<Option<Arc<Entry>>>> {
        self.0.reads.fetch_add(1, Ordering::Relaxed);
        let entries = self.0.entries.lock();
        let restored = |entry: &Arc<Entry>| {
            Arc::new(Entry::restored(entry.facts.clone(), entry.kept.clone(), Duration::ZERO))
        };
        let found = keys.iter().map(|key| entries.get(&key.sha).map(restored)).collect();
        let mut held = self.0.held.subscribe();
        Box::pin(async move {
            // The sender lives as long as a world does.
            let _ = held.wait_for(|held| !held).await;
            found
        })
    }

    fn keep(&self, entry: &Arc<Entry>) {
        self.0.kept.fetch_add(1, Ordering::Relaxed);
        self.0.entries.lock().insert(entry.facts.key.sha, Arc::clone(entry));
    }

    fn forget(&self, filter: &PurgeFilter, dry_run: bool) -> TierFuture<usize> {
        let mut entries = self.0.entries.lock();
        let before = entries.len();
        let left = entries.values().filter(|entry| !filter.matches(entry)).count();
        if !dry_run {
            entries.retain(|_, entry| !filter.matches(entry));
        }
        Box::pin(std::future::ready(before - left))
    }
}
