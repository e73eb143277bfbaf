//! Reading the books: what is in the journal and what is in tables, as one.
//!
//! Owns what a reader sees: everything that was told before it began, each row once. Must not write. The journal is read before the
//! tables: a row that is folded in between is in both, never in neither.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteRow;
use tidegate_actors::ports::books::{
    BookedAttempt, BookedCall, Books, Cursor, Lag, Page, Reading, Unreadable, Usages, Wanted,
};
use tidegate_actors::{CallId, WorkspaceId};

use super::days::{Day, Days};
use super::fold::Folder;
use super::lines::{self, Walk};
use super::rows::{self, Booked};
use super::{Entry, READ_BYTES};
use crate::stores::io::Io;
use crate::stores::journal::Journal;
use crate::stores::sql::Place as _;
use crate::stores::sqlite::{Connection, Sqlite};

/// Lines looked at for one page.
const MOST_SCANNED: u64 = 50_000;
const HOUR_US: i64 = 3_600 * 1_000_000;

/// Reads the books.
#[derive(Clone)]
pub struct Reader {
    journal: Journal<Entry>,
    folder: Folder,
    days: Days,
    io: Io,
}

impl Reader {
    pub(super) fn new(journal: Journal<Entry>, folder: Folder, days: Days) -> Self {
        Self { journal, folder, days, io: Io::default() }
    }

    /// Looks into every group of the journal, oldest first, until `look` has found what it wants.
    async fn scan<T: Send + 'static>(
        &self,
        mut found: T,
        mut look: impl FnMut(&[u8], &mut T) -> bool + Send + 'static,
    ) -> Result<T, Unreadable> {
        // Where nothing can be written, what was written before can be read all the same.
        let _ = self.journal.written().await;
        let storage = Arc::clone(self.journal.storage());
        let scanned = tokio::task::spawn_blocking(move || {
            let mut from = 0;
            loop {
                let groups = storage.read(from, READ_BYTES)?;
                let Some(last) = groups.last() else { return Ok(found) };
                from = last.number + 1;
                if groups.iter().any(|group| look(&group.bytes, &mut found)) {
                    return Ok(found);
                }
            }
        });
        let scanned: std::io::Result<T> = scanned.await.map_err(|broken| unreadable(&broken))?;
        scanned.map_err(|error| unreadable(&error))
    }

    /// Does something on the runtime of the stores.
    async fn there<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Unreadable>> + Send + 'static,
    ) -> Result<T, Unreadable> {
        let handle = self.io.handle().map_err(|error| unreadable(&error))?;
        handle.spawn(work).await.map_err(|broken| unreadable(&broken))?
    }

    /// A page of what is wanted: of `found` in the journal and of the lines a walk gives.
    async fn page<T: Row>(&self, wanted: Wanted, found: Found<T>, walk: Walk) -> Result<Page<T>, Unreadable> {
        let days = self.days.clone();
        self.there(async move { page(&days, &wanted, found, walk).await }).await
    }
}

/// What can be listed.
trait Row: Send + Sized + 'static {
    fn cursor(&self) -> Cursor;
    fn is_wanted(&self, wanted: &Wanted) -> bool;
    fn read(line: &SqliteRow) -> sqlx::Result<Self>;
}

impl Row for BookedCall<'static> {
    fn cursor(&self) -> Cursor {
        BookedCall::cursor(self)
    }

    fn is_wanted(&self, wanted: &Wanted) -> bool {
        wanted.is_call(self)
    }

    fn read(line: &SqliteRow) -> sqlx::Result<Self> {
        lines::read_call(line)
    }
}

impl Row for BookedAttempt<'static> {
    fn cursor(&self) -> Cursor {
        BookedAttempt::cursor(self)
    }

    fn is_wanted(&self, wanted: &Wanted) -> bool {
        wanted.is_attempt(self)
    }

    fn read(line: &SqliteRow) -> sqlx::Result<Self> {
        lines::read_attempt(line)
    }
}

/// Rows that are wanted, and how many were looked at.
struct Found<T> {
    rows: Vec<T>,
    scanned: u64,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), scanned: 0 }
    }
}

async fn page<T: Row>(
    days: &Days,
    wanted: &Wanted,
    mut found: Found<T>,
    (statement, with): Walk,
) -> Result<Page<T>, Unreadable> {
    let last_us = wanted.until_us.saturating_sub(1).min(wanted.after.map_or(i64::MAX, |after| after.at_us));
    let between =
        days.between(Day::of(wanted.since_us), Day::of(last_us)).map_err(|error| unreadable(&error))?;
    let (mut of_lines, mut stopped) = (0, None);
    'days: for day in between {
        let file = days.file(day);
        let Some(mut connection) = open(&file).await? else { continue };
        let query =
            sqlx::query(statement).bind(wanted.workspace.as_str()).bind(wanted.since_us).bind(last_us);
        let query = match &with {
            Some(with) => query.bind(with.clone()),
            None => query,
        };
        let mut lines = query.fetch(&mut connection);
        while let Some(line) = lines.try_next().await.map_err(|error| unreadable(&file.trouble(&error)))? {
            let row = T::read(&line).map_err(|error| unreadable(&file.trouble(&error)))?;
            found.scanned += 1;
            if row.is_wanted(wanted) {
                of_lines += 1;
                found.rows.push(row);
            } else if found.scanned >= MOST_SCANNED {
                stopped = Some(row.cursor());
            }
            // One more than fits shows that there is another page.
            if of_lines > wanted.limit || stopped.is_some() {
                break 'days;
            }
        }
    }
    Ok(cut(found, wanted.limit, stopped))
}

/// The latest rows, each once; behind `stopped` nobody has looked.
fn cut<T: Row>(found: Found<T>, limit: usize, stopped: Option<Cursor>) -> Page<T> {
    let Found { mut rows, scanned } = found;
    rows.retain(|row| stopped.is_none_or(|stopped| row.cursor() > stopped));
    rows.sort_by_key(|row| std::cmp::Reverse(row.cursor()));
    rows.dedup_by_key(|row| row.cursor());
    let is_more = rows.len() > limit;
    rows.truncate(limit);
    let next = if is_more { rows.last().map(Row::cursor) } else { stopped };
    Page { rows, next, scanned }
}

/// A connection that only reads; nothing if the day was dropped meanwhile.
async fn open(file: &Sqlite) -> Result<Option<Connection>, Unreadable> {
    let options = file.options().map_err(|trouble| unreadable(&trouble))?;
    match options.read_only(true).connect().await {
        Ok(connection) => Ok(Some(connection)),
        Err(_) if !file.path.exists() => Ok(None),
        Err(error) => Err(unreadable(&file.trouble(&error))),
    }
}

/// The days in which the rows of a call can lie: that of its id, and the next if it came at midnight.
fn days_of(days: &Days, id: CallId) -> Result<Vec<Day>, Unreadable> {
    let [a, b, c, d, e, f, ..] = id.bytes();
    let ms = i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let first = Day::of(ms.saturating_mul(1_000));
    let next = Day::of(ms.saturating_add(86_400_000).saturating_mul(1_000));
    days.between(first, next).map_err(|error| unreadable(&error))
}

async fn lines_of<T: Row>(days: &Days, id: CallId, statement: &'static str) -> Result<Vec<T>, Unreadable> {
    let mut rows = Vec::new();
    for day in days_of(days, id)? {
        let file = days.file(day);
        let Some(mut connection) = open(&file).await? else { continue };
        let found = sqlx::query(statement).bind(id.to_string()).fetch_all(&mut connection).await;
        for line in found.map_err(|error| unreadable(&file.trouble(&error)))? {
            rows.push(T::read(&line).map_err(|error| unreadable(&file.trouble(&error)))?);
        }
    }
    Ok(rows)
}

impl Books for Reader {
    fn lag(&self) -> Lag {
        let (waiting_rows, queue_rows) = self.journal.waiting();
        let (unfolded_bytes, max_unfolded_bytes) = self.journal.kept();
        Lag { waiting_rows, queue_rows, unfolded_bytes, max_unfolded_bytes }
    }

    fn call(&self, id: CallId) -> Reading<Option<BookedCall<'static>>> {
        let books = self.clone();
        Box::pin(async move {
            let look = move |group: &[u8], found: &mut Option<BookedCall<'static>>| {
                *found = rows::find_call(group, id).map(BookedCall::into_owned);
                found.is_some()
            };
            if let Some(call) = books.scan(None, look).await? {
                return Ok(Some(call));
            }
            let days = books.days.clone();
            let mut calls = books.there(async move { lines_of(&days, id, lines::CALL).await }).await?;
            Ok(calls.pop())
        })
    }

    fn attempts_of(&self, id: CallId) -> Reading<Vec<BookedAttempt<'static>>> {
        let books = self.clone();
        Box::pin(async move {
            let look = move |group: &[u8], found: &mut Vec<BookedAttempt<'static>>| {
                found.extend(rows::find_attempts(group, id).map(BookedAttempt::into_owned));
                false
            };
            let mut attempts = books.scan(Vec::new(), look).await?;
            let days = books.days.clone();
            attempts.extend(books.there(async move { lines_of(&days, id, lines::ATTEMPTS_OF).await }).await?);
            attempts.sort_by_key(BookedAttempt::cursor);
            attempts.dedup_by_key(|attempt| attempt.id);
            Ok(attempts)
        })
    }

    fn calls(&self, wanted: Wanted) -> Reading<Page<BookedCall<'static>>> {
        let books = self.clone();
        Box::pin(async move {
            let which = wanted.clone();
            let look = move |group: &[u8], found: &mut Found<BookedCall<'static>>| {
                for row in rows::rows(group) {
                    if let Booked::Call(call) = row {
                        // Not even how much others do may show.
                        found.scanned += u64::from(call.workspace == which.workspace.as_str());
                        if which.is_call(&call) {
                            found.rows.push(call.into_owned());
                        }
                    }
                }
                false
            };
            let found = books.scan(Found::default(), look).await?;
            let walk = lines::walk_calls(&wanted);
            books.page(wanted, found, walk).await
        })
    }

    fn attempts(&self, wanted: Wanted) -> Reading<Page<BookedAttempt<'static>>> {
        let books = self.clone();
        Box::pin(async move {
            let which = wanted.clone();
            let look = move |group: &[u8], found: &mut Found<BookedAttempt<'static>>| {
                for row in rows::rows(group) {
                    if let Booked::Attempt(attempt) = row {
                        found.scanned += u64::from(attempt.workspace == which.workspace.as_str());
                        if which.is_attempt(&attempt) {
                            found.rows.push(attempt.into_owned());
                        }
                    }
                }
                false
            };
            let found = books.scan(Found::default(), look).await?;
            let walk = lines::walk_attempts(&wanted);
            books.page(wanted, found, walk).await
        })
    }

    fn usage(&self, workspace: WorkspaceId, since_us: i64, until_us: i64) -> Reading<Vec<Usages>> {
        let books = self.clone();
        Box::pin(async move {
            let behind = "the ledger could not be folded into tables just now; the log says why";
            books.folder.folded().await.map_err(|_| Unreadable(behind.into()))?;
            let days = books.days.clone();
            let sums = async move {
                let last = Day::of(until_us.saturating_sub(1));
                let between = days.between(Day::of(since_us), last).map_err(|error| unreadable(&error))?;
                let mut sums = Vec::new();
                for day in between.into_iter().rev() {
                    let file = days.file(day);
                    let Some(mut connection) = open(&file).await? else { continue };
                    // An hour counts for the time it begins in.
                    let first = since_us.saturating_add(HOUR_US - 1).div_euclid(HOUR_US) * HOUR_US;
                    let of_day = lines::usage(&mut connection, workspace.as_str(), first, until_us).await;
                    sums.extend(of_day.map_err(|error| unreadable(&file.trouble(&error)))?);
                }
                Ok(sums)
            };
            books.there(sums).await
        })
    }
}

fn unreadable(why: &dyn std::fmt::Display) -> Unreadable {
    Unreadable(why.to_string().into())
}
