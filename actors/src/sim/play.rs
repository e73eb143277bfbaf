//! One entry of a script: what a scripted provider does with one request.
//!
//! Owns the vocabulary; `script.rs` acts it out.

use crate::ports::provider::{Fault, FaultKind, Rows};

/// What happens after the delay.
#[derive(Debug, Clone)]
pub(super) enum Turn {
    Answer,
    Fail(Fault),
    Hang,
    Panic,
}

/// How a stream goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    pub(super) events: usize,
    pub(super) every_ms: u64,
    pub(super) cut_after: Option<usize>,
    pub(super) hold_after: Option<usize>,
    pub(super) fail_after: Option<(usize, FaultKind)>,
}

/// What a scripted provider does with one request. The default answers at once with three events or a body.
#[derive(Debug, Clone)]
pub struct Play {
    pub(super) turn: Turn,
    pub(super) after_ms: u64,
    pub(super) stream: Stream,
    pub(super) stopped_short: bool,
    pub(super) uncounted: bool,
    pub(super) bend: Option<fn(&mut Rows)>,
}

impl Default for Play {
    fn default() -> Self {
        Self::answer()
    }
}

impl Play {
    const fn of(turn: Turn) -> Self {
        let stream = Stream { events: 3, every_ms: 0, cut_after: None, hold_after: None, fail_after: None };
        Self { turn, after_ms: 0, stream, stopped_short: false, uncounted: false, bend: None }
    }

    /// Answers what was asked.
    pub const fn answer() -> Self {
        Self::of(Turn::Answer)
    }

    /// Fails in this way.
    pub fn fail(kind: FaultKind) -> Self {
        Self::fault(Fault::new(kind, format!("scripted {}", kind.name())))
    }

    /// Fails with this fault.
    pub const fn fault(fault: Fault) -> Self {
        Self::of(Turn::Fail(fault))
    }

    /// Waits for [`super::Script::release`], then answers.
    pub const fn hang() -> Self {
        Self::of(Turn::Hang)
    }

    /// Panics inside the provider's future.
    pub const fn panic() -> Self {
        Self::of(Turn::Panic)
    }

    /// Waits this long before anything else happens.
    #[must_use]
    pub const fn after_ms(mut self, ms: u64) -> Self {
        self.after_ms = ms;
        self
    }

    /// A stream has this many events.
    #[must_use]
    pub const fn events(mut self, events: usize) -> Self {
        self.stream.events = events;
        self
    }

    /// A stream waits this long before each event but the first.
    #[must_use]
    pub const fn every_ms(mut self, ms: u64) -> Self {
        self.stream.every_ms = ms;
        self
    }

    /// A stream ends without its terminal event after this many.
    #[must_use]
    pub const fn cut_after(mut self, events: usize) -> Self {
        self.stream.cut_after = Some(events);
        self
    }

    /// A stream fails after this many events.
    #[must_use]
    pub const fn fail_after(mut self, events: usize, kind: FaultKind) -> Self {
        self.stream.fail_after = Some((events, kind));
        self
    }

    /// A stream waits for [`super::Script::release`] after this many events.
    #[must_use]
    pub const fn hold_after(mut self, events: usize) -> Self {
        self.stream.hold_after = Some(events);
        self
    }

    /// The answer was stopped for its length: whole for the vendor, not complete.
    #[must_use]
    pub const fn stopped_short(mut self) -> Self {
        self.stopped_short = true;
        self
    }

    /// The provider does not say how many tokens there were.
    #[must_use]
    pub const fn uncounted(mut self) -> Self {
        self.uncounted = true;
        self
    }

    /// Vectors are bent before they are given: a wrong count, a wrong size, a NaN.
    #[must_use]
    pub const fn bent(mut self, bend: fn(&mut Rows)) -> Self {
        self.bend = Some(bend);
        self
    }
}
