//! How far the journal is in tables.
//!
//! Owns that nobody adds both up while rows go from one to the other, and whether they hold rows twice. Must not know what a row is.

use std::sync::Arc;

use tokio::sync::{RwLock, RwLockReadGuard};

/// The line between groups that are in tables and those that are not. Clones are one.
#[derive(Debug, Clone)]
pub(super) struct Front(Arc<RwLock<Line>>);

#[derive(Debug)]
struct Line {
    /// Groups before this one are in tables.
    at: u64,
    /// Groups before this one may be in tables though they are behind the line: a process ended, or a commit failed, in between.
    settled: u64,
}

/// The line for as long as this is held: nothing is folded meanwhile.
pub(super) struct Still<'f>(RwLockReadGuard<'f, Line>);

impl Front {
    /// For a journal whose last group is this one, all of which may be in tables already.
    pub(super) fn after(last: Option<u64>) -> Self {
        Self(Arc::new(RwLock::new(Line { at: 0, settled: last.map_or(0, |last| last + 1) })))
    }

    /// Moves the line to a group by `commit`, once nobody reads what is on both sides of it.
    pub(super) async fn advance<T, E>(
        &self,
        to: u64,
        commit: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut line = self.0.write().await;
        let committed = commit.await;
        match committed {
            Ok(_) => line.at = line.at.max(to),
            Err(_) => line.settled = line.settled.max(to),
        }
        committed
    }

    /// Holds the line; nothing where tables may hold what is behind it.
    pub(super) async fn hold(&self) -> Option<Still<'_>> {
        let line = self.0.read().await;
        (line.at >= line.settled).then_some(Still(line))
    }
}

impl Still<'_> {
    /// The first group that is not in tables.
    pub(super) fn at(&self) -> u64 {
        self.0.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn held(front: &Front) -> Option<u64> {
        front.hold().await.map(|still| still.at())
    }

    #[actix_rt::test]
    async fn what_a_process_or_a_failed_commit_left_on_both_sides_is_passed_before_the_line_is_shown() {
        let new = Front::after(None);
        assert_eq!(held(&new).await, Some(0), "a journal without groups");
        let front = Front::after(Some(9));
        assert_eq!(held(&front).await, None);
        let commit = async |to, done: Result<(), ()>| front.advance(to, async { done }).await;
        assert_eq!(commit(7, Ok(())).await, Ok(()));
        assert_eq!(held(&front).await, None, "7 to 9 may be in tables");
        assert_eq!(commit(10, Ok(())).await, Ok(()));
        assert_eq!(held(&front).await, Some(10));
        assert_eq!(commit(12, Err(())).await, Err(()));
        assert_eq!(held(&front).await, None, "some days of 10 and 11 may be in tables");
        assert_eq!(commit(14, Ok(())).await, Ok(()));
        assert_eq!(held(&front).await, Some(14));
    }
}
