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
    /// Bytes of everything a run holds in locals and state; counted now and then, so an eighth more may be held for a
    /// moment.
    pub memory_bytes: u64,
    /// Yields, log lines and metric points together.
    pub messages: usize,
    /// Jobs that wait at once.
    pub jobs: usize,
    /// Parts one block may have: tasks, branches, async calls launched together.
    pub parts: usize,
    /// Parts of one fork that may be under way at once; with 1 they run one after the other.
    pub parts_at_once: usize,
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
            parts: 1_000,
            parts_at_once: 64,
        }
    }
}

impl Limits {
    /// Whether a list or map may take one more.
    #[inline(always)]
    pub(super) fn grow(&self, length: usize) -> Result<(), Fault> {
        if length < self.items { Ok(()) } else { Err(self.too_many_items()) }
    }

    #[cold]
    fn too_many_items(&self) -> Fault {
        hit(format!("A list or map may hold at most {} items.", self.items))
    }

    /// Bytes that may be made between two counts of what is held.
    pub(super) fn audit_bytes(&self) -> u64 {
        (self.memory_bytes / 8).max(1 << 16)
    }

    /// The fault of a run that holds too much.
    #[cold]
    pub(super) fn too_much_memory(&self) -> Fault {
        hit(format!("The run holds more than {} bytes.", self.memory_bytes))
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
