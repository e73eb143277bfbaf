//! The files in which a tree of fjall writes down what it is told, as files.
//!
//! Owns that nothing of them is lost unseen: fjall takes whatever it cannot read in one for its torn end and cuts it off, with all
//! that is whole behind it. Must not know what they hold.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What a killed process leaves at the end of what it was writing: less than two groups.
const TORN_BYTES: u64 = 128 << 10;
const READ_BYTES: usize = 1 << 20;

/// The files as they are before a tree is opened.
pub(super) struct Logs {
    folder: PathBuf,
    /// Each with the bytes that are used, and a copy of it if more could be lost than may be.
    files: Vec<(PathBuf, u64, Option<PathBuf>)>,
}

impl Logs {
    /// Looks at the files in `folder`, and copies the long ones beside it.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let mut logs = Self { folder: folder.to_owned(), files: Vec::new() };
        for path in all(folder)? {
            let used = used(&path)?;
            let copy = (used > TORN_BYTES).then(|| logs.beside(&path, "copy"));
            if let Some(copy) = &copy {
                io::copy(&mut File::open(&path)?.take(used), &mut File::create(copy)?)?;
            }
            logs.files.push((path, used, copy));
        }
        Ok(logs)
    }

    /// The tree was opened: keeps the copies of what was cut off, and says so.
    pub(super) fn opened(self) -> io::Result<()> {
        for (path, used, copy) in &self.files {
            let Some(copy) = copy else { continue };
            let lost = match fs::metadata(path) {
                Ok(now) => used.saturating_sub(now.len()),
                Err(_) => 0, // all that was in it lies in tables
            };
            if lost <= TORN_BYTES {
                fs::remove_file(copy)?;
                continue;
            }
            let kept = self.beside(path, "damaged");
            fs::rename(copy, &kept)?;
            let (at, kept) = (path.display(), kept.display());
            tracing::error!(
                lost,
                "{at} is damaged: what is whole before the damage goes on, {lost} bytes behind it cannot be read; the file as it was is kept as {kept}"
            );
        }
        Ok(())
    }

    /// The tree was not opened, and nothing in it was changed.
    pub(super) fn refused(self) {
        for (_, _, copy) in self.files {
            let _ = copy.map(fs::remove_file); // the file itself is there
        }
    }

    /// Beside the folder, in which all files are fjall's.
    fn beside(&self, path: &Path, what: &str) -> PathBuf {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let folder = self.folder.file_name().unwrap_or_default().to_string_lossy();
        self.folder.with_file_name(format!("{folder}-{name}.{what}"))
    }
}

/// The files of a folder, which may not be there, the latest last.
pub(super) fn all(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    let mut logs: Vec<PathBuf> =
        paths.into_iter().filter(|path| path.extension() == Some(OsStr::new("jnl"))).collect();
    logs.sort_by_key(|path| number(path));
    Ok(logs)
}

/// They are numbered in their order.
pub(super) fn number(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// The length of a file without the zeros at its end: it is made longer than what is in it.
fn used(path: &Path) -> io::Result<u64> {
    let file = File::open(path)?;
    let mut end = file.metadata()?.len();
    let mut bytes = vec![0; READ_BYTES];
    while end > 0 {
        let from = end.saturating_sub(READ_BYTES as u64);
        let part = &mut bytes[..usize::try_from(end - from).unwrap_or(READ_BYTES)];
        file.read_exact_at(part, from)?;
        if let Some(last) = part.iter().rposition(|byte| *byte != 0) {
            return Ok(from + last as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}
