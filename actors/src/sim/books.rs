//! A ledger that remembers everything, so that a test can balance it.
//!
//! Owns rows in memory; must not judge them but for being balanced.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::call::CallId;
use crate::ports::ledger::{AttemptEnd, AttemptId, AttemptRow, Ledger, Opening, Refusal};
use crate::record::CallRecord;

#[derive(Debug, Default)]
struct Pages {
    open: HashMap<AttemptId, usize>,
    closed: Vec<(AttemptRow, AttemptEnd)>,
    told: Vec<CallRecord>,
    /// Calls that have a place and were not told yet.
    reserved: usize,
    /// Calls that got none.
    refused: usize,
    refusal: Option<Refusal>,
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

    /// Takes nothing any more, or everything again.
    pub fn refuse(&self, why: Option<Refusal>) {
        self.0.lock().refusal = why;
    }

    /// Calls that have a place in the books and were not told yet.
    pub fn reserved(&self) -> usize {
        self.0.lock().reserved
    }

    /// Calls that got no place.
    pub fn refused(&self) -> usize {
        self.0.lock().refused
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
    fn reserve(&self, _: CallId) -> Result<(), Refusal> {
        let mut pages = self.0.lock();
        if let Some(refusal) = pages.refusal.clone() {
            pages.refused += 1;
            return Err(refusal);
        }
        pages.reserved += 1;
        Ok(())
    }

    fn reserve_spare(&self) -> Result<(), Refusal> {
        self.reserve(CallId::fresh())
    }

    fn open(&self, row: &AttemptRow) -> Result<Opening, Refusal> {
        let mut pages = self.0.lock();
        if let Some(refusal) = &pages.refusal {
            return Err(refusal.clone());
        }
        *pages.open.entry(row.id).or_insert(0) += 1;
        Ok(Opening { place: 0, durable: None })
    }

    fn close(&self, row: &AttemptRow, _: u32, end: AttemptEnd) {
        let mut pages = self.0.lock();
        if let Some(open) = pages.open.get_mut(&row.id) {
            *open = open.saturating_sub(1);
        }
        pages.closed.push((row.clone(), end));
    }

    fn tell(&self, record: &CallRecord) {
        let mut pages = self.0.lock();
        pages.reserved = pages.reserved.saturating_sub(1);
        pages.told.push(record.clone());
    }
}
