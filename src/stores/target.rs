//! Owns which database is the main one: a file in the data directory, or a database of a PostgreSQL server where the
//! configuration names one. Must not open it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::postgres::Postgres;
use super::schema::MAIN;
use super::sqlite::Sqlite;
use super::trouble::Trouble;
use crate::config;

/// The name of the file in the data directory.
pub(super) const FILE: &str = "tidegate.db";

/// How long another process may keep the file locked: commands write beside a server.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Where the main database lies.
#[derive(Debug, Clone)]
pub struct Target(pub(super) Kind);

/// What it lies in.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Target {
    /// What the settings name, or else the file in `dir`.
    ///
    /// # Errors
    /// What they name cannot be read.
    pub fn of(dir: &Path, settings: &config::Database) -> Result<Self, Trouble> {
        let kind = match &settings.url {
            Some(url) => Kind::Postgres(Postgres::at(url)?),
            None => Kind::Sqlite(sqlite(dir)),
        };
        Ok(Self(kind))
    }

    /// Whether processes of several data directories share it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.0, Kind::Postgres(_))
    }

    /// Where that is, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.0 {
            Kind::Sqlite(file) => file.path.display().to_string(),
            Kind::Postgres(server) => server.shown(),
        }
    }
}

/// The file in `dir`.
pub(super) fn sqlite(dir: &Path) -> Sqlite {
    Sqlite { path: Arc::from(dir.join(FILE)), schema: &MAIN, patience: PATIENCE }
}
