//! Owns the one pool of connections there is, over sqlx's: how many there may be, who waits for one and how long, and what of
//! that is shown. Waits on the clock it is given. Must not know what the connections are used for.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::{Connection, Database};
use tidegate_actors::ports::clock::ClockRef;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::metrics::PoolMetrics;
use super::trouble::Trouble;
use crate::config::PoolProfile;

/// How long a server is given to hear that a connection is closed.
const FAREWELL: Duration = Duration::from_secs(5);

/// Connections to one database.
pub(super) struct Pool<D: Database> {
    inner: sqlx::Pool<D>,
    places: Arc<Semaphore>,
    profile: PoolProfile,
    clock: ClockRef,
    metrics: PoolMetrics,
}

/// Why no connection was had.
#[derive(Debug)]
pub(super) enum NoConnection {
    /// All were in use for too long, or the pool is closed.
    Trouble(Trouble),
    /// The database gave none.
    Database(sqlx::Error),
}

/// A connection in use; given back when dropped.
pub(super) struct Held<D: Database> {
    /// With its place; there until it is given back.
    lent: Option<(PoolConnection<D>, OwnedSemaphorePermit)>,
    inner: sqlx::Pool<D>,
    kept: u32,
    is_discarded: bool,
    metrics: PoolMetrics,
}

impl<D: Database> Pool<D> {
    /// A pool of connections made as `options` say. Needs the runtime of the stores.
    pub(super) fn new(
        options: <D::Connection as Connection>::Options,
        profile: PoolProfile,
        clock: ClockRef,
        metrics: PoolMetrics,
    ) -> Self {
        let most = profile.size.saturating_add(profile.overflow).max(1);
        let inner = PoolOptions::<D>::new()
            .max_connections(most)
            .min_connections(profile.least)
            .acquire_timeout(Duration::from_millis(profile.timeout_ms))
            .max_lifetime(Duration::from_millis(profile.recycle_ms))
            .idle_timeout(Duration::from_millis(profile.idle_ms))
            .test_before_acquire(profile.pre_ping)
            .connect_lazy_with(options);
        let places = Arc::new(Semaphore::new(most as usize));
        Self { inner, places, profile, clock, metrics }
    }

    /// A connection, as soon as one is free or may be made. First come, first served.
    pub(super) async fn acquire(&self) -> Result<Held<D>, NoConnection> {
        let PoolProfile { size, overflow, timeout_ms, .. } = self.profile;
        let since = self.clock.now();
        let closed = || NoConnection::Trouble(Trouble::Other("the database is closed".to_owned()));
        let place = tokio::select! {
            biased;
            place = Arc::clone(&self.places).acquire_owned() => place.map_err(|_| closed())?,
            () = self.clock.sleep_until(since.plus_ms(timeout_ms)) => {
                let connections = size.saturating_add(overflow).max(1);
                let trouble = Trouble::Crowded { connections, patience_ms: timeout_ms };
                return Err(NoConnection::Trouble(trouble));
            }
        };
        let connection = self.inner.acquire().await.map_err(NoConnection::Database)?;
        self.metrics.waited(self.clock.now().since(since));
        self.metrics.taken(self.inner.size());
        let (inner, metrics) = (self.inner.clone(), self.metrics.clone());
        Ok(Held { lent: Some((connection, place)), inner, kept: size.max(1), is_discarded: false, metrics })
    }

    /// Closes all connections, when those in use have come back.
    pub(super) async fn close(&self) {
        self.inner.close().await;
    }
}

impl<D: Database> Held<D> {
    /// Closes it, instead of giving it back.
    pub(super) const fn discard(&mut self) {
        self.is_discarded = true;
    }
}

impl<D: Database> Deref for Held<D> {
    type Target = D::Connection;

    fn deref(&self) -> &Self::Target {
        let (connection, _) = self.lent.as_ref().expect(LENT);
        connection
    }
}

impl<D: Database> DerefMut for Held<D> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        let (connection, _) = self.lent.as_mut().expect(LENT);
        connection
    }
}

const LENT: &str = "a connection is given back only when it is dropped";

impl<D: Database> Drop for Held<D> {
    fn drop(&mut self) {
        let Some((connection, place)) = self.lent.take() else { return };
        if self.is_discarded || self.inner.size() > self.kept {
            // From here on it is not of the pool any more: the next one that is given back must not count it.
            let connection = connection.detach();
            tokio::spawn(async move {
                // One that cannot be closed in time is dropped.
                let _ = timeout(FAREWELL, connection.close()).await;
                drop(place);
            });
        }
        self.metrics.given_back(self.inner.size());
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;
    use sqlx::sqlite::SqliteConnectOptions;
    use tidegate_actors::sim::ManualClock;

    use super::*;
    use crate::config::PoolName;
    use crate::stores::metrics::DatabaseMetrics;

    /// Before, each of several that came back at once counted those that were being closed, so that none was kept.
    #[tokio::test]
    async fn of_connections_that_come_back_at_once_as_many_stay_as_are_kept() {
        let profile = PoolProfile { size: 2, overflow: 3, ..PoolName::Cores.profile() };
        let metrics = DatabaseMetrics::register(&mut Registry::default()).readers;
        let clock = Arc::new(ManualClock::new());
        let pool = Pool::<sqlx::Sqlite>::new(SqliteConnectOptions::new(), profile, clock, metrics);
        let mut held = Vec::new();
        for _ in 0..5 {
            held.push(pool.acquire().await.expect("there is room"));
        }
        assert_eq!((pool.inner.size(), pool.places.available_permits()), (5, 0));
        drop(held);
        assert_eq!(pool.inner.size(), 2, "the overflow is closed, and no more");
        let all =
            pool.places.acquire_many(5).await.expect("each place is free once its connection is closed");
        drop(all);
        assert_eq!(pool.inner.size(), 2);
    }
}
