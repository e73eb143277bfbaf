//! Owns where rows of the ledger become lines: in files of days, or in the tables of a server. Must not know what a line means.

use super::days::Day;
use super::files::Files;
use super::partitions::Partitions;
use super::retention::{Dropped, Keep};
use super::rows::Booked;
use super::shelves::Shelves;
use crate::stores::trouble::Trouble;

/// Adds lines. One for all the time they are added: what is open stays open.
pub(super) enum Tables {
    Files(Files),
    Server(Partitions),
}

impl Tables {
    pub(super) fn of(shelves: &Shelves) -> Self {
        match shelves {
            Shelves::Files(days, _) => Self::Files(Files::of(days)),
            Shelves::Server(server, _) => Self::Server(Partitions::of(server)),
        }
    }

    /// Puts a row into the tables of its day, once and for all with the next [commit](Self::commit). After an error nothing
    /// counts that was put since the last one.
    pub(super) async fn put(&mut self, row: &Booked<'_>) -> Result<(), Trouble> {
        match self {
            Self::Files(files) => files.put(row).await,
            Self::Server(partitions) => {
                partitions.put(row);
                Ok(())
            }
        }
    }

    /// All that was put is on disk. A row that was there already is there once. After an error some days may have theirs.
    pub(super) async fn commit(&mut self) -> Result<(), Trouble> {
        match self {
            Self::Files(files) => files.commit(),
            Self::Server(partitions) => partitions.commit().await,
        }
    }

    /// Removes what is kept no longer: whole days, and whole tables of days.
    pub(super) async fn drop_old(&mut self, keep: Keep, today: Day) -> Result<Dropped, Trouble> {
        match self {
            Self::Files(files) => files.drop_old(keep, today).await,
            Self::Server(partitions) => partitions.drop_old(keep, today).await,
        }
    }

    /// Lets go of what is open. What is committed is on disk, however it is closed.
    pub(super) async fn close(&mut self) {
        match self {
            Self::Files(files) => files.close(),
            Self::Server(partitions) => partitions.close().await,
        }
    }
}
