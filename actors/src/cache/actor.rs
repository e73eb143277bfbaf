//! The cache's single writer: publishes, evicts, expires, forgets, and owns the single-flight table.
//!
//! Every order is O(1) amortised but those that are handed a list. Its death costs misses, never answers:
//! the index goes offline until the next generation. Orders wait in `door.rs`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message};

use crate::cache::door::CacheDoor;
use crate::cache::entry::Entry;
use crate::cache::evict::Eviction;
use crate::cache::index::CacheIndex;
use crate::cache::orders::{Forget, Join, Joined, Land, Order, Publish, Reclaim};
use crate::cache::purge::PurgeEpochs;
use crate::cache::{CacheLimits, Capacity};
use crate::flight::{Flight, Pilot, Stamps};
use crate::key::KeyHash;
use crate::metrics::CacheMetrics;
use crate::ports::clock::ClockRef;
use crate::ports::tier::TierStore;
use crate::sites::{Site, Sites};
use crate::supervise::{Birth, Child, Deathwatch, Pulse};

/// How often entries whose time is over are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// Entries expired in one sweep; the rest waits for the next, so that no handler runs long.
const SWEEP_ENTRIES: usize = 4096;

/// What the actor, its factory and the readers share.
#[derive(Debug)]
pub(crate) struct CacheShared {
    pub(crate) index: CacheIndex,
    pub(crate) door: Arc<CacheDoor>,
    pub(crate) epochs: PurgeEpochs,
    pub(crate) limits: CacheLimits,
    /// What is kept behind memory.
    pub(crate) tier: Option<Arc<dyn TierStore>>,
    pub(crate) clock: ClockRef,
    pub(crate) metrics: CacheMetrics,
    pub(crate) sites: Sites,
}

impl CacheShared {
    /// True if an answer looked up under `stamps` may still be kept for `workspace`.
    fn is_current(&self, entry: &Entry, stamps: Stamps) -> bool {
        self.epochs.of(&entry.facts.workspace) == stamps.purge
    }
}

/// Says that orders may wait. Carries nothing, so losing one loses no order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Doorbell;

/// Ends this generation; the supervisor sees to the next.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct End;

/// Look for entries whose time is over. Names its generation: one that was stuck must not sweep for its successor.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Sweep {
    pub(crate) generation: u64,
}

/// One generation of the cache's writer.
pub(crate) struct CacheActor {
    shared: Arc<CacheShared>,
    generation: u64,
    eviction: Eviction,
    table: HashMap<u128, Arc<Flight>, KeyHash>,
    orphans: HashMap<(u128, u64), Arc<Flight>>,
    _watch: Deathwatch,
}

impl CacheActor {
    fn new(shared: Arc<CacheShared>, birth: Birth) -> Self {
        let eviction = Eviction::new(shared.limits.capacity);
        let Birth { generation, watch, .. } = birth;
        Self {
            shared,
            generation,
            eviction,
            table: HashMap::default(),
            orphans: HashMap::new(),
            _watch: watch,
        }
    }

    fn work(&mut self) {
        if !self.shared.sites.pass(Site::CacheDoorbell) {
            return;
        }
        self.shared.door.silence_bell(); // before looking: an order from here on rings again
        while let Some(order) = self.shared.door.take(self.generation) {
            match order {
                Order::Join(join) => self.join(join),
                Order::Adopt(flight) => self.adopt(flight),
                Order::Reclaim(ask) => self.reclaim(ask),
                Order::Land(land) => self.land(land),
                Order::Publish(publish) => self.publish_all(publish),
                Order::Forget(forget) => self.forget(forget),
                Order::Grew(by) => self.grew(by),
            }
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

    fn lead(&mut self, join: Join) {
        let (flight, follower) = Flight::start(join.plan);
        self.table.insert(flight.plan.key.hash, Arc::clone(&flight));
        let pilot = Pilot::new(flight, Some(Arc::clone(&self.shared.door)));
        join.reply.answer(Joined::Lead(pilot, follower));
    }

    fn sweep(&mut self) {
        let now = self.shared.clock.now();
        for _ in 0..SWEEP_ENTRIES {
            let Some(hash) = self.eviction.expired(now) else { return };
            drop(self.shared.index.remove(self.generation, hash));
            self.shared.metrics.expired.inc();
        }
    }

    fn sweep_later(&self, ctx: &mut Context<Self>) {
        let (door, generation) = (Arc::clone(&self.shared.door), self.generation);
        let ready = self.shared.clock.sleep_until(self.shared.clock.now().plus(SWEEP));
        ctx.spawn(actix::fut::wrap_future(async move {
            ready.await;
            door.sweep(generation);
        }));
    }

    fn join(&mut self, join: Join) {
        self.shared.sites.pass(Site::CacheJoin);
        let key = join.plan.key;
        if let Ok(entry) = self.shared.index.get_again(&key, join.wish, self.shared.clock.now()) {
            join.reply.answer(Joined::Hit(entry));
            return;
        }
        let same = self.table.get(&key.hash).filter(|flight| flight.plan.key.sha == key.sha);
        let current = same.filter(|flight| flight.plan.stamps == join.plan.stamps);
        match current.and_then(|flight| flight.join(join.plan.grace)) {
            Some(follower) => join.reply.answer(Joined::Follow(follower)),
            None => self.lead(join),
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

impl Drop for CacheActor {
    fn drop(&mut self) {
        self.shared.door.leave(self.generation); // at once, also where no supervisor hears of the end any more
    }
}

impl Actor for CacheActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.sweep_later(ctx);
    }
}

impl Handler<Doorbell> for CacheActor {
    type Result = ();

    fn handle(&mut self, _: Doorbell, _: &mut Self::Context) {
        self.work();
    }
}

impl Handler<End> for CacheActor {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<Sweep> for CacheActor {
    type Result = ();

    fn handle(&mut self, sweep: Sweep, ctx: &mut Self::Context) {
        if sweep.generation == self.generation {
            self.sweep();
            self.sweep_later(ctx);
        }
    }
}

/// Starts generations of the cache's writer.
pub(crate) struct CacheChild(pub(crate) Arc<CacheShared>);

impl Child for CacheChild {
    fn name(&self) -> &'static str {
        "cache"
    }

    fn start(&mut self, birth: Birth) {
        let shared = Arc::clone(&self.0);
        let (generation, arbiter) = (birth.generation, birth.arbiter.clone());
        let started = arbiter.spawn_fn(move || {
            let writer = CacheActor::new(Arc::clone(&shared), birth).start();
            shared.door.open(generation, writer);
            shared.index.begin(generation);
        });
        if !started {
            tracing::error!("the engine's arbiter is gone; the cache stays offline");
        }
    }

    fn lost(&mut self) {
        self.0.door.shut();
        self.0.index.end();
    }

    fn pulse(&self) -> Pulse {
        if self.0.door.has_work() { Pulse::Busy { progress: self.0.door.progress() } } else { Pulse::Idle }
    }
}
