//! What the path gives back, and how its end is told: at once for a whole answer, at its end for a stream.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use super::stages::Permit;
use crate::cache::Entry;
use crate::call::CallId;
use crate::engine::Shared;
use crate::error::Stage;
use crate::flight::{Ending, Follower, Origin, Shape, Step};
use crate::key::Key;
use crate::metrics::Told;
use crate::ports::clock::Tick;
use crate::record::{CallRecord, OpenRecord};

/// How a call came by its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// From memory.
    Hit,
    /// From a request another call had made.
    Joined,
    /// From a request of its own, which others may share.
    Miss,
    /// Its items came in different ways.
    Mixed,
    /// From a request of its own, not shared, for this reason.
    Bypass(&'static str),
}

impl Outcome {
    pub(crate) const fn told(self) -> Told {
        match self {
            Self::Hit => Told::Hit,
            Self::Joined => Told::Joined,
            Self::Miss => Told::Miss,
            Self::Mixed => Told::Mixed,
            Self::Bypass(_) => Told::Bypass,
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    /// The call's id.
    pub id: CallId,
    /// How it came.
    pub outcome: Outcome,
    /// The key, where one was made.
    pub key: Option<Key>,
    /// `provider/model` that answered, now or when it was kept.
    pub target: Arc<str>,
    /// Age of a kept answer, whole seconds.
    pub age_s: Option<u64>,
    /// Time Tidegate added so far: all but the wait for the upstream.
    pub ours: Duration,
    /// What is answered.
    pub body: Body,
}

/// What is answered.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "moved once; boxing the live variant would allocate on every stream"
)]
pub enum Body {
    /// A kept answer; told already.
    Kept(Arc<Entry>),
    /// A complete answer; told already.
    Done {
        /// The form it was recorded in.
        shape: Shape,
        /// One body, or whole events.
        pieces: Vec<Bytes>,
        /// Its end.
        ending: Ending,
    },
    /// An answer as it comes; told at its end, as abandoned if dropped before.
    Live {
        /// The form it comes in.
        shape: Shape,
        /// Its pieces.
        telling: Telling,
    },
}

/// A live answer and the duty to tell its end.
pub struct Telling {
    follower: Follower,
    record: OpenRecord,
    told: Told,
    _permit: Permit,
}

impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telling").field("follower", &self.follower).finish_non_exhaustive()
    }
}

impl Telling {
    pub(super) fn new(follower: Follower, record: OpenRecord, told: Told, permit: Permit) -> Self {
        Self { follower, record, told, _permit: permit }
    }

    /// The next step; pieces come whole and in order, each exactly once.
    pub fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let step = std::task::ready!(self.follower.poll_step(cx));
        match &step {
            Step::Piece(piece) => self.record.note(|record| record.bytes += piece.len() as u64),
            Step::End(Ok(_)) => {
                let charge = self.follower.flight().bill.known();
                self.record.note(|record| charge.iter().for_each(|charge| charge.note(record)));
                self.record.close(self.told);
            }
            Step::End(Err(error)) => self.record.fail(error),
        }
        Poll::Ready(step)
    }

    /// The next step.
    pub async fn step(&mut self) -> Step {
        std::future::poll_fn(|cx| self.poll_step(cx)).await
    }
}

/// What the first half of the path came to.
pub(super) struct Found {
    pub(super) id: CallId,
    pub(super) key: Option<Key>,
    pub(super) outcome: Outcome,
    pub(super) source: Source,
    pub(super) permit: Permit,
}

/// Where the answer is read from.
pub(super) enum Source {
    /// Found at this moment.
    Kept(Arc<Entry>, Tick),
    Live(Follower, Origin),
    Done(Origin, Vec<Bytes>, Ending),
}

impl Source {
    pub(super) fn note(&self, record: &mut CallRecord) {
        let (Self::Live(_, origin) | Self::Done(origin, ..)) = self else { return };
        record.target = Some(Arc::clone(&origin.target));
        record.attempts = origin.attempts;
        if origin.asked > record.opened {
            // Who joined a request that was out already waited for no lane.
            record.marks[Stage::Lane as usize] = origin.asked.nanos_since(record.opened);
        }
    }
}

impl Found {
    /// Tells the call: now, or by the stream that goes out.
    pub(super) fn tell(self, engine: &Shared, mut record: OpenRecord) -> Answered {
        let now = match &self.source {
            Source::Kept(_, found) => *found,
            Source::Live(..) | Source::Done(..) => engine.clock.now(),
        };
        let opened = record.opened();
        let told = self.outcome.told();
        let (target, age_s, ours) = match &self.source {
            Source::Kept(entry, _) => {
                (Arc::clone(&entry.facts.target), Some(entry.age_s(now)), now.since(opened))
            }
            Source::Live(_, origin) | Source::Done(origin, ..) => {
                (Arc::clone(&origin.target), None, ours(opened, now, origin))
            }
        };
        let body = match self.source {
            Source::Kept(entry, _) => {
                record.note(|record| {
                    (record.usage, record.estimated) = (entry.facts.usage, entry.facts.estimated);
                    record.bytes = entry.told_bytes();
                });
                record.close_at(told, now);
                Body::Kept(entry)
            }
            Source::Done(origin, pieces, ending) => {
                record.note(|record| {
                    record.bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
                });
                record.close_at(told, now);
                Body::Done { shape: origin.shape, pieces, ending }
            }
            Source::Live(follower, origin) => {
                record.mark(Stage::Act);
                Body::Live { shape: origin.shape, telling: Telling::new(follower, record, told, self.permit) }
            }
        };
        Answered { id: self.id, outcome: self.outcome, key: self.key, target, age_s, ours, body }
    }
}

/// All the time since admission but that in which the upstream was working and this call was waiting.
fn ours(opened: Tick, now: Tick, origin: &Origin) -> Duration {
    let upstream = origin.began.since(origin.asked.max(opened));
    now.since(opened).saturating_sub(upstream)
}
