//! Owns the lines of the ledger in files of days, of which the latest stay open. Must not know what a line means.
//!
//! Rows go in one by one and at once, in the thread that folds: the way to the threads of a pool would cost more than a row.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, params_from_iter};
use sqlx::Connection as _;

use super::days::{Day, Days};
use super::lines::{self, Counted, Sums, Value};
use super::retention::{self, Dropped, Keep};
use super::rows::Booked;
use super::statements::{ADD_ATTEMPTS, ADD_CALLS, ADD_TAGS, ADD_UP};
use crate::stores::sql::{Place as _, Statement};
use crate::stores::sqlite::{BEGIN_TO_WRITE, Sqlite};
use crate::stores::trouble::Trouble;

/// Days that stay open: today, and yesterday around midnight.
const OPEN_DAYS: usize = 2;
/// Commits reach the disk, and the pages of a commit are kept in memory until then.
const SETTINGS: &str = "PRAGMA synchronous = FULL; PRAGMA cache_size = -8192";

/// The files of days.
pub(super) struct Files {
    days: Days,
    /// The latest days, open.
    open: BTreeMap<Day, Sheet>,
}

/// The file of a day.
struct Sheet {
    file: Sqlite,
    /// What lay there last.
    seen: Option<Seen>,
    on: Connection,
    /// What was added up since the last commit; nothing if nothing was added.
    begun: Option<Sums>,
}

/// Which file lies at a path.
#[derive(Clone, Copy)]
struct Seen {
    device: u64,
    inode: u64,
    bytes: u64,
}

impl Files {
    pub(super) fn of(days: &Days) -> Self {
        Self { days: days.clone(), open: BTreeMap::new() }
    }

    pub(super) async fn put(&mut self, row: &Booked<'_>) -> Result<(), Trouble> {
        let day = Day::of(row.at_us());
        if self.open.get(&day).is_some_and(Sheet::is_taken_away) {
            // Before it is made anew: closing it takes away the log that lies beside it.
            self.open.remove(&day);
        }
        if !self.open.contains_key(&day) {
            let file = self.days.file(day);
            let sheet = Sheet::open(file.clone()).await.map_err(|trouble| file.named(trouble))?;
            self.open.insert(day, sheet);
        }
        let put = self.open.get_mut(&day).map_or(Ok(()), |sheet| sheet.put(row));
        self.or_undone(put)
    }

    pub(super) fn commit(&mut self) -> Result<(), Trouble> {
        let committed = self.open.values_mut().try_for_each(Sheet::commit);
        self.or_undone(committed)?;
        while self.open.len() > OPEN_DAYS {
            self.open.pop_first();
        }
        Ok(())
    }

    /// What failed is not used again, and what was not committed is undone with its connection.
    fn or_undone(&mut self, done: Result<(), Trouble>) -> Result<(), Trouble> {
        if done.is_err() {
            self.close();
        }
        done
    }

    pub(super) async fn drop_old(&mut self, keep: Keep, today: Day) -> Result<Dropped, Trouble> {
        self.close(); // their files may go now
        retention::drop_old(&self.days, keep, today).await
    }

    pub(super) fn close(&mut self) {
        self.open.clear();
    }
}

impl Sheet {
    /// Opens the file, made and brought up to date where that is needed.
    async fn open(file: Sqlite) -> Result<Self, Trouble> {
        let made = file.open().await?;
        made.close().await.map_err(|error| file.trouble(&error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(&file.path, flags).and_then(|on| {
            on.busy_timeout(file.patience)?;
            on.execute_batch(SETTINGS)?;
            Ok(on)
        });
        match opened {
            Ok(on) => Ok(Self { seen: Seen::of(&file.path), file, on, begun: None }),
            Err(error) => Err(trouble(&file, &error)),
        }
    }

    /// Whether somebody moved, removed or cut off the file: what is written from now on would be lost with it.
    fn is_taken_away(&self) -> bool {
        let is_the_same = |now: Seen| self.seen.is_some_and(|seen| seen.goes_on_as(now));
        self.begun.is_none() && !Seen::of(&self.file.path).is_some_and(is_the_same)
    }

    fn put(&mut self, row: &Booked<'_>) -> Result<(), Trouble> {
        let put = self.begin().and_then(|()| self.add_row(row));
        put.map_err(|error| self.trouble(&error))
    }

    fn begin(&mut self) -> rusqlite::Result<()> {
        if self.begun.is_none() {
            self.on.execute_batch(BEGIN_TO_WRITE)?;
            self.begun = Some(Sums::default());
        }
        Ok(())
    }

    fn add_row(&mut self, row: &Booked<'_>) -> rusqlite::Result<()> {
        match row {
            Booked::Attempt(row) => {
                self.add(ADD_ATTEMPTS, &lines::attempt_line(row))?;
            }
            Booked::Call(row) => {
                if self.add(ADD_CALLS, &lines::call_line(row))? == 0 {
                    return Ok(()); // it is there, and so is what it adds beside its line
                }
                for line in lines::tag_lines(row) {
                    self.add(ADD_TAGS, &line)?;
                }
                if let Some(sums) = &mut self.begun {
                    sums.add(Counted::of(row));
                }
            }
        }
        Ok(())
    }

    /// Adds a line; says how many are new.
    fn add(&self, statement: Statement, line: &[Value<'_>]) -> rusqlite::Result<usize> {
        self.on.prepare_cached(statement.sqlite)?.execute(params_from_iter(line))
    }

    fn commit(&mut self) -> Result<(), Trouble> {
        let Some(sums) = self.begun.take() else { return Ok(()) };
        let mut added = sums.lines().try_for_each(|line| self.add(ADD_UP, &line).map(drop));
        added = added.and_then(|()| self.on.execute_batch("COMMIT"));
        added.map_err(|error| self.trouble(&error))?;
        if self.is_taken_away() {
            let what = "it was taken away while it was written; its lines go to a new one".to_owned();
            return Err(self.file.named(Trouble::Other(what)));
        }
        self.seen = Seen::of(&self.file.path);
        Ok(())
    }

    fn trouble(&self, error: &rusqlite::Error) -> Trouble {
        self.file.named(trouble(&self.file, error))
    }
}

impl Seen {
    fn of(path: &Path) -> Option<Self> {
        let facts = fs::metadata(path).ok()?;
        Some(Self { device: facts.dev(), inode: facts.ino(), bytes: facts.len() })
    }

    /// Whether what lies there `now` is this with more in it: while it is open a file never gets shorter by itself.
    const fn goes_on_as(self, now: Self) -> bool {
        self.device == now.device && self.inode == now.inode && self.bytes <= now.bytes
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Number(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

fn trouble(file: &Sqlite, error: &rusqlite::Error) -> Trouble {
    match error {
        rusqlite::Error::SqliteFailure(code, said) => {
            file.meaning(code.extended_code, said.as_deref().unwrap_or("no more is said"))
        }
        _ => Trouble::Other(error.to_string()),
    }
}
