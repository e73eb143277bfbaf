//! Owns which tables there are and how they came to be: the migrations of each database, in the words of SQLite. What another
//! database makes of these words stands in its file. Must not run them.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::trouble::Trouble;

/// What a database of ours holds, and how its tables came to be.
#[derive(Debug)]
pub(super) struct Schema {
    /// In the head of a file.
    pub(super) mark: i64,
    pub(super) make_mark: &'static str,
    /// The table of versions, where one database holds the tables of several.
    pub(super) versions: &'static str,
    migrations: &'static [(&'static str, &'static str)],
}

/// Records of an app (`TIDE`).
pub(super) static RECORDS: Schema = Schema {
    mark: 0x5449_4445,
    make_mark: "PRAGMA application_id = 1414087749",
    versions: "_tidegate_records",
    migrations: &[("records", include_str!("migrations/records/0001_records.sql"))],
};

/// The main database (`TIDB`).
pub(super) static MAIN: Schema = Schema {
    mark: 0x5449_4442,
    make_mark: "PRAGMA application_id = 1414087746",
    versions: "_tidegate_main",
    migrations: &[
        ("people", include_str!("migrations/main/0001_people.sql")),
        ("limits", include_str!("migrations/main/0002_limits.sql")),
        ("sign_in", include_str!("migrations/main/0003_sign_in.sql")),
        ("spent", include_str!("migrations/main/0004_spent.sql")),
        ("counted", include_str!("migrations/main/0005_counted.sql")),
    ],
};

/// A day of the ledger (`TIDC`).
pub(super) static CALLS: Schema = Schema {
    mark: 0x5449_4443,
    make_mark: "PRAGMA application_id = 1414087747",
    versions: "_tidegate_calls",
    migrations: &[
        ("calls", include_str!("migrations/calls/0001_calls.sql")),
        ("bytes", include_str!("migrations/calls/0002_bytes.sql")),
    ],
};

/// Bodies of a workspace and a day (`TIDD`).
pub(super) static BODIES: Schema = Schema {
    mark: 0x5449_4444,
    make_mark: "PRAGMA application_id = 1414087748",
    versions: "_tidegate_bodies",
    migrations: &[("bodies", include_str!("migrations/bodies/0001_bodies.sql"))],
};

impl Schema {
    /// The version of the last migration: they count from 1.
    pub(super) fn latest(&self) -> i64 {
        i64::try_from(self.migrations.len()).unwrap_or(i64::MAX)
    }

    /// The names of all tables that migrations make.
    pub(super) fn tables(&self) -> impl Iterator<Item = &'static str> {
        let made = self.migrations.iter().flat_map(|(_, sql)| sql.lines());
        made.filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next())
    }

    /// What brings tables up to date, each migration as `dialect` puts it.
    pub(super) fn migrator(&self, dialect: impl Fn(&str) -> String) -> Migrator {
        let migration = |(version, &(what, sql)): (i64, &(&'static str, &'static str))| {
            // Words of ours, none of them a caller's.
            let sql = AssertSqlSafe(dialect(sql)).into_sql_str();
            Migration::new(version, what.into(), MigrationType::Simple, sql, false)
        };
        Migrator::with_migrations((1..).zip(self.migrations).map(migration).collect())
    }
}

/// What went wrong with a migration; `of` says it of a statement.
pub(super) fn trouble(error: MigrateError, of: impl Fn(&sqlx::Error) -> Trouble) -> Trouble {
    match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            Trouble::Newer { version }
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => of(&error),
        other => Trouble::Damaged(other.to_string()),
    }
}
