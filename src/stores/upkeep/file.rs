//! Owns what is done to a database file as a whole. Each on a connection of its own. Must not know what is stored in it.
//!
//! Sources: <https://sqlite.org/lang_vacuum.html#vacuuminto>, <https://sqlite.org/pragma.html#pragma_optimize>.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sqlx::{ConnectOptions, Connection as _};

use super::Condition;
use crate::stores::lock::of;
use crate::stores::sql::{self, Place as _};
use crate::stores::sqlite::{Connection, Sqlite};
use crate::stores::trouble::Trouble;

const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_%' ESCAPE '\\' \
     ORDER BY name";
const ENGINE: &str = "SELECT sqlite_version()";

/// How the database is; nothing if there is none.
pub(super) async fn look(sqlite: &Sqlite) -> Result<Option<Condition>, Trouble> {
    let Ok(facts) = fs::metadata(&sqlite.path) else { return Ok(None) };
    let mut on = connect(sqlite).await?;
    let told = |error| sqlite.trouble(&error);
    let layout = sqlite.version(&mut on).await?;
    let check: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut on).await.map_err(told)?;
    let names: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut on).await.map_err(told)?;
    let mut tables = Vec::with_capacity(names.len());
    for name in names {
        // The name is one the database gave.
        let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM \"{name}\""));
        tables.push((name, sqlx::query_scalar(count).fetch_one(&mut on).await.map_err(told)?));
    }
    let engine: String = sqlx::query_scalar(ENGINE).fetch_one(&mut on).await.map_err(told)?;
    let optimized_us = super::optimized(sql::Connection::Sqlite(&mut on)).await.map_err(told)?;
    close(sqlite, on).await?;
    let (at, latest) = (sqlite.path.display().to_string(), sqlite.schema.latest());
    let engine = format!("SQLite {engine}");
    let check = Some(check);
    Ok(Some(Condition { at, engine, bytes: facts.len(), layout, latest, check, tables, optimized_us }))
}

/// The version of its tables.
pub(super) async fn layout(sqlite: &Sqlite) -> Result<i64, Trouble> {
    let mut on = connect(sqlite).await?;
    let version = sqlite.version(&mut on).await?;
    close(sqlite, on).await?;
    Ok(version)
}

/// Makes the database, or brings it up to date. Says its version.
pub(super) async fn migrate(sqlite: &Sqlite) -> Result<i64, Trouble> {
    let mut on = sqlite.open().await?;
    let version = sqlite.version(&mut on).await?;
    close(sqlite, on).await?;
    Ok(version)
}

/// Copies a database, as it is at this moment, to a new file. Nobody who uses it is hindered.
pub(super) async fn copy_to(sqlite: &Sqlite, to: &Path) -> Result<u64, Trouble> {
    let mut on = connect(sqlite).await?;
    let to = std::path::absolute(to).map_err(|error| of(&error))?;
    let target = to.to_string_lossy().into_owned();
    let copied = sqlx::query("VACUUM INTO $1").bind(&target).execute(&mut on).await;
    copied.map_err(|error| sqlite.trouble(&error))?;
    close(sqlite, on).await?;
    let synced = File::open(&to).and_then(|file| file.sync_all().and_then(|()| file.metadata()));
    synced.map(|facts| facts.len()).map_err(|error| of(&error))
}

/// Lets what stands in the log only go over into the file, so that it is not lost when the file is moved.
pub(super) async fn settle(sqlite: &Sqlite) {
    if let Ok(on) = connect(sqlite).await {
        let _ = on.close().await; // one that is damaged is kept as it is
    }
}

/// Brings statistics up to date where enough has changed. Looks at no more than a thousand lines of an index, so whoever writes
/// waits for milliseconds.
pub(super) const REFRESH: [&str; 2] = ["PRAGMA analysis_limit = 1000", "PRAGMA optimize = 0x10002"];
/// Gives back what the write-ahead log takes. Waits for those who read, and who writes waits for it.
pub(super) const GIVE_BACK: [&str; 1] = ["PRAGMA wal_checkpoint(TRUNCATE)"];

/// Does this to a database that is there, on a connection of its own.
pub(super) async fn tend(sqlite: &Sqlite, statements: &[&'static str]) -> Result<(), Trouble> {
    let mut on = connect(sqlite).await?;
    for statement in statements {
        sqlx::query(*statement).execute(&mut on).await.map_err(|error| sqlite.trouble(&error))?;
    }
    close(sqlite, on).await
}

/// Notes in the main database that statistics are up to date.
pub(super) async fn note(sqlite: &Sqlite, now_us: i64) -> Result<(), Trouble> {
    let mut on = connect(sqlite).await?;
    let noted = super::note_optimized(sql::Connection::Sqlite(&mut on), now_us).await;
    noted.map_err(|error| sqlite.trouble(&error))?;
    close(sqlite, on).await
}

/// A connection to a database that is there.
pub(super) async fn connect(sqlite: &Sqlite) -> Result<Connection, Trouble> {
    if !sqlite.path.exists() {
        let path = sqlite.path.display();
        return Err(Trouble::Closed(format!("there is no {path}; `tidegate db migrate` makes one")));
    }
    sqlite.options()?.connect().await.map_err(|error| sqlite.trouble(&error))
}

async fn close(sqlite: &Sqlite, on: Connection) -> Result<(), Trouble> {
    on.close().await.map_err(|error| sqlite.trouble(&error))
}

/// Whether a copy is whole and ours; it is brought up to date on the way.
pub(super) async fn examine(copied: &Sqlite) -> Result<(), Trouble> {
    let mut on = connect(copied).await?;
    let check = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut on).await;
    let check: String = check.map_err(|error| copied.trouble(&error))?;
    if check != "ok" {
        return Err(Trouble::Damaged(check));
    }
    let is_empty = "SELECT count(*) = 0 FROM sqlite_schema";
    let is_empty: bool =
        sqlx::query_scalar(is_empty).fetch_one(&mut on).await.map_err(|error| copied.trouble(&error))?;
    close(copied, on).await?;
    if is_empty {
        return Err(Trouble::Foreign);
    }
    let mut on = copied.open().await?;
    // One file, so that one rename puts it in place.
    let log = sqlx::query("PRAGMA journal_mode = DELETE").execute(&mut on).await;
    log.map_err(|error| copied.trouble(&error))?;
    close(copied, on).await
}

/// What SQLite keeps of one database.
pub(super) const ENDS: [&str; 3] = ["", "-wal", "-shm"];

/// Copies a file to one that nobody else may read.
pub(super) fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    std::io::copy(&mut source, &mut target)?;
    target.sync_all()
}
