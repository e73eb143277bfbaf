//! Owns what is done to the main database as a whole: looked at, brought up to date, copied while it is used, put back, kept
//! fast. Each on a connection of its own. Must not know what is stored in it.
//!
//! Sources: <https://sqlite.org/lang_vacuum.html#vacuuminto>, <https://sqlite.org/pragma.html#pragma_optimize>.

use std::cmp::Ordering;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::{ConnectOptions, Connection as _};

use super::database::sqlite;
use super::lock::of;
use super::sqlite::{Connection, Sqlite};
use super::trouble::Trouble;

/// How a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: u64,
    /// Version of its tables.
    pub layout: i64,
    /// The version this program makes.
    pub latest: i64,
    /// What `PRAGMA quick_check` says; `ok` if it found nothing.
    pub check: String,
    /// Tables and their rows.
    pub tables: Vec<(String, i64)>,
    /// When it was last optimised, microseconds since 1970 UTC.
    pub optimized_us: Option<i64>,
}

const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_%' ESCAPE '\\' \
     ORDER BY name";
const OPTIMIZED: &str = "SELECT value FROM facts WHERE name = 'optimized_us'";
const NOTE_OPTIMIZED: &str = "INSERT INTO facts (name, value) VALUES ('optimized_us', $1) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const READ_PROBE: &str = "SELECT value FROM facts WHERE name = 'probe'";
const WRITE_PROBE: &str = "UPDATE facts SET value = value + 1 WHERE name = 'probe'";

/// Reads something small.
pub(super) async fn read_probe(on: &mut Connection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(READ_PROBE).fetch_one(on).await
}

/// Writes something small.
pub(super) async fn write_probe(on: &mut Connection) -> Result<(), sqlx::Error> {
    sqlx::query(WRITE_PROBE).execute(on).await.map(drop)
}

/// How the database in `dir` is; nothing if there is none.
///
/// # Errors
/// It cannot be read.
pub async fn look(dir: &Path) -> Result<Option<Condition>, Trouble> {
    let sqlite = sqlite(dir);
    let Ok(facts) = fs::metadata(&sqlite.path) else { return Ok(None) };
    let mut on = connect(&sqlite).await?;
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
    let optimized_us = sqlx::query_scalar(OPTIMIZED).fetch_optional(&mut on).await.map_err(told)?;
    close(&sqlite, on).await?;
    let (path, latest) = (sqlite.path.to_path_buf(), sqlite.schema.latest());
    Ok(Some(Condition { path, bytes: facts.len(), layout, latest, check, tables, optimized_us }))
}

/// Whether the database in `dir` is as this version makes it.
///
/// # Errors
/// It is not, or cannot be read.
pub async fn layout(dir: &Path) -> Result<(), Trouble> {
    let sqlite = sqlite(dir);
    let mut on = connect(&sqlite).await?;
    let (version, latest) = (sqlite.version(&mut on).await?, sqlite.schema.latest());
    close(&sqlite, on).await?;
    match version.cmp(&latest) {
        Ordering::Less => Err(Trouble::Older { version, latest }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(Trouble::Newer { version }),
    }
}

/// Makes the database in `dir`, or brings it up to date. Says its version.
///
/// # Errors
/// It cannot be, and was not changed.
pub async fn migrate(dir: &Path) -> Result<i64, Trouble> {
    let sqlite = sqlite(dir);
    let mut on = sqlite.open().await?;
    let version = sqlite.version(&mut on).await?;
    close(&sqlite, on).await?;
    Ok(version)
}

/// Copies the database in `dir`, as it is at this moment, to a new file. Nobody who uses it is hindered.
///
/// # Errors
/// There is no database, or the file cannot be written or exists.
pub async fn back_up(dir: &Path, to: &Path) -> Result<u64, Trouble> {
    let sqlite = sqlite(dir);
    if to.exists() {
        return Err(Trouble::Conflict(format!("{} exists already; name another file", to.display())));
    }
    let mut on = connect(&sqlite).await?;
    let to = std::path::absolute(to).map_err(|error| of(&error))?;
    let target = to.to_string_lossy().into_owned();
    let copied = sqlx::query("VACUUM INTO $1").bind(&target).execute(&mut on).await;
    if let Err(error) = copied {
        let _ = fs::remove_file(&to); // half a copy is none
        return Err(sqlite.trouble(&error));
    }
    close(&sqlite, on).await?;
    let synced = File::open(&to).and_then(|file| file.sync_all().and_then(|()| file.metadata()));
    synced.map(|facts| facts.len()).map_err(|error| of(&error))
}

/// Puts the copy `from` in the place of the database in `dir`, which no process may have open. What was there is kept beside
/// it; says where.
///
/// # Errors
/// The copy is not one of a database of ours, is damaged or is a later version's. Nothing was changed then.
pub async fn restore(dir: &Path, from: &Path) -> Result<Option<PathBuf>, Trouble> {
    let place = sqlite(dir);
    fs::create_dir_all(dir).map_err(|error| of(&error))?;
    let new = dir.join("tidegate.db.new");
    clear(&new);
    copy(from, &new).map_err(|error| of(&error))?;
    let copied = Sqlite { path: Arc::from(new.as_path()), ..place.clone() };
    if let Err(trouble) = examine(&copied).await {
        clear(&new);
        return Err(trouble);
    }
    let before = dir.join("tidegate.db.before");
    let had_one = place.path.exists();
    if had_one {
        // What stands in the log only would be lost with it.
        if let Ok(on) = connect(&place).await {
            let _ = on.close().await; // one that is damaged is kept as it is
        }
        clear(&before);
        for end in ENDS {
            let _ = fs::rename(with_end(&place.path, end), with_end(&before, end));
        }
    }
    fs::rename(&new, &place.path).map_err(|error| of(&error))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| of(&error))?;
    Ok(had_one.then_some(before))
}

/// Brings statistics up to date and gives back what the write-ahead log takes.
///
/// # Errors
/// It cannot be written.
pub async fn optimize(dir: &Path, now_us: i64) -> Result<(), Trouble> {
    let sqlite = sqlite(dir);
    let mut on = connect(&sqlite).await?;
    for statement in ["PRAGMA analysis_limit = 1000", "PRAGMA optimize = 0x10002"] {
        sqlx::query(statement).execute(&mut on).await.map_err(|error| sqlite.trouble(&error))?;
    }
    sqlx::query(NOTE_OPTIMIZED)
        .bind(now_us)
        .execute(&mut on)
        .await
        .map_err(|error| sqlite.trouble(&error))?;
    let log = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut on).await;
    log.map_err(|error| sqlite.trouble(&error))?;
    close(&sqlite, on).await
}

/// A connection to a database that is there.
async fn connect(sqlite: &Sqlite) -> Result<Connection, Trouble> {
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
async fn examine(copied: &Sqlite) -> Result<(), Trouble> {
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
const ENDS: [&str; 3] = ["", "-wal", "-shm"];

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Removes a database that is in the way, if there is one.
fn clear(path: &Path) {
    for end in ENDS {
        let _ = fs::remove_file(with_end(path, end));
    }
}

/// Copies a file to one that nobody else may read.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    std::io::copy(&mut source, &mut target)?;
    target.sync_all()
}
