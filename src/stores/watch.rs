//! Owns how a server hears that another process changed the main database, and how other processes hear how far it has
//! followed. Must not know what is stored in it.
//!
//! Beside a file the time of its write-ahead log says that something was written, and the lock file says how far the server is. On a
//! PostgreSQL server one connection asks for the epoch, and holds a lock that has the epoch it follows as its name: all see
//! it in `pg_locks`, and it is gone with the server, however that ended.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sqlx::PgConnection;

use super::database::Database;
use super::lock::{self, DataLock};
use super::people::EPOCH;
use super::postgres::Postgres;
use super::sql::Place as _;
use super::target::{Kind, Target};
use super::trouble::Trouble;

/// Age of a file's time, microseconds, below which it may be written again within it.
const FRESH_US: i64 = 100_000;
/// Looks between two tries to reach a server that was lost.
const LOOKS_PER_TRY: u32 = 20;

/// Names of locks (`TIDE`) that tell what is followed.
const LOCKS: i32 = 0x5449_4445;
const FOLLOW: &str = "SELECT pg_advisory_lock_shared($1, $2)";
const LEAVE: &str = "SELECT pg_advisory_unlock_shared($1, $2)";
const FOLLOWED: &str = "SELECT min(objid::BIGINT) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted \
    AND classid::BIGINT = $1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Follows what others change.
pub struct Watch(Way);

enum Way {
    File(LogFile),
    Server(Box<Line>),
}

/// The write-ahead log of a file.
struct LogFile {
    path: PathBuf,
    /// What it was like when somebody looked: its bytes, and when it was written.
    seen: Option<Option<(u64, i64, i64)>>,
}

/// A connection of its own to a server.
struct Line {
    server: Postgres,
    on: Option<PgConnection>,
    seen: Option<i64>,
    /// What others are told.
    noted: i32,
    looks: u32,
}

impl Watch {
    /// Follows `database` from now on. From here on others wait for what they changed. Blocks the thread.
    ///
    /// # Errors
    /// It cannot be reached.
    pub fn start(database: &Database) -> Result<Self, Trouble> {
        let server = match &database.target().0 {
            Kind::Sqlite(file) => {
                let mut path = file.path.as_os_str().to_owned();
                path.push("-wal");
                return Ok(Self(Way::File(LogFile { path: path.into(), seen: None })));
            }
            Kind::Postgres(server) => server.clone(),
        };
        let started = database.io().wait(async move {
            let mut line = Line { server, on: None, seen: None, noted: 0, looks: 0 };
            line.reach().await?;
            Ok(Self(Way::Server(Box::new(line))))
        });
        let broken_off = || Err(Trouble::Other("the work was broken off".to_owned()));
        started.map_err(|error| lock::of(&error))?.unwrap_or_else(broken_off)
    }

    /// Whether anything may have been written since the last look, by whatever process.
    pub async fn stirred(&mut self, now_us: i64) -> bool {
        match &mut self.0 {
            Way::File(file) => file.stirred(now_us),
            Way::Server(line) => line.stirred().await,
        }
    }

    /// Tells other processes that changes up to `epoch` are in force here.
    ///
    /// # Errors
    /// They were not told.
    pub async fn note(&mut self, lock: &DataLock, epoch: u64) -> Result<(), Trouble> {
        match &mut self.0 {
            Way::File(_) => lock.note(epoch).map_err(|error| lock::of(&error)),
            Way::Server(line) => line.note(epoch).await,
        }
    }
}

impl LogFile {
    fn stirred(&mut self, now_us: i64) -> bool {
        let facts = std::fs::metadata(&self.path).ok();
        let changed = facts.map(|facts| (facts.len(), facts.mtime(), facts.mtime_nsec()));
        // What was written a moment ago may be followed by more with the same time.
        let is_fresh = changed.is_some_and(|(_, seconds, nanos)| {
            now_us.saturating_sub(seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000)) < FRESH_US
        });
        let is_other = self.seen != Some(changed);
        self.seen = Some(changed);
        is_other || is_fresh
    }
}

impl Line {
    async fn reach(&mut self) -> Result<(), Trouble> {
        let mut on = self.server.connect().await?;
        let followed = sqlx::query(FOLLOW).bind(LOCKS).bind(self.noted).execute(&mut on).await;
        followed.map_err(|error| self.server.trouble(&error))?;
        (self.on, self.seen) = (Some(on), None);
        Ok(())
    }

    async fn stirred(&mut self) -> bool {
        let Some(on) = &mut self.on else {
            self.looks = self.looks.wrapping_add(1);
            return self.looks.is_multiple_of(LOOKS_PER_TRY) && self.reach().await.is_ok();
        };
        let epoch: sqlx::Result<i64> = sqlx::query_scalar(EPOCH).fetch_one(on).await;
        match epoch {
            Ok(epoch) => self.seen.replace(epoch) != Some(epoch),
            Err(_) => {
                // Whoever looks now finds out why.
                self.on = None;
                true
            }
        }
    }

    async fn note(&mut self, epoch: u64) -> Result<(), Trouble> {
        let Some(on) = &mut self.on else {
            return Err(Trouble::Unreachable("the connection was lost".to_owned()));
        };
        let epoch = short(epoch);
        // The new one first, so that there is one at any moment.
        for (statement, epoch) in [(FOLLOW, epoch), (LEAVE, self.noted)] {
            let done = sqlx::query(statement).bind(LOCKS).bind(epoch).execute(&mut *on).await;
            done.map_err(|error| self.server.trouble(&error))?;
        }
        self.noted = epoch;
        Ok(())
    }
}

/// An epoch as a lock is named: changes are no more than that.
fn short(epoch: u64) -> i32 {
    i32::try_from(epoch).unwrap_or(i32::MAX)
}

/// How far the servers that use the database have followed it, the last of them; nothing if none does.
///
/// # Errors
/// The database cannot be asked.
pub async fn followed(dir: &Path, target: &Target) -> Result<Option<u64>, Trouble> {
    let server = match &target.0 {
        Kind::Sqlite(_) => return Ok(lock::followed(dir)),
        Kind::Postgres(server) => server,
    };
    let mut on = server.connect().await?;
    let followed = sqlx::query_scalar(FOLLOWED).bind(i64::from(LOCKS)).fetch_one(&mut on).await;
    let followed: Option<i64> = followed.map_err(|error| server.trouble(&error))?;
    Ok(followed.map(i64::unsigned_abs))
}
