//! Owns the lock on a data directory: one process at a time serves from it, and others can read who that is and how far it
//! has followed the books. Must not know what lies in the directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::trouble::Trouble;

/// Its name in the directory.
const FILE: &str = "tidegate.lock";

/// Why a data directory could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Another process has it.
    #[error(
        "the data directory {} is in use by {holder}; stop that process, or name another directory with --data",
        dir.display()
    )]
    Taken {
        /// The directory.
        dir: PathBuf,
        /// Who has it, as it said itself.
        holder: String,
    },
    /// It, or something in it, cannot be used.
    #[error("the data directory {} cannot be used: {trouble}", dir.display())]
    Unusable {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        trouble: Trouble,
    },
}

/// A data directory that is ours until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock {
    file: File,
    holder: String,
}

impl DataLock {
    /// Takes the directory, made if it is not there, for what `command` does.
    ///
    /// # Errors
    /// Another process has it, or it cannot be written.
    pub fn take(dir: &Path, command: &str) -> Result<Self, Refused> {
        let file = open(dir)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // Commands that change who may do what have it together.
                let holder = match file.try_lock_shared() {
                    Ok(()) => "a `tidegate` command".to_owned(),
                    Err(_) => read(&file).0,
                };
                return Err(Refused::Taken { dir: dir.into(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(dir, &error)),
        }
        let holder = format!("process {} ({command})", std::process::id());
        let lock = Self { file, holder };
        lock.note(0).map_err(|error| unusable(dir, &error))?;
        Ok(lock)
    }

    /// Keeps servers from starting on the directory, made if it is not there, until the file is dropped. Nothing if one
    /// runs.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub fn beside(dir: &Path) -> Result<Option<File>, Refused> {
        let file = open(dir)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unusable(dir, &error)),
        }
    }

    /// Tells other processes that changes up to `epoch` are in force here.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn note(&self, epoch: u64) -> std::io::Result<()> {
        let mut file = &self.file;
        // The same length each time but for the first, so that nobody reads half of it.
        let text = format!("{epoch:020} {}\n", self.holder);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)
    }
}

fn open(dir: &Path) -> Result<File, Refused> {
    fs::create_dir_all(dir).map_err(|error| unusable(dir, &error))?;
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(dir.join(FILE));
    file.map_err(|error| unusable(dir, &error))
}

fn unusable(dir: &Path, error: &std::io::Error) -> Refused {
    Refused::Unusable { dir: dir.into(), trouble: of(error) }
}

/// How far the process that has the directory has followed the books; nothing if no process has it.
pub(super) fn followed(dir: &Path) -> Option<u64> {
    let file = File::open(dir.join(FILE)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(read(&file).1),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// Holder and epoch as a lock file says them.
fn read(mut file: &File) -> (String, u64) {
    let mut text = String::new();
    // What cannot be read is held by somebody all the same.
    let _ = file.read_to_string(&mut text);
    let (epoch, holder) = text.trim().split_once(' ').unwrap_or(("", "another process"));
    (holder.to_owned(), epoch.parse().unwrap_or_default())
}

/// What the system says of a file, as trouble of a store.
pub(super) fn of(error: &std::io::Error) -> Trouble {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Trouble::Full,
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Trouble::ReadOnly,
        _ => Trouble::Closed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_who_has_it_and_may_have_it_afterwards() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("data");
        assert_eq!(followed(&dir), None, "nobody has what is not there");

        let lock = DataLock::take(&dir, "tidegate serve").expect("it is free");
        lock.note(7).expect("it can be written");
        let refused = DataLock::take(&dir, "tidegate db restore").expect_err("it is taken").to_string();
        let holder = format!("process {} (tidegate serve)", std::process::id());
        assert!(refused.contains(&holder) && refused.contains("--data"), "{refused}");
        assert_eq!(followed(&dir), Some(7), "who was refused changed nothing");

        drop(lock);
        assert_eq!(followed(&dir), None);
        drop(DataLock::take(&dir, "tidegate serve").expect("it is free again"));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("it can be written");
        let refused = DataLock::take(&file.join("data"), "tidegate serve").expect_err("it is no folder");
        assert!(refused.to_string().contains("file/data cannot be used"), "{refused}");
    }
}
