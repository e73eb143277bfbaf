//! The second half of the path, once per flight: lane, act, inspect, keep.
//!
//! Runs in a task of its own, so that no caller's leaving ends it. Must not know who follows.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use prometheus_client::metrics::gauge::Gauge;

use super::stages::{self, Asking, Vetted, key_at};
use crate::cache::Entry;
use crate::cache::entry::{EntryFacts, Kept};
use crate::call::{Affecting, Call, CallKind, ChatWork, Memory, WorkspaceId};
use crate::engine::Shared;
use crate::error::{CallError, Stage};
use crate::flight::{Flight, Origin, Pilot, Shape};
use crate::key::Key;
use crate::ports::clock::Tick;
use crate::ports::counting::{Exchange, Spent};
use crate::ports::ledger::Account;
use crate::ports::provider::{Answer, Events, Fault, FaultKind, Finish, Piece, Task, Usage};
use crate::record::Charge;
use crate::route::{Route, Target};
use crate::sites::Site;
use crate::upstream::act::{self, Asked, Question};

/// Everything a flight needs from the call that started it.
pub(super) struct Trip {
    kind: CallKind,
    task: Task,
    route: Arc<Route>,
    places: Vec<usize>,
    affecting: Affecting,
    workspace: WorkspaceId,
    account: Account,
    /// What an entry will say, if the answer may be kept.
    keep: Option<Arc<Call<ChatWork>>>,
}

impl Trip {
    /// A trip of a generated answer.
    pub(super) fn new(asking: &Asking<ChatWork>, kind: CallKind, task: Task) -> Self {
        let call = &asking.call;
        let keep = match call.memory {
            Memory::Use(wish) if wish.keep => Some(Arc::clone(call)),
            _ => None,
        };
        Self {
            kind,
            task,
            route: Arc::clone(&call.route),
            places: asking.places(),
            affecting: call.affecting.clone(),
            workspace: call.workspace.clone(),
            account: Account::of(call, kind),
            keep,
        }
    }

    /// A trip of something passed through: asked once, never kept.
    pub(super) fn once<W>(call: &Call<W>, kind: CallKind, task: Task) -> Self {
        Self {
            kind,
            task,
            route: Arc::clone(&call.route),
            places: (0..call.route.targets.len()).collect(),
            affecting: call.affecting.clone(),
            workspace: call.workspace.clone(),
            account: Account::of(call, kind),
            keep: None,
        }
    }
}

/// Counts a flight as in the air while it lives; its drop counts it down, also after a panic.
struct InTheAir<'a>(&'a Gauge);

impl<'a> InTheAir<'a> {
    fn count(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InTheAir<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Flies one flight and brings it down.
pub(super) async fn fly(engine: Arc<Shared>, pilot: Pilot, trip: Trip) {
    let in_the_air = InTheAir::count(&engine.metrics.calls.flights);
    let flight = Arc::clone(pilot.flight());
    let flown = tokio::select! {
        biased;
        flown = aloft(&engine, &flight, &trip) => Some(flown),
        () = flight.abandoned(&engine.clock, || {
            let place = engine.orphanage.take()?;
            pilot.offer_to_retry(&engine.cache.door);
            Some(place)
        }) => None,
    };
    drop(in_the_air);
    if !matches!(flown, Some(Ok(_))) {
        charge(&engine, &flight, &trip, None).await;
    }
    let (end, entry) = match flown {
        Some(Ok((finish, entry))) => (Ok(finish), entry),
        Some(Err(error)) => (Err(error), None),
        None => {
            engine.metrics.calls.flights_cancelled.inc();
            (Err(CallError::lane_lost(Stage::Act, "abandoned flight")), None)
        }
    };
    pilot.land(&engine, end, entry).await;
}

async fn aloft(
    engine: &Arc<Shared>,
    flight: &Arc<Flight>,
    trip: &Trip,
) -> Result<(Finish, Option<Arc<Entry>>), CallError> {
    let slot = engine.lane(trip.kind).acquire(&trip.workspace).await?;
    flight.dispatch();
    engine.sites.pass(Site::FlightBeforeAct);
    let targets: Vec<&Target> = trip.places.iter().map(|&place| &trip.route.targets[place]).collect();
    let question = Question {
        account: trip.account.clone(),
        task: trip.task.clone(),
        affecting: trip.affecting.clone(),
        repeatable: trip.kind != CallKind::Forward,
    };
    let asked_at = engine.clock.now();
    let asked = act::ask(&engine.acting, &targets, &question, &flight.sent).await?;
    let target = Arc::clone(&asked.target);
    let finish = Relay { engine, flight, trip, asked_at }.run(asked).await?;
    drop(slot); // held from dispatch to the terminal event
    let spent = charge(engine, flight, trip, finish.usage).await;
    Ok((finish, keep(engine, flight, trip, (&target, finish, spent))))
}

/// Makes out the bill before anybody hears of the end: what the upstream said, else our own count of what it was asked and told;
/// nothing if nobody was asked.
async fn charge(engine: &Shared, flight: &Flight, trip: &Trip, said: Option<Usage>) -> Option<Spent> {
    let asked = flight.sent.to();
    let spent = match (said.or_else(|| flight.sent.said()), &asked) {
        (Some(usage), _) => Some(Spent { usage, estimated: false }),
        (None, Some((target, _))) => {
            let (shape, told, forgotten_bytes) = flight.told();
            let (target, task) = (Arc::clone(target), trip.task.clone());
            engine.counter.count(Exchange { target, task, shape, told, forgotten_bytes }).await
        }
        (None, None) => None,
    };
    flight.bill.make_out(Charge { spent, asked });
    spent
}

/// Carries pieces from the upstream to the flight's log, through inspection.
struct Relay<'a> {
    engine: &'a Shared,
    flight: &'a Flight,
    trip: &'a Trip,
    asked_at: Tick,
}

impl Relay<'_> {
    async fn run(&self, asked: Asked) -> Result<Finish, CallError> {
        let Asked { answer, first, target, attempts, attempt } = asked;
        let origin = |shape| Origin {
            shape,
            target: Arc::clone(&target),
            attempts,
            asked: self.asked_at,
            began: self.engine.clock.now(),
        };
        let relayed = match answer {
            Answer::Whole { body, finish } => {
                self.flight.sent.counted(finish.usage);
                let piece = self.inspect(body)?;
                self.flight.begin(origin(Shape::Whole));
                self.flight.push(piece).await;
                Ok(finish)
            }
            Answer::Events(events) => {
                self.flight.begin(origin(Shape::Events));
                self.events(first, events).await?
            }
            Answer::Passed { status, fields, body } => {
                self.flight.begin(origin(Shape::Passed { status, fields: fields.into() }));
                self.events(None, body).await?
            }
            Answer::Rows(_) => Err(Fault::broken(None, "vectors where an answer was asked")),
        };
        match relayed {
            Ok(finish) => {
                attempt.succeeded(finish.usage);
                Ok(finish)
            }
            Err(fault) => {
                attempt.failed(&fault);
                Err(CallError::upstream(target, fault, attempts))
            }
        }
    }

    fn inspect(&self, piece: Bytes) -> Result<Vetted, CallError> {
        stages::inspect(self.engine, &self.trip.workspace, self.trip.kind, piece)
    }

    /// Relays events until the end. The outer error is inspection's, the inner one the upstream's.
    async fn events(
        &self,
        first: Option<Piece>,
        mut events: Events,
    ) -> Result<Result<Finish, Fault>, CallError> {
        let mut next = first.map(Ok);
        loop {
            let piece = match next.take() {
                Some(piece) => Some(piece),
                None => events.next().await,
            };
            match piece {
                Some(Ok(Piece::Data(piece))) => self.flight.push(self.inspect(piece)?).await,
                Some(Ok(Piece::End(finish))) => {
                    self.flight.sent.counted(finish.usage);
                    return Ok(Ok(finish));
                }
                Some(Err(fault)) => return Ok(Err(fault)),
                None => return Ok(Err(Fault::new(FaultKind::Cut, "the stream ended before it was done"))),
            }
        }
    }
}

/// The entry to publish, if the answer may be kept: complete, within limits, under versions still in force.
fn keep(
    engine: &Shared,
    flight: &Flight,
    trip: &Trip,
    (target, finish, spent): (&Arc<str>, Finish, Option<Spent>),
) -> Option<Arc<Entry>> {
    let call = trip.keep.as_ref()?;
    let whole = finish.complete || (finish.cut && engine.config.keep_cut_answers);
    let stamps = flight.plan.stamps;
    let current = engine.policy.version() == stamps.policy && engine.egress.version() == stamps.redaction;
    if !whole || !current {
        return None;
    }
    let (origin, pieces) = flight.recorded()?;
    let kept = match (&origin.shape, pieces.as_slice()) {
        (Shape::Whole, [body]) => Kept::Whole(Bytes::copy_from_slice(body)),
        (Shape::Events, events) if !events.is_empty() => Kept::Events(compact(events)),
        _ => return None,
    };
    let key = key_of_answerer(flight, trip, call, target);
    let born = engine.clock.now();
    let facts = EntryFacts {
        key,
        workspace: call.workspace.clone(),
        kind: trip.kind,
        model: Arc::clone(&call.model),
        target: Arc::clone(target),
        tags: call.tags.clone(),
        payer: flight.plan.call,
        usage: spent.map(|spent| spent.usage),
        estimated: spent.is_some_and(|spent| spent.estimated),
        born,
        expires: born.plus_ms(engine.config.ttl_ms(trip.kind)),
    };
    Some(Arc::new(Entry::new(facts, kept)))
}

/// The events in one allocation of their own: as they came, each would hold a whole read buffer alive.
fn compact(events: &[Bytes]) -> Arc<[Bytes]> {
    let all = Bytes::from(events.concat());
    let mut at = 0;
    let slice = |event: &Bytes| {
        let from = at;
        at += event.len();
        all.slice(from..at)
    };
    events.iter().map(slice).collect()
}

/// After a failover the answer is kept under the target that gave it.
fn key_of_answerer(flight: &Flight, trip: &Trip, call: &Call<ChatWork>, target: &Arc<str>) -> Key {
    let first = &trip.route.targets[trip.places[0]];
    if first.name == *target {
        return flight.plan.key;
    }
    let answerer = trip.route.targets.iter().find(|candidate| candidate.name == *target).unwrap_or(first);
    key_at(call, answerer, &call.work.digest, flight.plan.stamps)
}
