//! Owns the statements on the tables of records and what their rows mean. Must not begin or end a transaction.
//!
//! Every statement is what SQLite and PostgreSQL both read; what differs stands in the file of the database.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::Row as _;

use crate::lang::records::{
    Changes, Counters, Row, RowKey, Supply, TableChanges, TableName, UniqueValue, Want,
};
use crate::lang::value::{Map, Value};
use crate::stores::sql::Place as _;
use crate::stores::sqlite::{Connection, Sqlite};
use crate::stores::trouble::Trouble;

const COUNTERS: &str = "SELECT last_id, last_key, unique_fields FROM record_counters WHERE record = $1";
const ROWS: &str =
    "SELECT row_key, tenant, expires_us, fields FROM records WHERE record = $1 ORDER BY row_key";
const HOLDER: &str = "SELECT min(row_key) FROM record_uniques \
    WHERE record = $1 AND field = $2 AND value = $3 AND tenant IS NOT DISTINCT FROM $4";
const COUNT: &str = "INSERT INTO record_counters (record, last_id, last_key, unique_fields) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (record) DO UPDATE SET last_id = excluded.last_id, last_key = excluded.last_key, \
    unique_fields = excluded.unique_fields";
const ADD: &str =
    "INSERT INTO records (record, row_key, tenant, expires_us, fields) VALUES ($1, $2, $3, $4, $5)";
const CHANGE: &str =
    "UPDATE records SET tenant = $3, expires_us = $4, fields = $5 WHERE record = $1 AND row_key = $2";
const REMOVE: &str = "DELETE FROM records WHERE record = $1 AND row_key = $2";
const HOLD: &str =
    "INSERT INTO record_uniques (record, field, value, tenant, row_key) VALUES ($1, $2, $3, $4, $5)";
const RELEASE: &str = "DELETE FROM record_uniques WHERE record = $1 AND row_key = $2";
const RELEASE_ALL: &str = "DELETE FROM record_uniques WHERE record = $1";

/// Why a statement did not do what it says.
#[derive(Debug)]
pub(super) enum Failed {
    Database(sqlx::Error),
    /// A line that was not written like that.
    Damaged(String),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl Failed {
    pub(super) fn trouble(self, sqlite: &Sqlite) -> Trouble {
        match self {
            Self::Database(error) => sqlite.trouble(&error),
            Self::Damaged(what) => Trouble::Damaged(what),
        }
    }
}

/// What a run wants to know. `writes`: the index of unique values is brought up to date where the app's declarations
/// have changed; who only reads is given the rows instead.
pub(super) async fn supply(on: &mut Connection, want: Want, writes: bool) -> Result<Supply, Failed> {
    match want {
        Want::Head(table) if writes => {
            let counters = indexed_counters(on, &table).await?;
            Ok(Supply::Head(table, counters))
        }
        Want::Head(table) | Want::Rows(table) => {
            let (counters, _) = counters(on, &table.record).await?;
            let rows = rows(on, &table.record).await?;
            Ok(Supply::Rows(table, counters, rows))
        }
        Want::Holder(table, value) => {
            let holder = holder(on, &table.record, &value).await?;
            Ok(Supply::Holder(table, value, holder))
        }
        Want::Begin { .. } | Want::Keep(_) => {
            Err(Failed::Damaged("a transaction was begun twice".to_owned()))
        }
    }
}

/// Writes what a run did.
pub(super) async fn keep(on: &mut Connection, changes: &Changes) -> Result<(), Failed> {
    for changes in &changes.tables {
        let TableChanges { table, counters, added, changed, gone } = changes;
        let TableName { record, unique } = table;
        indexed_counters(on, table).await?;
        for key in gone {
            execute_on_row(on, RELEASE, record, *key).await?;
            execute_on_row(on, REMOVE, record, *key).await?;
        }
        for row in changed {
            execute_on_row(on, RELEASE, record, row.key).await?;
            write(on, CHANGE, record, row).await?;
            hold(on, table, row).await?;
        }
        for row in added {
            write(on, ADD, record, row).await?;
            hold(on, table, row).await?;
        }
        let query = sqlx::query(COUNT).bind(&**record).bind(counters.last_id).bind(number(counters.last_key));
        query.bind(spelled(unique)).execute(&mut *on).await?;
    }
    Ok(())
}

/// The counters of a table; its unique values are indexed as the app declares them now.
async fn indexed_counters(on: &mut Connection, table: &TableName) -> Result<Counters, Failed> {
    let TableName { record, unique } = table;
    let (counters, indexed) = counters(on, record).await?;
    if indexed.is_some_and(|indexed| indexed != spelled(unique)) {
        sqlx::query(RELEASE_ALL).bind(&**record).execute(&mut *on).await?;
        for row in rows(on, record).await? {
            hold(on, table, &row).await?;
        }
        let query = sqlx::query(COUNT).bind(&**record).bind(counters.last_id).bind(number(counters.last_key));
        query.bind(spelled(unique)).execute(&mut *on).await?;
    }
    Ok(counters)
}

/// The counters, and which fields are indexed; nothing is where nothing was stored.
async fn counters(on: &mut Connection, record: &str) -> Result<(Counters, Option<String>), Failed> {
    let Some(line) = sqlx::query(COUNTERS).bind(record).fetch_optional(on).await? else {
        return Ok((Counters::default(), None));
    };
    let last_key = key(line.try_get(1)?)?;
    Ok((Counters { last_id: line.try_get(0)?, last_key }, Some(line.try_get(2)?)))
}

async fn rows(on: &mut Connection, record: &str) -> Result<Vec<Row>, Failed> {
    let mut lines = sqlx::query(ROWS).bind(record).fetch(on);
    let mut rows = Vec::new();
    while let Some(line) = lines.try_next().await? {
        let key = key(line.try_get(0)?)?;
        let tenant: Option<&str> = line.try_get(1)?;
        let expires_us: Option<i64> = line.try_get(2)?;
        let fields = fields(line.try_get(3)?)
            .map_err(|why| Failed::Damaged(format!("fields of {record} {key} cannot be read: {why}")))?;
        rows.push(Row {
            key,
            fields,
            tenant: tenant.map(Arc::from),
            expires_ms: expires_us.map(|us| us / 1_000),
        });
    }
    Ok(rows)
}

fn fields(text: &str) -> Result<Map, String> {
    match Value::from_stored(text) {
        Ok(Value::Map(fields)) => Ok(fields),
        Ok(other) => Err(format!("a {} is no map", other.type_name())),
        Err(fault) => Err(fault.to_string()),
    }
}

async fn holder(on: &mut Connection, record: &str, value: &UniqueValue) -> Result<Option<RowKey>, Failed> {
    let UniqueValue { field, text, tenant } = value;
    let query = sqlx::query_scalar(HOLDER).bind(record).bind(&**field).bind(text).bind(tenant.as_deref());
    let holder: Option<i64> = query.fetch_one(on).await?;
    holder.map(key).transpose()
}

async fn hold(on: &mut Connection, table: &TableName, row: &Row) -> Result<(), Failed> {
    for value in UniqueValue::all_of(&table.unique, &row.fields, row.tenant.as_ref()) {
        let UniqueValue { field, text, tenant } = value;
        let query = sqlx::query(HOLD).bind(&*table.record).bind(&*field).bind(text).bind(tenant.as_deref());
        query.bind(number(row.key)).execute(&mut *on).await?;
    }
    Ok(())
}

async fn write(on: &mut Connection, statement: &'static str, record: &str, row: &Row) -> Result<(), Failed> {
    let expires_us = row.expires_ms.map(|ms| ms.saturating_mul(1_000));
    let query = sqlx::query(statement).bind(record).bind(number(row.key)).bind(row.tenant.as_deref());
    query.bind(expires_us).bind(Value::Map(row.fields.clone()).to_stored()).execute(on).await?;
    Ok(())
}

async fn execute_on_row(
    on: &mut Connection,
    statement: &'static str,
    record: &str,
    key: RowKey,
) -> Result<(), Failed> {
    sqlx::query(statement).bind(record).bind(number(key)).execute(on).await?;
    Ok(())
}

/// The names of fields as they are compared.
fn spelled(fields: &[Arc<str>]) -> String {
    let mut names: Vec<Arc<str>> = fields.to_vec();
    names.sort();
    Value::list(names.into_iter().map(Value::Text).collect()).to_stored()
}

fn key(number: i64) -> Result<RowKey, Failed> {
    RowKey::try_from(number).map_err(|_| Failed::Damaged(format!("{number} is no key of a row")))
}

fn number(key: RowKey) -> i64 {
    i64::try_from(key).expect("keys count up from 1 and end before 2^63")
}
