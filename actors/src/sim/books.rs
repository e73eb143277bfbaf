//! A ledger that remembers everything, so that a test can balance it.
//!
//! Owns rows in memory; must not judge them but for being balanced.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::call::CallId;
use crate::ports::ledger::{AttemptEnd, AttemptRow, Ledger};
use crate::record::CallRecord;

#[derive(Debug, Default)]
struct Pages {
    open: HashMap<(CallId, u32), usize>,
    closed: Vec<(AttemptRow, AttemptEnd)>,
    told: Vec<CallRecord>,
}

/// The books of one world.
#[derive(Debug, Default)]
pub struct Books(Mutex<Pages>);

impl Books {
    /// Attempts that ended, in the order of their end.
    pub fn attempts(&self) -> Vec<(AttemptRow, AttemptEnd)> {
        self.0.lock().closed.clone()
    }

    /// Calls that were told, in the order they were told.
    pub fn told(&self) -> Vec<CallRecord> {
        self.0.lock().told.clone()
    }

    /// What the call was told as.
    pub fn record(&self, call: CallId) -> Option<CallRecord> {
        self.0.lock().told.iter().find(|record| record.id == call).cloned()
    }

    /// Attempts dispatched and not yet closed.
    pub fn open_attempts(&self) -> usize {
        self.0.lock().open.values().sum()
    }

    /// Calls told more than once.
    pub fn told_twice(&self) -> Vec<CallId> {
        let pages = self.0.lock();
        let mut seen = HashMap::new();
        for record in &pages.told {
            *seen.entry(record.id).or_insert(0) += 1;
        }
        seen.into_iter().filter(|(_, times)| *times > 1).map(|(id, _)| id).collect()
    }
}

impl Ledger for Books {
    fn open(&self, row: &AttemptRow) {
        *self.0.lock().open.entry((row.call, row.attempt)).or_insert(0) += 1;
    }

    fn close(&self, row: &AttemptRow, end: AttemptEnd) {
        let mut pages = self.0.lock();
        if let Some(open) = pages.open.get_mut(&(row.call, row.attempt)) {
            *open = open.saturating_sub(1);
        }
        pages.closed.push((row.clone(), end));
    }

    fn tell(&self, record: &CallRecord) {
        self.0.lock().told.push(record.clone());
    }
}
