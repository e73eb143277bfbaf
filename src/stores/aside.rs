//! Work that takes only the processor time nobody else wants.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tidegate_actors::ports::clock::{ClockRef, Tick};

/// Starts a thread that has stepped [aside](step).
///
/// # Errors
/// The system gives no thread.
pub(super) fn spawn<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        step();
        work()
    })
}

/// Lets the calling thread run only while a processor has nothing else to do. Threads it starts from here on, as those of a
/// database it opens, do the same. There is no way back: the system lets nobody raise what was lowered.
///
/// A low priority alone would not do: such a thread keeps the processor it was given for milliseconds, also from one that wakes.
pub(super) fn step() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
        tracing::debug!(%error, thread = thread::current().name(), "a thread keeps its priority");
    }
}

/// Steps after which the processor is offered to others.
const STEPS_AT_ONCE: u32 = 2;
/// Steps after which it is looked how long others had it.
const STEPS_LOOKED_AT: u32 = 64;
/// So many times as long as others had the processor, it is left to them, ...
const GENEROUS: u32 = 4;
/// ... and at most for so long.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Gives way to whoever else wants the processor that the calling thread has.
///
/// A thread that runs aside gives way when the system looks who should run, which may be once in some milliseconds; and what it
/// takes from the caches of a processor that is busy is missed there. So it offers the processor between steps of some
/// microseconds, and rests where others want most of it.
pub(super) struct Courtesy {
    clock: ClockRef,
    steps: u32,
    /// When it was looked last, and the time of the processor until then.
    looked: (Tick, Duration),
}

impl Courtesy {
    pub(super) fn new(clock: ClockRef) -> Self {
        let looked = (clock.now(), processor_time());
        Self { clock, steps: 0, looked }
    }

    /// To be called between steps; gives how long to rest before the next, and [begins anew](Self::rested) after that.
    #[must_use = "others want the processor"]
    pub(super) fn step(&mut self) -> Option<Duration> {
        self.steps += 1;
        if self.steps.is_multiple_of(STEPS_AT_ONCE) {
            thread::yield_now();
        }
        if self.steps < STEPS_LOOKED_AT {
            return None;
        }
        let (since, used) = self.looked;
        self.rested();
        rest_after(self.looked.0.since(since), self.looked.1.saturating_sub(used))
    }

    /// What passed until now does not count.
    pub(super) fn rested(&mut self) {
        self.steps = 0;
        self.looked = (self.clock.now(), processor_time());
    }
}

/// How long to rest after work that took so long and used so much of a processor.
fn rest_after(took: Duration, used: Duration) -> Option<Duration> {
    let waited = took.saturating_sub(used);
    (waited > used / 2).then(|| waited.saturating_mul(GENEROUS).min(LONGEST_REST))
}

/// How much of a processor the calling thread has used.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_works_aside_rests_the_longer_the_more_others_want_the_processor() {
        let rest = |took, used| {
            rest_after(Duration::from_millis(took), Duration::from_millis(used)).map(|rest| rest.as_millis())
        };
        assert_eq!(rest(10, 10), None, "nobody else");
        assert_eq!(rest(14, 10), None, "a little");
        assert_eq!(rest(20, 10), Some(40), "as much as it had itself");
        assert_eq!(rest(500, 1), Some(100), "nearly all");
        assert_eq!(rest(9, 10), None, "clocks do not agree to the microsecond");
    }
}
