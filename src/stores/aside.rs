//! Work that takes only the processor time nobody else wants.

use std::io;
use std::thread::{self, JoinHandle};

/// The lowest priority.
const NICE: i32 = 19;

/// Starts a thread of the lowest priority. Threads it starts, as those of a database it opens, have it too.
///
/// # Errors
/// The system gives no thread.
pub(super) fn spawn<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Of the calling thread: Linux keeps one for each.
        if let Err(error) = rustix::process::setpriority_process(None, NICE) {
            tracing::debug!(%error, name, "a thread keeps its priority");
        }
        work()
    })
}
