//! Owns what is done to a database of a PostgreSQL server as a whole. Must not know what is stored in it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{Condition, Copied};
use crate::stores::lock::of;
use crate::stores::postgres::{Postgres, SCHEMAS};
use crate::stores::schema::{CALLS, MAIN};
use crate::stores::sql::{Connection, Place as _};
use crate::stores::trouble::Trouble;

/// Where what was there before a copy was put back is kept, in the data directory.
const BEFORE: &str = "before.dump";
const NEW: &str = "before.dump.new";
const SCRIPT: &str = "restored.sql.new";

const ENGINE: &str = "SELECT split_part(current_setting('server_version'), ' ', 1)";
const BYTES: &str = "SELECT pg_database_size(current_database())";
/// Those of the ledger are counted by its days, and large.
const TABLES: &str = "SELECT relname::TEXT FROM pg_class WHERE relnamespace = current_schema()::regnamespace \
    AND relkind = 'r' AND NOT relispartition AND relname NOT LIKE '\\_%' ORDER BY relname";

/// The partitions of the latest days of a table: today's, and yesterday's around midnight.
const LATEST: &str = "SELECT inhrelid::regclass::TEXT FROM pg_inherits WHERE inhparent = to_regclass($1) \
    ORDER BY inhrelid::regclass::TEXT DESC LIMIT 2";
/// For a single statement.
const PATIENCE: &str = "SET statement_timeout = '60s'";

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
        let count = AssertSqlSafe(format!("SELECT count(*) FROM \"{name}\""));
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
    server.bring_up_to_date(&mut on).await?;
    let version = server.version(&MAIN, &mut on).await?;
    close(server, on).await?;
    Ok(version)
}

/// Copies all tables, as they are at one moment, to a new file.
pub(super) fn back_up(server: &Postgres, to: &Path) -> Result<Copied, Trouble> {
    if to.exists() {
        return Err(Trouble::Conflict(format!("{} exists already; name another file", to.display())));
    }
    let arguments = ["--format=custom", "--no-owner", "--no-privileges", "--file"].map(OsStr::new);
    let dumped = run(server, "pg_dump", &[&arguments[..], &[to.as_os_str()]].concat());
    if let Err(trouble) = dumped {
        let _ = fs::remove_file(to); // half a copy is none
        return Err(trouble);
    }
    let synced = File::open(to).and_then(|file| file.sync_all().and_then(|()| file.metadata()));
    synced.map(|facts| Copied { files: 1, bytes: facts.len() }).map_err(|error| of(&error))
}

/// Puts the copy `from` in the place of all tables, in one transaction. What was there is kept in `dir`.
pub(super) async fn restore(server: &Postgres, dir: &Path, from: &Path) -> Result<Option<PathBuf>, Trouble> {
    let [new, before, script] = [NEW, BEFORE, SCRIPT].map(|name| dir.join(name));
    for left in [&new, &script] {
        let _ = fs::remove_file(left); // of a try that did not end
    }
    write_script(from, &script)?;
    let had_any = layout(server).await? > 0;
    if had_any {
        back_up(server, &new)?;
    }
    let tables = SCHEMAS.iter().flat_map(|schema| schema.tables().chain([schema.versions]));
    let clear = format!("DROP TABLE IF EXISTS {} CASCADE", tables.collect::<Vec<_>>().join(", "));
    let how =
        ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"];
    let what = ["--command", &clear, "--file"];
    let arguments = how.iter().chain(&what).map(OsStr::new).chain([script.as_os_str()]);
    run(server, "psql", &arguments.collect::<Vec<_>>())?;
    let _ = fs::remove_file(&script); // not needed any more
    migrate(server).await?;
    if had_any {
        // It may be this one that was put back.
        fs::rename(&new, &before).map_err(|error| of(&error))?;
    }
    Ok(had_any.then_some(before))
}

/// Writes what makes the tables of a copy anew; only if they are ours. `pg_restore --clean` cannot take partitions away.
fn write_script(from: &Path, script: &Path) -> Result<(), Trouble> {
    let list = done("pg_restore", Command::new("pg_restore").arg("--list").arg(from))?;
    if !list.contains(MAIN.versions) {
        return Err(Trouble::Foreign);
    }
    let mut write = Command::new("pg_restore");
    write.args(["--no-owner", "--no-privileges", "--file"]).arg(script).arg(from);
    done("pg_restore", &mut write).map(drop)
}

/// Runs a program of PostgreSQL on the database. The password is not among its arguments, which everybody can see.
fn run(server: &Postgres, program: &str, arguments: &[&OsStr]) -> Result<(), Trouble> {
    let (url, password) = server.parted();
    let mut command = Command::new(program);
    command.arg("--no-password").arg("--dbname").arg(url).args(arguments);
    if let Some(password) = password {
        command.env("PGPASSWORD", password.reveal());
    }
    done(program, &mut command).map(drop)
}

/// What a program says that does what it should.
fn done(program: &str, command: &mut Command) -> Result<String, Trouble> {
    let done = command.stdin(Stdio::null()).output().map_err(|error| {
        let what = format!("{program} cannot be run ({error}); it is one of PostgreSQL's client programs");
        Trouble::Conflict(format!("{what} (Debian: postgresql-client)"))
    })?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(Trouble::Conflict(format!("{program} says: {}", said.trim())));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Brings all statistics up to date.
pub(super) async fn optimize(server: &Postgres, now_us: i64) -> Result<(), Trouble> {
    let mut on = server.connect().await?;
    let told = |error| server.trouble(&error);
    sqlx::query("ANALYZE").execute(&mut on).await.map_err(told)?;
    super::note_optimized(Connection::Postgres(&mut on), now_us).await.map_err(told)?;
    close(server, on).await
}

/// Brings statistics up to date of the tables of the main database and of the ledger's latest days, of each from a sample as
/// large as the server has it (`default_statistics_target`), and gives up after [`PATIENCE`].
pub(super) async fn refresh(server: &Postgres, now_us: i64) -> Result<(), Trouble> {
    let mut on = server.connect().await?;
    let done = refresh_on(&mut on, now_us).await;
    done.map_err(|error| server.trouble(&error))?;
    close(server, on).await
}

async fn refresh_on(on: &mut PgConnection, now_us: i64) -> sqlx::Result<()> {
    sqlx::query(PATIENCE).execute(&mut *on).await?;
    let mut tables: Vec<String> = MAIN.tables().map(str::to_owned).collect();
    for table in CALLS.tables() {
        tables.extend(sqlx::query_scalar::<_, String>(LATEST).bind(table).fetch_all(&mut *on).await?);
    }
    // Names of ours, and those that the server gave.
    let analyze = AssertSqlSafe(format!("ANALYZE {}", tables.join(", ")));
    sqlx::query(analyze).persistent(false).execute(&mut *on).await?;
    super::note_optimized(Connection::Postgres(on), now_us).await
}

async fn close(server: &Postgres, on: PgConnection) -> Result<(), Trouble> {
    on.close().await.map_err(|error| server.trouble(&error))
}
