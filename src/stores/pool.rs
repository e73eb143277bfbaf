//! Owns the one pool of connections there is, over sqlx's: how many there may be, who waits for one and how long, and what of
//! that is shown. Waits on the clock it is given. Must not know what the connections are used for.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::{Connection, Database};
use tidegate_actors::ports::clock::ClockRef;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::metrics::PoolMetrics;
use super::trouble::Trouble;
use crate::config::PoolProfile;

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
    connection: PoolConnection<D>,
    inner: sqlx::Pool<D>,
    kept: u32,
    metrics: PoolMetrics,
    _place: OwnedSemaphorePermit,
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
        Ok(Held { connection, inner, kept: size.max(1), metrics, _place: place })
    }

    /// Closes all connections, when those in use have come back.
    pub(super) async fn close(&self) {
        self.inner.close().await;
    }
}

impl<D: Database> Held<D> {
    /// Closes it, instead of giving it back.
    pub(super) fn discard(&mut self) {
        self.connection.close_on_drop();
    }
}

impl<D: Database> Deref for Held<D> {
    type Target = D::Connection;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl<D: Database> DerefMut for Held<D> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}

impl<D: Database> Drop for Held<D> {
    fn drop(&mut self) {
        let size = self.inner.size();
        let is_surplus = size > self.kept;
        if is_surplus {
            self.discard();
        }
        self.metrics.given_back(size - u32::from(is_surplus));
    }
}
