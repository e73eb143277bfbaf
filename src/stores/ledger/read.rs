//! Reading the books: by id, from the journal.
//!
//! Owns what a look-up sees: everything that was told before it began. Must not write.

use std::sync::Arc;

use tidegate_actors::CallId;
use tidegate_actors::ports::books::{
    BookedAttempt, BookedCall, Books, Cursor, Page, Reading, Unreadable, Wanted,
};

use super::rows::{self, Booked};
use super::{Entry, READ_BYTES};
use crate::stores::journal::Journal;

/// Reads the books of a journal.
#[derive(Clone)]
pub struct Reader {
    journal: Journal<Entry>,
}

impl Reader {
    pub(super) fn new(journal: Journal<Entry>) -> Self {
        Self { journal }
    }

    /// Looks into every group, oldest first, until `look` has found what it wants. On a thread that may block.
    fn scan<T: Send + 'static>(
        &self,
        mut look: impl FnMut(&[u8], &mut T) -> bool + Send + 'static,
        mut found: T,
    ) -> Reading<T> {
        let written = self.journal.written();
        let storage = Arc::clone(self.journal.storage());
        Box::pin(async move {
            // Where nothing can be written, what was written before can be read all the same.
            let _ = written.await;
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
            let scanned: std::io::Result<T> =
                scanned.await.map_err(|broken| Unreadable(broken.to_string().into()))?;
            scanned.map_err(|error| Unreadable(error.to_string().into()))
        })
    }
}

/// Rows of a scan, in the order they were written.
struct Found<T> {
    rows: Vec<T>,
    scanned: u64,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), scanned: 0 }
    }
}

impl<T> Found<T> {
    fn page(mut self, limit: usize, cursor: impl Fn(&T) -> Cursor) -> Page<T> {
        self.rows.sort_by_key(|row| std::cmp::Reverse(cursor(row)));
        let is_more = self.rows.len() > limit;
        self.rows.truncate(limit);
        let next = self.rows.last().filter(|_| is_more).map(cursor);
        Page { rows: self.rows, next, scanned: self.scanned }
    }
}

impl Books for Reader {
    fn waiting(&self) -> (usize, usize) {
        self.journal.waiting()
    }

    fn call(&self, id: CallId) -> Reading<Option<BookedCall<'static>>> {
        let look = move |group: &[u8], found: &mut Option<BookedCall<'static>>| {
            *found = rows::find_call(group, id).map(BookedCall::into_owned);
            found.is_some()
        };
        self.scan(look, None)
    }

    fn attempts_of(&self, id: CallId) -> Reading<Vec<BookedAttempt<'static>>> {
        let look = move |group: &[u8], found: &mut Vec<BookedAttempt<'static>>| {
            found.extend(rows::find_attempts(group, id).map(BookedAttempt::into_owned));
            false
        };
        self.scan(look, Vec::new())
    }

    fn calls(&self, wanted: Wanted) -> Reading<Page<BookedCall<'static>>> {
        let limit = wanted.limit;
        let look = move |group: &[u8], found: &mut Found<BookedCall<'static>>| {
            for row in rows::rows(group) {
                if let Booked::Call(call) = row {
                    found.scanned += 1;
                    if wanted.is_call(&call) {
                        found.rows.push(call.into_owned());
                    }
                }
            }
            false
        };
        let found = self.scan(look, Found::default());
        Box::pin(async move { Ok(found.await?.page(limit, BookedCall::cursor)) })
    }

    fn attempts(&self, wanted: Wanted) -> Reading<Page<BookedAttempt<'static>>> {
        let limit = wanted.limit;
        let look = move |group: &[u8], found: &mut Found<BookedAttempt<'static>>| {
            for row in rows::rows(group) {
                if let Booked::Attempt(attempt) = row {
                    found.scanned += 1;
                    if wanted.is_attempt(&attempt) {
                        found.rows.push(attempt.into_owned());
                    }
                }
            }
            false
        };
        let found = self.scan(look, Found::default());
        Box::pin(async move { Ok(found.await?.page(limit, BookedAttempt::cursor)) })
    }
}
