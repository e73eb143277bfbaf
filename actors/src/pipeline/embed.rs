//! The path of an embedding call: each item is looked up, joined or queued on its own, and all come back in
//! the order of the request.
//!
//! Owns the order of the stages for items; batches travel in `batch/`. All vectors of one answer come from
//! one target, so that they share a space: the target is chosen by everything but the items.

use std::sync::Arc;
use std::time::Duration;

use super::recall::Recall;
use super::stages;
use super::{Outcome, within};
use crate::batch::registry::{BatchKey, Bound};
use crate::batch::row::{CollectError, Collector, Delivered, How, RowAddress, Seq};
use crate::batch::{Asker, Flown, Landed, RowAsk, RowItem, RowOrder};
use crate::cache::index::MissReason;
use crate::cache::{Entry, Tier};
use crate::call::{CacheWish, Call, CallId, CallKind, EmbedWork, Memory};
use crate::engine::Shared;
use crate::error::{CallError, ErrorKind, Stage};
use crate::key::{Deny, Excused, Key, Sketch};
use crate::ports::clock::Tick;
use crate::ports::provider::Usage;
use crate::record::{ItemCounts, OpenRecord};
use crate::route::Target;

/// What `explain` does not compare: it cannot change a vector.
const UNCOMPARED: Deny = Deny::new(&[
    Excused { field: "encoding_format", why: "both forms are written from one kept vector" },
    Excused { field: "user", why: "names the end user for abuse reports" },
]);

/// The vectors of one call.
#[derive(Debug)]
pub struct Embedded {
    /// The call's id.
    pub id: CallId,
    /// How its items came, taken together.
    pub outcome: Outcome,
    /// How its items came, counted.
    pub items: ItemCounts,
    /// An entry per item, in the order of the request; kept or not. Each has one vector and the tokens that
    /// vector cost when it was computed.
    pub rows: Vec<Arc<Entry>>,
    /// `provider/model` that answered, now or when it was kept.
    pub target: Arc<str>,
    /// Age of the oldest kept vector, whole seconds; `None` if nothing came from memory.
    pub age_s: Option<u64>,
    /// Time Tidegate added: all but the time in which the upstream worked on its rows.
    pub ours: Duration,
}

impl Embedded {
    /// Tokens all items cost when they were computed: the same whether they were remembered or not.
    pub fn tokens(&self) -> u64 {
        self.rows.iter().filter_map(|row| row.facts.usage).map(|usage| usage.input).sum()
    }
}

/// Answers each item of `call` from memory, from a row already on its way, or by a row of its own.
pub(crate) async fn embed(engine: &Arc<Shared>, call: Call<EmbedWork>) -> Result<Embedded, CallError> {
    let bytes = call.work.document.raw().len();
    let mut record = engine.recorder.open(&call, CallKind::Embed, bytes); // closes itself as abandoned when dropped
    match answer(engine, call, &mut record).await {
        Ok(embedded) => {
            record.close(embedded.outcome.told());
            Ok(embedded)
        }
        Err(error) => {
            record.fail(&error);
            Err(error)
        }
    }
}

async fn answer(
    engine: &Arc<Shared>,
    call: Call<EmbedWork>,
    record: &mut OpenRecord,
) -> Result<Embedded, CallError> {
    let permit = stages::admit(engine, record)?;
    record.mark_admitted();
    let cleared = stages::authorise(engine, call, CallKind::Embed, permit)?;
    record.mark(Stage::Authorise);
    let stamps = cleared.stamps(engine);
    let (call, _permit) = cleared.into_parts();
    let places = stages::places(&call.route, &call.work.others, &*engine.clock);
    let grace_ms = if call.client_attempt.is_some() { engine.config.orphan_grace_ms } else { 0 };
    let keep = matches!(call.memory, Memory::Use(wish) if wish.keep);
    let order = Arc::new(RowOrder { call, stamps, keep, grace: Duration::from_millis(grace_ms) });
    let rows =
        within(engine, &order.call, || Stage::Act, ask_targets(engine, &order, &places, record)).await?;
    record.mark(Stage::Act);
    Ok(tell(engine, &order, rows, record))
}

/// Asks one target after the other until one answers every item.
async fn ask_targets(
    engine: &Arc<Shared>,
    order: &Arc<RowOrder>,
    places: &[usize],
    record: &mut OpenRecord,
) -> Result<Vec<Delivered<Landed>>, CallError> {
    let mut failed = None;
    for &place in places {
        let asked = ask(engine, order, &order.call.route.targets[place], record).await;
        if let Err(CallError { kind: ErrorKind::Upstream { attempts, .. }, .. }) = &asked {
            record.note(|record| record.attempts += attempts);
        }
        match asked {
            Err(error) if may_go_elsewhere(&error) => failed = Some(error),
            done => return done,
        }
    }
    Err(failed.unwrap_or_else(|| CallError::lane_lost(Stage::Act, "route")))
}

/// Another target may answer what this one could not; what it rejects or cannot be taken, or what is ours, it may not.
fn may_go_elsewhere(error: &CallError) -> bool {
    match &error.kind {
        ErrorKind::Upstream { fault, .. } => !fault.kind.is_final(),
        ErrorKind::BreakerOpen { .. } => true,
        _ => false,
    }
}

async fn ask(
    engine: &Arc<Shared>,
    order: &Arc<RowOrder>,
    target: &Target,
    record: &mut OpenRecord,
) -> Result<Vec<Delivered<Landed>>, CallError> {
    let call = &order.call;
    let items = &call.work.items;
    let keys: Vec<Key> = stages::with_prefix(call, target, order.stamps, |prefix| {
        let keyer = prefix.keyer();
        items.iter().map(|item| keyer.key(&item.digest)).collect()
    });
    record.mark(Stage::Key);
    if let [key] = keys.as_slice() {
        record.note(|record| record.key = Some(*key));
    }
    let collector = Arc::new(Collector::new(call.id, items.len()));
    let misses = lookup(engine, call, keys, &collector, record);
    let misses = recalled(engine, order, misses, &collector).await;
    record.mark(Stage::Lookup);
    let _stay = match misses.as_slice() {
        [] => None,
        _ => Some(enter(engine, order, target, &misses, &collector)?),
    };
    record.mark(Stage::Join);
    let items = items.len();
    collector.collect().await.map_err(|CollectError { item, error }| match item {
        Some(Seq(at)) => error.at_item(at as usize, items),
        None => error,
    })
}

/// Hands over what is remembered; gives the places and keys of the items that are not.
fn lookup(
    engine: &Shared,
    call: &Call<EmbedWork>,
    keys: Vec<Key>,
    collector: &Collector<Landed>,
    record: &mut OpenRecord,
) -> Vec<(u32, Key)> {
    let wish = match call.memory {
        Memory::Use(wish) => wish,
        Memory::Bypass(reason) => {
            record.note(|record| record.reason = reason);
            return (0..).zip(keys).collect();
        }
    };
    let now = engine.clock.now();
    let mut misses = Vec::new();
    for (seq, key) in (0_u32..).zip(keys) {
        match engine.cache.index.get(&key, wish, now) {
            Ok(entry) => {
                let value = Landed { entry, flown: None };
                let hit = Delivered { value, how: How::Hit, billed: 0 };
                collector.deliver(RowAddress { call: call.id, seq: Seq(seq) }, Ok(hit));
            }
            Err(reason) => {
                missed(engine, call, reason, misses.is_empty(), record);
                misses.push((seq, key));
            }
        }
    }
    misses
}

/// Hands over what is found behind memory; gives the places and keys of the items that are not.
async fn recalled(
    engine: &Shared,
    order: &RowOrder,
    misses: Vec<(u32, Key)>,
    collector: &Collector<Landed>,
) -> Vec<(u32, Key)> {
    let Memory::Use(wish) = order.call.memory else { return misses };
    if misses.is_empty() || engine.cache.tier.is_none() {
        return misses;
    }
    let keys: Vec<Key> = misses.iter().map(|(_, key)| *key).collect();
    let recall = Recall { workspace: &order.call.workspace, stamps: order.stamps, wish };
    let found = recall.of(engine, &keys).await;
    let mut left = Vec::with_capacity(misses.len());
    for ((seq, key), entry) in misses.into_iter().zip(found) {
        match entry {
            Some(entry) => {
                let value = Landed { entry, flown: None };
                let hit = Delivered { value, how: How::Hit, billed: 0 };
                collector.deliver(RowAddress { call: order.call.id, seq: Seq(seq) }, Ok(hit));
            }
            None => left.push((seq, key)),
        }
    }
    left
}

/// Counts why; the first item's reason stands in the record.
fn missed(engine: &Shared, call: &Call<EmbedWork>, reason: MissReason, first: bool, record: &mut OpenRecord) {
    match reason {
        MissReason::Mismatch => drop(engine.metrics.cache.mismatched.inc()),
        MissReason::Offline => drop(engine.metrics.cache.offline.inc()),
        _ => {}
    }
    if first {
        let fields = Sketch::of(&call.work.document, UNCOMPARED, engine.salt);
        record.note(|record| {
            record.reason = reason.name();
            record.fields = Some(fields);
        });
    }
}

/// Joins or queues the missing items, all or none.
fn enter(
    engine: &Shared,
    order: &Arc<RowOrder>,
    target: &Target,
    misses: &[(u32, Key)],
    collector: &Arc<Collector<Landed>>,
) -> Result<impl Drop + use<>, CallError> {
    let call = &order.call;
    let wish = match call.memory {
        Memory::Use(CacheWish { only_kept: true, .. }) => return Err(CallError::not_cached()),
        Memory::Use(wish) => wish,
        Memory::Bypass(_) => CacheWish { read: false, keep: false, ..CacheWish::default() },
    };
    let now = engine.clock.now();
    let key = BatchKey {
        target: Arc::clone(&target.name),
        input: call.work.items[0].input,
        others: call.work.others,
        affecting: call.affecting.clone(),
    };
    let asker = Asker {
        collector,
        workspace: &call.workspace,
        share: engine.config.join && order.keep,
        epoch: order.stamps.purge,
        now,
    };
    let rows = || {
        let row = |&(at, key): &(u32, Key)| RowAsk {
            seq: Seq(at),
            key,
            tokens: call.work.items[at as usize].tokens,
            item: RowItem { order: Arc::clone(order), at },
        };
        misses.iter().map(row).collect()
    };
    let recheck = |key: &Key| {
        let entry = engine.cache.index.get_again(key, wish, now).ok()?;
        Some(Landed { entry, flown: None })
    };
    engine.batchers.enter(&Bound { key, target }, &asker, rows, recheck)
}

fn tell(
    engine: &Shared,
    order: &RowOrder,
    rows: Vec<Delivered<Landed>>,
    record: &mut OpenRecord,
) -> Embedded {
    let now = engine.clock.now();
    let items = count(&rows);
    let outcome = outcome(order.call.memory, items);
    let ours = now.since(record.opened()).saturating_sub(upstream_time(&rows, record.opened()));
    let billed = rows.iter().map(|row| row.billed).sum();
    let kept = rows.iter().filter(|row| row.how == How::Hit);
    let age_s = kept.map(|row| row.value.entry.age_s(now)).max();
    let dispatched = rows_dispatched(&rows, record.opened());
    let attempts = attempts(&rows);
    let flown = || rows.iter().filter_map(|row| row.value.flown.as_ref());
    let batch = flown().next().map(|flown| flown.attempt);
    let estimated = flown().any(|flown| flown.estimated);
    let rows: Vec<_> = rows.into_iter().map(|row| row.value.entry).collect();
    let warm = rows.iter().any(|row| row.tier() == Tier::Warm);
    let target = rows.first().map_or_else(|| Arc::from("none"), |row| Arc::clone(&row.facts.target));
    record.note(|record| {
        if let Some(after) = dispatched {
            record.marks[Stage::Lane as usize] = after;
        }
        record.items = items;
        record.attempts += attempts;
        record.usage = Some(Usage { input: billed, ..Usage::default() });
        (record.batch, record.estimated) = (batch, estimated);
        record.target = Some(Arc::clone(&target));
        if outcome == Outcome::Hit {
            record.reason = if warm { "warm" } else { "" };
        }
    });
    Embedded { id: order.call.id, outcome, items, rows, target, age_s, ours }
}

fn count(rows: &[Delivered<Landed>]) -> ItemCounts {
    let mut items = ItemCounts::default();
    for row in rows {
        match row.how {
            How::Hit => items.hit += 1,
            How::Joined => items.joined += 1,
            How::Computed => items.miss += 1,
        }
    }
    items
}

fn outcome(memory: Memory, items: ItemCounts) -> Outcome {
    match (memory, items) {
        (Memory::Bypass(reason), _) => Outcome::Bypass(reason),
        (_, ItemCounts { joined: 0, miss: 0, .. }) => Outcome::Hit,
        (_, ItemCounts { hit: 0, miss: 0, .. }) => Outcome::Joined,
        (_, ItemCounts { hit: 0, joined: 0, .. }) => Outcome::Miss,
        _ => Outcome::Mixed,
    }
}

/// When the last of this call's own rows went upstream, nanoseconds after admission.
fn rows_dispatched(rows: &[Delivered<Landed>], opened: Tick) -> Option<u64> {
    let own = rows.iter().filter(|row| row.how == How::Computed).filter_map(|row| row.value.flown.as_ref());
    own.map(|flown| flown.asked.nanos_since(opened).max(1)).max()
}

/// Attempts at the requests that brought these rows, each request counted once.
fn attempts(rows: &[Delivered<Landed>]) -> u32 {
    let mut requests: Vec<&Arc<Flown>> = rows.iter().filter_map(|row| row.value.flown.as_ref()).collect();
    requests.sort_unstable_by_key(|flown| Arc::as_ptr(flown));
    requests.dedup_by(|one, other| Arc::ptr_eq(one, other));
    requests.iter().map(|flown| flown.attempts).sum()
}

/// From the first request for any of these rows to the last answer, as far as this call waited for it.
fn upstream_time(rows: &[Delivered<Landed>], opened: Tick) -> Duration {
    let flown = || rows.iter().filter_map(|row| row.value.flown.as_ref());
    let asked = flown().map(|flown| flown.asked.max(opened)).min();
    let answered = flown().map(|flown| flown.answered).max();
    asked.zip(answered).map_or(Duration::ZERO, |(asked, answered)| answered.since(asked))
}
