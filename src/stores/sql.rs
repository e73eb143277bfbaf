//! Owns how a statement reaches either database: one connection, query and row for both. Must not know any statement.
//!
//! An adapter writes a statement once, asks for it with [`Connection::query`], and reads whole numbers, fractions, text and bytes
//! out of [`Row`]: these four both databases have. Where they have no words in common a [`Statement`] says it twice, with
//! the words of each from the file of that database.

use serde_json::Value as Json;
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

/// What adds lines, of which there may be thousands at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Adding {
    /// Takes them as a JSON list.
    pub(super) postgres: &'static str,
    /// Each takes so many of them, value by value: taking a JSON list apart costs SQLite more than adding the lines.
    pub(super) sqlite: [(usize, &'static str); 3],
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

/// A statement with a list of lists in it: the lines of its first value, a JSON text, each as `value`.
macro_rules! listed {
    ($head:literal, $tail:literal) => {
        $crate::stores::sql::Statement {
            sqlite: concat!($head, $crate::stores::sqlite::list!(), $tail),
            postgres: concat!($head, $crate::stores::postgres::list!(), $tail),
        }
    };
}
pub(super) use listed;

/// So many times the values of a line.
macro_rules! times {
    (1, $line:literal) => {
        $line
    };
    (8, $line:literal) => {
        $crate::stores::sql::times!([1 1 1 1 1 1 1 1], $line)
    };
    (64, $line:literal) => {
        $crate::stores::sql::times!([8 8 8 8 8 8 8 8], $line)
    };
    ([$first:tt $($more:tt)*], $line:literal) => {
        concat!(
            $crate::stores::sql::times!($first, $line)
            $(, ", ", $crate::stores::sql::times!($more, $line))*
        )
    };
}
pub(super) use times;

/// An [`Adding`]: the table with its columns, the columns as they are taken out of a JSON list, a `?` for each of them in
/// brackets, and what becomes of a line that is there.
macro_rules! adding {
    ($into:literal, $taken:literal, $line:literal, $conflict:literal) => {
        $crate::stores::sql::Adding {
            postgres: concat!(
                "INSERT INTO ",
                $into,
                " SELECT ",
                $taken,
                " FROM ",
                $crate::stores::postgres::list!(),
                $conflict
            ),
            sqlite: [
                (64, $crate::stores::sql::adding!(@64, $into, $line, $conflict)),
                (8, $crate::stores::sql::adding!(@8, $into, $line, $conflict)),
                (1, $crate::stores::sql::adding!(@1, $into, $line, $conflict)),
            ],
        }
    };
    (@$count:tt, $into:literal, $line:literal, $conflict:literal) => {
        concat!("INSERT INTO ", $into, " VALUES ", $crate::stores::sql::times!($count, $line), $conflict)
    };
}
pub(super) use adding;

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

    /// Adds lines, lists of as many values each.
    pub(super) async fn add(&mut self, adding: Adding, lines: Vec<Json>) -> sqlx::Result<()> {
        match self {
            Self::Postgres(on) => {
                let list = Json::Array(lines).to_string();
                sqlx::query(adding.postgres).bind(list).execute(&mut **on).await?;
            }
            Self::Sqlite(on) => {
                let mut rest = &lines[..];
                for (count, statement) in adding.sqlite {
                    while let Some((next, behind)) = rest.split_at_checked(count) {
                        let values = next.iter().filter_map(Json::as_array).flatten();
                        values.fold(sqlx::query(statement), bound).execute(&mut **on).await?;
                        rest = behind;
                    }
                }
            }
        }
        Ok(())
    }
}

fn bound<'q>(query: Asked<'q, Sqlite, SqliteArguments>, value: &Json) -> Asked<'q, Sqlite, SqliteArguments> {
    match value {
        Json::Null => query.bind(None::<i64>),
        Json::Number(number) => match number.as_u64() {
            // What is more than the column holds is as much as it holds.
            Some(count) => query.bind(i64::try_from(count).unwrap_or(i64::MAX)),
            None => query.bind(number.as_i64()),
        },
        Json::String(text) => query.bind(text.clone()),
        other => query.bind(other.to_string()),
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
