//! How the journal's thread sleeps and is woken.
//!
//! Owns the order of flag, queue and park, without which a row could wait beside a sleeping thread. Must not know what waits.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread::{self, Thread};
use std::time::Duration;

/// Wakes one thread. Ringing at a thread that is awake, or will wake by itself soon, costs a fence and a load.
#[derive(Default)]
pub(super) struct Bell {
    thread: OnceLock<Thread>,
    /// The thread sleeps until it is rung for.
    asleep: AtomicBool,
    /// Somebody waits for what the thread does.
    loud: AtomicBool,
}

impl Bell {
    /// Whom it wakes.
    pub(super) fn is_answered_by(&self, thread: Thread) {
        // Set once, by the one who starts the thread.
        let _ = self.thread.set(thread);
        self.ring_loudly(); // whoever rang before was not heard
    }

    /// There is something that can wait until the thread looks again.
    pub(super) fn ring(&self) {
        fence(Ordering::SeqCst); // what was put in the queue is seen by a thread that says it sleeps from now on
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel) {
            self.wake();
        }
    }

    /// There is something that cannot wait.
    pub(super) fn ring_loudly(&self) {
        self.loud.store(true, Ordering::Release);
        self.asleep.store(false, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Sleeps until somebody rings, unless there is something to do.
    pub(super) fn sleep(&self, is_idle: impl Fn() -> bool) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst); // what is not seen in the queue from here on is rung for
        if !is_idle() {
            self.asleep.store(false, Ordering::Relaxed);
            return;
        }
        while self.asleep.load(Ordering::Acquire) {
            thread::park();
        }
    }

    /// Sleeps so long, or until somebody rings loudly.
    pub(super) fn doze(&self, time: Duration) {
        if !self.loud.load(Ordering::Acquire) {
            thread::park_timeout(time);
        }
    }

    /// Whether somebody rang loudly since this was asked last.
    pub(super) fn hear(&self) -> bool {
        self.loud.swap(false, Ordering::AcqRel)
    }
}
