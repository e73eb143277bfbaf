//! The clocks of tests: one that jumps to the next timer, one that a test moves by hand.
//!
//! Owns simulated time; must not read the machine's clocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::ports::clock::{Clock, Sleep, SystemClock, Tick};

/// Where every simulated wall clock begins: 2026-01-01T00:00:00Z, microseconds.
const WALL_START_US: i64 = 1_767_225_600_000_000;

fn micros(since: Duration) -> i64 {
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The paused clock of a [`crate::sim::SimSystem`], with a wall clock that can be set.
#[derive(Debug)]
pub struct SimClock {
    monotonic: SystemClock,
    wall_us: AtomicI64,
}

impl SimClock {
    /// A clock that starts now.
    pub fn new() -> Self {
        Self { monotonic: SystemClock::new(), wall_us: AtomicI64::new(WALL_START_US) }
    }

    /// Moves the wall clock alone, as an administrator or NTP would.
    pub fn jump_wall_us(&self, by: i64) {
        self.wall_us.fetch_add(by, Ordering::Relaxed);
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SimClock {
    fn now(&self) -> Tick {
        self.monotonic.now()
    }

    fn unix_us(&self) -> i64 {
        self.wall_us.load(Ordering::Relaxed) + micros(self.now().since(Tick(0)))
    }

    fn sleep_until(&self, at: Tick) -> Sleep {
        self.monotonic.sleep_until(at)
    }
}

/// A clock that moves only when a test says so; for tests with sockets or threads.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    now: AtomicU64,
    moved: Notify,
}

impl ManualClock {
    /// A clock that stands at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock and wakes whoever waited for it.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.now.fetch_add(by, Ordering::AcqRel);
        self.0.moved.notify_waiters();
    }

    /// [`ManualClock::advance`] by milliseconds.
    pub fn advance_ms(&self, ms: u64) {
        self.advance(Duration::from_millis(ms));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Tick {
        Tick(self.0.now.load(Ordering::Acquire))
    }

    fn unix_us(&self) -> i64 {
        WALL_START_US + micros(self.now().since(Tick(0)))
    }

    fn sleep_until(&self, at: Tick) -> Sleep {
        let clock = self.clone();
        Box::pin(async move {
            loop {
                let moved = clock.0.moved.notified();
                tokio::pin!(moved);
                moved.as_mut().enable();
                if clock.now() >= at {
                    return;
                }
                moved.await;
            }
        })
    }
}
