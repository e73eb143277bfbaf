//! Owns the lines of the ledger on a server: partitions of its tables, made when their day comes, and many lines with one
//! statement. Must not know what a line means.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _};

use super::days::Day;
use super::lines::{self, Counted, Sums};
use super::retention::{Dropped, Keep};
use super::rows::Booked;
use super::statements::{ADD_ATTEMPTS, ADD_CALLS, ADD_TAGS, ADD_UP};
use crate::stores::postgres::Postgres;
use crate::stores::sql::{Connection, Dialect, Place as _, Statement};
use crate::stores::trouble::Trouble;

/// The tables that have partitions.
const PARTITIONED: [&str; 4] = ["calls", "call_tags", "attempts", "usage"];
const PARTITIONS: &str = "SELECT relname::TEXT FROM pg_class WHERE relispartition AND relkind = 'r' \
    AND relnamespace = current_schema()::regnamespace";

/// A connection of its own to a server.
pub(super) struct Partitions {
    server: Postgres,
    on: Option<PgConnection>,
    /// Days that have theirs.
    made: BTreeSet<Day>,
    /// What is put and not committed.
    pages: BTreeMap<Day, Page>,
}

/// Lines of one day that go in together.
#[derive(Default)]
struct Page {
    calls: List,
    attempts: List,
    of_calls: Vec<OfCall>,
}

/// What a call adds beside its line, if that is new.
struct OfCall {
    id: String,
    /// Lines as JSON.
    tags: Vec<String>,
    counted: Counted,
}

/// Lines as a JSON list.
#[derive(Default)]
struct List(String);

impl List {
    fn push(&mut self, line: &impl Serialize) {
        self.push_json(&json(line));
    }

    fn push_json(&mut self, line: &str) {
        self.0.push(if self.0.is_empty() { '[' } else { ',' });
        self.0.push_str(line);
    }

    /// The list; nothing if there is nothing in it.
    fn take(self) -> Option<String> {
        (!self.0.is_empty()).then_some(self.0 + "]")
    }
}

fn json(line: &impl Serialize) -> String {
    // Lists of texts and numbers can be written.
    serde_json::to_string(line).unwrap_or_default()
}

impl Page {
    fn put(&mut self, row: &Booked<'_>) {
        match row {
            Booked::Call(row) => {
                self.calls.push(&&lines::call_line(row)[..]);
                let tags = lines::tag_lines(row).map(|line| json(&line)).collect();
                self.of_calls.push(OfCall { id: row.id.to_string(), tags, counted: Counted::of(row) });
            }
            Booked::Attempt(row) => self.attempts.push(&lines::attempt_line(row)),
        }
    }

    async fn add(self, on: &mut Connection<'_>) -> sqlx::Result<()> {
        add(on, ADD_ATTEMPTS, self.attempts).await?;
        let Some(calls) = self.calls.take() else { return Ok(()) };
        let new = on.query(ADD_CALLS).bind(calls).fetch_all(|row| row.get::<String>(0)).await?;
        let new: HashSet<String> = new.into_iter().collect();
        let (mut tags, mut sums) = (List::default(), Sums::default());
        for call in self.of_calls.into_iter().filter(|call| new.contains(&call.id)) {
            call.tags.iter().for_each(|line| tags.push_json(line));
            sums.add(call.counted);
        }
        add(on, ADD_TAGS, tags).await?;
        let mut list = List::default();
        sums.lines().for_each(|line| list.push(&line));
        add(on, ADD_UP, list).await
    }
}

async fn add(on: &mut Connection<'_>, statement: Statement, lines: List) -> sqlx::Result<()> {
    if let Some(lines) = lines.take() {
        on.query(statement).bind(lines).execute().await?;
    }
    Ok(())
}

impl Partitions {
    pub(super) fn of(server: &Postgres) -> Self {
        Self { server: server.clone(), on: None, made: BTreeSet::new(), pages: BTreeMap::new() }
    }

    pub(super) fn put(&mut self, row: &Booked<'_>) {
        self.pages.entry(Day::of(row.at_us())).or_default().put(row);
    }

    pub(super) async fn commit(&mut self) -> Result<(), Trouble> {
        for (day, page) in std::mem::take(&mut self.pages) {
            self.add(day, page).await?;
        }
        Ok(())
    }

    async fn add(&mut self, day: Day, page: Page) -> Result<(), Trouble> {
        let mut on = self.connection().await?;
        if !self.made.contains(&day) {
            self.make(day, &mut on).await?;
            self.made.insert(day);
        }
        let told = |error| self.server.trouble(&error);
        // A connection that failed is not used again.
        let mut transaction = on.begin().await.map_err(told)?;
        page.add(&mut Connection::Postgres(&mut transaction)).await.map_err(told)?;
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

    pub(super) async fn close(&mut self) {
        if let Some(on) = self.on.take() {
            let _ = on.close().await;
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

    pub(super) async fn drop_old(&mut self, keep: Keep, today: Day) -> Result<Dropped, Trouble> {
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
