//! The stages before anything is started, and the types that hold their order: `admit` gives a [`Permit`],
//! only policy turns it into [`Cleared`], only that makes [`Keyed`], and only inspection makes [`Vetted`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::cache::Entry;
use crate::cache::index::MissReason;
use crate::call::{CacheWish, Call, CallId, CallKind, ChatWork, WorkspaceId};
use crate::engine::{Gate, Shared};
use crate::error::CallError;
use crate::flight::Stamps;
use crate::key::{BodyDigest, Key, Prefix, rendezvous};
use crate::ports::clock::{Clock, Tick};
use crate::ports::egress::Context;
use crate::ports::policy::Question;
use crate::record::OpenRecord;
use crate::route::{Route, Target};

/// Targets whose kept answers are looked for.
const MAX_PROBES: usize = 4;
/// Headers that can be part of a key; doors pass three at most.
const MAX_AFFECTING: usize = 8;

/// The right to be in progress, one of `gateway.max_operations`; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Gate>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Takes a permit, or says that there is none. Never waits. What cannot be written down is not begun.
pub(crate) fn admit(engine: &Shared, record: &OpenRecord) -> Result<Permit, CallError> {
    record.in_books()?;
    engine.gate.enter()?;
    Ok(Permit(Arc::clone(&engine.gate)))
}

/// A call that may be made.
pub(crate) struct Cleared<W> {
    call: Call<W>,
    permit: Permit,
    policy: u64,
}

/// Asks policy.
pub(crate) fn authorise<W>(
    engine: &Shared,
    call: Call<W>,
    kind: CallKind,
    permit: Permit,
) -> Result<Cleared<W>, CallError> {
    let question = Question { workspace: &call.workspace, kind, door: call.door, model: &call.model };
    let policy = engine.policy.authorise(question)?;
    Ok(Cleared { call, permit, policy })
}

impl<W> Cleared<W> {
    pub(crate) fn into_parts(self) -> (Call<W>, Permit) {
        (self.call, self.permit)
    }

    /// The versions under which this call goes on.
    pub(crate) fn stamps(&self, engine: &Shared) -> Stamps {
        Stamps {
            purge: engine.cache.epochs.of(&self.call.workspace),
            policy: self.policy,
            redaction: engine.egress.version(),
        }
    }
}

/// Which targets a request prefers, best first; healthy ones only, at most [`MAX_PROBES`].
#[derive(Debug, Clone, Copy)]
struct Preference {
    places: [u16; MAX_PROBES],
    len: usize,
}

impl Preference {
    /// By weighted rendezvous hash. If no target is healthy, all are asked as if they were. No allocation.
    fn of(route: &Route, digest: &BodyDigest, clock: &dyn Clock) -> Self {
        if let [_] = route.targets.as_slice() {
            return Self { places: [0; MAX_PROBES], len: 1 };
        }
        let now = clock.now();
        let healthy = Self::ranked(route, digest, |target| target.upstream.is_healthy(now));
        if healthy.len > 0 { healthy } else { Self::ranked(route, digest, |_| true) }
    }

    fn ranked(route: &Route, digest: &BodyDigest, wanted: impl Fn(&Target) -> bool) -> Self {
        let mut out = Self { places: [0; MAX_PROBES], len: 0 };
        let score = |place: usize| {
            let target = &route.targets[place];
            (rendezvous(digest, &target.name, target.weight), &target.name)
        };
        for (place, _) in route.targets.iter().enumerate().filter(|(_, target)| wanted(target)) {
            let at = out.places[..out.len]
                .iter()
                .take_while(|&&better| score(better.into()) > score(place))
                .count();
            if at < MAX_PROBES {
                out.places[at..].rotate_right(1);
                out.places[at] = u16::try_from(place).unwrap_or(u16::MAX);
                out.len = (out.len + 1).min(MAX_PROBES);
            }
        }
        out
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.places[..self.len].iter().map(|&place| usize::from(place))
    }

    /// The best of all.
    fn first<'a>(&self, route: &'a Route) -> Option<&'a Target> {
        route.targets.get(self.iter().next()?)
    }

    fn then_the_rest(&self, route: &Route) -> Vec<usize> {
        let mut places: Vec<usize> = self.iter().collect();
        let rest: Vec<usize> = (0..route.targets.len()).filter(|place| !places.contains(place)).collect();
        places.extend(rest);
        places
    }
}

/// All targets to ask for what `digest` names, the preferred ones first.
pub(crate) fn places(route: &Route, digest: &BodyDigest, clock: &dyn Clock) -> Vec<usize> {
    Preference::of(route, digest, clock).then_the_rest(route)
}

/// A call with its identity. From here to a kept answer nothing is allocated and no message is sent.
pub(crate) struct Keyed<W> {
    cleared: Cleared<W>,
    preference: Preference,
    /// Under the preferred target.
    key: Key,
    stamps: Stamps,
}

/// Chooses targets, then makes the key under the preferred one; those of the others are made when they are looked for.
pub(crate) fn key(engine: &Shared, cleared: Cleared<ChatWork>) -> Keyed<ChatWork> {
    let digest = cleared.call.work.digest;
    let preference = Preference::of(&cleared.call.route, &digest, &*engine.clock);
    let stamps = cleared.stamps(engine);
    let best = preference.first(&cleared.call.route);
    // Without a target the call fails before its key is looked for.
    let nobody = Key { hash: 0, sha: [0; 32] };
    let call = &cleared.call;
    let make = |prefix: &Prefix<'_>| match &call.work.known {
        Some(known) => known.under(prefix, &digest),
        None => Key::new(prefix, &digest),
    };
    let key = best.map_or(nobody, |target| with_prefix(call, target, stamps, make));
    Keyed { cleared, preference, key, stamps }
}

/// The key of a body at one target.
pub(crate) fn key_at<W>(call: &Call<W>, target: &Target, digest: &BodyDigest, stamps: Stamps) -> Key {
    with_prefix(call, target, stamps, |prefix| Key::new(prefix, digest))
}

/// Runs `make` with the prefix under which `target` answers this call.
pub(crate) fn with_prefix<W, T>(
    call: &Call<W>,
    target: &Target,
    stamps: Stamps,
    make: impl FnOnce(&Prefix<'_>) -> T,
) -> T {
    let mut headers = [("", ""); MAX_AFFECTING];
    let mut len = 0;
    for (slot, (name, value)) in headers.iter_mut().zip(call.affecting.iter()) {
        *slot = (name, value);
        len += 1;
    }
    make(&Prefix {
        workspace: call.workspace.as_str(),
        kind: call.door,
        provider: target.upstream.name(),
        model: &target.model,
        headers: &headers[..len],
        policy_version: stamps.policy,
        redaction_version: stamps.redaction,
    })
}

impl<W> Keyed<W> {
    pub(crate) fn call(&self) -> &Call<W> {
        &self.cleared.call
    }

    /// The key under the preferred target.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn stamps(&self) -> Stamps {
        self.stamps
    }

    /// Memory has the answer: nothing but this is left of the call.
    pub(crate) fn into_hit(self) -> (CallId, Permit) {
        let (call, permit) = self.cleared.into_parts();
        (call.id, permit)
    }

    /// Memory has no answer.
    pub(crate) fn into_asking(self) -> Asking<W> {
        let Self { cleared, preference, key, stamps } = self;
        let (call, permit) = cleared.into_parts();
        Asking { call: Arc::new(call), permit, key, stamps, preference }
    }
}

/// A keyed call that somebody has to be asked for; its flight shares it.
pub(crate) struct Asking<W> {
    pub(crate) call: Arc<Call<W>>,
    pub(crate) permit: Permit,
    /// Under the preferred target.
    pub(crate) key: Key,
    pub(crate) stamps: Stamps,
    preference: Preference,
}

impl<W> Asking<W> {
    /// All targets to ask, the preferred ones first.
    pub(crate) fn places(&self) -> Vec<usize> {
        self.preference.then_the_rest(&self.call.route)
    }
}

impl Keyed<ChatWork> {
    /// The keys under each preferred target, best first.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let ranked = self.preference.iter().enumerate();
        ranked.map(|(rank, place)| self.key_under(rank, place)).collect()
    }

    fn key_under(&self, rank: usize, place: usize) -> Key {
        let call = self.call();
        match rank {
            0 => self.key,
            _ => key_at(call, &call.route.targets[place], &call.work.digest, self.stamps),
        }
    }
}

/// Reads the cache under each preferred target; the first reason counts.
pub(crate) fn lookup(
    engine: &Shared,
    keyed: &Keyed<ChatWork>,
    wish: CacheWish,
    now: Tick,
) -> Result<Arc<Entry>, MissReason> {
    let mut reason = None;
    for (rank, place) in keyed.preference.iter().enumerate() {
        match engine.cache.index.get(&keyed.key_under(rank, place), wish, now) {
            Ok(entry) => return Ok(entry),
            Err(why) => {
                reason.get_or_insert(why);
            }
        }
    }
    Err(reason.unwrap_or(MissReason::Absent))
}

/// A piece of an answer that passed inspection. Only such pieces are told or kept.
#[derive(Debug, Clone)]
pub(crate) struct Vetted(Bytes);

impl Vetted {
    #[cfg(test)]
    pub(crate) fn unchecked(piece: Bytes) -> Self {
        Self(piece)
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// Looks at a piece.
pub(crate) fn inspect(
    engine: &Shared,
    workspace: &WorkspaceId,
    kind: CallKind,
    piece: Bytes,
) -> Result<Vetted, CallError> {
    engine.egress.inspect(Context { workspace, kind }, piece).map(Vetted)
}

/// How long to stay away when everything is in use: nothing is known about when it ends.
pub(crate) const OVERLOADED_RETRY: Duration = Duration::from_millis(500);
