//! Owns the lines of the ledger in files of days, of which the latest stay open. Must not know what a line means.
//!
//! Rows go in one by one and at once, in the thread that folds: the way to the threads of a pool would cost more than a row.

use std::collections::BTreeMap;

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
    on: Connection,
    /// What was added up since the last commit; nothing if nothing was added.
    begun: Option<Sums>,
}

impl Files {
    pub(super) fn of(days: &Days) -> Self {
        Self { days: days.clone(), open: BTreeMap::new() }
    }

    pub(super) async fn put(&mut self, row: &Booked<'_>) -> Result<(), Trouble> {
        let day = Day::of(row.at_us());
        if !self.open.contains_key(&day) {
            let sheet = Sheet::open(self.days.file(day)).await?;
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
            Ok(on) => Ok(Self { file, on, begun: None }),
            Err(error) => Err(trouble(&file, &error)),
        }
    }

    fn put(&mut self, row: &Booked<'_>) -> Result<(), Trouble> {
        let put = self.begin().and_then(|()| self.add_row(row));
        put.map_err(|error| trouble(&self.file, &error))
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
        added.map_err(|error| trouble(&self.file, &error))
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
