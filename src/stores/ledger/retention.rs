//! What is kept how long: calls, attempts and sums of a day, each for days of its own.
//!
//! Owns what goes when. A day is dropped whole when nothing of it is to be kept; before that, whole tables of it are. Must not look
//! into single lines.

use sqlx::Connection as _;

use super::days::{Day, Days};
use crate::config;
use crate::stores::sql::Place as _;
use crate::stores::sqlite::Sqlite;
use crate::stores::trouble::Trouble;

/// Days that each class of lines is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep {
    calls: u32,
    attempts: u32,
    sums: u32,
}

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    /// Files removed.
    pub(super) days: usize,
    /// Tables emptied in files that stay.
    pub(super) tables: usize,
}

/// A class of lines: since when it is kept, whether there is any in a file, and how all go. Without a condition SQLite forgets a table's
/// pages as a whole.
struct Class {
    first: Day,
    has_any: &'static str,
    clear: &'static [&'static str],
}

impl Keep {
    pub(super) const fn of(settings: &config::Ledger) -> Self {
        let config::Ledger { calls_days, attempts_days, sums_days, .. } = *settings;
        Self { calls: calls_days, attempts: attempts_days, sums: sums_days }
    }

    /// The first day of which anything is kept.
    pub(super) fn first(self, today: Day) -> Day {
        today.before(self.calls.max(self.attempts).max(self.sums))
    }

    /// The first day of which a table keeps its lines.
    pub(super) fn first_of(self, table: &str, today: Day) -> Day {
        today.before(match table {
            "attempts" => self.attempts,
            "usage" => self.sums,
            _ => self.calls,
        })
    }

    fn classes(self, today: Day) -> [Class; 3] {
        [
            Class {
                first: self.first_of("calls", today),
                has_any: "SELECT EXISTS (SELECT 1 FROM calls)",
                clear: &["DELETE FROM calls", "DELETE FROM call_tags"],
            },
            Class {
                first: self.first_of("attempts", today),
                has_any: "SELECT EXISTS (SELECT 1 FROM attempts)",
                clear: &["DELETE FROM attempts"],
            },
            Class {
                first: self.first_of("usage", today),
                has_any: "SELECT EXISTS (SELECT 1 FROM usage)",
                clear: &["DELETE FROM usage"],
            },
        ]
    }
}

/// Drops what is kept no longer.
pub(super) async fn drop_old(days: &Days, keep: Keep, today: Day) -> Result<Dropped, Trouble> {
    let closed = |error: std::io::Error| Trouble::Closed(error.to_string());
    let first = keep.first(today);
    let mut dropped = Dropped { days: days.drop_before(first).map_err(closed)?, tables: 0 };
    let classes = keep.classes(today);
    let last = classes.iter().map(|class| class.first).max().unwrap_or(first).before(1);
    for day in days.between(first, last).map_err(closed)? {
        let file = days.file(day);
        match clear(&file, day, &classes).await {
            Ok(cleared) => dropped.tables += cleared,
            // The others go all the same.
            Err(trouble) => {
                let trouble = file.named(trouble);
                tracing::warn!("what the ledger keeps no longer cannot be dropped: {trouble}");
            }
        }
    }
    Ok(dropped)
}

/// Empties the tables of a day that are kept no longer, and gives their room back; says how many classes went.
async fn clear(file: &Sqlite, day: Day, classes: &[Class]) -> Result<usize, Trouble> {
    let told = |error: sqlx::Error| file.trouble(&error);
    let mut on = file.open().await?;
    let mut cleared = 0;
    for class in classes.iter().filter(|class| day < class.first) {
        let has_any: bool = sqlx::query_scalar(class.has_any).fetch_one(&mut on).await.map_err(told)?;
        if has_any {
            for statement in class.clear {
                sqlx::query(*statement).execute(&mut on).await.map_err(told)?;
            }
            cleared += 1;
        }
    }
    if cleared > 0 {
        sqlx::query("VACUUM").execute(&mut on).await.map_err(told)?;
    }
    on.close().await.map_err(told)?;
    Ok(cleared)
}
