//! Owns the dialect of PostgreSQL: how a server is reached, tables are made and brought up to date, how transactions begin,
//! and what its error codes mean. Must not know what is stored.
//!
//! Sources: <https://www.postgresql.org/docs/current/errcodes-appendix.html>,
//! <https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS>.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection as _, PgConnection};

use super::schema::{self, CALLS, MAIN, Schema};
use super::sql::{Connection, Dialect, Place};
use super::trouble::Trouble;
use crate::config::Secret;

/// How long a server may take to let somebody in.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long another process may keep something locked, milliseconds.
const LOCK_PATIENCE_MS: u128 = 5_000;
/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 1_200;

/// What a database of a server holds.
pub(super) const SCHEMAS: [&Schema; 2] = [&MAIN, &CALLS];

const IS_THERE: &str = "SELECT to_regclass($1) IS NOT NULL";

/// A database of a server.
#[derive(Debug, Clone)]
pub(super) struct Postgres {
    options: Arc<PgConnectOptions>,
    url: Secret,
}

impl Dialect for sqlx::Postgres {
    type Place = Postgres;
    const BEGIN_TO_READ: &'static str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    // A lock of the whole database (`TIDB`), held until the end: what was read is still so when it is written.
    const BEGIN_TO_WRITE: &'static str = "BEGIN; SELECT pg_advisory_xact_lock(1414087746)";

    fn connection(own: &mut PgConnection) -> Connection<'_> {
        Connection::Postgres(own)
    }
}

impl Postgres {
    /// The database that `url` names; what it leaves out is as libpq has it (`PGUSER`, `~/.pgpass`).
    pub(super) fn at(url: &Secret) -> Result<Self, Trouble> {
        let options: PgConnectOptions = url.reveal().parse().map_err(|error: sqlx::Error| {
            Trouble::Unreachable(format!("the URL of the database cannot be read: {error}"))
        })?;
        let lock_timeout = LOCK_PATIENCE_MS.to_string();
        let options = options
            .application_name("tidegate")
            .options([("lock_timeout", lock_timeout.as_str()), ("client_min_messages", "warning")])
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging();
        Ok(Self { options: Arc::new(options), url: url.clone() })
    }

    /// How a connection is made.
    pub(super) fn options(&self) -> PgConnectOptions {
        (*self.options).clone()
    }

    /// Where it is, for people: without a password.
    pub(super) fn shown(&self) -> String {
        let options = &self.options;
        let name = options.get_database().unwrap_or(options.get_username());
        match options.get_socket() {
            Some(folder) => format!("PostgreSQL database {name} in {}", folder.display()),
            None => format!("PostgreSQL database {name} on {}:{}", options.get_host(), options.get_port()),
        }
    }

    /// The URL without the password, and that, for programs of PostgreSQL.
    pub(super) fn parted(&self) -> (String, Option<Secret>) {
        let url = self.url.reveal();
        let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (who, place) = place.rsplit_once('@').unwrap_or(("", place));
        let (user, password) = who.split_once(':').unwrap_or((who, ""));
        let (hidden, query): (Vec<&str>, Vec<&str>) =
            query.split('&').filter(|part| !part.is_empty()).partition(|part| part.starts_with("password="));
        let password = hidden.iter().find_map(|part| part.strip_prefix("password=")).unwrap_or(password);
        let password = percent_decode_str(password).decode_utf8_lossy().into_owned();
        let at = if user.is_empty() { "" } else { "@" };
        let url = format!("{scheme}://{user}{at}{place}?{}", query.join("&"));
        (url, (!password.is_empty()).then(|| Secret::new(password)))
    }

    /// A connection of its own.
    pub(super) async fn connect(&self) -> Result<PgConnection, Trouble> {
        match tokio::time::timeout(PATIENCE, self.options.connect()).await {
            Ok(connected) => connected.map_err(|error| self.trouble(&error)),
            Err(_) => Err(Trouble::Unreachable(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    /// Makes all tables or brings them up to date. Who comes at the same time waits.
    pub(super) async fn bring_up_to_date(&self, on: &mut PgConnection) -> Result<(), Trouble> {
        for schema in SCHEMAS {
            self.bring(schema, on).await?;
        }
        Ok(())
    }

    async fn bring(&self, schema: &Schema, on: &mut PgConnection) -> Result<(), Trouble> {
        if self.version(schema, on).await? == schema.latest() {
            return Ok(());
        }
        let told = |error: &sqlx::Error| match code(error).as_deref() {
            // A table of this name that no migration of ours made.
            Some("42P07") => Trouble::Foreign,
            _ => self.trouble(error),
        };
        let begin = <sqlx::Postgres as Dialect>::BEGIN_TO_WRITE;
        let mut transaction = on.begin_with(begin).await.map_err(|error| told(&error))?;
        let mut migrator = schema.migrator(translated(schema));
        // The transaction has the lock already.
        migrator.set_locking(false).dangerous_set_table_name(schema.versions);
        let migrated = migrator.run_direct(None, &mut *transaction, false).await;
        migrated.map_err(|error| schema::trouble(error, told))?;
        transaction.commit().await.map_err(|error| told(&error))
    }

    /// The version of the tables of `schema`; 0 where there are none.
    pub(super) async fn version(&self, schema: &Schema, on: &mut PgConnection) -> Result<i64, Trouble> {
        let told = |error| self.trouble(&error);
        let is_there = sqlx::query_scalar(IS_THERE).bind(schema.versions).fetch_one(&mut *on).await;
        if !is_there.map_err(told)? {
            return Ok(0);
        }
        // One of two names of ours.
        let applied = format!("SELECT coalesce(max(version), 0) FROM {}", schema.versions);
        sqlx::query_scalar(sqlx::AssertSqlSafe(applied)).fetch_one(on).await.map_err(told)
    }
}

impl Place for Postgres {
    fn trouble(&self, error: &sqlx::Error) -> Trouble {
        let said = match error {
            sqlx::Error::Database(said) => said,
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                return Trouble::Damaged(error.to_string());
            }
            sqlx::Error::Io(io) if io.kind() == ErrorKind::NotFound => {
                let what = "no such file: the socket of the server, or a certificate that database.url names";
                return Trouble::Unreachable(what.to_owned());
            }
            error if is_of_tls(error) => {
                let whom = "sslmode and sslrootcert in database.url say whom to trust, and under which name";
                return Trouble::Unreachable(format!("{error} ({whom})"));
            }
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => {
                return Trouble::Unreachable(error.to_string());
            }
            _ => return Trouble::Other(error.to_string()),
        };
        let message = || said.message().to_owned();
        let code = said.code().unwrap_or_default();
        match (&*code, code.get(..2).unwrap_or_default()) {
            ("40001" | "40P01" | "55P03", _) => Trouble::Busy { patience_ms: LOCK_PATIENCE_MS },
            ("25006", _) => Trouble::ReadOnly,
            ("53100", _) => Trouble::Full,
            (_, "08" | "28" | "3D" | "53" | "57") => Trouble::Unreachable(message()),
            (_, "23") => Trouble::Conflict(message()),
            (_, "XX") => Trouble::Damaged(message()),
            ("42501", _) => Trouble::Closed(message()),
            _ => Trouble::Other(message()),
        }
    }
}

/// Whether it is about who the server is, or that it does not speak TLS.
fn is_of_tls(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
        _ => false,
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(Into::into)
}

/// What makes the words of SQLite, in which migrations are written, those of PostgreSQL. What it makes of a migration that was
/// released must not change: its checksum is kept with the tables. Text is compared by its bytes, as SQLite does, whatever the
/// language of the server. What is a file for each day there is a partition for each day here.
fn translated(schema: &Schema) -> fn(&str) -> String {
    if schema.mark == CALLS.mark { partitioned } else { plain }
}

fn plain(migration: &str) -> String {
    migration
        .replace("INTEGER NOT NULL PRIMARY KEY", "BIGSERIAL NOT NULL PRIMARY KEY")
        .replace(" TEXT", " TEXT COLLATE \"C\"")
        .replace(" BLOB", " BYTEA")
        .replace(" DOUBLE", " DOUBLE PRECISION")
        .replace(") WITHOUT ROWID", ")")
}

/// Keys of partitioned tables have the time in them.
fn partitioned(migration: &str) -> String {
    const TABLE: &str = "CREATE TABLE ";
    let mut parts = migration.split(TABLE);
    let first = parts.next().unwrap_or_default().to_owned();
    let tables = parts.map(|part| {
        let (columns, rest) = part.split_once("\n)").unwrap_or((part, ""));
        let by = ["at_us", "hour_us"].into_iter().find(|by| columns.contains(&format!("\n    {by} ")));
        let unique =
            if columns.contains("id TEXT NOT NULL UNIQUE") { ",\n    UNIQUE (id, at_us)" } else { "" };
        let columns = columns
            .replace("seq INTEGER NOT NULL PRIMARY KEY", "seq BIGSERIAL NOT NULL")
            .replace("id TEXT NOT NULL UNIQUE", "id TEXT NOT NULL");
        let by = by.map(|by| format!(" PARTITION BY RANGE ({by})")).unwrap_or_default();
        let rest = rest.strip_prefix(" WITHOUT ROWID").unwrap_or(rest);
        format!("{TABLE}{columns}{unique}\n){by}{rest}")
    });
    plain(&tables.fold(first, |all, table| all + &table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_url_holds_no_password() {
        let at = |url: &str| Postgres::at(&Secret::new(url)).map(|place| place.shown());
        assert_eq!(
            at("postgres://me:hidden@db.example:5433/books").as_deref(),
            Ok("PostgreSQL database books on db.example:5433")
        );
        assert_eq!(
            at("postgresql://me:hidden@localhost/books?host=/run/pg").as_deref(),
            Ok("PostgreSQL database books in /run/pg")
        );
        for (url, parted) in [
            ("postgres://me:hid%40den@h:1/books?sslmode=require", "postgres://me@h:1/books?sslmode=require"),
            ("postgres://me@h/b?password=hid%40den&host=/run", "postgres://me@h/b?host=/run"),
        ] {
            let (url, password) = Postgres::at(&Secret::new(url)).expect("it can be read").parted();
            assert_eq!((url.as_str(), password), (parted, Some(Secret::new("hid@den"))));
        }
        let refused = at("postgres://me:hidden@db.example:none/books").expect_err("no port");
        assert!(!refused.to_string().contains("hidden"), "{refused}");
    }
}
