//! Owns how a statement reaches either database: one connection, query and row for both. Must not know any statement.
//!
//! An adapter writes a statement once, asks for it with [`Connection::query`], and reads whole numbers, fractions, text and bytes
//! out of [`Row`]: these four both databases have. Where they have no words in common a [`Statement`] says it twice, with
//! the words of each from the file of that database.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query as Asked;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Database, Decode, Encode, PgConnection, Postgres, Row as _, Sqlite, SqliteConnection, Type};

use super::trouble::Trouble;

/// A connection to either database, as long as somebody works on it.
pub(super) enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// What is asked of a database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statement {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// A statement on its way, with the values of `$1`, `$2` and so on.
#[must_use = "nothing is asked before it is sent"]
pub(super) enum Query<'c> {
    Sqlite(Asked<'static, Sqlite, SqliteArguments>, &'c mut SqliteConnection),
    Postgres(Asked<'static, Postgres, PgArguments>, &'c mut PgConnection),
}

/// A line of an answer.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What can be asked with.
pub(super) trait Value: Type<Sqlite> + Type<Postgres> + Both + Send {}

/// A value that both databases take.
pub(super) trait Both: for<'t> Encode<'t, Sqlite> + for<'t> Encode<'t, Postgres> {}

impl<T: for<'t> Encode<'t, Sqlite> + for<'t> Encode<'t, Postgres>> Both for T {}
impl<T: Type<Sqlite> + Type<Postgres> + Both + Send> Value for T {}

/// What can be read out of a row.
pub(super) trait Column<'r>:
    Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>
{
}

impl<'r, T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>> Column<'r> for T {}

/// What sets one database apart from the other where work is done on it.
pub(super) trait Dialect: Database {
    /// Where it lies.
    type Place: Place;
    /// Begins a transaction that sees everything as it is at its first statement and hinders nobody.
    const BEGIN_TO_READ: &'static str;
    /// Begins a transaction that is the only one to write until it ends.
    const BEGIN_TO_WRITE: &'static str;

    fn connection(own: &mut Self::Connection) -> Connection<'_>;
}

/// Where a database lies.
pub(super) trait Place {
    /// What an error of it means.
    fn trouble(&self, error: &sqlx::Error) -> Trouble;
}

impl From<&'static str> for Statement {
    fn from(both: &'static str) -> Self {
        Self { sqlite: both, postgres: both }
    }
}

impl Connection<'_> {
    pub(super) fn query(&mut self, statement: impl Into<Statement>) -> Query<'_> {
        let Statement { sqlite, postgres } = statement.into();
        match self {
            Self::Sqlite(on) => Query::Sqlite(sqlx::query(sqlite), on),
            Self::Postgres(on) => Query::Postgres(sqlx::query(postgres), on),
        }
    }
}

impl Query<'_> {
    /// The value of the next `$`.
    pub(super) fn bind(self, value: impl Value) -> Self {
        match self {
            Self::Sqlite(query, on) => Self::Sqlite(query.bind(value), on),
            Self::Postgres(query, on) => Self::Postgres(query.bind(value), on),
        }
    }

    /// How many lines it changed.
    pub(super) async fn execute(self) -> sqlx::Result<u64> {
        match self {
            Self::Sqlite(query, on) => query.execute(on).await.map(|done| done.rows_affected()),
            Self::Postgres(query, on) => query.execute(on).await.map(|done| done.rows_affected()),
        }
    }

    /// The line it must give.
    pub(super) async fn fetch_one(self) -> sqlx::Result<Row> {
        self.fetch_optional().await?.ok_or(sqlx::Error::RowNotFound)
    }

    /// The line it may give.
    pub(super) async fn fetch_optional(self) -> sqlx::Result<Option<Row>> {
        match self {
            Self::Sqlite(query, on) => query.fetch_optional(on).await.map(|row| row.map(Row::Sqlite)),
            Self::Postgres(query, on) => query.fetch_optional(on).await.map(|row| row.map(Row::Postgres)),
        }
    }

    /// Every line it gives, read by `read`.
    pub(super) async fn fetch_all<T>(self, read: impl Fn(&Row) -> sqlx::Result<T>) -> sqlx::Result<Vec<T>> {
        match self {
            Self::Sqlite(query, on) => {
                query.fetch_all(on).await?.into_iter().map(|row| read(&Row::Sqlite(row))).collect()
            }
            Self::Postgres(query, on) => {
                query.fetch_all(on).await?.into_iter().map(|row| read(&Row::Postgres(row))).collect()
            }
        }
    }
}

impl Row {
    /// The value of the column `at`, from 0.
    pub(super) fn get<'r, T: Column<'r>>(&'r self, at: usize) -> sqlx::Result<T> {
        match self {
            Self::Sqlite(row) => row.try_get(at),
            Self::Postgres(row) => row.try_get(at),
        }
    }
}
