//! What the cache's writer can be told.
//!
//! Owns the orders and how one that is dropped unheard still answers whoever waits for it. Must not know how an
//! order is carried out.

use std::fmt;
use std::sync::Arc;

use crate::cache::entry::Entry;
use crate::call::CacheWish;
use crate::flight::{Flight, FlightPlan, Follower, Landing, Pilot, Stamps};
use crate::key::Key;
use crate::mail::ReplyTo;

/// One order. Dropped, it lets go whoever waits: nobody is held by a writer that died.
#[derive(Debug)]
pub(crate) enum Order {
    /// Find the entry, join the flight or start one.
    Join(Join),
    /// A flight nobody may share waits for a retry of its own caller.
    Adopt(Arc<Flight>),
    /// A retry asks for the flight its caller left.
    Reclaim(Reclaim),
    /// A flight comes down: publish, leave the table, tell the followers, in this order.
    Land(Land),
    /// Publish entries, then let go of `then`.
    Publish(Publish),
    /// Take entries out.
    Forget(Forget),
    /// An entry grew by a coded variant of so many bytes.
    Grew(usize),
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

/// What a call that was not answered from memory asks: the flight it would start, and what it wants of the cache.
#[derive(Debug)]
pub(crate) struct JoinAsk {
    pub(crate) plan: FlightPlan,
    pub(crate) wish: CacheWish,
}

/// See [`Order::Join`].
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) ask: JoinAsk,
    pub(crate) reply: ReplyTo<Joined>,
}

/// See [`Order::Reclaim`].
#[derive(Debug)]
pub(crate) struct Reclaim {
    pub(crate) key: Key,
    pub(crate) credential: u64,
    pub(crate) reply: ReplyTo<Option<Follower>>,
}

/// See [`Order::Land`].
#[derive(Debug)]
pub(crate) struct Land {
    pub(crate) landing: Landing,
    pub(crate) entry: Option<Arc<Entry>>,
}

/// See [`Order::Publish`].
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) entries: Vec<(Arc<Entry>, Stamps)>,
    pub(crate) then: Then,
}

/// See [`Order::Forget`].
#[derive(Debug)]
pub(crate) struct Forget {
    pub(crate) hashes: Vec<u128>,
    pub(crate) reply: ReplyTo<usize>,
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
