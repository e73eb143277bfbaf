//! Owns what is done to all databases of a data directory: how it is copied while a server works, how a copy is put back, and
//! that they stay fast. Must not know what is stored in them.
//!
//! A copy is a folder laid out as the directory is: the main database and the files of days. What a server has not folded yet stays
//! in its journal, which a copy leaves alone, as restoring does: the journal is folded into whatever lies there. Answers
//! behind memory can be asked for again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Left, file};
use crate::stores::lock::of;
use crate::stores::schema::{BODIES, CALLS, MAIN, Schema};
use crate::stores::sqlite::Sqlite;
use crate::stores::target::{FILE, PATIENCE};
use crate::stores::trouble::Trouble;

/// Folders of files by the day, and what those hold.
const DAYS: [(&str, &Schema); 2] = [("calls", &CALLS), ("bodies", &BODIES)];
/// Where what is being put back lies until it is whole, and where what was there before is kept.
const NEW: &str = "restored.new";
const BEFORE: &str = "before";

/// What a copy has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Databases in it.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Copies what lies in `dir`, each file as it is at one moment, to the new folder `to`.
pub(super) async fn back_up(dir: &Path, to: &Path) -> Result<Copied, Trouble> {
    if to.exists() {
        return Err(Trouble::Conflict(format!("{} exists already; name another folder", to.display())));
    }
    let half = with_end(to, ".half");
    remove(&half).map_err(|error| of(&error))?;
    let copied = copy_all(dir, &half).await;
    if copied.is_err() {
        let _ = remove(&half); // half a copy is none
    }
    let copied = copied?;
    fs::rename(&half, to).map_err(|error| of(&error))?;
    Ok(copied)
}

async fn copy_all(dir: &Path, to: &Path) -> Result<Copied, Trouble> {
    let mut copied = Copied::default();
    for (name, schema) in databases(dir).map_err(|error| of(&error))? {
        let from = database(dir.join(&name), schema);
        let target = to.join(&name);
        make_parent(&target).map_err(|error| of(&error))?;
        match file::copy_to(&from, &target).await {
            Ok(bytes) => copied = Copied { files: copied.files + 1, bytes: copied.bytes + bytes },
            // A day that was dropped meanwhile.
            Err(_) if schema.mark != MAIN.mark && !from.path.exists() => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(copied)
}

/// Puts the copy `from`, a folder or the main database alone, in the place of what lies in `dir`, which no process may use. What
/// was there is kept in a folder there; says which.
pub(super) async fn restore(dir: &Path, from: &Path) -> Result<Option<PathBuf>, Trouble> {
    let new = dir.join(NEW);
    let told = |error: io::Error| of(&error);
    fs::create_dir_all(dir).and_then(|()| remove(&new)).map_err(told)?;
    let taken = take(from, &new).await;
    if taken.is_err() {
        let _ = remove(&new); // nothing of it is used
    }
    let parts = taken?;
    let before = dir.join(BEFORE);
    remove(&before).and_then(|()| fs::create_dir(&before)).map_err(told)?;
    file::settle(&database(dir.join(FILE), &MAIN)).await;
    let mut had_any = false;
    // The main database last: a server finds all or what was there.
    for part in parts.iter().rev() {
        for name in file::ENDS.iter().map(|end| format!("{part}{end}")) {
            had_any |= move_if_there(&dir.join(&name), &before.join(&name)).map_err(told)?;
        }
        fs::rename(new.join(part), dir.join(part)).map_err(told)?;
    }
    remove(&new).and_then(|()| File::open(dir)?.sync_all()).map_err(told)?;
    if !had_any {
        remove(&before).map_err(told)?;
    }
    Ok(had_any.then_some(before))
}

/// Copies what is to be put back to `new`, examines it and brings it up to date. Says what is replaced, the main database
/// first.
async fn take(from: &Path, new: &Path) -> Result<Vec<&'static str>, Trouble> {
    let is_folder = from.is_dir();
    let files = match is_folder {
        true => databases(from).map_err(|error| of(&error))?,
        false => vec![(PathBuf::from(FILE), &MAIN)],
    };
    for (name, schema) in files {
        let source = if is_folder { from.join(&name) } else { from.to_owned() };
        let target = new.join(&name);
        make_parent(&target).and_then(|()| file::copy(&source, &target)).map_err(|error| of(&error))?;
        file::examine(&database(target, schema)).await?;
    }
    if !new.join(FILE).exists() {
        return Err(Trouble::Conflict(format!("there is no {FILE} in it; name a folder that `backup` made")));
    }
    let days = DAYS.iter().map(|(folder, _)| *folder).filter(|folder| new.join(folder).exists());
    Ok(std::iter::once(FILE).chain(days).collect())
}

/// The latest days of the ledger, which are those that change: today, and yesterday around midnight.
const LATEST: usize = 2;

/// Brings the statistics of every database in `dir` up to date and gives back what is not needed. Says where it could not.
pub(super) async fn optimize(dir: &Path, main: &Sqlite, now_us: i64) -> Vec<Left> {
    tend(dir, main, now_us, |_| true, &[&file::REFRESH[..], &file::GIVE_BACK].concat()).await
}

/// Brings statistics up to date of the main database and of the ledger's latest days.
pub(super) async fn refresh(dir: &Path, main: &Sqlite, now_us: i64) -> Vec<Left> {
    let mut days = Vec::new();
    let (calls, _) = DAYS[0];
    if let Err(error) = walk(dir, Path::new(calls), &mut days) {
        return vec![(dir.join(calls).display().to_string(), of(&error))];
    }
    days.sort();
    let latest: Vec<PathBuf> = days.into_iter().rev().take(LATEST).collect();
    let is_theirs = |name: &Path| name == Path::new(FILE) || latest.iter().any(|day| day == name);
    tend(dir, main, now_us, is_theirs, &file::REFRESH).await
}

/// Does this to the databases in `dir` that are wanted, and notes in the main one that it was done.
async fn tend(
    dir: &Path,
    main: &Sqlite,
    now_us: i64,
    is_wanted: impl Fn(&Path) -> bool,
    statements: &[&'static str],
) -> Vec<Left> {
    let all = match databases(dir) {
        Ok(all) => all,
        Err(error) => return vec![(dir.display().to_string(), of(&error))],
    };
    let mut left = Vec::new();
    for (name, schema) in all.into_iter().filter(|(name, _)| is_wanted(name)) {
        let database = database(dir.join(name), schema);
        match file::tend(&database, statements).await {
            // A day that was dropped meanwhile.
            Err(_) if schema.mark != MAIN.mark && !database.path.exists() => {}
            Err(trouble) => left.push((database.path.display().to_string(), trouble)),
            Ok(()) => {}
        }
    }
    if let Err(trouble) = file::note(main, now_us).await {
        left.push((main.path.display().to_string(), trouble));
    }
    left
}

/// The databases of a directory by their names in it, and what each holds.
fn databases(dir: &Path) -> io::Result<Vec<(PathBuf, &'static Schema)>> {
    let mut found = Vec::new();
    if dir.join(FILE).exists() {
        found.push((PathBuf::from(FILE), &MAIN));
    }
    for (folder, schema) in DAYS {
        let mut names = Vec::new();
        walk(dir, Path::new(folder), &mut names)?;
        names.sort();
        found.extend(names.into_iter().map(|name| (name, schema)));
    }
    Ok(found)
}

fn walk(dir: &Path, below: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(dir.join(below)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            walk(dir, &name, found)?;
        } else if name.extension().is_some_and(|end| end == "db") {
            found.push(name);
        }
    }
    Ok(())
}

fn database(path: PathBuf, schema: &'static Schema) -> Sqlite {
    Sqlite { path: Arc::from(path), schema, patience: PATIENCE }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn move_if_there(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::rename(from, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_has_the_files_of_all_days_wherever_they_lie_and_puts_them_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let [dir, copy, other] = ["data", "copy", "other"].map(|name| folder.path().join(name));
        let files = ["tidegate.db", "calls/2026-01-31.db", "bodies/ws_1/2026-01-31.db"];
        for (name, schema) in files.into_iter().zip([&MAIN, &CALLS, &BODIES]) {
            drop(database(dir.join(name), schema).open().await.expect("it is made"));
        }
        fs::create_dir_all(other.join("bodies/ws_2")).expect("a folder");
        assert_eq!(back_up(&dir, &copy).await.expect("copied").files, 3);
        let before = restore(&other, &copy).await.expect("put back").expect("something was there");
        assert!(files.iter().all(|name| other.join(name).exists()));
        assert!(!other.join("bodies/ws_2").exists() && before.join("bodies/ws_2").exists());
        fs::copy(dir.join("tidegate.db"), copy.join("calls/2026-02-01.db")).expect("copied");
        assert_eq!(restore(&other, &copy).await, Err(Trouble::Foreign), "each file is what its place says");
    }
}
