//! Owns the main database of an instance, `tidegate.db` in its data directory: one connection that writes, a pool that reads,
//! and whether it can be used at all. Must not know what is stored in it.
//!
//! Work is handed over as a closure and done on the runtime of the stores; who waits for it may live on any arbiter, and
//! may leave: what was begun is ended. On SQLite readers and the one writer do not hinder each other (write-ahead log).

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use sqlx::{Connection as _, SqliteTransaction};
use tidegate_actors::ports::clock::ClockRef;

use super::io::Io;
use super::metrics::DatabaseMetrics;
use super::pool::{Held, NoConnection, Pool};
use super::sqlite::{BEGIN_TO_READ, BEGIN_TO_WRITE, Connection, MAIN, Sqlite};
use super::trouble::Trouble;
use super::{retry, upkeep};
use crate::config::{self, PoolProfile};

/// Its name in the data directory.
const FILE: &str = "tidegate.db";

/// How long another process may keep the file locked: commands write beside a server.
const PATIENCE: Duration = Duration::from_secs(5);

/// The main database. Clones are one.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    sqlite: Sqlite,
    readers: Pool<sqlx::Sqlite>,
    writer: Pool<sqlx::Sqlite>,
    io: Io,
    clock: ClockRef,
    metrics: DatabaseMetrics,
    slow_after: Duration,
    /// What keeps it from being used, until something was written again.
    ailing: Mutex<Option<Trouble>>,
}

/// What the write-ahead log was like when somebody looked: its bytes, and when it was written.
#[derive(Debug, Default)]
pub struct Stirred(Option<Option<(u64, i64, i64)>>);

/// Age of a file's time, microseconds, below which it may be written again within it.
const FRESH_US: i64 = 100_000;

/// What is being done; dropped, it is done all the same.
pub(super) type Doing<T> = BoxFuture<'static, Result<T, Trouble>>;

/// What is done on a connection, inside a transaction. It may be done again if it could not be kept.
pub(super) trait Work<T>:
    for<'c> Fn(&'c mut Connection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + Sync + 'static
{
}

impl<T, F> Work<T> for F where
    F: for<'c> Fn(&'c mut Connection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + Sync + 'static
{
}

impl Database {
    /// Opens the database in `dir`, made and brought up to date where that is needed. Blocks the thread: for the start of
    /// a process.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn open(
        dir: &Path,
        settings: &config::Database,
        io: &Io,
        clock: &ClockRef,
        registry: &mut Registry,
    ) -> Result<Self, Trouble> {
        let sqlite = sqlite(dir);
        let (settings, inner_io, clock) = (settings.clone(), io.clone(), Arc::clone(clock));
        let metrics = DatabaseMetrics::register(registry);
        let opened = io.wait(async move {
            let first = sqlite.open().await?;
            first.close().await.map_err(|error| sqlite.trouble(&error))?;
            let profile = settings.profile();
            let readers = sqlite.options()?.pragma("query_only", "on");
            let readers = Pool::new(readers, profile, Arc::clone(&clock), metrics.readers.clone());
            let one = PoolProfile { size: 1, overflow: 0, least: 0, ..profile };
            let writer = Pool::new(sqlite.options()?, one, Arc::clone(&clock), metrics.writer.clone());
            let slow_after = Duration::from_millis(settings.slow_query_ms);
            let ailing = Mutex::new(None);
            let io = inner_io;
            let inner = Inner { sqlite, readers, writer, io, clock, metrics, slow_after, ailing };
            let database = Self(Arc::new(inner));
            // A pool that cannot read stops the start, not the first request.
            database.read("open", |on| Box::pin(upkeep::read_probe(on))).await?;
            Ok(database)
        });
        opened
            .map_err(|error| Trouble::Other(format!("no thread can be started for it: {error}")))?
            .unwrap_or_else(|| Err(broken_off()))
    }

    /// The runtime its work is done on.
    #[must_use]
    pub fn io(&self) -> &Io {
        &self.0.io
    }

    /// Whether anything may have been written since `seen`, by whatever process. A look at a file, no query.
    #[must_use]
    pub fn stirred(&self, seen: &mut Stirred, now_us: i64) -> bool {
        let mut log = self.0.sqlite.path.as_os_str().to_owned();
        log.push("-wal");
        let facts = std::fs::metadata(log).ok();
        let changed = facts.map(|facts| (facts.len(), facts.mtime(), facts.mtime_nsec()));
        // What was written a moment ago may be followed by more with the same time.
        let is_fresh = changed.is_some_and(|(_, seconds, nanos)| {
            now_us.saturating_sub(seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000)) < FRESH_US
        });
        let is_other = seen.0 != Some(changed);
        seen.0 = Some(changed);
        is_other || is_fresh
    }

    /// Why nothing can be stored just now, if that is so.
    #[must_use]
    pub fn ailment(&self) -> Option<Trouble> {
        self.0.ailing.lock().clone()
    }

    /// Does `work`, called `query` where it is counted, on what the database is at this moment.
    ///
    /// # Errors
    /// Why not, after [`retry::TRIES`] where another try could help.
    pub(super) fn read<T: Send + 'static>(&self, query: &'static str, work: impl Work<T>) -> Doing<T> {
        self.hand_over(query, Access::Read, Box::new(work))
    }

    /// Does `work`, called `query` where it is counted, and keeps all it wrote or nothing. It is done also if nobody
    /// waits for it any more.
    ///
    /// # Errors
    /// Why nothing was stored, after [`retry::TRIES`] where another try could help.
    pub(super) fn write<T: Send + 'static>(&self, query: &'static str, work: impl Work<T>) -> Doing<T> {
        self.hand_over(query, Access::Write, Box::new(work))
    }

    /// Closes all connections, when what is under way has ended.
    pub async fn close(&self) {
        let this = self.clone();
        let Ok(io) = self.0.io.handle() else { return };
        let closed = io.spawn(async move {
            this.0.readers.close().await;
            this.0.writer.close().await;
        });
        // A runtime that has ended has closed them.
        let _ = closed.await;
    }

    /// Writes something small, to see whether an ailment has passed. Nothing where there is none.
    pub async fn probe(&self) {
        if self.ailment().is_some() {
            // Its own outcome is what is noted.
            let _ = self.write("probe", |on| Box::pin(upkeep::write_probe(on))).await;
        }
    }

    fn hand_over<T: Send + 'static>(
        &self,
        query: &'static str,
        access: Access,
        work: Box<dyn Work<T>>,
    ) -> Doing<T> {
        let this = Arc::clone(&self.0);
        let handed = self
            .0
            .io
            .handle()
            .map(|io| io.spawn(async move { this.with_retries(query, access, &*work).await }));
        Box::pin(async move {
            match handed {
                Ok(done) => done.await.unwrap_or_else(|_| Err(broken_off())),
                Err(error) => Err(Trouble::Other(format!("no thread can be started for it: {error}"))),
            }
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Inner {
    async fn with_retries<T>(
        &self,
        query: &'static str,
        access: Access,
        work: &dyn Work<T>,
    ) -> Result<T, Trouble> {
        let mut attempt = 1;
        loop {
            let done = self.once(query, access, work).await;
            match done {
                // Nothing was kept, so doing it again does it once.
                Err(trouble) if trouble.passes() && attempt < retry::TRIES => {
                    tracing::debug!(query, attempt, "the database was busy: {trouble}");
                    let pause = retry::pause(attempt, fastrand::f64());
                    self.clock.sleep_until(self.clock.now().plus(pause)).await;
                    attempt += 1;
                }
                done => {
                    self.note(access, done.as_ref().err());
                    return done;
                }
            }
        }
    }

    async fn once<T>(&self, query: &'static str, access: Access, work: &dyn Work<T>) -> Result<T, Trouble> {
        let pool = match access {
            Access::Read => &self.readers,
            Access::Write => &self.writer,
        };
        let mut held = pool.acquire().await.map_err(|none| match none {
            NoConnection::Trouble(trouble) => trouble,
            NoConnection::Database(error) => self.sqlite.trouble(&error),
        })?;
        let since = self.clock.now();
        let done = transact(&mut held, access, work).await.map_err(|error| self.sqlite.trouble(&error));
        if done.as_ref().is_err_and(|trouble| !matches!(trouble, Trouble::Conflict(_) | Trouble::Busy { .. }))
        {
            held.discard(); // SQLite may have ended the transaction itself, and then the connection cannot begin another
        }
        drop(held);
        let took = self.clock.now().since(since);
        if self.metrics.queried(query, took, self.slow_after) {
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(query, ms, "slow query (database.slow_query_ms)");
        }
        done
    }

    /// Remembers what lasts until something is written again.
    fn note(&self, access: Access, trouble: Option<&Trouble>) {
        let mut ailing = self.ailing.lock();
        match trouble {
            Some(trouble) if trouble.lasts() => {
                if ailing.as_ref() != Some(trouble) {
                    tracing::error!(path = %self.sqlite.path.display(), "the database cannot be used: {trouble}");
                }
                *ailing = Some(trouble.clone());
            }
            None if access == Access::Write && ailing.take().is_some() => {
                tracing::info!(path = %self.sqlite.path.display(), "the database can be used again");
            }
            _ => {}
        }
    }
}

async fn transact<T>(
    held: &mut Held<sqlx::Sqlite>,
    access: Access,
    work: &dyn Work<T>,
) -> Result<T, sqlx::Error> {
    let begin = match access {
        Access::Read => BEGIN_TO_READ,
        Access::Write => BEGIN_TO_WRITE,
    };
    let mut transaction: SqliteTransaction<'_> = held.begin_with(begin).await?;
    let done = work(&mut transaction).await?;
    transaction.commit().await?;
    Ok(done)
}

/// The file in `dir`.
pub(super) fn sqlite(dir: &Path) -> Sqlite {
    Sqlite { path: Arc::from(dir.join(FILE)), schema: &MAIN, patience: PATIENCE }
}

fn broken_off() -> Trouble {
    Trouble::Other("the work was broken off".to_owned())
}

#[cfg(test)]
mod tests;
