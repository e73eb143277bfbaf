//! THE path, top to bottom: admit, authorise, key, lookup, join here, in the caller's own task; group, lane,
//! act, inspect, keep in `fly.rs`, once per flight; tell when the caller has its answer.
//!
//! Owns the order of the stages, which `stages.rs` enforces by types. Must not decide what a stage decides.

mod embed;
mod fly;
mod forward;
mod recall;
mod reply;
mod stages;

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::cache::Entry;
use crate::cache::door::Joining;
use crate::cache::index::MissReason;
use crate::cache::orders::{JoinAsk, Joined, Order, Reclaim};
use crate::call::{CacheWish, Call, CallId, CallKind, ChatWork, Form, Memory};
use crate::engine::Shared;
use crate::error::{CallError, Stage};
use crate::flight::{Flight, FlightPlan, Follower, Pilot};
use crate::key::Sketch;
use crate::mail::reply as mail;
use crate::ports::clock::Tick;
use crate::ports::provider::Task;
use crate::record::OpenRecord;

pub use embed::Embedded;
pub(crate) use embed::embed;
pub(crate) use forward::forward;
use recall::Recall;
pub use reply::{Answered, Body, Outcome, Telling};
use reply::{Found, Source};
use stages::{Asking, Keyed, Permit};
pub(crate) use stages::{OVERLOADED_RETRY, Vetted};

/// Answers `call` from memory, from a flight already in the air, or by starting one.
pub(crate) async fn chat(engine: &Arc<Shared>, call: Call<ChatWork>) -> Result<Answered, CallError> {
    let bytes = call.work.document.raw().len();
    let mut record = engine.recorder.open(&call, CallKind::Chat, bytes); // closes itself as abandoned when dropped
    match answer(engine, call, &mut record).await {
        Ok(found) => Ok(found.tell(engine, record)),
        Err(error) => {
            record.fail(&error);
            Err(error)
        }
    }
}

async fn answer(
    engine: &Arc<Shared>,
    call: Call<ChatWork>,
    record: &mut OpenRecord,
) -> Result<Found, CallError> {
    let permit = stages::admit(engine, record)?;
    record.mark_admitted();
    let cleared = stages::authorise(engine, call, CallKind::Chat, permit)?;
    record.mark(Stage::Authorise);
    let keyed = stages::key(engine, cleared);
    let now = record.mark(Stage::Key);
    record.note(|record| record.key = Some(*keyed.key()));

    let wish = match keyed.call().memory {
        Memory::Use(wish) => wish,
        // Boxed, like every way but a hit: a hit need not carry the state of a flight it does not make.
        Memory::Bypass(reason) => {
            return Box::pin(alone(engine, keyed.into_asking(), reason, record)).await;
        }
    };
    let found = stages::lookup(engine, &keyed, wish, now);
    let looked = record.mark(Stage::Lookup);
    match found {
        Ok(entry) => Ok(hit(keyed.into_hit(), entry, looked, record)),
        Err(reason) => {
            if engine.cache.tier.is_some()
                && let Some(entry) = Box::pin(recalled(engine, &keyed, wish)).await
            {
                let found = record.mark(Stage::Lookup);
                let found = hit(keyed.into_hit(), entry, found, record);
                record.note(|record| record.reason = "warm");
                return Ok(found);
            }
            missed(engine, wish, reason, record)?;
            Box::pin(share(engine, keyed.into_asking(), wish, record)).await
        }
    }
}

/// Looks behind memory under each preferred target.
async fn recalled(engine: &Shared, keyed: &Keyed<ChatWork>, wish: CacheWish) -> Option<Arc<Entry>> {
    let recall = Recall { workspace: &keyed.call().workspace, stamps: keyed.stamps(), wish };
    recall.of(engine, &keyed.keys()).await.into_iter().flatten().next()
}

/// Follows whoever asks already, or asks.
async fn share(
    engine: &Arc<Shared>,
    asking: Asking<ChatWork>,
    wish: CacheWish,
    record: &mut OpenRecord,
) -> Result<Found, CallError> {
    let sharing = join(engine, &asking, wish).await?;
    let joined = record.mark(Stage::Join);
    match sharing {
        Sharing::Hit(entry) => Ok(hit((asking.call.id, asking.permit), entry, joined, record)),
        Sharing::Follow(follower) => follow(engine, asking, follower, Outcome::Joined, record).await,
        Sharing::Lead(follower) => {
            sketch(engine, &asking.call.work, record);
            follow(engine, asking, follower, Outcome::Miss, record).await
        }
    }
}

/// What was found at `now` is told at once: no clock is read for it again.
fn hit((id, permit): (CallId, Permit), entry: Arc<Entry>, now: Tick, record: &mut OpenRecord) -> Found {
    record.note(|record| {
        record.reason = "";
        record.key = Some(entry.facts.key);
        record.target = Some(Arc::clone(&entry.facts.target));
        record.payer = Some(entry.facts.payer);
    });
    let key = entry.facts.key;
    Found { id, key: Some(key), outcome: Outcome::Hit, source: Source::Kept(entry, now), permit }
}

/// Says and counts why.
fn missed(
    engine: &Shared,
    wish: CacheWish,
    reason: MissReason,
    record: &mut OpenRecord,
) -> Result<(), CallError> {
    record.note(|record| record.reason = reason.name());
    if reason == MissReason::Mismatch {
        engine.metrics.cache.mismatched.inc();
    }
    if wish.only_kept {
        return Err(CallError::not_cached());
    }
    Ok(())
}

/// Keeps what `explain` needs to name the field that differs. Only of calls that pay: who joins has the same.
fn sketch(engine: &Shared, work: &ChatWork, record: &mut OpenRecord) {
    let fields = Sketch::of(&work.document, work.deny, engine.salt);
    record.note(|record| record.fields = Some(fields));
}

enum Sharing {
    Hit(Arc<Entry>),
    Follow(Follower),
    Lead(Follower),
}

/// Asks the cache's writer: the entry, a flight to follow, or the duty to fly.
///
/// # Errors
/// `deadline_exceeded` when the writer is stuck for longer than the caller has patience.
async fn join(
    engine: &Arc<Shared>,
    asking: &Asking<ChatWork>,
    wish: CacheWish,
) -> Result<Sharing, CallError> {
    let plan = plan(engine, asking);
    if !(engine.config.join && wish.keep) {
        return Ok(Sharing::Lead(start(engine, asking, plan)));
    }
    let joined = match engine.cache.door.join(JoinAsk { plan, wish }) {
        Joining::Now(joined) => Some(joined),
        Joining::Later(from) => {
            let answer = async { Ok(from.await.ok()) };
            Box::pin(within(engine, &asking.call, || Stage::Join, answer)).await?
        }
        Joining::Never => None,
    };
    Ok(match joined {
        Some(Joined::Hit(entry)) => Sharing::Hit(entry),
        Some(Joined::Follow(follower)) => Sharing::Follow(follower),
        Some(Joined::Lead(pilot, follower)) => {
            launch(engine, asking, pilot);
            Sharing::Lead(follower)
        }
        // The cache's writer is down or drowned: direct computation, counted.
        None => {
            engine.metrics.cache.offline.inc();
            Sharing::Lead(start(engine, asking, self::plan(engine, asking)))
        }
    })
}

/// Nothing is shared; only a retry may take up the flight its own caller left.
async fn alone(
    engine: &Arc<Shared>,
    asking: Asking<ChatWork>,
    reason: &'static str,
    record: &mut OpenRecord,
) -> Result<Found, CallError> {
    record.note(|record| record.reason = reason);
    if let Some(follower) = reclaim(engine, &asking).await? {
        return follow(engine, asking, follower, Outcome::Joined, record).await;
    }
    let follower = start(engine, &asking, plan(engine, &asking));
    follow(engine, asking, follower, Outcome::Bypass(reason), record).await
}

async fn reclaim(engine: &Shared, asking: &Asking<ChatWork>) -> Result<Option<Follower>, CallError> {
    let call = &asking.call;
    if call.client_attempt.unwrap_or(0) == 0 {
        return Ok(None);
    }
    let (to, from) = mail();
    let ask = Reclaim { key: asking.key, credential: call.credential, reply: to };
    if engine.cache.door.tell(Order::Reclaim(ask)).is_err() {
        return Ok(None); // without the cache actor nothing was held for a retry
    }
    within(engine, call, || Stage::Join, async { Ok(from.await.ok().flatten()) }).await
}

fn plan(engine: &Shared, asking: &Asking<ChatWork>) -> FlightPlan {
    let call = &asking.call;
    // Orphan grace is given only to callers that say they may come back.
    let grace_ms = if call.client_attempt.is_some() { engine.config.orphan_grace_ms } else { 0 };
    FlightPlan {
        key: asking.key,
        call: call.id,
        credential: call.credential,
        stamps: asking.stamps,
        max_bytes: engine.config.flight_max_bytes,
        grace: Duration::from_millis(grace_ms),
        bytes: engine.metrics.calls.flight_bytes.clone(),
    }
}

/// A flight that stands in no table.
fn start(engine: &Arc<Shared>, asking: &Asking<ChatWork>, plan: FlightPlan) -> Follower {
    let (flight, follower) = Flight::start(plan);
    launch(engine, asking, Pilot::new(flight, None));
    follower
}

fn launch(engine: &Arc<Shared>, asking: &Asking<ChatWork>, pilot: Pilot) {
    let call = &asking.call;
    let task = Task::Generate { door: call.door, document: Arc::clone(&call.work.document), form: call.form };
    let trip = fly::Trip::new(asking, CallKind::Chat, task);
    engine.spawner.spawn(fly::fly(Arc::clone(engine), pilot, trip));
}

/// Waits for the answer, a stream's for its beginning, as long as the caller has patience.
async fn follow(
    engine: &Shared,
    asking: Asking<ChatWork>,
    mut follower: Follower,
    outcome: Outcome,
    record: &mut OpenRecord,
) -> Result<Found, CallError> {
    let Asking { call, permit, key, .. } = asking;
    let payer = follower.payer();
    let flight = Arc::clone(follower.flight());
    if payer == call.id {
        record.pays(&flight.bill);
    }
    let form = call.form;
    let wait = async move {
        match form {
            Form::Stream => follower.origin().await.map(|origin| Source::Live(follower, origin)),
            Form::Whole => {
                follower.collect().await.map(|(origin, pieces, end)| Source::Done(origin, pieces, end))
            }
        }
    };
    let source = within(engine, &call, || flight.stage(), wait).await?;
    record.mark(Stage::Act);
    let charge = flight.bill.known();
    record.note(|record| {
        charge.iter().for_each(|charge| charge.note(record));
        record.payer = Some(payer).filter(|payer| *payer != call.id);
        source.note(record);
    });
    Ok(Found { id: call.id, key: Some(key), outcome, source, permit })
}

/// Bounds a wait by the caller's patience, also where the engine's own limits are longer. `stage` says what was
/// waited for: the upstream is blamed only if it was asked.
async fn within<W, T>(
    engine: &Shared,
    call: &Call<W>,
    stage: impl Fn() -> Stage,
    wait: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let mut wait = std::pin::pin!(wait);
    let mut late = None; // an alarm is set only for what has to be waited for
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = wait.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        let late = late.get_or_insert_with(|| engine.clock.sleep_until(call.deadline.at()));
        let patience_ms = call.deadline.patience_ms;
        late.as_mut().poll(cx).map(|()| Err(CallError::deadline_exceeded(stage(), patience_ms)))
    })
    .await
}
