//! The cache's single writer: publishes, evicts, expires, forgets, and owns the single-flight table.
//!
//! Every handler is O(1) amortised but those that are handed a list. Its death costs misses, never answers:
//! the index goes offline until the next generation.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message};

use crate::cache::entry::Entry;
use crate::cache::evict::Eviction;
use crate::cache::index::CacheIndex;
use crate::cache::purge::PurgeEpochs;
use crate::cache::{CacheDoor, CacheLimits, Capacity};
use crate::call::CacheWish;
use crate::flight::{Flight, FlightPlan, Follower, Landing, Pilot, Stamps};
use crate::key::{Key, KeyHash};
use crate::mail::ReplyTo;
use crate::metrics::CacheMetrics;
use crate::ports::clock::{ClockRef, Tick};
use crate::sites::{Site, Sites};
use crate::supervise::{Birth, Child, Deathwatch};

/// How often entries whose time is over are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// Entries expired in one sweep; the rest waits for the next, so that no handler runs long.
const SWEEP_ENTRIES: usize = 4096;

/// What the actor, its factory and the readers share.
#[derive(Debug)]
pub(crate) struct CacheShared {
    pub(crate) index: CacheIndex,
    pub(crate) door: CacheDoor,
    pub(crate) epochs: PurgeEpochs,
    pub(crate) limits: CacheLimits,
    /// Messages the mailbox holds at most.
    pub(crate) mailbox: usize,
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

/// How a call takes part in a flight.
#[derive(Debug)]
pub(crate) enum Joined {
    /// It was published meanwhile.
    Hit(Arc<Entry>),
    /// Somebody asks already.
    Follow(Follower),
    /// Nobody does: fly.
    Lead(Pilot, Follower),
}

/// Find the entry, join the flight or start one.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Join {
    pub(crate) plan: FlightPlan,
    pub(crate) wish: CacheWish,
    pub(crate) reply: ReplyTo<Joined>,
}

/// A flight nobody may share waits for a retry of its own caller.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Adopt(pub(crate) Arc<Flight>);

/// A retry asks for the flight its caller left.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Reclaim {
    pub(crate) key: Key,
    pub(crate) credential: u64,
    pub(crate) reply: ReplyTo<Option<Follower>>,
}

/// A flight comes down: publish, leave the table, tell the followers, in this order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Land {
    pub(crate) landing: Landing,
    pub(crate) entry: Option<Arc<Entry>>,
}

/// Publishes entries, then runs `then`; a dropped message runs it too.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Publish {
    pub(crate) entries: Vec<(Arc<Entry>, Stamps)>,
    pub(crate) then: Then,
}

/// Something to do once, at the latest when dropped.
pub(crate) struct Then(Option<Box<dyn FnOnce() + Send>>);

impl Then {
    pub(crate) fn new(act: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(act)))
    }
}

impl fmt::Debug for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Then")
    }
}

impl Drop for Then {
    fn drop(&mut self) {
        if let Some(act) = self.0.take() {
            act();
        }
    }
}

/// Takes entries out.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Forget {
    pub(crate) hashes: Vec<u128>,
    pub(crate) reply: ReplyTo<usize>,
}

/// An entry grew by a coded variant.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Grew(pub(crate) usize);

/// Ends this generation; the supervisor sees to the next.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct End;

/// Look for entries whose time is over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Sweep;

/// One generation of the cache's writer.
pub(crate) struct CacheActor {
    shared: Arc<CacheShared>,
    eviction: Eviction,
    expiry: BinaryHeap<Reverse<(Tick, u128)>>,
    table: HashMap<u128, Arc<Flight>, KeyHash>,
    orphans: HashMap<(u128, u64), Arc<Flight>>,
    _watch: Deathwatch,
}

impl CacheActor {
    fn new(shared: Arc<CacheShared>, watch: Deathwatch) -> Self {
        let eviction = Eviction::new(shared.limits.capacity);
        let table = HashMap::default();
        Self { shared, eviction, expiry: BinaryHeap::new(), table, orphans: HashMap::new(), _watch: watch }
    }

    fn publish(&mut self, entry: Arc<Entry>, stamps: Stamps) -> bool {
        let fits = entry.bytes() <= self.shared.limits.max_entry_bytes;
        let allowed = !matches!(self.shared.limits.capacity, Capacity::Entries(0));
        if !fits || !allowed || !self.shared.is_current(&entry, stamps) {
            self.shared.metrics.not_kept.inc();
            return false;
        }
        let hash = entry.facts.key.hash;
        self.expiry.push(Reverse((entry.facts.expires, hash)));
        if self.shared.index.publish(Arc::clone(&entry)).is_some() {
            self.eviction.forget(hash);
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
            let gone = index.remove(hash);
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
            match self.expiry.peek() {
                Some(Reverse((expires, _))) if *expires <= now => {}
                _ => return,
            }
            let Some(Reverse((expires, hash))) = self.expiry.pop() else { return };
            // The place may have been taken by a younger entry since.
            let due = self.shared.index.expires(hash) == Some(expires);
            if due {
                self.eviction.forget(hash);
                drop(self.shared.index.remove(hash));
                self.shared.metrics.expired.inc();
            }
        }
    }

    fn sweep_later(&self, ctx: &mut Context<Self>) {
        let door = Arc::clone(&self.shared.door);
        let ready = self.shared.clock.sleep_until(self.shared.clock.now().plus(SWEEP));
        ctx.spawn(actix::fut::wrap_future(async move {
            ready.await;
            // A full mailbox is busy with work that makes room by itself; the next generation sweeps anew.
            drop(door.tell(Sweep));
        }));
    }
}

impl Actor for CacheActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.shared.mailbox);
        self.sweep_later(ctx);
    }
}

impl Handler<Join> for CacheActor {
    type Result = ();

    fn handle(&mut self, join: Join, _: &mut Self::Context) {
        if !self.shared.sites.pass(Site::CacheJoin) {
            std::mem::forget(join); // a test wants an actor that is stuck: it neither answers nor drops
            return;
        }
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
}

impl Handler<Adopt> for CacheActor {
    type Result = ();

    fn handle(&mut self, Adopt(flight): Adopt, _: &mut Self::Context) {
        self.shared.metrics.orphaned.inc();
        self.orphans.insert((flight.plan.key.hash, flight.plan.credential), flight);
    }
}

impl Handler<Reclaim> for CacheActor {
    type Result = ();

    fn handle(&mut self, ask: Reclaim, _: &mut Self::Context) {
        let orphan = self.orphans.get(&(ask.key.hash, ask.credential));
        let own = orphan.filter(|flight| flight.plan.key.sha == ask.key.sha && flight.is_empty());
        let follower = own.and_then(|flight| flight.join(Duration::ZERO));
        ask.reply.answer(follower);
    }
}

impl Handler<Land> for CacheActor {
    type Result = ();

    fn handle(&mut self, mut land: Land, _: &mut Self::Context) {
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
}

impl Handler<Publish> for CacheActor {
    type Result = ();

    fn handle(&mut self, publish: Publish, _: &mut Self::Context) {
        self.shared.sites.pass(Site::CacheKeep);
        for (entry, stamps) in publish.entries {
            self.publish(entry, stamps);
        }
        drop(publish.then);
    }
}

impl Handler<Forget> for CacheActor {
    type Result = ();

    fn handle(&mut self, forget: Forget, _: &mut Self::Context) {
        let mut gone = 0;
        for hash in forget.hashes {
            self.eviction.forget(hash);
            gone += usize::from(self.shared.index.remove(hash).is_some());
        }
        self.shared.metrics.purged.inc_by(gone as u64);
        forget.reply.answer(gone);
    }
}

impl Handler<Grew> for CacheActor {
    type Result = ();

    fn handle(&mut self, Grew(by): Grew, _: &mut Self::Context) {
        self.shared.index.grew(by);
        self.make_room();
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

    fn handle(&mut self, _: Sweep, ctx: &mut Self::Context) {
        self.sweep();
        self.sweep_later(ctx);
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
        let started = birth.arbiter.spawn_fn(move || {
            let actor = CacheActor::new(Arc::clone(&shared), birth.watch);
            shared.door.open(actor.start());
            shared.index.set_online(true);
        });
        if !started {
            tracing::error!("the engine's arbiter is gone; the cache stays offline");
        }
    }

    fn lost(&mut self) {
        self.0.door.shut();
        self.0.index.set_online(false);
    }
}
