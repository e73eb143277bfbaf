//! Owns the record of a call in progress, and its certain end: dropped unclosed, it closes as abandoned. Must not know where the
//! end is told.

use std::sync::Arc;

use super::{Bill, CallRecord, Failure, Recorder};
use crate::error::{CallError, ErrorKind, Stage};
use crate::metrics::Told;
use crate::ports::clock::Tick;
use crate::ports::ledger::Refusal;

/// A call that ended and is told when this is dropped.
pub(super) struct Ended {
    recorder: Arc<Recorder>,
    record: Option<CallRecord>,
    in_books: bool,
}

impl Ended {
    pub(super) fn note(&mut self, write: impl FnOnce(&mut CallRecord)) {
        if let Some(record) = &mut self.record {
            write(record);
        }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            self.recorder.tell(record, self.in_books);
        }
    }
}

/// A record that is still being written. Dropped unclosed, it closes as abandoned.
pub(crate) struct OpenRecord {
    pub(super) recorder: Arc<Recorder>,
    pub(super) record: Option<CallRecord>,
    /// Why the books have no place for it; it is not told to them then.
    pub(super) refused: Option<Refusal>,
    /// What the flight costs that this call pays for.
    pub(super) bill: Option<Arc<Bill>>,
}

impl OpenRecord {
    /// The call pays for a flight: however it ends, it is told with what that cost.
    pub(crate) fn pays(&mut self, bill: &Arc<Bill>) {
        self.bill = Some(Arc::clone(bill));
    }

    /// Says whether the books have a place for this call's row.
    pub(crate) fn in_books(&self) -> Result<(), CallError> {
        match &self.refused {
            None => Ok(()),
            Some(why) => Err(CallError::unrecorded(Stage::Admit, why.clone())),
        }
    }

    /// The stage ended now; says when that is.
    pub(crate) fn mark(&mut self, stage: Stage) -> Tick {
        let now = self.recorder.clock.now();
        if let Some(record) = &mut self.record {
            record.marks[stage as usize] = now.nanos_since(record.opened).max(1);
        }
        now
    }

    /// The call was admitted, which never waits: no clock is read for it.
    pub(crate) fn mark_admitted(&mut self) {
        self.note(|record| record.marks[Stage::Admit as usize] = 1);
    }

    /// Writes into the record.
    pub(crate) fn note(&mut self, write: impl FnOnce(&mut CallRecord)) {
        if let Some(record) = &mut self.record {
            write(record);
        }
    }

    /// When the call was admitted.
    pub(crate) fn opened(&self) -> Tick {
        self.record.as_ref().map_or(Tick(0), |record| record.opened)
    }

    /// The call ended.
    pub(crate) fn close(&mut self, told: Told) {
        let now = self.recorder.clock.now();
        self.close_at(told, now);
    }

    /// The call ended at `now`.
    pub(crate) fn close_at(&mut self, told: Told, now: Tick) {
        let Some(mut record) = self.record.take() else { return };
        self.recorder.end(&mut record, told, now);
        let in_books = self.refused.is_none();
        match self.bill.take() {
            Some(bill) => {
                bill.pay(Ended { recorder: Arc::clone(&self.recorder), record: Some(record), in_books })
            }
            None => self.recorder.tell(record, in_books),
        }
    }

    /// The call failed.
    pub(crate) fn fail(&mut self, error: &CallError) {
        self.recorder.metrics.failed(error);
        self.note(|record| {
            record.error = Some(Failure { stage: error.stage, code: error.kind.name(), blame: error.blame });
            if let ErrorKind::Upstream { attempts, .. } = error.kind {
                record.attempts = record.attempts.max(attempts);
            }
        });
        self.close(Told::Failed);
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        if self.record.is_some() {
            self.close(Told::Abandoned);
        }
    }
}
