//! What waits to be written: bounded by bytes, as its writer may be slower than the answers come.
//!
//! Owns the order of jobs, which is that of their coming. Must not write.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tidegate_actors::{Entry, PurgeFilter};
use tokio::sync::oneshot;

/// Bytes of answers that may wait; one more is not kept.
pub(super) const MOST_BYTES: usize = 64 << 20;
/// How long the first answer of a group waits for others: a thread woken for each would cost more than writing it.
const GATHER: Duration = Duration::from_millis(20);
/// What waiting takes besides the answer; also what bounds the rows to be removed.
const JOB_BYTES: usize = 128;

/// Something for the writer to do.
pub(super) enum Job {
    Keep(Arc<Entry>),
    /// It is damaged or over.
    Remove([u8; 32]),
    Forget {
        filter: PurgeFilter,
        dry_run: bool,
        reply: oneshot::Sender<usize>,
    },
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Self::Keep(entry) => JOB_BYTES + entry.bytes(),
            Self::Remove(_) | Self::Forget { .. } => JOB_BYTES,
        }
    }
}

/// Jobs for one writer.
#[derive(Default)]
pub(super) struct Queue {
    line: Mutex<Line>,
    more: Condvar,
}

#[derive(Default)]
struct Line {
    jobs: Vec<Job>,
    bytes: usize,
    /// Somebody waits for one of them.
    urgent: bool,
    ended: bool,
}

impl Queue {
    /// False if there is no room for it, or nobody to do it; it is dropped then. A purge always has room: each has a caller
    /// who waits for it.
    pub(super) fn put(&self, job: Job) -> bool {
        let mut line = self.line.lock();
        let fits = matches!(job, Job::Forget { .. }) || line.bytes + job.bytes() <= MOST_BYTES;
        if line.ended || !fits {
            return false;
        }
        let urgent = matches!(job, Job::Forget { .. });
        let rings = urgent || line.jobs.is_empty();
        line.urgent |= urgent;
        line.bytes += job.bytes();
        line.jobs.push(job);
        drop(line);
        if rings {
            self.more.notify_one();
        }
        true
    }

    /// Waits for jobs, gathers more for a moment and takes all of them; nothing when no more come.
    pub(super) fn take(&self) -> Option<Vec<Job>> {
        let mut line = self.line.lock();
        while line.jobs.is_empty() {
            if line.ended {
                return None;
            }
            self.more.wait(&mut line);
        }
        if !line.urgent && !line.ended {
            self.more.wait_for(&mut line, GATHER); // ended early by what cannot wait
        }
        line.urgent = false;
        line.bytes = 0;
        Some(std::mem::take(&mut line.jobs))
    }

    /// Takes no more; what waits is done still.
    pub(super) fn end(&self) {
        self.line.lock().ended = true;
        self.more.notify_one();
    }

    /// Nobody is there to do anything: whoever waits for a purge is let go.
    pub(super) fn desert(&self) {
        let left = {
            let mut line = self.line.lock();
            line.ended = true;
            std::mem::take(&mut line.jobs)
        };
        drop(left);
    }
}
