//! Owns the dialect of SQLite: how a file is opened, made and brought up to date, how transactions begin, and what its
//! error codes mean. Must not know what is stored.
//!
//! Sources: <https://sqlite.org/rescode.html>, <https://sqlite.org/pragma.html>, <https://sqlite.org/wal.html>.

use std::fs::{OpenOptions, create_dir_all};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, SqlSafeStr, SqliteConnection};

use super::trouble::Trouble;

/// A connection to it.
pub(super) type Connection = SqliteConnection;

/// Begins a transaction that sees everything as it is at its first statement and hinders nobody.
pub(super) const BEGIN_TO_READ: &str = "BEGIN";
/// Begins a transaction that is the only one to write until it ends.
pub(super) const BEGIN_TO_WRITE: &str = "BEGIN IMMEDIATE";
/// A number that is another whenever another connection has committed since this one looked last.
pub(super) const VERSION_OF_OTHERS: &str = "PRAGMA data_version";

/// `TIDE`: the mark in the head of our files.
const MARK: i64 = 0x5449_4445;
const MAKE_MARK: &str = "PRAGMA application_id = 1414087749";
const IS_EMPTY: &str = "SELECT count(*) = 0 FROM sqlite_schema";

/// A file of SQLite.
#[derive(Debug, Clone)]
pub(super) struct Sqlite {
    /// Where it lies.
    pub(super) path: Arc<Path>,
    /// How long another process may keep it locked.
    pub(super) patience: Duration,
}

impl Sqlite {
    /// Opens the file, made and brought up to date where that is needed. Readers and the one writer do not hinder each
    /// other (write-ahead log), and what is committed survives a power cut (synchronous FULL).
    pub(super) async fn open(&self) -> Result<Connection, Trouble> {
        make(&self.path)?;
        // An absolute path cannot be taken for a URI.
        let path = std::path::absolute(&self.path).map_err(|error| Trouble::Closed(error.to_string()))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(self.patience)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .thread_name(|_| "tidegate-sqlite".to_owned())
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(|error| self.trouble(&error))?;
        self.bring_up_to_date(&mut connection).await?;
        let _ = sqlx::query("PRAGMA journal_mode = WAL").execute(&mut connection).await;
        Ok(connection)
    }

    /// Two processes may come here at once with a file that is new to both: the second finds it made.
    async fn bring_up_to_date(&self, connection: &mut Connection) -> Result<(), Trouble> {
        let told = |error| self.trouble(&error);
        let ours = |mark: i64| mark == MARK;
        let mark = "PRAGMA application_id";
        let mark = async |connection: &mut Connection| sqlx::query_scalar(mark).fetch_one(connection).await;
        if ours(mark(connection).await.map_err(told)?) && self.version(connection).await? == LATEST {
            return Ok(());
        }
        let mut transaction = connection.begin_with(BEGIN_TO_WRITE).await.map_err(told)?;
        if !ours(mark(&mut transaction).await.map_err(told)?) {
            let empty: bool =
                sqlx::query_scalar(IS_EMPTY).fetch_one(&mut *transaction).await.map_err(told)?;
            if !empty {
                return Err(Trouble::Foreign);
            }
            sqlx::query(MAKE_MARK).execute(&mut *transaction).await.map_err(told)?;
        }
        let migrated = migrator().run_direct(None, &mut *transaction, false).await;
        migrated.map_err(|error| self.trouble_of_migration(error))?;
        transaction.commit().await.map_err(told)
    }

    async fn version(&self, connection: &mut Connection) -> Result<i64, Trouble> {
        let applied = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
        sqlx::query_scalar(applied).fetch_one(connection).await.map_err(|error| self.trouble(&error))
    }

    fn trouble_of_migration(&self, error: MigrateError) -> Trouble {
        match error {
            MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
                Trouble::Newer { version }
            }
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => self.trouble(&error),
            other => Trouble::Damaged(other.to_string()),
        }
    }

    /// What an error of this file means.
    pub(super) fn trouble(&self, error: &sqlx::Error) -> Trouble {
        let sqlx::Error::Database(said) = error else { return Trouble::Other(error.to_string()) };
        let extended = said.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
        match extended & 0xff {
            5 | 6 => Trouble::Busy { patience_ms: self.patience.as_millis() },
            8 => Trouble::ReadOnly,
            11 => Trouble::Damaged(said.message().to_owned()),
            13 => Trouble::Full,
            3 | 14 | 23 => Trouble::Closed(said.message().to_owned()),
            26 => Trouble::NoDatabase,
            _ => Trouble::Other(said.to_string()),
        }
    }
}

/// The version of the last migration.
const LATEST: i64 = 1;

fn migrator() -> Migrator {
    let migration = |version, what: &'static str, sql: &'static str| {
        Migration::new(version, what.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![migration(LATEST, "records", include_str!("migrations/0001_records.sql"))])
}

/// Makes an empty file, which nobody else may read, where there is none.
fn make(path: &Path) -> Result<(), Trouble> {
    let closed = |error: std::io::Error| Trouble::Closed(error.to_string());
    let no_folder = |error| Trouble::Closed(format!("its folder cannot be made: {error}"));
    path.parent().map_or(Ok(()), create_dir_all).map_err(no_folder)?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(closed(error)),
    }
}
