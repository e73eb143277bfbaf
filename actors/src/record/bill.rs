//! What a flight cost, told when it is known, and to whoever pays for it, also if they left before that.
//!
//! Owns the order of both: whichever comes first waits for the other, so a row is written once and with what was used. Must not
//! know who counts.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{CallRecord, Ended};
use crate::ports::counting::Spent;

/// What is known of the cost of a flight.
#[derive(Debug, Clone, Default)]
pub(crate) struct Charge {
    /// Tokens; nothing if there were none to pay for.
    pub(crate) spent: Option<Spent>,
    /// `provider/model` that was asked, and how often upstreams were until then.
    pub(crate) asked: Option<(Arc<str>, u32)>,
}

impl Charge {
    /// Writes it into the row of a call that followed the flight.
    pub(crate) fn note(&self, record: &mut CallRecord) {
        if let Some(Spent { usage, estimated }) = self.spent {
            (record.usage, record.estimated) = (Some(usage), estimated);
        }
    }

    /// Writes it into the row of the call that pays, which may have left before it knew who was asked.
    fn charge(&self, record: &mut CallRecord) {
        self.note(record);
        if let Some((target, attempts)) = &self.asked {
            record.target.get_or_insert_with(|| Arc::clone(target));
            record.attempts = record.attempts.max(*attempts);
        }
    }
}

/// The bill of one flight. Dropped before it was made out, it lets its payer be told without one.
#[derive(Default)]
pub(crate) struct Bill(Mutex<State>);

#[derive(Default)]
struct State {
    charge: Option<Charge>,
    /// Who pays and has ended already.
    payer: Option<Ended>,
}

impl Bill {
    /// The flight cost so much. The first word counts.
    pub(crate) fn make_out(&self, charge: Charge) {
        let payer = {
            let mut state = self.0.lock();
            let State { charge: known, payer } = &mut *state;
            let known = known.get_or_insert(charge);
            payer.take().map(|mut payer| {
                payer.note(|record| known.charge(record));
                payer
            })
        };
        drop(payer); // told outside the lock
    }

    /// The call that pays has ended: it is told now, or when it is known what it cost.
    pub(super) fn pay(&self, mut ended: Ended) {
        let mut state = self.0.lock();
        match &state.charge {
            Some(charge) => {
                ended.note(|record| charge.charge(record));
                drop(state);
                drop(ended); // told outside the lock
            }
            None => state.payer = Some(ended),
        }
    }

    /// What it cost, once that is known.
    pub(crate) fn known(&self) -> Option<Charge> {
        self.0.lock().charge.clone()
    }
}
