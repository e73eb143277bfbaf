//! Owns the limits on runaway and hostile programs. Must not count steps itself; the scheduler of strands does.

use std::sync::Arc;

use crate::lang::fault::{Fault, FaultKind};
use crate::lang::value::Value;

/// What one run may use. Zero never means "unlimited".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions of the whole run, jobs included.
    pub steps: u64,
    /// Bodies that stand above each other: flows, functions, access rules.
    pub depth: usize,
    /// Items of one list or map.
    pub items: usize,
    /// Bytes of one text.
    pub text_bytes: usize,
    /// Bytes of everything a run holds: locals, state and what it stored, counted where they may grow.
    pub memory_bytes: usize,
    /// Yields, log lines and metric points together.
    pub messages: usize,
    /// Jobs that wait at once.
    pub jobs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 2_000_000_000,
            depth: 256,
            items: 5_000_000,
            text_bytes: 16 << 20,
            memory_bytes: 1 << 30,
            messages: 100_000,
            jobs: 10_000,
        }
    }
}

impl Limits {
    /// Whether a list or map may take one more.
    #[inline(always)]
    pub(super) fn grow(&self, collection: &Value) -> Result<(), Fault> {
        let length = match collection {
            Value::List(list) => list.len(),
            Value::Map(map) => map.len(),
            _ => 0,
        };
        if length < self.items { Ok(()) } else { Err(self.too_many_items()) }
    }

    #[cold]
    fn too_many_items(&self) -> Fault {
        hit(format!("A list or map may hold at most {} items.", self.items))
    }

    /// Whether two texts may be joined.
    pub(super) fn join(&self, left: &Value, right: &Arc<str>) -> Result<(), Fault> {
        match left {
            Value::Text(left) if left.len() + right.len() > self.text_bytes => {
                Err(hit(format!("A text may be at most {} bytes long.", self.text_bytes)))
            }
            _ => Ok(()),
        }
    }

    /// The fault of a run that takes too many steps.
    #[cold]
    pub(super) fn too_many_steps(&self) -> Fault {
        hit(format!("The run took more than {} steps.", self.steps))
    }

    /// The fault of bodies that stand too deep.
    #[cold]
    pub(super) fn too_deep(&self) -> Fault {
        hit(format!("Calls are nested more than {} deep.", self.depth))
    }
}

/// A limit was hit; no `try` goes on after that.
#[cold]
pub(super) fn hit(text: String) -> Fault {
    Fault::run(text, None).of_kind(FaultKind::Limit).uncatchable()
}
