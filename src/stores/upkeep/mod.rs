//! Owns what is done to the main database as a whole: looked at, brought up to date, copied while it is used, put back, kept
//! fast. Must not know what is stored in it.

mod copies;
mod file;
mod rhythm;
mod server;

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::schema::MAIN;
use super::sql::Connection;
use super::target::{Kind, Target};
use super::trouble::Trouble;
pub use copies::Copied;
pub use rhythm::Rhythm;

/// How a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where it lies.
    pub at: String,
    /// What keeps it, and its version.
    pub engine: String,
    /// What it takes of the disk.
    pub bytes: u64,
    /// Version of its tables.
    pub layout: i64,
    /// The version this program makes.
    pub latest: i64,
    /// What a quick check says, where there is one; `ok` if it found nothing.
    pub check: Option<String>,
    /// Tables and their rows.
    pub tables: Vec<(String, i64)>,
    /// When it was last optimised, microseconds since 1970 UTC.
    pub optimized_us: Option<i64>,
}

const OPTIMIZED: &str = "SELECT value FROM facts WHERE name = 'optimized_us'";
const NOTE_OPTIMIZED: &str = "INSERT INTO facts (name, value) VALUES ('optimized_us', $1) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const READ_PROBE: &str = "SELECT value FROM facts WHERE name = 'probe'";
const WRITE_PROBE: &str = "UPDATE facts SET value = value + 1 WHERE name = 'probe'";

/// Reads something small.
pub(super) async fn read_probe(mut on: Connection<'_>) -> Result<i64, sqlx::Error> {
    on.query(READ_PROBE).fetch_one().await?.get(0)
}

/// Writes something small.
pub(super) async fn write_probe(mut on: Connection<'_>) -> Result<(), sqlx::Error> {
    on.query(WRITE_PROBE).execute().await.map(drop)
}

async fn optimized(mut on: Connection<'_>) -> Result<Option<i64>, sqlx::Error> {
    on.query(OPTIMIZED).fetch_optional().await?.map(|row| row.get(0)).transpose()
}

async fn note_optimized(mut on: Connection<'_>, now_us: i64) -> Result<(), sqlx::Error> {
    on.query(NOTE_OPTIMIZED).bind(now_us).execute().await.map(drop)
}

/// How the database is; nothing if there is none.
///
/// # Errors
/// It cannot be read.
pub async fn look(target: &Target) -> Result<Option<Condition>, Trouble> {
    match &target.0 {
        Kind::Sqlite(file) => file::look(file).await,
        Kind::Postgres(server) => server::look(server).await,
    }
}

/// Whether the database is as this version makes it.
///
/// # Errors
/// It is not, or cannot be read.
pub async fn layout(target: &Target) -> Result<(), Trouble> {
    let version = match &target.0 {
        Kind::Sqlite(file) => file::layout(file).await,
        Kind::Postgres(server) => server::layout(server).await,
    }?;
    let latest = MAIN.latest();
    match version.cmp(&latest) {
        Ordering::Less => Err(Trouble::Older { version, latest }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(Trouble::Newer { version }),
    }
}

/// Makes the database, or brings it up to date. Says its version.
///
/// # Errors
/// It cannot be, and was not changed.
pub async fn migrate(target: &Target) -> Result<i64, Trouble> {
    match &target.0 {
        Kind::Sqlite(file) => file::migrate(file).await,
        Kind::Postgres(server) => server::migrate(server).await,
    }
}

/// Copies the database: what lies in `dir` to a new folder, or the tables of a server to a new file. Nobody who uses it is
/// hindered.
///
/// # Errors
/// There is no database, or the copy cannot be written or exists.
pub async fn back_up(dir: &Path, target: &Target, to: &Path) -> Result<Copied, Trouble> {
    match &target.0 {
        Kind::Sqlite(_) => copies::back_up(dir, to).await,
        Kind::Postgres(server) => server::back_up(server, to),
    }
}

/// Puts the copy `from` in the place of the database, which no process may use. What was there is kept in `dir`; says where.
///
/// # Errors
/// The copy is not one of a database of ours, is damaged or is a later version's. Nothing was changed then.
pub async fn restore(dir: &Path, target: &Target, from: &Path) -> Result<Option<PathBuf>, Trouble> {
    if !from.exists() {
        return Err(Trouble::Conflict("it is not there; name what `tidegate db backup` made".to_owned()));
    }
    match &target.0 {
        Kind::Sqlite(_) => copies::restore(dir, from).await,
        Kind::Postgres(server) => server::restore(server, dir, from).await,
    }
}

/// Where something was not done, and why.
pub type Left = (String, Trouble);

/// Brings all statistics up to date, also those of the files of days in `dir`, and gives back what is not needed. Says where it
/// could not.
pub async fn optimize(dir: &Path, target: &Target, now_us: i64) -> Vec<Left> {
    match &target.0 {
        Kind::Sqlite(file) => copies::optimize(dir, file, now_us).await,
        Kind::Postgres(server) => left(target.shown(), server::optimize(server, now_us).await),
    }
}

/// As [`optimize`], in as little time as beside a server it may take: for the database and the ledger's latest days.
async fn refresh(dir: &Path, target: &Target, now_us: i64) -> Vec<Left> {
    match &target.0 {
        Kind::Sqlite(file) => copies::refresh(dir, file, now_us).await,
        Kind::Postgres(server) => left(target.shown(), server::refresh(server, now_us).await),
    }
}

fn left(at: String, done: Result<(), Trouble>) -> Vec<Left> {
    done.err().map(|trouble| (at, trouble)).into_iter().collect()
}
