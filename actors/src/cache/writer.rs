//! The cache's single writer: publishes, evicts, expires, forgets, and owns the single-flight table.
//!
//! One for each generation, on its actor's thread. Callers on that thread have their orders carried out at once, others
//! leave them at the door. Every order is O(1) amortised but those that are handed a list. Must not know how it is reached.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::Capacity;
use crate::cache::actor::CacheShared;
use crate::cache::entry::Entry;
use crate::cache::evict::Eviction;
use crate::cache::orders::{Forget, Join, JoinAsk, Joined, Land, Order, Publish, Reclaim};
use crate::flight::{Flight, FlightPlan, Pilot, Stamps};
use crate::key::KeyHash;
use crate::sites::Site;

/// Entries expired in one sweep; the rest waits for the next, so that no handler runs long.
const SWEEP_ENTRIES: usize = 4096;

/// One generation of the writer.
pub(crate) struct Writer {
    shared: Arc<CacheShared>,
    generation: u64,
    eviction: Eviction,
    table: HashMap<u128, Arc<Flight>, KeyHash>,
    orphans: HashMap<(u128, u64), Arc<Flight>>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<CacheShared>, generation: u64) -> Self {
        let eviction = Eviction::new(shared.limits.capacity);
        Self { shared, generation, eviction, table: HashMap::default(), orphans: HashMap::new() }
    }

    /// The generation whose orders these are.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether it hears that there is work.
    pub(crate) fn hears(&self) -> bool {
        self.shared.sites.pass(Site::CacheDoorbell)
    }

    /// Carries out every order that waits.
    pub(crate) fn work(&mut self) {
        if !self.hears() {
            return;
        }
        self.shared.door.silence_bell(); // before looking: an order from here on rings again
        while let Some(order) = self.shared.door.take(self.generation) {
            self.carry_out(order);
        }
    }

    pub(crate) fn carry_out(&mut self, order: Order) {
        match order {
            Order::Join(Join { ask, reply }) => reply.answer(self.join(ask)),
            Order::Adopt(flight) => self.adopt(flight),
            Order::Reclaim(ask) => self.reclaim(ask),
            Order::Land(land) => self.land(land),
            Order::Publish(publish) => self.publish_all(publish),
            Order::Forget(forget) => self.forget(forget),
            Order::Grew(by) => self.grew(by),
        }
    }

    fn publish(&mut self, entry: Arc<Entry>, stamps: Stamps) -> bool {
        let fits = entry.bytes() <= self.shared.limits.max_entry_bytes;
        let allowed = !matches!(self.shared.limits.capacity, Capacity::Entries(0));
        if !fits || !allowed || !self.shared.is_current(&entry, stamps) {
            self.shared.metrics.not_kept.inc();
            return false;
        }
        if self.shared.index.publish(self.generation, Arc::clone(&entry)).is_err() {
            self.shared.metrics.not_kept.inc();
            return false;
        }
        if let Some(tier) = self.shared.tier.as_ref().filter(|_| !entry.is_stored()) {
            tier.keep(&entry);
        }
        self.eviction.admit(entry);
        self.shared.metrics.kept.inc();
        self.make_room();
        true
    }

    fn make_room(&mut self) {
        let index = &self.shared.index;
        // The entry count locks every shard, so it is asked only where it is the limit.
        let by_count = matches!(self.shared.limits.capacity, Capacity::Entries(_));
        loop {
            let entries = if by_count { index.len() } else { 0 };
            let Some(hash) = self.eviction.victim(entries, index.bytes()) else { return };
            let gone = index.remove(self.generation, hash);
            self.shared.metrics.evicted.inc();
            drop(gone);
        }
    }

    fn lead(&mut self, plan: FlightPlan) -> Joined {
        let (flight, follower) = Flight::start(plan);
        self.table.insert(flight.plan.key.hash, Arc::clone(&flight));
        Joined::Lead(Pilot::new(flight, Some(Arc::clone(&self.shared.door))), follower)
    }

    /// Lets go of entries whose time is over.
    pub(crate) fn sweep(&mut self) {
        let now = self.shared.clock.now();
        for _ in 0..SWEEP_ENTRIES {
            let Some(hash) = self.eviction.expired(now) else { return };
            drop(self.shared.index.remove(self.generation, hash));
            self.shared.metrics.expired.inc();
        }
    }

    /// Finds the entry, joins the flight or starts one.
    pub(crate) fn join(&mut self, ask: JoinAsk) -> Joined {
        self.shared.sites.pass(Site::CacheJoin);
        let JoinAsk { plan, wish } = ask;
        let key = plan.key;
        if let Ok(entry) = self.shared.index.get_again(&key, wish, self.shared.clock.now()) {
            return Joined::Hit(entry);
        }
        let same = self.table.get(&key.hash).filter(|flight| flight.plan.key.sha == key.sha);
        let current = same.filter(|flight| flight.plan.stamps == plan.stamps);
        match current.and_then(|flight| flight.join(plan.grace)) {
            Some(follower) => Joined::Follow(follower),
            None => self.lead(plan),
        }
    }

    fn adopt(&mut self, flight: Arc<Flight>) {
        self.shared.metrics.orphaned.inc();
        self.orphans.insert((flight.plan.key.hash, flight.plan.credential), flight);
    }

    fn reclaim(&mut self, ask: Reclaim) {
        let orphan = self.orphans.get(&(ask.key.hash, ask.credential));
        let own = orphan.filter(|flight| flight.plan.key.sha == ask.key.sha && flight.is_empty());
        let follower = own.and_then(|flight| flight.join(Duration::ZERO));
        ask.reply.answer(follower);
    }

    fn land(&mut self, mut land: Land) {
        self.shared.sites.pass(Site::CacheKeep);
        let flight = Arc::clone(&land.landing.flight);
        let kept = land.entry.take().is_some_and(|entry| self.publish(entry, flight.plan.stamps));
        if !kept {
            land.landing.forget_entry();
        }
        let hash = flight.plan.key.hash;
        if self.table.get(&hash).is_some_and(|stands| Arc::ptr_eq(stands, &flight)) {
            self.table.remove(&hash);
        }
        let orphan = (hash, flight.plan.credential);
        if self.orphans.get(&orphan).is_some_and(|stands| Arc::ptr_eq(stands, &flight)) {
            self.orphans.remove(&orphan);
        }
        drop(land); // tells the followers, now that a new caller finds the entry
    }

    fn publish_all(&mut self, publish: Publish) {
        self.shared.sites.pass(Site::CacheKeep);
        for (entry, stamps) in publish.entries {
            self.publish(entry, stamps);
        }
        drop(publish.then);
    }

    fn forget(&mut self, forget: Forget) {
        let mut gone = 0;
        for hash in forget.hashes {
            self.eviction.forget(hash);
            gone += usize::from(self.shared.index.remove(self.generation, hash).is_some());
        }
        self.shared.metrics.purged.inc_by(gone as u64);
        forget.reply.answer(gone);
    }

    fn grew(&mut self, by: usize) {
        self.shared.index.grew(self.generation, by);
        self.make_room();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // At once, also where no supervisor hears of the end any more.
        self.shared.door.leave(self.generation);
        self.shared.index.leave(self.generation);
    }
}
