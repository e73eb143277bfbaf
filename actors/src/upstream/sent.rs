//! Which upstream was sent a question that it will be paid for, told while the question is on its way.
//!
//! Owns the note, so that a flight that is broken off anywhere knows what there is to pay. Must not know prices.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::ports::provider::{FaultKind, Phase, Usage};

/// What was sent. An upstream that refuses or cannot be reached is not paid.
#[derive(Debug, Default)]
pub(crate) struct Sent(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    to: Option<(Arc<str>, u32)>,
    said: Option<Usage>,
}

impl Sent {
    /// The question is about to leave for this target, for the so-and-so-manieth time.
    pub(crate) fn leaves(&self, target: &Arc<str>, attempt: u32) {
        self.0.lock().to = Some((Arc::clone(target), attempt));
    }

    /// It came back like that. What has timed out was read, what was refused was not.
    pub(crate) fn failed(&self, kind: FaultKind) {
        let is_paid = match kind {
            FaultKind::Timeout { phase } => phase != Phase::Connect,
            FaultKind::Cut => true,
            _ => false,
        };
        if !is_paid {
            self.0.lock().to = None;
        }
    }

    /// The upstream said what it costs.
    pub(crate) fn counted(&self, usage: Option<Usage>) {
        let mut state = self.0.lock();
        state.said = usage.or(state.said);
    }

    /// Who has to be paid, and how often upstreams were asked until then.
    pub(crate) fn to(&self) -> Option<(Arc<str>, u32)> {
        self.0.lock().to.clone()
    }

    /// What the upstream said, if it has.
    pub(crate) fn said(&self) -> Option<Usage> {
        self.0.lock().said
    }
}
