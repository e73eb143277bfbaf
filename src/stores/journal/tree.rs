//! Groups in a fjall tree: the number is the key, the group the value.
//!
//! Owns what fjall does not promise by itself. Must not know what a group holds.
//!
//! What fjall 3 does, read in its source: a batch is written to its journal with a checksum behind it and is flushed to the operating
//! system before `commit` returns (`PersistMode::Buffer`, its default), so it survives a killed process; `persist(SyncData)` is one
//! fdatasync of that journal, during which nobody else commits; after a failed write or sync the database is poisoned and takes
//! nothing more, and opening it again cuts off a torn last batch. So a failed database is opened anew, and the group comes again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Slice};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use super::logs::{self, Logs};
use super::pack;
use super::storage::{Group, Storage};
use crate::stores::trouble::of_tree;

/// Bytes in memory before a table is written. Groups mostly leave again before that.
const MEMTABLE_BYTES: u64 = 8 << 20;
/// Bytes of tables kept in memory: they are read once, in order.
const CACHE_BYTES: u64 = 1 << 20;

/// A tree in a folder of its own.
pub(in crate::stores) struct Tree {
    folder: PathBuf,
    /// Nothing after a failure, until it is needed again.
    open: RwLock<Option<Open>>,
    /// There is no group before this one. What was forgotten stays in the tables until they are merged, value and all: who walks
    /// from 0 reads the whole of it again.
    first: AtomicU64,
}

struct Open {
    database: Database,
    groups: Keyspace,
    /// The file that is written, which only a later one replaces.
    log: Mutex<Option<PathBuf>>,
}

impl Tree {
    /// Opens the folder, made if it is not there.
    ///
    /// # Errors
    /// It cannot be read or written, or another process has it open.
    pub(in crate::stores) fn open(folder: &Path) -> io::Result<Self> {
        let logs = Logs::of(folder)?;
        let opened = match open(folder) {
            Ok(opened) => {
                logs.opened()?;
                opened
            }
            Err(error) => {
                logs.refused();
                return Err(error);
            }
        };
        Ok(Self { folder: folder.to_owned(), open: RwLock::new(Some(opened)), first: AtomicU64::new(0) })
    }

    /// Begins anew where somebody took away what is written, with all groups that are not forgotten: they can still be read,
    /// and would be gone with the process.
    fn stay(&self) -> io::Result<()> {
        if self.open.read().as_ref().is_none_or(Open::is_there) {
            return Ok(());
        }
        let groups = self.read(0, usize::MAX)?;
        let mut opened = self.open.write();
        *opened = None; // it has the folder, if that is still the same
        *opened = Some(open(&self.folder)?);
        drop(opened);
        for group in &groups {
            self.append(group.number, &group.bytes)?;
        }
        let (folder, groups) = (self.folder.display(), groups.len());
        tracing::error!(
            groups,
            "the files in {folder} were taken away; what was not folded yet is written again"
        );
        Ok(())
    }

    /// Does something with the database, which is opened anew if it failed before and given up if it fails now.
    fn with<T>(&self, work: impl FnOnce(&Open) -> fjall::Result<T>) -> io::Result<T> {
        let opened = self.opened()?;
        let done = opened.as_ref().map(work);
        drop(opened);
        match done {
            Some(Ok(done)) => Ok(done),
            Some(Err(error)) => {
                *self.open.write() = None;
                Err(of_tree(error))
            }
            None => Err(io::Error::other("the journal was closed by a failure")),
        }
    }

    fn opened(&self) -> io::Result<RwLockReadGuard<'_, Option<Open>>> {
        let opened = self.open.read();
        if opened.is_some() {
            return Ok(opened);
        }
        drop(opened);
        let mut closed = self.open.write();
        if closed.is_none() {
            *closed = Some(open(&self.folder)?);
        }
        drop(closed);
        Ok(self.open.read())
    }
}

impl Storage for Tree {
    fn append(&self, number: u64, bytes: &[u8]) -> io::Result<()> {
        let packed = pack::packed(bytes);
        self.with(|open| {
            let mut batch = open.database.batch().durability(Some(PersistMode::Buffer));
            batch.insert(&open.groups, number.to_be_bytes(), &*packed);
            batch.commit()
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.stay()?;
        self.with(|open| open.database.persist(PersistMode::SyncData))
    }

    fn read(&self, from: u64, max_bytes: usize) -> io::Result<Vec<Group>> {
        let from = from.max(self.first.load(Ordering::Acquire));
        let groups = self.with(|open| {
            let mut groups = Vec::new();
            let mut bytes = 0;
            for group in open.groups.range(from.to_be_bytes()..) {
                let (key, written) = group.into_inner()?;
                bytes += pack::length(&written);
                if bytes > max_bytes && !groups.is_empty() {
                    break;
                }
                groups.push((number(&key), written));
            }
            Ok(groups)
        })?;
        let unpacked =
            |(number, written): (u64, Slice)| Ok(Group { number, bytes: pack::unpacked(&written)? });
        groups.into_iter().map(unpacked).collect()
    }

    fn last(&self) -> io::Result<Option<u64>> {
        self.with(|open| {
            open.groups.last_key_value().map(|last| last.key().map(|key| number(&key))).transpose()
        })
    }

    fn forget(&self, before: u64) -> io::Result<u64> {
        let first = self.first.load(Ordering::Acquire).min(before);
        let forgotten = self.with(|open| {
            let mut batch = open.database.batch();
            let mut bytes = 0;
            for group in open.groups.range(first.to_be_bytes()..before.to_be_bytes()) {
                let (key, written) = group.into_inner()?;
                bytes += pack::length(&written) as u64;
                batch.remove(&open.groups, key);
            }
            batch.commit()?;
            Ok(bytes)
        })?;
        self.first.fetch_max(before, Ordering::AcqRel);
        Ok(forgotten)
    }
}

impl Open {
    /// Whether the file that is written is still found by its name.
    fn is_there(&self) -> bool {
        let mut log = self.log.lock();
        let Some(path) = &*log else { return true };
        // When it is full the next one is begun, before this one is removed.
        let latest = logs::all(path.parent().unwrap_or(path)).ok().and_then(|mut all| all.pop());
        let Some(latest) = latest.filter(|latest| logs::number(latest) >= logs::number(path)) else {
            return false;
        };
        *log = Some(latest);
        true
    }
}

fn open(folder: &Path) -> io::Result<Open> {
    let opened = Database::builder(folder).worker_threads(1).cache_size(CACHE_BYTES).open();
    let told = |error: fjall::Error| match error {
        fjall::Error::Io(_) | fjall::Error::Locked => of_tree(error),
        error => io::Error::other(format!(
            "{} is damaged ({error}); move it away, and keep it: it holds calls that are in no table yet",
            folder.display()
        )),
    };
    let database = opened.map_err(told)?;
    let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
    let groups = database.keyspace("groups", options).map_err(of_tree)?;
    let log = logs::all(folder)?.pop();
    Ok(Open { database, groups, log: Mutex::new(log) })
}

/// Keys of other lengths were never written.
fn number(key: &[u8]) -> u64 {
    key.try_into().map_or(0, u64::from_be_bytes)
}
