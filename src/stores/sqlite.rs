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

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, SqliteConnection};

use super::schema::{self, Schema};
use super::sql::{self, Dialect, Place};
use super::trouble::Trouble;

/// A connection to it.
pub(super) type Connection = SqliteConnection;

/// Begins a transaction that sees everything as it is at its first statement and hinders nobody.
pub(super) const BEGIN_TO_READ: &str = "BEGIN";
/// Begins a transaction that is the only one to write until it ends.
pub(super) const BEGIN_TO_WRITE: &str = "BEGIN IMMEDIATE";
/// A number that is another whenever another connection has committed since this one looked last.
pub(super) const VERSION_OF_OTHERS: &str = "PRAGMA data_version";

/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 1_200;
/// Codes of a file that is shorter than it says, and of a file system that found itself damaged.
const READ_TOO_SHORT: i32 = 522;
const BAD_DISK: i32 = 8_458;
const IS_EMPTY: &str = "SELECT count(*) = 0 FROM sqlite_schema";

/// A file of SQLite.
#[derive(Debug, Clone)]
pub(super) struct Sqlite {
    /// Where it lies.
    pub(super) path: Arc<Path>,
    /// What it holds.
    pub(super) schema: &'static Schema,
    /// How long another process may keep it locked.
    pub(super) patience: Duration,
}

impl Dialect for sqlx::Sqlite {
    type Place = Sqlite;
    const BEGIN_TO_READ: &'static str = BEGIN_TO_READ;
    const BEGIN_TO_WRITE: &'static str = BEGIN_TO_WRITE;

    fn connection(own: &mut SqliteConnection) -> sql::Connection<'_> {
        sql::Connection::Sqlite(own)
    }
}

impl Sqlite {
    /// Opens the file, made and brought up to date where that is needed. Readers and the one writer do not hinder each
    /// other (write-ahead log), and what is committed survives a power cut (synchronous FULL).
    pub(super) async fn open(&self) -> Result<Connection, Trouble> {
        make(&self.path)?;
        let mut connection = self.options()?.connect().await.map_err(|error| self.trouble(&error))?;
        self.bring_up_to_date(&mut connection).await?;
        let _ = sqlx::query("PRAGMA journal_mode = WAL").execute(&mut connection).await;
        Ok(connection)
    }

    /// How a connection to the file is made, which must exist.
    pub(super) fn options(&self) -> Result<SqliteConnectOptions, Trouble> {
        // An absolute path cannot be taken for a URI.
        let path = std::path::absolute(&self.path).map_err(|error| Trouble::Closed(error.to_string()))?;
        Ok(SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(self.patience)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .statement_cache_capacity(STATEMENTS)
            .thread_name(|_| "tidegate-sqlite".to_owned())
            .disable_statement_logging())
    }

    /// Two processes may come here at once with a file that is new to both: the second finds it made.
    async fn bring_up_to_date(&self, connection: &mut Connection) -> Result<(), Trouble> {
        let told = |error| self.trouble(&error);
        let Schema { mark: own, make_mark, .. } = *self.schema;
        let ours = |mark: i64| mark == own;
        let mark = "PRAGMA application_id";
        let mark = async |connection: &mut Connection| sqlx::query_scalar(mark).fetch_one(connection).await;
        if ours(mark(connection).await.map_err(told)?)
            && self.version(connection).await? == self.schema.latest()
        {
            return Ok(());
        }
        let mut transaction = connection.begin_with(BEGIN_TO_WRITE).await.map_err(told)?;
        if !ours(mark(&mut transaction).await.map_err(told)?) {
            let empty: bool =
                sqlx::query_scalar(IS_EMPTY).fetch_one(&mut *transaction).await.map_err(told)?;
            if !empty {
                return Err(Trouble::Foreign);
            }
            sqlx::query(make_mark).execute(&mut *transaction).await.map_err(told)?;
        }
        let migrated = self.schema.migrator(str::to_owned).run_direct(None, &mut *transaction, false).await;
        migrated.map_err(|error| schema::trouble(error, |error| self.trouble(error)))?;
        transaction.commit().await.map_err(told)
    }

    /// As trouble with this one of several files.
    pub(super) fn named(&self, trouble: Trouble) -> Trouble {
        let mut parts = self.path.iter().rev().map(|part| part.to_string_lossy());
        let (name, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Trouble::Of { file: format!("{folder}/{name}"), trouble: Box::new(trouble) }
    }

    /// What an error code means, of which the last byte is the kind.
    pub(super) fn meaning(&self, extended: i32, said: &str) -> Trouble {
        if [READ_TOO_SHORT, BAD_DISK].contains(&extended) {
            return Trouble::Damaged(said.to_owned());
        }
        match extended & 0xff {
            5 | 6 => Trouble::Busy { patience_ms: self.patience.as_millis() },
            8 => Trouble::ReadOnly,
            11 => Trouble::Damaged(said.to_owned()),
            13 => Trouble::Full,
            19 => Trouble::Conflict(said.to_owned()),
            3 | 14 | 23 => Trouble::Closed(said.to_owned()),
            26 => Trouble::NoDatabase,
            _ => Trouble::Other(format!("error {extended}: {said}")),
        }
    }

    /// The version of its tables.
    pub(super) async fn version(&self, connection: &mut Connection) -> Result<i64, Trouble> {
        let applied = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
        sqlx::query_scalar(applied).fetch_one(connection).await.map_err(|error| self.trouble(&error))
    }
}

impl Place for Sqlite {
    fn trouble(&self, error: &sqlx::Error) -> Trouble {
        let said = match error {
            sqlx::Error::Database(said) => said,
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                return Trouble::Damaged(error.to_string());
            }
            _ => return Trouble::Other(error.to_string()),
        };
        let extended = said.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
        self.meaning(extended, said.message())
    }
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
