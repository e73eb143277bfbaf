//! Reading the books: what is in the journal and what is in tables, as one.
//!
//! Owns what a reader sees: everything that was told before it began, each row once. Must not write. The journal is read before the
//! tables: a row that is folded in between is in both, never in neither.

use std::sync::Arc;

use tidegate_actors::ports::books::{
    BookedAttempt, BookedCall, Books, Crowded, Cursor, Lag, Listening, Page, Reading, Unreadable, Usages,
    Wanted,
};
use tidegate_actors::ports::ledger::AttemptId;
use tidegate_actors::{CallId, WorkspaceId};

use super::READ_BYTES;
use super::days::Day;
use super::fold::Folder;
use super::rows::{self, Booked};
use super::shelves::{Open, Shelves};
use super::statements::{self, Walk};
use super::tail::Tail;
use super::told;
use crate::stores::io::Io;
use crate::stores::journal::Journal;
use crate::stores::sql::Row as Line;

/// Lines looked at for one page.
const MOST_SCANNED: u64 = 50_000;
/// Lines asked of a database at once.
const MOST_LINES: usize = 2_000;
/// Rows kept beyond a page while the journal is looked through.
const ROOM: usize = 1_000;

/// What is told where tables may hold rows twice and nothing more is known.
pub(super) const BEHIND: &str = "the ledger could not be folded into tables just now";

/// Reads the books.
#[derive(Clone)]
pub struct Reader {
    journal: Journal,
    folder: Folder,
    shelves: Shelves,
    tail: Tail,
    io: Io,
}

impl Reader {
    pub(super) fn new(journal: Journal, folder: Folder, shelves: Shelves, tail: Tail) -> Self {
        let io = shelves.io();
        Self { journal, folder, shelves, tail, io }
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(super) fn shelves(&self) -> Shelves {
        self.shelves.clone()
    }

    /// Waits until all that was told is in tables.
    pub(super) async fn folded(&self) -> Result<(), Unreadable> {
        let folded = self.folder.folded().await;
        folded.map_err(|_| {
            let why = self.folder.health().folding();
            unreadable(&why.as_deref().unwrap_or(BEHIND))
        })
    }

    /// Looks into every group of the journal from this one on, oldest first, until `look` has found what it wants.
    pub(super) async fn scan<T: Send + 'static>(
        &self,
        mut from: u64,
        mut found: T,
        mut look: impl FnMut(&[u8], &mut T) -> bool + Send + 'static,
    ) -> Result<T, Unreadable> {
        // Where nothing can be written, what was written before can be read all the same.
        let _ = self.journal.written().await;
        let storage = Arc::clone(self.journal.storage());
        let scanned = tokio::task::spawn_blocking(move || {
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
    pub(super) async fn there<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Unreadable>> + Send + 'static,
    ) -> Result<T, Unreadable> {
        let handle = self.io.handle().map_err(|error| unreadable(&error))?;
        handle.spawn(work).await.map_err(|broken| unreadable(&broken))?
    }

    /// A page of what is wanted: of `found` in the journal and of the lines a walk gives.
    async fn page<T: Row>(&self, wanted: Wanted, found: Found<T>, walk: Walk) -> Result<Page<T>, Unreadable> {
        let shelves = self.shelves.clone();
        self.there(async move { page(&shelves, &wanted, found, walk).await }).await
    }
}

/// What can be listed.
trait Row: Send + Sized + 'static {
    /// The names of its queries where they are counted: of a page, and of those of a call.
    const PAGE: &'static str;
    const OF_CALL: &'static str;

    fn cursor(&self) -> Cursor;
    /// The id of a cursor as tables have it.
    fn name(id: [u8; 16]) -> String;
    fn is_wanted(&self, wanted: &Wanted) -> bool;
    fn read(line: &Line) -> sqlx::Result<Self>;
}

impl Row for BookedCall<'static> {
    const PAGE: &'static str = "ledger.calls";
    const OF_CALL: &'static str = "ledger.call";

    fn cursor(&self) -> Cursor {
        BookedCall::cursor(self)
    }

    fn name(id: [u8; 16]) -> String {
        CallId::from_bytes(id).to_string()
    }

    fn is_wanted(&self, wanted: &Wanted) -> bool {
        wanted.is_call(self)
    }

    fn read(line: &Line) -> sqlx::Result<Self> {
        told::read_call(line)
    }
}

impl Row for BookedAttempt<'static> {
    const PAGE: &'static str = "ledger.attempts";
    const OF_CALL: &'static str = "ledger.attempts_of";

    fn cursor(&self) -> Cursor {
        BookedAttempt::cursor(self)
    }

    fn name(id: [u8; 16]) -> String {
        AttemptId::from_bytes(id).to_string()
    }

    fn is_wanted(&self, wanted: &Wanted) -> bool {
        wanted.is_attempt(self)
    }

    fn read(line: &Line) -> sqlx::Result<Self> {
        told::read_attempt(line)
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

impl<T: Row> Found<T> {
    /// Takes a row that is wanted; lets go of what no page of so many can show, however long the journal is.
    fn take(&mut self, row: T, limit: usize) {
        self.rows.push(row);
        let most = limit + ROOM; // more than fits show that there is another page, also if some are there twice
        if self.rows.len() >= 2 * most {
            self.rows.select_nth_unstable_by_key(most, |row| std::cmp::Reverse(row.cursor()));
            self.rows.truncate(most);
        }
    }
}

async fn page<T: Row>(
    shelves: &Shelves,
    wanted: &Wanted,
    mut found: Found<T>,
    walk: Walk,
) -> Result<Page<T>, Unreadable> {
    let after = wanted.after.filter(|after| after.at_us < wanted.until_us);
    let last_us = after.map_or(wanted.until_us.saturating_sub(1), |after| after.at_us);
    let between =
        shelves.between(Day::of(wanted.since_us), Day::of(last_us)).map_err(|error| unreadable(&error))?;
    let mut stopped = None;
    let mut most = wanted.limit + 1; // one more than fits shows that there is another page
    for shelf in between {
        let Some(mut open) = shelf.open().await.map_err(|trouble| unreadable(&trouble))? else { continue };
        let mut before =
            after.map_or((wanted.until_us, String::new()), |after| (after.at_us, T::name(after.id)));
        let mut lines = most;
        loop {
            let part: Vec<T> = part(&mut open, &walk, wanted, &before, lines).await?;
            let is_last = part.len() < lines;
            if let Some(last) = part.last().map(Row::cursor) {
                before = (last.at_us, T::name(last.id));
            }
            for row in part {
                found.scanned += 1;
                if row.is_wanted(wanted) {
                    most -= 1;
                    found.rows.push(row);
                } else if found.scanned >= MOST_SCANNED {
                    stopped = Some(row.cursor());
                }
                if most == 0 || stopped.is_some() {
                    return Ok(cut(found, wanted.limit, stopped));
                }
            }
            if is_last {
                break;
            }
            lines = (lines * 4).min(MOST_LINES);
        }
    }
    Ok(cut(found, wanted.limit, stopped))
}

/// The next lines of a walk.
async fn part<T: Row>(
    open: &mut Open,
    (statement, with): &Walk,
    wanted: &Wanted,
    (before_us, before_id): &(i64, String),
    lines: usize,
) -> Result<Vec<T>, Unreadable> {
    let lines = i64::try_from(lines).unwrap_or(i64::MAX);
    let lines = open.lines((T::PAGE, *statement), T::read, |query| {
        let query = query.bind(wanted.workspace.as_str()).bind(wanted.since_us);
        let query = query.bind(*before_us).bind(before_id.as_str()).bind(lines);
        match with {
            Some(with) => query.bind(told::clean(with).into_owned()),
            None => query,
        }
    });
    lines.await.map_err(|trouble| unreadable(&trouble))
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

/// The days in which the rows of a call can lie: that of its id, and the next if it came at midnight.
pub(super) fn days_of(id: CallId) -> (Day, Day) {
    let [a, b, c, d, e, f, ..] = id.bytes();
    let ms = i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    (Day::of(ms.saturating_mul(1_000)), Day::of(ms.saturating_add(86_400_000).saturating_mul(1_000)))
}

async fn lines_of<T: Row>(
    shelves: &Shelves,
    id: CallId,
    statement: &'static str,
    batch: Option<AttemptId>,
) -> Result<Vec<T>, Unreadable> {
    let mut rows = Vec::new();
    let (first, next) = days_of(id);
    for shelf in shelves.between(first, next).map_err(|error| unreadable(&error))? {
        let Some(mut open) = shelf.open().await.map_err(|trouble| unreadable(&trouble))? else { continue };
        let lines = open.lines((T::OF_CALL, statement), T::read, |query| {
            let query = query.bind(id.to_string()).bind(first.bounds().0).bind(next.bounds().1);
            match batch {
                Some(batch) => query.bind(batch.to_string()),
                None => query,
            }
        });
        rows.extend(lines.await.map_err(|trouble| unreadable(&trouble))?);
    }
    Ok(rows)
}

impl Books for Reader {
    fn lag(&self) -> Lag {
        let (waiting_rows, queue_rows) = self.journal.waiting();
        let (unfolded_bytes, max_unfolded_bytes) = self.journal.kept();
        let listeners = self.tail.listeners();
        Lag { waiting_rows, queue_rows, unfolded_bytes, max_unfolded_bytes, listeners }
    }

    fn call(&self, id: CallId) -> Reading<Option<BookedCall<'static>>> {
        let books = self.clone();
        Box::pin(async move {
            let look = move |group: &[u8], found: &mut Option<BookedCall<'static>>| {
                *found = rows::find_call(group, id).map(BookedCall::into_owned);
                found.is_some()
            };
            if let Some(call) = books.scan(0, None, look).await? {
                return Ok(Some(call));
            }
            let shelves = books.shelves.clone();
            let mut calls =
                books.there(async move { lines_of(&shelves, id, statements::CALL, None).await }).await?;
            Ok(calls.pop())
        })
    }

    fn attempts_of(&self, id: CallId, batch: Option<AttemptId>) -> Reading<Vec<BookedAttempt<'static>>> {
        let books = self.clone();
        Box::pin(async move {
            let look = move |group: &[u8], found: &mut Vec<BookedAttempt<'static>>| {
                found.extend(rows::find_attempts(group, id, batch).map(BookedAttempt::into_owned));
                false
            };
            let mut attempts = books.scan(0, Vec::new(), look).await?;
            let shelves = books.shelves.clone();
            // No request has the id that none of ours can have.
            let batch = batch.or(Some(AttemptId::from_bytes([0; 16])));
            let of_lines = async move { lines_of(&shelves, id, statements::ATTEMPTS_OF, batch).await };
            attempts.extend(books.there(of_lines).await?);
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
                            found.take(call.into_owned(), which.limit);
                        }
                    }
                }
                false
            };
            let found = books.scan(0, Found::default(), look).await?;
            let walk = statements::walk_calls(&wanted);
            books.page(wanted, found, walk).await
        })
    }

    fn listen(&self, whose: Option<WorkspaceId>, like: Wanted) -> Result<Listening, Crowded> {
        self.tail.listen(whose, like)
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
                            found.take(attempt.into_owned(), which.limit);
                        }
                    }
                }
                false
            };
            let found = books.scan(0, Found::default(), look).await?;
            let walk = statements::walk_attempts(&wanted);
            books.page(wanted, found, walk).await
        })
    }

    fn usage(&self, workspace: WorkspaceId, since_us: i64, until_us: i64) -> Reading<Vec<Usages>> {
        let books = self.clone();
        Box::pin(async move { books.sums(workspace, since_us, until_us).await })
    }
}

pub(super) fn unreadable(why: &dyn std::fmt::Display) -> Unreadable {
    Unreadable(why.to_string().into())
}
