//! Answers behind memory: the engine's `tier` port, in a folder of the data directory.
//!
//! Owns what can be asked of it from any thread: reads, on threads that may wait, and a bounded queue to the one thread
//! that writes. What fails here is a miss, never an error, except that a purge which cannot be made sure of takes the whole
//! folder out of use. Must not know what a key is made of.

mod known;
mod metrics;
mod queue;
mod row;
mod shelf;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tidegate_actors::key::Key;
use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::ports::tier::{TierFuture, TierStore};
use tidegate_actors::{Entry, PurgeFilter};
use tokio::sync::oneshot;

use self::known::Known;
use self::metrics::WarmMetrics;
use self::queue::{Job, Queue};
use self::row::{Fault, Now};
use self::shelf::Shelf;
use self::writer::Writer;
use super::aside;

/// Its folder in the data directory.
const FOLDER: &str = "warm";
/// A file in it says that a purge of it did not succeed: nothing in it may be told any more.
const DISTRUSTED: &str = "distrusted";

/// The answers in a folder. Clones share them.
#[derive(Clone)]
pub struct Warm(Arc<Inner>);

struct Inner {
    shelf: Shelf,
    known: Known,
    queue: Queue,
    clock: ClockRef,
    metrics: WarmMetrics,
    /// Made when nothing here may be told any more.
    distrusted: PathBuf,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Warm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Warm")
    }
}

impl Warm {
    /// Opens what lies in the data directory `dir`, made if there is nothing; at most `max_bytes` of answers stay in it. What
    /// they are is looked up by a thread of its own; until it has, every key is looked for. That thread and those of the
    /// database have the lowest priority: where processors are busy, calls come first, and answers beyond what may wait are
    /// not kept here.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn open(dir: &Path, max_bytes: u64, clock: &ClockRef, registry: &mut Registry) -> io::Result<Self> {
        let folder = dir.join(FOLDER);
        if folder.join(DISTRUSTED).exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let inner = Arc::new(Inner {
            shelf: opened(folder.clone())?,
            known: Known::default(),
            queue: Queue::default(),
            clock: Arc::clone(clock),
            metrics: WarmMetrics::register(registry),
            distrusted: folder.join(DISTRUSTED),
            thread: Mutex::new(None),
        });
        let writer = Writer::new(Arc::clone(&inner), max_bytes);
        *inner.thread.lock() = Some(aside::spawn("tidegate-warm", move || writer.run())?);
        Ok(Self(inner))
    }

    /// Writes what was handed over and waits until the disk has it. Blocks; nothing is kept from here on.
    pub fn close(&self) {
        self.0.queue.end();
        if let Some(thread) = self.0.thread.lock().take() {
            // A thread that panicked has been heard of; what it had not written is lost, as an answer may be.
            let _ = thread.join();
        }
    }
}

/// The database in `folder`, opened where the threads it starts take their priority from.
fn opened(folder: PathBuf) -> io::Result<Shelf> {
    let broken = |_| io::Error::other("opening it broke off");
    aside::spawn("tidegate-warm", move || Shelf::open(&folder))?.join().map_err(broken)?
}

impl Inner {
    /// A purge may not have reached all it meant.
    fn distrust(&self) {
        self.known.close();
        let file = self.distrusted.display();
        match std::fs::write(&self.distrusted, b"") {
            Ok(()) => tracing::error!(%file, "a purge failed: the answers kept here are not told any more"),
            Err(error) => tracing::error!(
                %file, %error,
                "a purge failed and could not be noted: remove this folder before the next start"
            ),
        }
    }

    /// What stands under `key`, if it can be told.
    fn find(&self, key: &Key) -> Option<Arc<Entry>> {
        let bytes = match self.shelf.find(&key.sha) {
            Ok(found) => found?,
            Err(error) => {
                tracing::debug!(%error, "a kept answer cannot be read");
                self.metrics.failed.inc();
                return None;
            }
        };
        let now = Now { tick: self.clock.now(), unix_us: self.clock.unix_us() };
        match row::decode(&bytes, key, now) {
            Ok(entry) => Some(Arc::new(entry)),
            Err(fault) => {
                match fault {
                    Fault::Damaged => self.metrics.corrupt.inc(),
                    Fault::Over => self.metrics.expired.inc(),
                };
                self.queue.put(Job::Remove(key.sha));
                None
            }
        }
    }
}

impl TierStore for Warm {
    fn may_have(&self, key: &Key) -> bool {
        self.0.known.may_have(&key.sha)
    }

    fn read(&self, keys: Vec<Key>) -> TierFuture<Vec<Option<Arc<Entry>>>> {
        let inner = Arc::clone(&self.0);
        let count = keys.len();
        let reading = tokio::task::spawn_blocking(move || {
            let found: Vec<_> = keys.iter().map(|key| inner.find(key)).collect();
            let hits = found.iter().flatten().count();
            inner.metrics.hits.inc_by(hits as u64);
            inner.metrics.misses.inc_by((found.len() - hits) as u64);
            found
        });
        Box::pin(async move { reading.await.unwrap_or_else(|_| vec![None; count]) })
    }

    fn keep(&self, entry: &Arc<Entry>) {
        if !self.0.queue.put(Job::Keep(Arc::clone(entry))) {
            self.0.metrics.dropped.inc();
        }
    }

    fn forget(&self, filter: &PurgeFilter, dry_run: bool) -> TierFuture<usize> {
        let (reply, answer) = oneshot::channel();
        self.0.queue.put(Job::Forget { filter: filter.clone(), dry_run, reply });
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            answer.await.unwrap_or_else(|_| {
                // The thread is gone. Nothing is read without it, but the next process would.
                if !dry_run {
                    inner.distrust();
                }
                0
            })
        })
    }
}
