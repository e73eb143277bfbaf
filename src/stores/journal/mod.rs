//! The journal: what is many and small goes through here to storage, in the order it came, group by group.
//!
//! Owns the one thread that writes, the places in its queue, and the berths of what must survive before it goes on. Must not
//! know what a row means.
//!
//! What survives what:
//! - a row that was pushed survives the end of this process once its group is written, [`GATHER`] later at most, and a power
//!   cut once its group is synced, `sync_ms` later;
//! - what lies in a berth survives the end of this process when [`Journal::moor`] returns, and a power cut after the next sync,
//!   which [`Journal::synced`] waits for.
//!
//! A row has a place in the queue from the moment it was reserved until its group is written, so pushing cannot fail: when the
//! storage cannot keep up it is [`Journal::reserve`] that refuses.

mod batch;
mod bell;
mod berths;
mod logs;
mod pack;
mod storage;
mod tree;
mod writer;

#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam::utils::CachePadded;
use parking_lot::Mutex;
use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::ports::ledger::Refusal;
use tokio::sync::oneshot;

use batch::Batch;
use bell::Bell;
pub(super) use berths::{BERTH_BYTES, Berths};
pub(super) use storage::Group;
pub(super) use storage::Storage;
pub(super) use tree::Tree;
use writer::Writer;

/// How long a row waits for company.
const GATHER: Duration = Duration::from_millis(10);

/// How a journal is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Rows that are reserved or wait.
    pub(super) queue_rows: usize,
    /// How long what was written may wait for the disk.
    pub(super) sync: Duration,
    /// Bytes that may be written and not forgotten.
    pub(super) max_bytes: u64,
}

/// What somebody waits for.
enum Ask {
    /// Everything pushed before is written.
    Written(oneshot::Sender<()>),
    /// Everything pushed or moored before is synced.
    Synced(oneshot::Sender<()>),
    /// Groups before this one are needed no more.
    Forget(u64),
    /// The journal ends.
    End,
}

/// What the journal's thread shares with those who use it.
struct Shared {
    /// Rows pushed that the thread has not taken yet. Locked for the copy of a row, or to exchange it for an empty one.
    pushed: CachePadded<Mutex<Batch>>,
    /// Rows reserved or not written yet.
    taken: CachePadded<AtomicUsize>,
    queue_rows: usize,
    /// Bytes written and not forgotten, and how many there may be.
    kept_bytes: AtomicU64,
    max_bytes: u64,
    is_failing: AtomicBool,
    failure: Mutex<Arc<str>>,
    /// Nothing once nobody hears them any more.
    asks: Mutex<Option<Vec<Ask>>>,
    bell: Bell,
    storage: Arc<dyn Storage>,
    berths: Berths,
}

/// A journal. Clones are one; it is ended with [`Journal::end`].
#[derive(Clone)]
pub(super) struct Journal {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Journal {
    /// Starts the thread, which writes behind what the storage holds already.
    ///
    /// # Errors
    /// The storage cannot be read, or the system gives no thread.
    pub(super) fn start(
        storage: Arc<dyn Storage>,
        berths: Berths,
        rules: Rules,
        clock: ClockRef,
    ) -> std::io::Result<Self> {
        let next = storage.last()?.map_or(0, |last| last + 1);
        let kept = kept_bytes(&*storage)?;
        let shared = Arc::new(Shared {
            pushed: CachePadded::default(),
            taken: CachePadded::new(AtomicUsize::new(0)),
            queue_rows: rules.queue_rows,
            kept_bytes: AtomicU64::new(kept),
            max_bytes: rules.max_bytes,
            is_failing: AtomicBool::new(false),
            failure: Mutex::new("".into()),
            asks: Mutex::new(Some(Vec::new())),
            bell: Bell::default(),
            storage,
            berths,
        });
        let writer = Writer::new(Arc::clone(&shared), rules.sync, clock, next);
        let thread = thread::Builder::new().name("tidegate-journal".into()).spawn(move || writer.run())?;
        shared.bell.is_answered_by(thread.thread().clone());
        Ok(Self { shared, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Reserves a place for one row. Never waits; allocates nothing.
    ///
    /// # Errors
    /// Every place is taken, or nothing can be written.
    pub(super) fn reserve(&self) -> Result<(), Refusal> {
        self.reserve_of(self.shared.queue_rows, self.shared.max_bytes)
    }

    /// The same while at most half of all room is used.
    ///
    /// # Errors
    /// More of it is, or nothing can be written.
    pub(super) fn reserve_spare(&self) -> Result<(), Refusal> {
        self.reserve_of(self.shared.queue_rows / 2, self.shared.max_bytes / 2)
    }

    fn reserve_of(&self, rows: usize, bytes: u64) -> Result<(), Refusal> {
        let shared = &*self.shared;
        if shared.is_failing.load(Ordering::Relaxed) {
            return Err(Refusal::Failing { why: Arc::clone(&shared.failure.lock()) });
        }
        if shared.kept_bytes.load(Ordering::Relaxed) >= bytes {
            return Err(Refusal::Behind { bytes });
        }
        if shared.taken.fetch_add(1, Ordering::Relaxed) >= rows {
            shared.taken.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::Full { rows });
        }
        Ok(())
    }

    /// Gives a reserved place back unused.
    pub(super) fn give_back(&self) {
        self.shared.taken.fetch_sub(1, Ordering::Relaxed);
    }

    /// Uses a reserved place, and frees a berth once the row is written. Copies the bytes; waits for nobody longer than such a
    /// copy takes; allocates only while more rows wait than ever before.
    pub(super) fn push(&self, row: &[u8], berth: Option<u32>) {
        self.shared.pushed.lock().push(row, berth);
        self.shared.bell.ring();
    }

    /// Writes `bytes` where they survive the end of this process, and gives their berth, which is free again when a row that
    /// names it is written.
    ///
    /// # Errors
    /// Every berth is taken, or it cannot be written.
    ///
    /// # Cost
    /// One write to the page cache, in the caller's thread.
    pub(super) fn moor(&self, bytes: &[u8]) -> Result<u32, Refusal> {
        self.shared.berths.moor(bytes)
    }

    /// Told when everything pushed or moored until now survives a power cut; dropped if that cannot be.
    pub(super) fn synced(&self) -> oneshot::Receiver<()> {
        let (done, told) = oneshot::channel();
        self.shared.ask(Ask::Synced(done));
        told
    }

    /// Told when everything pushed until now is written; dropped if that cannot be.
    pub(super) fn written(&self) -> oneshot::Receiver<()> {
        let (done, told) = oneshot::channel();
        self.shared.ask(Ask::Written(done));
        told
    }

    /// Groups before this one are needed no more.
    pub(super) fn forget(&self, before: u64) {
        self.shared.ask(Ask::Forget(before));
    }

    /// The groups, to read them.
    pub(super) fn storage(&self) -> &Arc<dyn Storage> {
        &self.shared.storage
    }

    /// Rows that are reserved or wait, and how many may.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.shared.taken.load(Ordering::Relaxed), self.shared.queue_rows)
    }

    /// Bytes written and not forgotten, and how many there may be.
    pub(super) fn kept(&self) -> (u64, u64) {
        (self.shared.kept_bytes.load(Ordering::Relaxed), self.shared.max_bytes)
    }

    /// Why nothing can be written, if that is so.
    pub(super) fn failure(&self) -> Option<Arc<str>> {
        self.shared.is_failing.load(Ordering::Relaxed).then(|| Arc::clone(&self.shared.failure.lock()))
    }

    /// Writes and syncs everything and ends the thread. Blocks until that is done or has failed.
    pub(super) fn end(&self) {
        self.shared.ask(Ask::End);
        if let Some(thread) = self.thread.lock().take() {
            // A writer that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Bytes of one reading of what was kept from before.
const READ_BYTES: usize = 4 << 20;

/// Bytes of all groups.
fn kept_bytes(storage: &dyn Storage) -> std::io::Result<u64> {
    let (mut kept, mut from) = (0, 0);
    loop {
        let groups = storage.read(from, READ_BYTES)?;
        let Some(last) = groups.last() else { return Ok(kept) };
        from = last.number + 1;
        kept += groups.iter().map(|group| group.bytes.len() as u64).sum::<u64>();
    }
}

impl Shared {
    fn ask(&self, ask: Ask) {
        if let Some(asks) = &mut *self.asks.lock() {
            asks.push(ask);
        }
        self.bell.ring_loudly();
    }

    fn fails(&self, why: &str) {
        if !self.is_failing.load(Ordering::Relaxed) {
            tracing::error!("the journal cannot be written: {why}");
        }
        *self.failure.lock() = why.into();
        self.is_failing.store(true, Ordering::Relaxed);
    }

    fn recovers(&self) {
        if self.is_failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the journal is written again");
        }
    }
}
