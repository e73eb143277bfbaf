//! Owns what is done to a database of a PostgreSQL server as a whole. Must not know what is stored in it.

use std::path::Path;

use sqlx::{Connection as _, PgConnection};

use super::Condition;
use crate::stores::postgres::Postgres;
use crate::stores::schema::MAIN;
use crate::stores::sql::{Connection, Place as _};
use crate::stores::trouble::Trouble;

const ENGINE: &str = "SELECT split_part(current_setting('server_version'), ' ', 1)";
const BYTES: &str = "SELECT pg_database_size(current_database())";
/// Those of the ledger are counted by its days, and large.
const TABLES: &str = "SELECT relname::TEXT FROM pg_class WHERE relnamespace = current_schema()::regnamespace \
    AND relkind = 'r' AND NOT relispartition AND relname NOT LIKE '\\_%' ORDER BY relname";

/// How the database is; nothing if it has no tables of ours.
pub(super) async fn look(server: &Postgres) -> Result<Option<Condition>, Trouble> {
    let mut on = server.connect().await?;
    let layout = server.version(&MAIN, &mut on).await?;
    let condition = match layout {
        0 => None,
        layout => Some(read(server, layout, &mut on).await.map_err(|error| server.trouble(&error))?),
    };
    close(server, on).await?;
    Ok(condition)
}

async fn read(server: &Postgres, layout: i64, on: &mut PgConnection) -> sqlx::Result<Condition> {
    let version: String = sqlx::query_scalar(ENGINE).fetch_one(&mut *on).await?;
    let bytes: i64 = sqlx::query_scalar(BYTES).fetch_one(&mut *on).await?;
    let names: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut *on).await?;
    let mut tables = Vec::with_capacity(names.len());
    for name in names {
        // The name is one the database gave.
        let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM \"{name}\""));
        tables.push((name, sqlx::query_scalar(count).fetch_one(&mut *on).await?));
    }
    Ok(Condition {
        at: server.shown(),
        engine: format!("PostgreSQL {version}"),
        bytes: bytes.unsigned_abs(),
        layout,
        latest: MAIN.latest(),
        check: None,
        tables,
        optimized_us: super::optimized(Connection::Postgres(on)).await?,
    })
}

/// The version of its tables.
pub(super) async fn layout(server: &Postgres) -> Result<i64, Trouble> {
    let mut on = server.connect().await?;
    let version = server.version(&MAIN, &mut on).await?;
    close(server, on).await?;
    Ok(version)
}

/// Makes the tables, or brings them up to date. Says their version.
pub(super) async fn migrate(server: &Postgres) -> Result<i64, Trouble> {
    let mut on = server.connect().await?;
    server.bring_up_to_date(&MAIN, &mut on).await?;
    let version = server.version(&MAIN, &mut on).await?;
    close(server, on).await?;
    Ok(version)
}

/// Says which command copies it: those of PostgreSQL do it better.
pub(super) fn back_up(server: &Postgres, to: &Path) -> Trouble {
    let (shown, to) = (server.shown(), to.display());
    Trouble::Conflict(format!("it is the {shown}; copy it with `pg_dump --format=custom --file={to} URL`"))
}

/// Says which command puts a copy back.
pub(super) fn restore(server: &Postgres, from: &Path) -> Trouble {
    let (shown, from) = (server.shown(), from.display());
    let command = format!("pg_restore --clean --if-exists --single-transaction --dbname=URL {from}");
    Trouble::Conflict(format!("it is the {shown}; stop its servers and put a copy back with `{command}`"))
}

/// Brings statistics up to date.
pub(super) async fn optimize(server: &Postgres, now_us: i64) -> Result<(), Trouble> {
    let mut on = server.connect().await?;
    let told = |error| server.trouble(&error);
    sqlx::query("ANALYZE").execute(&mut on).await.map_err(told)?;
    super::note_optimized(Connection::Postgres(&mut on), now_us).await.map_err(told)?;
    close(server, on).await
}

async fn close(server: &Postgres, on: PgConnection) -> Result<(), Trouble> {
    on.close().await.map_err(|error| server.trouble(&error))
}
