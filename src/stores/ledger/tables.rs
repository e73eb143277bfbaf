//! Owns where the lines of the ledger are added: to files of days, of which the latest stay open, or to partitions of a
//! server's tables, made when their day comes. Must not know what a line means.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _, SqliteConnection};

use super::days::{Day, Days};
use super::lines::Lines;
use super::retention::{self, Dropped, Keep};
use super::shelves::Shelves;
use crate::stores::postgres::Postgres;
use crate::stores::sql::{Connection, Dialect, Place as _};
use crate::stores::sqlite::BEGIN_TO_WRITE;
use crate::stores::trouble::Trouble;

/// Days that stay open: today, and yesterday around midnight.
const OPEN_DAYS: usize = 2;
/// The tables that have partitions.
const PARTITIONED: [&str; 4] = ["calls", "call_tags", "attempts", "usage"];
const PARTITIONS: &str = "SELECT relname::TEXT FROM pg_class WHERE relispartition AND relkind = 'r' \
    AND relnamespace = current_schema()::regnamespace";

/// Adds lines.
pub(super) enum Tables {
    Files(Files),
    Server(Partitions),
}

/// The files of days.
pub(super) struct Files {
    days: Days,
    /// The latest days, open.
    open: BTreeMap<Day, SqliteConnection>,
}

/// A connection of its own to a server.
pub(super) struct Partitions {
    server: Postgres,
    on: Option<PgConnection>,
    /// Days that have theirs.
    made: BTreeSet<Day>,
}

impl Tables {
    pub(super) fn of(shelves: &Shelves) -> Self {
        match shelves {
            Shelves::Files(days) => Self::Files(Files { days: days.clone(), open: BTreeMap::new() }),
            Shelves::Server(server, _) => {
                Self::Server(Partitions { server: server.clone(), on: None, made: BTreeSet::new() })
            }
        }
    }

    /// Adds lines of a day: all or none.
    pub(super) async fn add(&mut self, day: Day, lines: Lines) -> Result<(), Trouble> {
        match self {
            Self::Files(files) => files.add(day, lines).await,
            Self::Server(partitions) => partitions.add(day, lines).await,
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
            Self::Files(files) => {
                for connection in std::mem::take(&mut files.open).into_values() {
                    let _ = connection.close().await;
                }
            }
            Self::Server(partitions) => {
                if let Some(on) = partitions.on.take() {
                    let _ = on.close().await;
                }
            }
        }
    }
}

impl Files {
    async fn add(&mut self, day: Day, lines: Lines) -> Result<(), Trouble> {
        let file = self.days.file(day);
        let told = |error| file.trouble(&error);
        let mut connection = match self.open.remove(&day) {
            Some(connection) => connection,
            None => file.open().await?,
        };
        // A connection that failed is not used again.
        let mut transaction = connection.begin_with(BEGIN_TO_WRITE).await.map_err(told)?;
        lines.add(&mut Connection::Sqlite(&mut transaction), day.bounds()).await.map_err(told)?;
        transaction.commit().await.map_err(told)?;
        self.open.insert(day, connection);
        while self.open.len() > OPEN_DAYS {
            if let Some((_, oldest)) = self.open.pop_first() {
                let _ = oldest.close().await; // what is committed is on disk
            }
        }
        Ok(())
    }

    async fn drop_old(&mut self, keep: Keep, today: Day) -> Result<Dropped, Trouble> {
        for connection in std::mem::take(&mut self.open).into_values() {
            let _ = connection.close().await; // its file may go now
        }
        retention::drop_old(&self.days, keep, today).await
    }
}

impl Partitions {
    async fn add(&mut self, day: Day, lines: Lines) -> Result<(), Trouble> {
        let mut on = self.connection().await?;
        if !self.made.contains(&day) {
            self.make(day, &mut on).await?;
            self.made.insert(day);
        }
        let told = |error| self.server.trouble(&error);
        // A connection that failed is not used again.
        let mut transaction = on.begin().await.map_err(told)?;
        lines.add(&mut Connection::Postgres(&mut transaction), day.bounds()).await.map_err(told)?;
        transaction.commit().await.map_err(told)?;
        self.on = Some(on);
        Ok(())
    }

    async fn connection(&mut self) -> Result<PgConnection, Trouble> {
        match self.on.take() {
            Some(on) => Ok(on),
            None => {
                // Another server may have dropped days meanwhile.
                self.made.clear();
                self.server.connect().await
            }
        }
    }

    /// Makes the partitions of a day. Servers that come to it at once wait for each other.
    async fn make(&self, day: Day, on: &mut PgConnection) -> Result<(), Trouble> {
        let told = |error| self.server.trouble(&error);
        let mut transaction = on.begin_with(BEGIN_ALONE.into_sql_str()).await.map_err(told)?;
        let (from_us, until_us) = day.bounds();
        for table in PARTITIONED {
            let name = partition(table, day);
            // Words and numbers of ours.
            let make = format!(
                "CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ({from_us}) TO ({until_us})"
            );
            sqlx::query(AssertSqlSafe(make))
                .persistent(false)
                .execute(&mut *transaction)
                .await
                .map_err(told)?;
        }
        transaction.commit().await.map_err(told)
    }

    async fn drop_old(&mut self, keep: Keep, today: Day) -> Result<Dropped, Trouble> {
        let mut on = self.connection().await?;
        let told = |error| self.server.trouble(&error);
        let names: Vec<String> = sqlx::query_scalar(PARTITIONS).fetch_all(&mut on).await.map_err(told)?;
        let (mut days, mut tables) = (BTreeSet::new(), 0);
        for (name, table, day) in names.iter().filter_map(|name| day_of(name)) {
            if day < keep.first_of(table, today) {
                let drop = AssertSqlSafe(format!("DROP TABLE IF EXISTS {name}"));
                sqlx::query(drop).persistent(false).execute(&mut on).await.map_err(told)?;
                tables += 1;
                days.insert(day);
            }
        }
        // Made again, should a late line come.
        self.made.retain(|day| !days.contains(day));
        self.on = Some(on);
        let whole = days.iter().filter(|day| **day < keep.first(today)).count();
        Ok(Dropped { days: whole, tables })
    }
}

const BEGIN_ALONE: &str = <sqlx::Postgres as Dialect>::BEGIN_TO_WRITE;

/// The partition of a table for a day: `calls_2026_01_31`.
fn partition(table: &str, day: Day) -> String {
    format!("{table}_{}", day.name().replace('-', "_"))
}

/// A partition of ours, the table it belongs to, and its day.
fn day_of(name: &str) -> Option<(&str, &'static str, Day)> {
    let of = |table: &'static str| Some((table, name.strip_prefix(table)?.strip_prefix('_')?));
    let (table, day) = PARTITIONED.into_iter().find_map(of)?;
    Some((name, table, Day::named(&day.replace('_', "-"))?))
}
