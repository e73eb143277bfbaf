//! Owns the main database of an instance, a file in its data directory or a database of a PostgreSQL server: one connection that
//! writes, a pool that reads, and whether it can be used at all. Must not know what is stored in it.
//!
//! Work is handed over as a closure and done on the runtime of the stores; who waits for it may live on any arbiter, and
//! may leave: what was begun is ended. Readers and the one writer do not hinder each other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use sqlx::{Connection as _, SqlSafeStr as _, Transaction};
use tidegate_actors::ports::clock::ClockRef;

use super::io::Io;
use super::metrics::DatabaseMetrics;
use super::pool::{Held, NoConnection, Pool};
use super::queries::QueryLog;
use super::sql::{Connection, Dialect, Place as _};
use super::target::{Kind, Target};
use super::trouble::Trouble;
use super::{retry, upkeep};
use crate::config::{self, PoolProfile};

/// The main database. Clones are one.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    target: Target,
    pools: Pools,
    io: Io,
    clock: ClockRef,
    metrics: DatabaseMetrics,
    queries: QueryLog,
    /// What keeps it from being used, until something was written again.
    ailing: Mutex<Option<Trouble>>,
}

/// The connections to it.
enum Pools {
    Sqlite(Pair<sqlx::Sqlite>),
    Postgres(Pair<sqlx::Postgres>),
}

struct Pair<D: Dialect> {
    place: D::Place,
    readers: Pool<D>,
    writer: Pool<D>,
}

/// What is being done; dropped, it is done all the same.
pub(super) type Doing<T> = BoxFuture<'static, Result<T, Trouble>>;

/// What is done on a connection, inside a transaction. It may be done again if it could not be kept.
pub(super) trait Work<T>:
    for<'c> Fn(Connection<'c>) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + Sync + 'static
{
}

impl<T, F> Work<T> for F where
    F: for<'c> Fn(Connection<'c>) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + Sync + 'static
{
}

impl Database {
    /// Opens the database that is configured, or else the one in `dir`, made and brought up to date where that is needed.
    /// Blocks the thread: for the start of a process.
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
        let target = Target::of(dir, settings)?;
        let (settings, inner_io, clock) = (settings.clone(), io.clone(), Arc::clone(clock));
        let metrics = DatabaseMetrics::register(registry);
        let slow_after = Duration::from_millis(settings.slow_query_ms);
        let queries = QueryLog::register(registry, slow_after, Arc::clone(&clock));
        let opened = io.wait(async move {
            let pools = Pools::open(&target, settings.profile(), &clock, &metrics).await?;
            let ailing = Mutex::new(None);
            let inner = Inner { target, pools, io: inner_io, clock, metrics, queries, ailing };
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

    /// Where it lies.
    pub(super) fn target(&self) -> &Target {
        &self.0.target
    }

    /// What is counted of it.
    pub(super) fn metrics(&self) -> &DatabaseMetrics {
        &self.0.metrics
    }

    /// How long queries take, also those that others send on connections of their own.
    pub(super) fn queries(&self) -> &QueryLog {
        &self.0.queries
    }

    /// A connection that reads, where the database is a server's: to be used on [`Self::io`].
    pub(super) async fn hold(&self) -> Result<Held<sqlx::Postgres>, Trouble> {
        match &self.0.pools {
            Pools::Sqlite(_) => Err(Trouble::Other("it is a file".to_owned())),
            Pools::Postgres(pair) => pair.hold(&pair.readers).await,
        }
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
            match &this.0.pools {
                Pools::Sqlite(pair) => pair.close().await,
                Pools::Postgres(pair) => pair.close().await,
            }
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
        match &self.pools {
            Pools::Sqlite(pair) => pair.once(access, work, (query, &self.queries)).await,
            Pools::Postgres(pair) => pair.once(access, work, (query, &self.queries)).await,
        }
    }

    /// Remembers what lasts until something is written again.
    fn note(&self, access: Access, trouble: Option<&Trouble>) {
        let mut ailing = self.ailing.lock();
        match trouble {
            Some(trouble) if trouble.lasts() => {
                if ailing.as_ref() != Some(trouble) {
                    tracing::error!(at = %self.target.shown(), "the database cannot be used: {trouble}");
                }
                *ailing = Some(trouble.clone());
            }
            None if access == Access::Write && ailing.take().is_some() => {
                tracing::info!(at = %self.target.shown(), "the database can be used again");
            }
            _ => {}
        }
    }
}

impl Pools {
    async fn open(
        target: &Target,
        profile: PoolProfile,
        clock: &ClockRef,
        metrics: &DatabaseMetrics,
    ) -> Result<Self, Trouble> {
        let one = PoolProfile { size: 1, overflow: 0, least: 0, ..profile };
        let (readers, writer) = (metrics.readers.clone(), metrics.writer.clone());
        let (clock, also) = (Arc::clone(clock), Arc::clone(clock));
        Ok(match &target.0 {
            Kind::Sqlite(file) => {
                let first = file.open().await?;
                first.close().await.map_err(|error| file.trouble(&error))?;
                let read_only = file.options()?.pragma("query_only", "on");
                let readers = Pool::new(read_only, profile, clock, readers);
                let writer = Pool::new(file.options()?, one, also, writer);
                Self::Sqlite(Pair { place: file.clone(), readers, writer })
            }
            Kind::Postgres(server) => {
                let mut first = server.connect().await?;
                server.bring_up_to_date(&mut first).await?;
                first.close().await.map_err(|error| server.trouble(&error))?;
                let readers = Pool::new(server.options(), profile, clock, readers);
                let writer = Pool::new(server.options(), one, also, writer);
                Self::Postgres(Pair { place: server.clone(), readers, writer })
            }
        })
    }
}

impl<D: Dialect> Pair<D> {
    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn hold(&self, pool: &Pool<D>) -> Result<Held<D>, Trouble> {
        pool.acquire().await.map_err(|none| match none {
            NoConnection::Trouble(trouble) => trouble,
            NoConnection::Database(error) => self.place.trouble(&error),
        })
    }

    /// Does `work` in a transaction, whose time is counted.
    async fn once<T>(
        &self,
        access: Access,
        work: &dyn Work<T>,
        (query, queries): (&'static str, &QueryLog),
    ) -> Result<T, Trouble> {
        let (pool, begin) = match access {
            Access::Read => (&self.readers, D::BEGIN_TO_READ),
            Access::Write => (&self.writer, D::BEGIN_TO_WRITE),
        };
        let mut held = self.hold(pool).await?;
        let done = queries.timed(query, self.transact(&mut held, begin, work)).await;
        if done.as_ref().is_err_and(|trouble| !matches!(trouble, Trouble::Conflict(_) | Trouble::Busy { .. }))
        {
            held.discard(); // SQLite may have ended the transaction itself, and then the connection cannot begin another
        }
        done
    }

    async fn transact<T>(
        &self,
        on: &mut D::Connection,
        begin: &'static str,
        work: &dyn Work<T>,
    ) -> Result<T, Trouble> {
        let told = |error| self.place.trouble(&error);
        let mut transaction: Transaction<'_, D> = on.begin_with(begin.into_sql_str()).await.map_err(told)?;
        let done = work(D::connection(&mut transaction)).await.map_err(told)?;
        transaction.commit().await.map_err(|error| match self.place.trouble(&error) {
            // The answer was lost, not necessarily the order.
            Trouble::Unreachable(why) => Trouble::Unsure(why),
            trouble => trouble,
        })?;
        Ok(done)
    }
}

fn broken_off() -> Trouble {
    Trouble::Other("the work was broken off".to_owned())
}

#[cfg(test)]
mod tests;
