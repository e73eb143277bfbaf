//! Owns exact waiting: the runtime's own timers are a millisecond coarse, which is more than what is
//! measured.
//!
//! Must not decide what happens when the time has come.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// A kernel timer that wakes its task within microseconds.
pub(crate) struct Pacer(AsyncFd<OwnedFd>);

impl Pacer {
    /// Costs one file descriptor.
    #[expect(
        deprecated,
        reason = "its heir is unsafe, which we forbid; an `OwnedFd` keeps the contract it asks for"
    )]
    pub(crate) fn new() -> io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self(AsyncFd::new(timer)?))
    }

    /// Returns at `when`, or at once if that has passed.
    pub(crate) async fn until(&self, when: Instant) -> io::Result<()> {
        loop {
            let left = when.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.arm(left)?;
            let mut ready = self.0.readable().await?;
            let mut expirations = [0; 8];
            // The count is of no interest; reading it silences the descriptor.
            let _ = rustix::io::read(self.0.get_ref(), &mut expirations);
            ready.clear_ready();
        }
    }

    fn arm(&self, left: Duration) -> io::Result<()> {
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            },
        };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

/// Waits for `span`, to microseconds; from 100 ms upwards the runtime's timer is exact enough and costs no
/// descriptor.
pub(crate) async fn sleep_exactly(span: Duration) {
    if span >= Duration::from_millis(100) {
        return tokio::time::sleep(span).await;
    }
    let end = Instant::now() + span;
    let exact = async { Pacer::new()?.until(end).await }.await;
    if exact.is_err() {
        tokio::time::sleep_until(end).await;
    }
}
