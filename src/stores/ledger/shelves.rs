//! Owns where the lines of the ledger are read: in the files of days, or in the one database of a server. Must not know what a
//! line means.

use std::{fs, io};

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::days::{Day, Days};
use super::health::Health;
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
    /// A file for each day.
    Files(Days, Notes),
    /// A partition for each day.
    Server(Postgres, Database),
}

/// Where the lines of some days lie.
pub(super) enum Shelf {
    File(Sqlite, Notes),
    Server(Postgres, Database),
}

/// What is noted of reading files: how long queries take, if that is counted, and which files cannot be read.
#[derive(Clone)]
pub(super) struct Notes {
    queries: Option<QueryLog>,
    health: Health,
}

/// A place to read from, as long as somebody does.
pub(super) enum Open {
    File(Sqlite, SqliteConnection, Notes),
    Server(Postgres, Held<sqlx::Postgres>, QueryLog),
}

impl Shelves {
    /// In `days`, or in `database` if that is a server's. Files that cannot be read are told to `health`.
    pub(super) fn of(days: Days, database: Option<&Database>, health: Health) -> Self {
        match database.map(|database| (&database.target().0, database)) {
            Some((Kind::Postgres(server), database)) => Self::Server(server.clone(), database.clone()),
            kind => {
                let queries = kind.map(|(_, database)| database.queries().clone());
                Self::Files(days, Notes { queries, health })
            }
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
            Self::Files(days, notes) => {
                let between = days.between(first, last)?.into_iter();
                Ok(between.map(|day| Shelf::File(days.file(day), notes.clone())).collect())
            }
            Self::Server(server, database) => Ok(vec![Shelf::Server(server.clone(), database.clone())]),
        }
    }
}

impl Shelf {
    /// A connection that only reads; nothing if the day was dropped meanwhile.
    pub(super) async fn open(self) -> Result<Option<Open>, Trouble> {
        match self {
            Self::File(file, notes) => match open_to_read(&file).await {
                Ok(opened) => Ok(opened.map(|connection| Open::File(file, connection, notes))),
                Err(trouble) => Err(notes.unreadable(&file, trouble)),
            },
            Self::Server(server, database) => {
                Ok(Some(Open::Server(server, database.hold().await?, database.queries().clone())))
            }
        }
    }
}

impl Notes {
    fn unreadable(&self, file: &Sqlite, trouble: Trouble) -> Trouble {
        let trouble = file.named(trouble);
        self.health.unreadable(file, &trouble);
        trouble
    }
}

/// A connection that only reads; nothing if the day was dropped meanwhile. A day that an earlier version wrote is brought up to
/// date first.
pub(super) async fn open_to_read(file: &Sqlite) -> Result<Option<SqliteConnection>, Trouble> {
    let Some(mut connection) = connected(file).await? else { return Ok(None) };
    // One without anything in it was made a moment ago, and its tables are on their way.
    let is_empty = fs::metadata(&file.path).is_ok_and(|facts| facts.len() == 0);
    if !is_empty && file.version(&mut connection).await? >= file.schema.latest() {
        return Ok(Some(connection));
    }
    drop(connection);
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
        let (mut on, queries) = match self {
            Self::File(_, connection, notes) => (Connection::Sqlite(connection), notes.queries.as_ref()),
            Self::Server(_, held, queries) => (Connection::Postgres(held), Some(&*queries)),
        };
        let asked = bind(on.query(statement)).fetch_all(read);
        let lines = match queries {
            Some(queries) => queries.timed(query, asked).await,
            None => asked.await,
        };
        lines.map_err(|error| match self {
            Self::File(file, _, notes) => notes.unreadable(file, file.trouble(&error)),
            Self::Server(server, ..) => server.trouble(&error),
        })
    }
}
