//! Work that takes only the processor time nobody else wants.

use std::io;
use std::thread::{self, JoinHandle};

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

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
