//! The thread that writes.
//!
//! Owns the rhythm: gather, write, sync. A group that cannot be written is tried again until it can: nothing is dropped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidegate_actors::ports::clock::{ClockRef, Tick};
use tokio::sync::oneshot;

use super::{Ask, Batch, GATHER, Shared};

/// A group is closed once it has so many bytes.
const GROUP_BYTES: usize = 64 << 10;
/// How long a write that failed waits for its repetition.
const RETRY: Duration = Duration::from_millis(500);

/// Writes rows until it is told to end.
pub(super) struct Writer {
    shared: Arc<Shared>,
    sync: Duration,
    clock: ClockRef,
    next: u64,
    /// What was taken and is not all written.
    batch: Batch,
    /// Berths of a group, for as long as it takes to free them.
    berths: Vec<u32>,
    /// When the first thing was written that is not synced.
    unsynced: Option<Tick>,
    waiting: Vec<oneshot::Sender<()>>,
    /// Somebody waits for a sync.
    syncs: bool,
    /// Groups before this one are needed no more.
    forget: Option<u64>,
    /// The last thing done with the storage went wrong.
    failed: bool,
    ends: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, sync: Duration, clock: ClockRef, next: u64) -> Self {
        Self {
            shared,
            sync,
            clock,
            next,
            batch: Batch::default(),
            berths: Vec::new(),
            unsynced: None,
            waiting: Vec::new(),
            syncs: false,
            forget: None,
            failed: false,
            ends: false,
        }
    }

    pub(super) fn run(mut self) {
        self.write_until_told();
        // Who asks from here on, or was not heard, is told that it is in vain.
        *self.shared.asks.lock() = None;
    }

    fn write_until_told(&mut self) {
        loop {
            self.hear();
            match self.work() {
                Ok(()) => {
                    self.failed = false;
                    self.shared.recovers();
                    self.waiting.drain(..).for_each(tell);
                    if self.ends && self.shared.pushed.lock().is_written() {
                        return;
                    }
                    self.rest();
                }
                Err(error) => {
                    self.failed = true;
                    self.shared.fails(&error.to_string());
                    // Whoever waits is told at once that it is in vain.
                    self.waiting.clear();
                    if self.ends {
                        return; // the process ends: what the storage does not take by now it never will
                    }
                    self.shared.bell.doze(RETRY);
                }
            }
        }
    }

    /// Takes note of what is asked.
    fn hear(&mut self) {
        self.shared.bell.hear();
        let asks = self.shared.asks.lock().as_mut().map(std::mem::take);
        for ask in asks.into_iter().flatten() {
            match ask {
                Ask::Written(told) => self.waiting.push(told),
                Ask::Synced(told) => {
                    self.waiting.push(told);
                    self.syncs = true;
                }
                Ask::Forget(before) => self.forget = self.forget.max(Some(before)),
                Ask::End => self.ends = true,
            }
        }
    }

    /// Writes all there is, and syncs if it is time.
    fn work(&mut self) -> io::Result<()> {
        while self.append()? {}
        let due = |since: Tick| self.clock.now().since(since) >= self.sync;
        // After a failure only a sync shows that the storage is whole again.
        if self.ends || self.failed || self.syncs || self.unsynced.is_some_and(due) {
            self.shared.berths.sync()?;
            self.shared.storage.sync()?;
            (self.unsynced, self.syncs) = (None, false);
        }
        if let Some(before) = self.forget {
            // A berth must not outlive the row that freed it: it would be taken for something that never ended.
            self.shared.berths.clear()?;
            let bytes = self.shared.storage.forget(before)?;
            self.shared.kept_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.forget = None;
        }
        Ok(())
    }

    /// Writes the next group; false if there is none.
    fn append(&mut self) -> io::Result<bool> {
        if self.batch.is_written() {
            self.batch.clear();
            std::mem::swap(&mut *self.shared.pushed.lock(), &mut self.batch);
        }
        let Some((rows, bytes)) = self.batch.group(GROUP_BYTES) else { return Ok(false) };
        self.shared.storage.append(self.next, bytes)?;
        self.next += 1;
        self.shared.kept_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.berths.extend(self.batch.wrote(rows));
        self.shared.berths.free(&mut self.berths);
        self.shared.taken.fetch_sub(rows, Ordering::Relaxed);
        self.unsynced.get_or_insert_with(|| self.clock.now());
        Ok(true)
    }

    /// Waits: for company, for the next sync, or for anything at all.
    fn rest(&mut self) {
        if self.unsynced.is_none() {
            let shared = &self.shared;
            let is_unasked = || shared.asks.lock().as_ref().is_none_or(Vec::is_empty);
            shared.bell.sleep(|| shared.pushed.lock().is_written() && is_unasked());
        }
        self.shared.bell.doze(GATHER);
    }
}

fn tell(waiting: oneshot::Sender<()>) {
    // Who left needs no answer.
    let _ = waiting.send(());
}
