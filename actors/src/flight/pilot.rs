//! Who flies a flight, and how it comes down: exactly once, whatever happens to its task.

use std::sync::{Arc, OnceLock};

use super::{Ending, Flight};
use crate::cache::door::CacheDoor;
use crate::cache::entry::Entry;
use crate::cache::orders::{Land, Order};
use crate::engine::Shared;
use crate::error::{CallError, Stage};
use crate::ports::provider::Finish;
use crate::record::Charge;

/// The duty to bring a flight down. Dropped without landing, also by a panic, it lands as lost.
#[derive(Debug)]
pub(crate) struct Pilot {
    flight: Arc<Flight>,
    /// The cache actor, when the flight stands in its table.
    table: Option<Arc<CacheDoor>>,
    /// The cache actor, when it holds the flight for a retry.
    adopter: OnceLock<Arc<CacheDoor>>,
    landed: bool,
}

impl Pilot {
    pub(crate) fn new(flight: Arc<Flight>, table: Option<Arc<CacheDoor>>) -> Self {
        Self { flight, table, adopter: OnceLock::new(), landed: false }
    }

    pub(crate) fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// Makes the flight findable by a retry of its own caller, which is not shared otherwise.
    pub(crate) fn offer_to_retry(&self, cache: &Arc<CacheDoor>) {
        if self.table.is_none() && self.adopter.get().is_none() {
            // Without the cache actor the retry asks upstream again: dearer, never wrong.
            if cache.tell(Order::Adopt(Arc::clone(&self.flight))).is_ok() {
                drop(self.adopter.set(Arc::clone(cache)));
            }
        }
    }

    /// Brings the flight down; `entry` is published by `cache` before anybody hears of the end.
    pub(crate) async fn land(
        mut self,
        engine: &Shared,
        end: Result<Finish, CallError>,
        entry: Option<Arc<Entry>>,
    ) {
        self.landed = true;
        let end = end.map(|finish| Ending { finish, kept: entry.clone() });
        if self.adopter.get().is_some() && end.is_ok() {
            // The answer came while its caller was away: it waits for the retry as long as the flight would.
            self.flight.close(end.clone());
            self.flight.abandoned(&engine.clock, || engine.orphanage.take()).await;
        }
        let landing = Landing::new(Arc::clone(&self.flight), end);
        // What nobody could join is kept all the same.
        let keeper = entry.is_some().then_some(&engine.cache.door);
        match self.table.as_ref().or_else(|| self.adopter.get()).or(keeper) {
            // A cache actor that cannot be told drops the landing, which closes the flight.
            Some(cache) => {
                let _ = cache.tell(Order::Land(Land { landing, entry }));
            }
            None => drop(landing),
        }
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        self.flight.bill.make_out(Charge::default());
        let lost = Err(CallError::lane_lost(Stage::Act, "flight"));
        let landing = Landing::new(Arc::clone(&self.flight), lost);
        if let Some(cache) = self.table.as_ref().or_else(|| self.adopter.get()) {
            let _ = cache.tell(Order::Land(Land { landing, entry: None }));
        }
    }
}

/// The end of a flight on its way to the followers. Told when dropped, so it cannot get lost.
#[derive(Debug)]
pub(crate) struct Landing {
    pub(crate) flight: Arc<Flight>,
    end: Option<Result<Ending, CallError>>,
}

impl Landing {
    fn new(flight: Arc<Flight>, end: Result<Ending, CallError>) -> Self {
        Self { flight, end: Some(end) }
    }

    /// The answer was not kept after all.
    pub(crate) fn forget_entry(&mut self) {
        if let Some(Ok(ending)) = &mut self.end {
            ending.kept = None;
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            self.flight.close(end);
        }
    }
}
