//! How long one exchange may take, phase by phase, on the engine's clock.
//!
//! Owns the deadlines of an exchange and the fault that names the one that passed; it reads nothing
//! from the network and never looks at the machine's own clock.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tidegate_actors::ports::clock::{ClockRef, Sleep, Tick};
use tidegate_actors::ports::provider::{Fault, FaultKind, Phase};

/// The limits of one exchange, each counted as its doc says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// From the start of a connection until it is usable, TLS included.
    pub(crate) connect: Duration,
    /// From the start of the exchange until the first byte of the answer's body.
    pub(crate) first_token: Duration,
    /// Between two pieces of the body.
    pub(crate) idle: Duration,
    /// The whole exchange.
    pub(crate) total: Duration,
}

/// Watches one exchange.
///
/// Hearing something only moves a deadline; the timer is armed again when it fires too early, so a
/// busy stream costs a clock read per piece and no timer work.
pub(crate) struct Watch {
    clock: ClockRef,
    patience: Patience,
    phase: Phase,
    phase_ends: Tick,
    total_ends: Tick,
    last_heard: Tick,
    armed: Option<(Tick, Sleep)>,
}

impl Watch {
    /// Starts counting now, waiting for the first token.
    pub(crate) fn start(clock: ClockRef, patience: Patience) -> Self {
        let now = clock.now();
        Self {
            phase: Phase::FirstToken,
            phase_ends: now.plus(patience.first_token),
            total_ends: now.plus(patience.total),
            last_heard: now,
            clock,
            patience,
            armed: None,
        }
    }

    /// A piece of the body arrived.
    pub(crate) fn heard(&mut self) {
        self.phase = Phase::Idle;
        self.last_heard = self.clock.now();
        self.phase_ends = self.last_heard.plus(self.patience.idle);
    }

    /// When the last piece arrived; before the first, when the exchange began.
    pub(crate) fn last_heard(&self) -> Tick {
        self.last_heard
    }

    /// Nobody waits for the rest any more: it may take a second.
    pub(crate) fn hurry(&mut self) {
        self.total_ends = self.total_ends.min(self.clock.now().plus(Duration::from_secs(1)));
    }

    /// Ready with the fault once a limit has passed.
    pub(crate) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        loop {
            let due = self.phase_ends.min(self.total_ends);
            let (at, sleep) = match &mut self.armed {
                Some(armed) if armed.0 <= due => armed,
                slot => slot.insert((due, self.clock.sleep_until(due))),
            };
            ready!(sleep.as_mut().poll(cx));
            if *at >= due {
                return Poll::Ready(self.expired());
            }
            self.armed = None;
        }
    }

    /// `work`, or the fault if a limit passes first.
    pub(crate) fn over<T>(
        &mut self,
        mut work: Pin<&mut impl Future<Output = T>>,
    ) -> impl Future<Output = Result<T, Fault>> {
        poll_fn(move |cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => self.poll_expired(cx).map(Err),
        })
    }

    fn expired(&self) -> Fault {
        if self.total_ends <= self.phase_ends {
            timed_out(Phase::Total, self.patience.total)
        } else if self.phase == Phase::Idle {
            timed_out(Phase::Idle, self.patience.idle)
        } else {
            timed_out(Phase::FirstToken, self.patience.first_token)
        }
    }
}

/// The fault that says which limit passed and how long it was.
pub(crate) fn timed_out(phase: Phase, limit: Duration) -> Fault {
    let seen = match phase {
        Phase::Connect => "no connection",
        Phase::FirstToken => "no first byte of an answer",
        Phase::Idle => "silence inside the answer",
        Phase::Total => "the answer was not complete",
    };
    let text = format!("{seen} within {} ms ({})", limit.as_millis(), phase.name());
    Fault::new(FaultKind::Timeout { phase }, text)
}
