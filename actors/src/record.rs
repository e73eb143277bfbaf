//! What is remembered of each call: its way along the path, in a fixed slot of a bounded ring.
//!
//! Owns the record and the ring. Must not know where the ledger stores it.

mod bill;
mod open;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::call::{Call, CallId, CallKind, Form, Tags, WorkspaceId};
use crate::error::{Blame, Stage};
use crate::key::{Key, Sketch};
use crate::metrics::{CallMetrics, Told};
use crate::ports::clock::{ClockRef, Tick};
use crate::ports::ledger::{AttemptId, Ledger};
use crate::ports::provider::Usage;

pub(crate) use bill::{Bill, Charge};
use open::Ended;
pub(crate) use open::OpenRecord;

/// Items of an embedding call by how each was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ItemCounts {
    /// From memory.
    pub hit: u32,
    /// By a row another call had asked.
    pub joined: u32,
    /// By the upstream.
    pub miss: u32,
}

/// Where a call failed, as what, and whose doing it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub stage: Stage,
    /// The error's name.
    pub code: &'static str,
    /// Whose doing.
    pub blame: Blame,
}

/// What is known of a call when it comes.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Ours.
    pub id: CallId,
    /// Whose.
    pub workspace: WorkspaceId,
    /// With which credential; 0 is the instance without keys.
    pub credential: u64,
    /// The door.
    pub door: &'static str,
    /// Of what kind.
    pub kind: CallKind,
    /// The public model asked.
    pub model: Arc<str>,
    /// The form asked.
    pub form: Form,
    /// Labels.
    pub tags: Tags,
    /// Bytes of the request as it came.
    pub request_bytes: u64,
}

/// One call as it is told.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// Ours.
    pub id: CallId,
    /// Whose.
    pub workspace: WorkspaceId,
    /// With which credential; 0 is the instance without keys.
    pub credential: u64,
    /// The door.
    pub door: &'static str,
    /// Of what kind.
    pub kind: CallKind,
    /// The public model asked.
    pub model: Arc<str>,
    /// The form asked.
    pub form: Form,
    /// Labels.
    pub tags: Tags,
    /// Admission, microseconds since 1970 UTC.
    pub unix_us: i64,
    /// Admission on the engine's clock.
    pub opened: Tick,
    /// Nanoseconds from admission to the end of each stage, in the order of [`Stage::ALL`]; 0: not reached.
    pub marks: [u64; 11],
    /// `hit`, `joined`, `miss`, `mixed`, `bypass`, `failed`, `abandoned`; `open` until it ended.
    pub outcome: &'static str,
    /// Why it was not a hit (`absent`, `expired`, `not_declared`, ..), or the limit that refused it; empty for a hit.
    pub reason: &'static str,
    /// The key, where one was made.
    pub key: Option<Key>,
    /// Who answered.
    pub target: Option<Arc<str>>,
    /// The call that paid, if another did.
    pub payer: Option<CallId>,
    /// Requests made upstream for it, alone or with others; of rows that travelled in a batch that was divided, those that
    /// gave them their vectors.
    pub attempts: u32,
    /// Embedding items by outcome.
    pub items: ItemCounts,
    /// What the answer cost.
    pub usage: Option<Usage>,
    /// The usage is not what the upstream said but our own count or our own division of it.
    pub estimated: bool,
    /// Of embedding items that travelled with others': the first request that carried some.
    pub batch: Option<AttemptId>,
    /// Bytes of the request as it came.
    pub request_bytes: u64,
    /// Bytes of the answer that were told.
    pub bytes: u64,
    /// Where it failed and as what.
    pub error: Option<Failure>,
    /// The canonical fields, by keyed hashes; on misses only, a hit has those of its entry's payer.
    pub fields: Option<Sketch>,
}

impl CallRecord {
    /// A call that came just now.
    fn of(arrival: Arrival, unix_us: i64, opened: Tick) -> Self {
        let Arrival { id, workspace, credential, door, kind, model, form, tags, request_bytes } = arrival;
        Self {
            id,
            workspace,
            credential,
            door,
            kind,
            model,
            form,
            tags,
            unix_us,
            opened,
            marks: [0; 11],
            outcome: "open",
            reason: "",
            key: None,
            target: None,
            payer: None,
            attempts: 0,
            items: ItemCounts::default(),
            usage: None,
            estimated: false,
            batch: None,
            request_bytes,
            bytes: 0,
            error: None,
            fields: None,
        }
    }

    /// Another call paid: the flight's first caller does, all others would have paid the same.
    pub fn is_free(&self) -> bool {
        matches!(self.outcome, "hit" | "joined")
    }

    /// Nanoseconds from admission to the end of `stage`, if it was reached.
    pub fn mark(&self, stage: Stage) -> Option<u64> {
        let nanos = self.marks[stage as usize];
        (nanos > 0).then_some(nanos)
    }
}

/// Recent calls and where their ends are told.
pub(crate) struct Recorder {
    ring: Vec<Mutex<Option<CallRecord>>>,
    next: AtomicU64,
    clock: ClockRef,
    ledger: Arc<dyn Ledger>,
    metrics: CallMetrics,
}

impl Recorder {
    /// Remembers the last `calls` calls; at least one.
    pub(crate) fn new(calls: usize, clock: ClockRef, ledger: Arc<dyn Ledger>, metrics: CallMetrics) -> Self {
        let ring = (0..calls.max(1)).map(|_| Mutex::new(None)).collect();
        Self { ring, next: AtomicU64::new(0), clock, ledger, metrics }
    }

    /// Opens the record of a call whose request has so many bytes. Allocates nothing.
    pub(crate) fn open<W>(self: &Arc<Self>, call: &Call<W>, kind: CallKind, bytes: usize) -> OpenRecord {
        let arrival = Arrival {
            id: call.id,
            workspace: call.workspace.clone(),
            credential: call.credential,
            door: call.door,
            kind,
            model: Arc::clone(&call.model),
            form: call.form,
            tags: call.tags.clone(),
            request_bytes: bytes as u64,
        };
        let record = CallRecord::of(arrival, self.clock.unix_us(), call.deadline.since);
        let refused = self.ledger.reserve(call.id).err();
        OpenRecord { recorder: Arc::clone(self), record: Some(record), refused, bill: None }
    }

    /// Tells the books of a call that a door refused before it began. It is nowhere else: a flood of refusals must not push
    /// calls that were answered out of the ring, nor their rows out of the books.
    pub(crate) fn refuse(&self, arrival: Arrival, failure: Failure, reason: &'static str) {
        if self.ledger.reserve_spare().is_err() {
            self.metrics.unbooked.inc();
            return;
        }
        let mut record = CallRecord::of(arrival, self.clock.unix_us(), self.clock.now());
        (record.outcome, record.reason, record.error) = (Told::Failed.name(), reason, Some(failure));
        record.marks[Stage::Tell as usize] = 1;
        self.ledger.tell(&record);
    }

    /// How a call ended is known from here on, if not yet what it cost.
    fn end(&self, record: &mut CallRecord, told: Told, now: Tick) {
        let took = now.since(record.opened);
        record.outcome = told.name();
        record.marks[Stage::Tell as usize] = nanos(took);
        self.metrics.told(record.kind, told, took);
        if record.kind == CallKind::Embed && !matches!(told, Told::Failed | Told::Abandoned) {
            let ItemCounts { hit, joined, miss } = record.items;
            self.metrics.items(hit.into(), joined.into(), miss.into());
        }
    }

    fn tell(&self, record: CallRecord, in_books: bool) {
        if in_books {
            self.ledger.tell(&record);
        } else {
            self.metrics.unbooked.inc();
        }
        let at = self.next.fetch_add(1, Ordering::Relaxed) as usize % self.ring.len();
        let old = self.ring[at].lock().replace(record);
        drop(old); // outside the lock
    }

    /// The record of a recent call. Walks the ring: for people, not for the path.
    pub(crate) fn find(&self, id: CallId) -> Option<CallRecord> {
        self.ring.iter().find_map(|slot| slot.lock().clone().filter(|record| record.id == id))
    }

    /// The recent record of the same workspace and door whose fields differ least from `of`.
    pub(crate) fn nearest(&self, of: &CallRecord) -> Option<CallRecord> {
        let fields = of.fields.as_ref()?.fields();
        let comparable = |record: &CallRecord| {
            record.id != of.id
                && record.workspace == of.workspace
                && record.door == of.door
                && record.opened <= of.opened
        };
        let recent = self.ring.iter().filter_map(|slot| slot.lock().clone().filter(comparable));
        recent
            .filter_map(|record| Some((fields.distance(&record.fields.as_ref()?.fields()), record)))
            .min_by_key(|(distance, record)| (*distance, std::cmp::Reverse(record.opened)))
            .map(|(_, record)| record)
    }

    /// The record that paid for a key, if it is still known.
    pub(crate) fn payer_of(&self, key: &Key) -> Option<CallRecord> {
        let paid = |record: &CallRecord| record.fields.is_some() && record.key == Some(*key);
        self.ring.iter().find_map(|slot| slot.lock().clone().filter(paid))
    }

    /// Records the ring can hold, and how many it has seen.
    pub(crate) fn size(&self) -> (usize, u64) {
        (self.ring.len(), self.next.load(Ordering::Relaxed))
    }
}

fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::EngineMetrics;
    use crate::ports::clock::SystemClock;
    use crate::ports::ledger::Refusal;
    use crate::sim::Books;
    use prometheus_client::registry::Registry;

    #[test]
    fn a_refused_call_is_told_where_there_is_room_and_counted_where_there_is_none() {
        let (books, metrics) =
            (Arc::new(Books::default()), EngineMetrics::register(&mut Registry::default()));
        let ledger = Arc::clone(&books) as Arc<dyn Ledger>;
        let recorder = Recorder::new(4, Arc::new(SystemClock::new()), ledger, metrics.calls.clone());
        let refuse = || {
            let arrival = Arrival {
                id: CallId::fresh(),
                workspace: WorkspaceId::default_workspace(),
                credential: 7,
                door: "openai.chat",
                kind: CallKind::Chat,
                model: "m".into(),
                form: Form::Whole,
                tags: Tags::default(),
                request_bytes: 9,
            };
            let failure = Failure { stage: Stage::Admit, code: "rate_limit_exceeded", blame: Blame::Caller };
            recorder.refuse(arrival, failure, "requests_per_minute");
        };
        refuse();
        books.refuse(Some(Refusal::Full { rows: 1 }));
        refuse();
        let told = books.told();
        assert_eq!((told.len(), books.reserved(), metrics.calls.unbooked.get()), (1, 0, 1));
        assert_eq!(
            (told[0].outcome, told[0].reason, told[0].credential),
            ("failed", "requests_per_minute", 7)
        );
        assert_eq!(recorder.size().1, 0, "calls that were answered are not pushed out of the ring");
    }
}
