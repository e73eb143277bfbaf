//! Time as the engine sees it: injected, so that tests decide it.
//!
//! The only file that reads the system's clocks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A moment on the engine's monotonic clock, in nanoseconds since the clock was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(pub u64);

impl Tick {
    /// This moment plus `by`, at most the end of time.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// This moment plus `ms` milliseconds.
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1_000_000)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Nanoseconds after `earlier`; zero if it is not.
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A future that is ready at a moment.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The engine's time.
pub trait Clock: std::fmt::Debug + Send + Sync + 'static {
    /// Monotonic now.
    fn now(&self) -> Tick;

    /// Wall time in microseconds since 1970 UTC. May jump; never used for intervals.
    fn unix_us(&self) -> i64;

    /// Ready once `now` is at least `at`.
    fn sleep_until(&self, at: Tick) -> Sleep;
}

/// Shared handle to the engine's time.
pub type ClockRef = Arc<dyn Clock>;

/// The machine's clocks, by way of tokio's, so that a paused runtime pauses them too.
#[derive(Debug)]
pub struct SystemClock {
    start: tokio::time::Instant,
}

impl SystemClock {
    /// A clock that starts now.
    pub fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Tick {
        Tick::default().plus(self.start.elapsed())
    }

    #[expect(clippy::disallowed_types, reason = "the one place that reads the wall clock")]
    fn unix_us(&self) -> i64 {
        std::time::SystemTime::now()
            .duration_since(std::time::SystemTime::UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_micros()).ok())
            .unwrap_or(0)
    }

    fn sleep_until(&self, at: Tick) -> Sleep {
        Box::pin(tokio::time::sleep_until(self.start + Duration::from_nanos(at.0)))
    }
}
