//! Owns what all strands of a run share: state, records, memory, the logical clock and the queue of jobs. Must not know
//! frames or instructions.

use std::sync::Arc;

use super::effects::Memorable;
use super::limits::Limits;
use crate::lang::fault::Fault;
use crate::lang::memory::Memory;
use crate::lang::records::{Schema, Scope, Store, Want};
use crate::lang::span::Span;
use crate::lang::value::{Map, Value};

/// Agents one flow run may call.
pub(super) const AGENTS_PER_RUN: u32 = 5;

/// A job that waits.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) job: usize,
    pub(super) input: Value,
    pub(super) due: u64,
    pub(super) order: u64,
}

/// What the strands of a run share.
pub(super) struct Shared {
    pub(super) identity: Value,
    /// Whether anything is known about the caller.
    pub(super) known: bool,
    /// The state of the run, then copies that async calls see.
    pub(super) states: Vec<Map>,
    /// Places of copies that are no longer seen.
    pub(super) free_states: Vec<usize>,
    pub(super) store: Store,
    /// What is missing of the records, and where it is missed.
    pub(super) want: Option<(Want, Option<Span>)>,
    pub(super) memory: Memory,
    pub(super) limits: Limits,
    pub(super) observing: bool,
    pub(super) now_ms: Option<i64>,
    pub(super) agents: u32,
    pub(super) launches: u32,
    /// Instructions of strands that are or were the head.
    pub(super) steps: u64,
    /// Bytes made since what is held was last counted.
    pub(super) made: u64,
    /// Bytes put into records and memory by this run.
    pub(super) stored: u64,
    pub(super) clock: u64,
    pub(super) queue: Vec<Queued>,
    pub(super) scheduled: Vec<Queued>,
    pub(super) orders: u64,
}

impl Shared {
    /// What the caller may see of a record.
    pub(super) fn scope(&self, schema: &Schema) -> Result<Scope, Fault> {
        schema.scope(&self.identity, self.now_ms)
    }

    /// Makes a copy of a state.
    pub(super) fn copy_state(&mut self, state: usize) -> usize {
        let copy = self.states[state].clone();
        match self.free_states.pop() {
            Some(free) => {
                self.states[free] = copy;
                free
            }
            None => {
                self.states.push(copy);
                self.states.len() - 1
            }
        }
    }

    /// Lets go of a copy.
    pub(super) fn free_state(&mut self, state: usize) {
        self.states[state] = Map::default();
        self.free_states.push(state);
    }

    /// Counts bytes that are kept outside locals and state.
    pub(super) fn store_bytes(&mut self, bytes: u64) -> Result<(), Fault> {
        self.stored = self.stored.saturating_add(bytes);
        if self.stored > self.limits.memory_bytes { Err(self.limits.too_much_memory()) } else { Ok(()) }
    }

    /// Takes in what answered asks want remembered.
    pub(super) fn remember(&mut self, memorable: &mut Vec<Memorable>) {
        for Memorable { session, short_term, input, output } in memorable.drain(..) {
            let limit = usize::try_from(short_term).unwrap_or(usize::MAX);
            self.memory.remember(&session, limit, &input, &output);
        }
    }

    /// Puts a job into the queue, in the order of enqueueing.
    pub(super) fn enqueue(&mut self, job: usize, input: Value, due: Option<u64>) {
        let (order, now) = (self.orders, self.clock);
        self.orders += 1;
        let entry = Queued { job, input, due: due.unwrap_or(now), order };
        if due.is_some() { self.scheduled.push(entry) } else { self.queue.push(entry) }
    }

    /// Moves the logical clock; what has become due joins the queue.
    pub(super) fn tick(&mut self, amount: u64) {
        self.clock = self.clock.saturating_add(amount);
        let clock = self.clock;
        let (due, waiting) =
            std::mem::take(&mut self.scheduled).into_iter().partition(|job| job.due <= clock);
        self.scheduled = waiting;
        self.queue.extend::<Vec<Queued>>(due);
    }

    /// The next job: the earliest due, of those the first enqueued.
    pub(super) fn next_job(&mut self) -> Option<Queued> {
        let at = self.queue.iter().enumerate().min_by_key(|(_, job)| (job.due, job.order))?.0;
        Some(self.queue.swap_remove(at))
    }
}

/// The words under which roles or permissions may stand in an identity.
pub(super) fn identity_has(identity: &Value, words: &[&str], wanted: &str) -> bool {
    let Some(map) = identity.as_map() else { return false };
    let named = words.iter().filter_map(|word| map.get(*word)).map(names);
    named.into_iter().find(|names| !names.is_empty()).is_some_and(|names| names.iter().any(|it| it == wanted))
}

/// The names a field of the identity holds: a list of them, or one text with commas between them.
fn names(held: &Value) -> Vec<String> {
    let texts: Vec<String> = match held {
        Value::List(items) => items.iter().map(Value::to_display).collect(),
        Value::Text(text) => text.split(',').map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    texts.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
}

/// Replaces every map that is exactly `{text: X}`, with X an answer of the run, by X.
pub(super) fn unwrap_answers(value: &Value, answers: &std::collections::HashSet<&str>) -> Value {
    match value {
        Value::Map(map) => {
            if let (1, Some(Value::Text(text))) = (map.len(), map.get("text"))
                && answers.contains(&**text)
            {
                return Value::Text(Arc::clone(text));
            }
            Value::map(
                map.iter().map(|(key, inner)| (Arc::clone(key), unwrap_answers(inner, answers))).collect(),
            )
        }
        Value::List(items) => Value::list(items.iter().map(|item| unwrap_answers(item, answers)).collect()),
        other => other.clone(),
    }
}
