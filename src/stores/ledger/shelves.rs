//! Owns where the lines of the ledger are read: in the files of days, or in the one database of a server. Must not know what a
//! line means.

use std::io;

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::days::{Day, Days};
use crate::stores::Database;
use crate::stores::io::Io;
use crate::stores::pool::Held;
use crate::stores::postgres::Postgres;
use crate::stores::queries::QueryLog;
use crate::stores::sql::{Connection, Place as _, Query, Row};
use crate::stores::sqlite::Sqlite;
use crate::stores::target::Kind;
use crate::stores::trouble::Trouble;

/// Where the lines of all days lie.
#[derive(Clone)]
pub(super) enum Shelves {
    /// A file for each day; and where queries are counted, if they are.
    Files(Days, Option<QueryLog>),
    /// A partition for each day.
    Server(Postgres, Database),
}

/// Where the lines of some days lie.
pub(super) enum Shelf {
    File(Sqlite, Option<QueryLog>),
    Server(Postgres, Database),
}

/// A place to read from, as long as somebody does.
pub(super) struct Open {
    on: On,
    queries: Option<QueryLog>,
}

/// The connection.
enum On {
    File(Sqlite, SqliteConnection),
    Server(Postgres, Held<sqlx::Postgres>),
}

impl Shelves {
    /// In `days`, or in `database` if that is a server's.
    pub(super) fn of(days: Days, database: Option<&Database>) -> Self {
        match database.map(|database| (&database.target().0, database)) {
            Some((Kind::Postgres(server), database)) => Self::Server(server.clone(), database.clone()),
            kind => Self::Files(days, kind.map(|(_, database)| database.queries().clone())),
        }
    }

    /// The runtime on which they are read.
    pub(super) fn io(&self) -> Io {
        match self {
            Self::Files(..) => Io::default(),
            Self::Server(_, database) => database.io().clone(),
        }
    }

    /// Where lines of these days lie, both included, the latest first.
    pub(super) fn between(&self, first: Day, last: Day) -> io::Result<Vec<Shelf>> {
        match self {
            Self::Files(days, queries) => {
                let between = days.between(first, last)?.into_iter();
                Ok(between.map(|day| Shelf::File(days.file(day), queries.clone())).collect())
            }
            Self::Server(server, database) => Ok(vec![Shelf::Server(server.clone(), database.clone())]),
        }
    }
}

impl Shelf {
    /// A connection that only reads; nothing if the day was dropped meanwhile.
    pub(super) async fn open(self) -> Result<Option<Open>, Trouble> {
        match self {
            Self::File(file, queries) => {
                let opened = open_to_read(&file).await?;
                Ok(opened.map(|connection| Open { on: On::File(file, connection), queries }))
            }
            Self::Server(server, database) => {
                let on = On::Server(server, database.hold().await?);
                Ok(Some(Open { on, queries: Some(database.queries().clone()) }))
            }
        }
    }
}

/// A connection that only reads; nothing if the day was dropped meanwhile. A day that an earlier version wrote is brought up to
/// date first.
pub(super) async fn open_to_read(file: &Sqlite) -> Result<Option<SqliteConnection>, Trouble> {
    let Some(mut connection) = connected(file).await? else { return Ok(None) };
    if file.version(&mut connection).await? >= file.schema.latest() {
        return Ok(Some(connection));
    }
    file.open().await?.close().await.map_err(|error| file.trouble(&error))?;
    connected(file).await
}

async fn connected(file: &Sqlite) -> Result<Option<SqliteConnection>, Trouble> {
    match file.options()?.read_only(true).connect().await {
        Ok(connection) => Ok(Some(connection)),
        Err(_) if !file.path.exists() => Ok(None),
        Err(error) => Err(file.trouble(&error)),
    }
}

impl Open {
    /// Every line that a statement gives, read by `read`; `query` is its name where it is counted, `bind` gives it its values.
    pub(super) async fn lines<T>(
        &mut self,
        (query, statement): (&'static str, &'static str),
        read: impl Fn(&Row) -> sqlx::Result<T>,
        bind: impl FnOnce(Query<'_>) -> Query<'_>,
    ) -> Result<Vec<T>, Trouble> {
        let mut on = match &mut self.on {
            On::File(_, connection) => Connection::Sqlite(connection),
            On::Server(_, held) => Connection::Postgres(held),
        };
        let asked = bind(on.query(statement)).fetch_all(read);
        let lines = match &self.queries {
            Some(queries) => queries.timed(query, asked).await,
            None => asked.await,
        };
        lines.map_err(|error| match &self.on {
            On::File(file, _) => file.trouble(&error),
            On::Server(server, _) => server.trouble(&error),
        })
    }
}
