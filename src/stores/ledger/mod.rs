//! The ledger: a row for each caller, a row for each request to an upstream, and none is lost from the books.
//!
//! Owns when a row is written and what a start makes of rows that were left open. Must not know how the journal writes.
//! Rows go to the journal first (`rows.rs`), from there in the background into tables, a file for each day (`fold.rs`,
//! `lines.rs`, `files.rs`); who reads sees both as one (`read.rs`).
//!
//! - An attempt's opening lies in a berth of the journal before the request leaves: it survives a killed process. With `sync =
//!   "always"` it has been synced by then and survives a power cut too; else it is up to `sync_ms` behind.
//! - Its end, and every call's row, are pushed when they are known; a kill loses what is younger than the journal's gathering. An
//!   attempt whose end was lost like that is closed as interrupted by the next start.

mod bodies;
mod codec;
mod days;
mod files;
mod fold;
mod front;
mod health;
mod lines;
mod partitions;
mod prices;
mod read;
mod retention;
mod rows;
mod shelves;
mod statements;
mod tables;
mod tail;
mod told;
mod usage;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate_actors::CallId;
use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::ports::ledger::{AttemptEnd, AttemptId, AttemptRow, Ledger, Opening, Refusal};
use tidegate_actors::record::CallRecord;

use crate::config;
use crate::stores::Database;
use crate::stores::journal::{BERTH_BYTES, Berths, Journal, Rules, Storage, Tree};
use crate::stores::schema::CALLS;
pub use bodies::{BodyKeeper, KeepDays};
use days::Days;
use fold::Folder;
use health::Health;
pub use prices::Prices;
pub use read::Reader;
use retention::Keep;
use rows::{Booked, Scribe};
use shelves::Shelves;
use tables::Tables;
use tail::{Shown, Tail};

/// Bytes of the journal looked at in one go.
const READ_BYTES: usize = 4 << 20;

/// Keeps the books in a journal. Clones are one.
#[derive(Clone)]
pub struct BookKeeper {
    journal: Journal,
    folder: Folder,
    shelves: Shelves,
    scribe: Arc<Scribe>,
    tail: Tail,
    /// An opening waits until it is synced.
    waits: bool,
}

/// What books are kept with.
pub struct Fittings<'a> {
    /// The settings of the ledger.
    pub settings: &'a config::Ledger,
    /// Attempts that can be open at once, with those whose end waits to be written.
    pub attempts: usize,
    /// Time.
    pub clock: ClockRef,
    /// What tokens cost.
    pub prices: Arc<Prices>,
    /// The version of the configuration in force.
    pub config: String,
    /// The main database: tables are made there if it is a server's.
    pub database: Option<&'a Database>,
}

impl BookKeeper {
    /// Opens the books in `folder`, made if it is not there, and closes as interrupted what was left open.
    ///
    /// # Errors
    /// The folder or what lies in it cannot be read or written.
    ///
    /// # Cost
    /// Reads what has not been folded; blocks.
    pub fn open(folder: &Path, fittings: Fittings<'_>) -> io::Result<Self> {
        let journal = folder.join("ledger");
        std::fs::create_dir_all(&journal)?;
        let tree = Arc::new(Tree::open(&journal.join("rows"))?);
        let days = Days::new(folder.join("calls"), &CALLS);
        Self::on(tree, &journal.join("open"), days, fittings)
    }

    /// Keeps the books in this storage and this file of openings.
    fn on(
        storage: Arc<dyn Storage>,
        openings: &Path,
        days: Days,
        fittings: Fittings<'_>,
    ) -> io::Result<Self> {
        let Fittings { settings, attempts, clock, prices, config, database } = fittings;
        let scribe = Arc::new(Scribe { prices, config: config.into_boxed_str() });
        let (berths, left) = Berths::open(openings, attempts)?;
        let interrupted = close_open(&*storage, &left, &scribe)?;
        berths.clear()?;
        if interrupted > 0 {
            tracing::warn!(attempts = interrupted, "closed as interrupted: nobody saw their end");
        }
        let rules = Rules {
            queue_rows: settings.queue_rows,
            sync: Duration::from_millis(settings.sync_ms),
            max_bytes: settings.max_unfolded_bytes as u64,
        };
        let tail = Tail::new(Arc::clone(&clock));
        let storage = Arc::new(Shown { storage, tail: tail.clone() });
        let journal = Journal::start(storage, berths, rules, Arc::clone(&clock))?;
        let health = Health::default();
        let shelves = Shelves::of(days, database, health.clone());
        let (tables, keep) = (Tables::of(&shelves), Keep::of(settings));
        let folder = Folder::start(journal.clone(), tables, keep, clock, health)?;
        let waits = settings.sync == config::LedgerSync::Always;
        Ok(Self { journal, folder, shelves, scribe, tail, waits })
    }

    /// Reads these books.
    pub fn reader(&self) -> Reader {
        Reader::new(self.journal.clone(), self.folder.clone(), self.shelves.clone(), self.tail.clone())
    }

    /// Lets those who listen hear what was told until now, and nothing more.
    pub async fn fall_silent(&self) {
        // What cannot be written is not heard either.
        let _ = self.journal.written().await;
        self.tail.end();
    }

    /// Folds everything that was told into tables; false if that cannot be.
    pub async fn fold(&self) -> bool {
        self.folder.folded().await.is_ok()
    }

    /// Why no row can be written, or none of some that were can be folded or read, if that is so.
    pub fn failure(&self) -> Option<Arc<str>> {
        self.journal.failure().or_else(|| self.folder.health().trouble())
    }

    /// Writes and syncs everything. Nothing is kept after that. Blocks.
    pub fn end(&self) {
        self.folder.end();
        self.journal.end();
        self.tail.end();
    }
}

impl Ledger for BookKeeper {
    fn reserve(&self, _: CallId) -> Result<(), Refusal> {
        self.journal.reserve()
    }

    fn reserve_spare(&self) -> Result<(), Refusal> {
        self.journal.reserve_spare()
    }

    fn open(&self, row: &AttemptRow) -> Result<Opening, Refusal> {
        self.journal.reserve()?;
        let place = self.moor(row).inspect_err(|_| self.journal.give_back())?;
        let durable = self.waits.then(|| self.journal.synced());
        Ok(Opening { place, durable })
    }

    fn close(&self, row: &AttemptRow, place: u32, end: AttemptEnd) {
        draft(|bytes| {
            self.scribe.ended(row, end, bytes);
            self.journal.push(bytes, Some(place));
        });
    }

    fn tell(&self, record: &CallRecord) {
        draft(|bytes| {
            self.scribe.call(record, bytes);
            self.journal.push(bytes, None);
        });
    }
}

thread_local! {
    static DRAFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Does something with a row's bytes, which are written before they are moored or pushed: no allocation for each, and nobody
/// else waits for the writing.
fn draft<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    DRAFT.with_borrow_mut(|bytes| {
        bytes.clear();
        work(bytes)
    })
}

impl BookKeeper {
    fn moor(&self, row: &AttemptRow) -> Result<u32, Refusal> {
        draft(|bytes| {
            let mut opened = self.scribe.opened(row);
            self.scribe.attempt(&opened, bytes);
            if bytes.len() > BERTH_BYTES {
                // Only an attempt that is interrupted is ever read from here: better with short names than not at all.
                for text in [&mut opened.model, &mut opened.target, &mut opened.workspace] {
                    *text = shortened(text).into();
                }
                bytes.clear();
                self.scribe.attempt(&opened, bytes);
            }
            self.journal.moor(bytes)
        })
    }
}

/// The beginning of a name too long for a berth.
fn shortened(name: &str) -> String {
    const LETTERS: usize = 50;
    match name.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}..", &name[..end]),
        None => name.to_owned(),
    }
}

/// Writes an end for every opening that has none; says for how many.
fn close_open(storage: &dyn Storage, left: &[Vec<u8>], scribe: &Scribe) -> io::Result<usize> {
    if left.is_empty() {
        return Ok(0);
    }
    let ended = ended(storage)?;
    let mut group = Vec::new();
    let mut count = 0;
    for opening in left {
        for row in rows::rows(opening) {
            if let Booked::Attempt(attempt) = row
                && !ended.contains(&attempt.id)
            {
                scribe.attempt(&attempt, &mut group);
                count += 1;
            }
        }
    }
    if count > 0 {
        let next = storage.last()?.map_or(0, |last| last + 1);
        storage.append(next, &group)?;
        storage.sync()?;
    }
    Ok(count)
}

/// Every attempt whose end is in the journal.
fn ended(storage: &dyn Storage) -> io::Result<HashSet<AttemptId>> {
    let mut ended = HashSet::new();
    let mut from = 0;
    loop {
        let groups = storage.read(from, READ_BYTES)?;
        let Some(last) = groups.last() else { return Ok(ended) };
        from = last.number + 1;
        for group in &groups {
            ended.extend(rows::rows(&group.bytes).filter_map(|row| match row {
                Booked::Attempt(attempt) => Some(attempt.id),
                Booked::Call(_) => None,
            }));
        }
    }
}
