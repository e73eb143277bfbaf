//! Owns what is wrong with the tables of the ledger, for as long as it is. Must not find it out: who reads and who folds says it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::stores::sqlite::Sqlite;
use crate::stores::trouble::Trouble;

/// What is known to be wrong. Clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Health(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Why nothing can be folded.
    folding: Option<Arc<str>>,
    /// Files that cannot be read, and why.
    files: BTreeMap<Arc<Path>, Unreadable>,
}

#[derive(Debug)]
struct Unreadable {
    why: Arc<str>,
    /// What it was like: one that is gone, another or mended is no trouble any more.
    file: Option<Likeness>,
}

/// What tells a file from another one: its device, its number, its length, when it was written.
type Likeness = (u64, u64, u64, i64, i64);

impl Health {
    /// Folding ended like this.
    pub(super) fn folded(&self, trouble: Option<&Trouble>) {
        let lasting = trouble.filter(|trouble| trouble.lasts());
        self.0.lock().folding = lasting.map(|trouble| trouble.to_string().into());
    }

    /// Why nothing can be folded just now, if that is so.
    pub(super) fn folding(&self) -> Option<Arc<str>> {
        self.0.lock().folding.clone()
    }

    /// A file could not be read.
    pub(super) fn unreadable(&self, file: &Sqlite, trouble: &Trouble) {
        if trouble.lasts() {
            let unreadable = Unreadable { why: trouble.to_string().into(), file: likeness(&file.path) };
            self.0.lock().files.insert(Arc::clone(&file.path), unreadable);
        }
    }

    /// The first thing that is wrong. Looks at the files that were.
    pub(super) fn trouble(&self) -> Option<Arc<str>> {
        let mut known = self.0.lock();
        known.files.retain(|path, was| was.file.is_some() && likeness(path) == was.file);
        let unreadable = known.files.values().next().map(|file| Arc::clone(&file.why));
        known.folding.clone().or(unreadable)
    }
}

fn likeness(path: &Path) -> Option<Likeness> {
    let facts = fs::metadata(path).ok()?;
    Some((facts.dev(), facts.ino(), facts.len(), facts.mtime(), facts.mtime_nsec()))
}
