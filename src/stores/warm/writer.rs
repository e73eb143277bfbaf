//! The one thread that writes: puts answers in groups, takes out the oldest where there are too many, and purges.
//!
//! Owns the byte budget. A disk that refuses costs answers, never a purge: what cannot be purged is not told any more.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use tidegate_actors::{Entry, PurgeFilter};

use super::Inner;
use super::queue::Job;
use super::row::{Now, Times, encode};
use super::shelf::Place;

/// Bytes of answers in one group.
const GROUP_BYTES: usize = 4 << 20;
/// Rows taken out at once.
const GROUP_ROWS: usize = 1_024;
/// What a row takes beside itself: its place, its part of the tree.
const OVERHEAD_BYTES: usize = 512;

/// See the module.
pub(super) struct Writer {
    inner: Arc<Inner>,
    max_bytes: u64,
    bytes: u64,
    rows: u64,
    /// Number of the next answer.
    next: u64,
    /// The disk refused something: it is told once.
    refused: bool,
}

/// Whoever waits for the thread is let go when it ends, also by a panic.
struct Ending<'i>(&'i Inner);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.queue.desert();
        self.0.known.close();
    }
}

impl Writer {
    pub(super) fn new(inner: Arc<Inner>, max_bytes: u64) -> Self {
        Self { inner, max_bytes, bytes: 0, rows: 0, next: 0, refused: false }
    }

    /// Works until no more jobs come.
    pub(super) fn run(mut self) {
        let inner = Arc::clone(&self.inner);
        let _ending = Ending(&inner);
        let loaded = self.load();
        self.told(loaded);
        while let Some(jobs) = inner.queue.take() {
            self.carry_out(jobs);
        }
        let synced = inner.shelf.sync();
        self.told(synced);
    }

    /// Learns what there is, without what is over.
    fn load(&mut self) -> io::Result<()> {
        let inner = Arc::clone(&self.inner);
        let now_us = inner.clock.unix_us();
        let mut over = Vec::new();
        inner.shelf.each(|number, place| {
            self.next = number + 1;
            self.bytes += u64::from(place.cost);
            self.rows += 1;
            match place.expires_us > now_us {
                true => inner.known.add(&place.sha),
                false => over.push((number, place)),
            }
            true
        })?;
        inner.known.is_complete();
        inner.metrics.expired.inc_by(over.len() as u64);
        self.take_out(&over)?;
        self.make_room()
    }

    fn carry_out(&mut self, jobs: Vec<Job>) {
        let mut group = Vec::new();
        let mut bytes = 0;
        for job in jobs {
            match job {
                Job::Keep(entry) => {
                    bytes += entry.bytes();
                    group.push(entry);
                }
                Job::Remove(sha) => {
                    let removed = self.remove(&sha);
                    self.told(removed);
                }
                Job::Forget { filter, dry_run, reply } => {
                    bytes = 0;
                    self.keep(std::mem::take(&mut group)); // handed over before the purge
                    let gone = self.forget(&filter, dry_run);
                    let _ = reply.send(gone);
                }
            }
            if bytes >= GROUP_BYTES {
                bytes = 0;
                self.keep(std::mem::take(&mut group));
            }
        }
        self.keep(group);
    }

    fn keep(&mut self, group: Vec<Arc<Entry>>) {
        if !group.is_empty() {
            let kept = self.put(&group).and_then(|()| self.make_room());
            self.told(kept);
        }
    }

    /// Of two answers to one key the later counts.
    fn put(&mut self, group: &[Arc<Entry>]) -> io::Result<()> {
        let inner = Arc::clone(&self.inner);
        let now = Now { tick: inner.clock.now(), unix_us: inner.clock.unix_us() };
        let mut batch = inner.shelf.batch();
        let mut put = HashSet::new();
        let (mut bytes, mut rows, mut next) = (self.bytes, self.rows, self.next);
        for entry in group.iter().rev() {
            std::thread::yield_now(); // a group takes milliseconds
            let facts = &entry.facts;
            if !put.insert(facts.key.sha) || facts.expires <= now.tick {
                continue;
            }
            if inner.known.has(&facts.key.sha)
                && let Some((number, cost)) = inner.shelf.place(&facts.key.sha)?
            {
                batch.replace(number);
                bytes = bytes.saturating_sub(u64::from(cost));
                rows = rows.saturating_sub(1);
            }
            let times = Times::of(facts, now);
            let row = encode(facts, &entry.kept, times);
            let cost = u32::try_from(row.len() + OVERHEAD_BYTES).unwrap_or(u32::MAX);
            batch.put(next, &Place::of(facts, cost, times.expires_us), &row);
            bytes += u64::from(cost);
            rows += 1;
            next += 1;
        }
        batch.commit()?;
        (self.bytes, self.rows, self.next) = (bytes, rows, next);
        put.iter().for_each(|sha| inner.known.add(sha));
        inner.metrics.kept.inc_by(put.len() as u64);
        self.count();
        Ok(())
    }

    /// Takes out the oldest until the rest fits.
    fn make_room(&mut self) -> io::Result<()> {
        while self.bytes > self.max_bytes {
            let mut over = self.bytes - self.max_bytes;
            let mut oldest = Vec::new();
            self.inner.shelf.each(|number, place| {
                over = over.saturating_sub(u64::from(place.cost));
                oldest.push((number, place));
                over > 0 && oldest.len() < GROUP_ROWS
            })?;
            if oldest.is_empty() {
                break;
            }
            self.inner.metrics.evicted.inc_by(oldest.len() as u64);
            self.take_out(&oldest)?;
        }
        self.count();
        Ok(())
    }

    fn remove(&mut self, sha: &[u8; 32]) -> io::Result<()> {
        let Some((number, cost)) = self.inner.shelf.place(sha)? else { return Ok(()) };
        let mut batch = self.inner.shelf.batch();
        batch.remove(number, sha);
        batch.commit()?;
        self.gone(sha, cost);
        self.count();
        Ok(())
    }

    fn take_out(&mut self, places: &[(u64, Place)]) -> io::Result<()> {
        for group in places.chunks(GROUP_ROWS) {
            let mut batch = self.inner.shelf.batch();
            group.iter().for_each(|(number, place)| batch.remove(*number, &place.sha));
            batch.commit()?;
            group.iter().for_each(|(_, place)| self.gone(&place.sha, place.cost));
        }
        self.count();
        Ok(())
    }

    fn gone(&mut self, sha: &[u8; 32], cost: u32) {
        self.inner.known.remove(sha);
        self.bytes = self.bytes.saturating_sub(u64::from(cost));
        self.rows = self.rows.saturating_sub(1);
    }

    /// How many went. They are gone for good, also after a power cut, or nothing here is told any more.
    fn forget(&mut self, filter: &PurgeFilter, dry_run: bool) -> usize {
        let mut meant = Vec::new();
        let looked = self.inner.shelf.each(|number, place| {
            if place.is_meant(filter) {
                meant.push((number, place));
            }
            true
        });
        if dry_run {
            self.told(looked);
            return meant.len();
        }
        let gone = looked.and_then(|()| self.take_out(&meant)).and_then(|()| self.inner.shelf.sync());
        match &gone {
            Ok(()) => drop(self.inner.metrics.purged.inc_by(meant.len() as u64)),
            Err(_) => self.inner.distrust(),
        }
        self.told(gone);
        meant.len()
    }

    fn count(&self) {
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.inner.metrics.bytes.set(gauge(self.bytes));
        self.inner.metrics.rows.set(gauge(self.rows));
    }

    /// Counts what the disk refused, and says it once.
    fn told(&mut self, done: io::Result<()>) {
        let Err(error) = done else { return };
        self.inner.metrics.failed.inc();
        if !std::mem::replace(&mut self.refused, true) {
            tracing::error!(%error, "answers cannot be kept behind memory (data.dir); they are kept in memory alone");
        }
    }
}
