//! How many requests a provider works on at once, and who is next: fair between workspaces, as lanes are. A caller waits here
//! with its lane slot in hand; first come first served, a flood that holds many slots would hold up everybody behind them.
//!
//! Owns the count and the line; must not know what a request is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::call::WorkspaceId;
use crate::lane::fair::{FairQueue, Place};
use crate::ports::clock::Tick;

/// Turns alone starve nobody; this line does not look at age.
const NO_AGING: Duration = Duration::MAX;
const ANY_TIME: Tick = Tick(0);

struct Inner {
    free: usize,
    waiting: FairQueue<oneshot::Sender<Permit>>,
}

/// The permits of one provider.
pub(crate) struct Permits(Mutex<Inner>);

/// The right to have one request worked on; given back when dropped.
pub(crate) struct Permit(Option<Arc<Permits>>);

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(permits) = self.0.take() {
            permits.release();
        }
    }
}

/// A place in line that is given up when dropped.
struct InLine<'a> {
    permits: &'a Permits,
    place: Place,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        let left = self.permits.0.lock().waiting.leave(self.place);
        drop(left); // outside the lock
    }
}

impl Permits {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inner { free: most, waiting: FairQueue::new(NO_AGING) })))
    }

    /// How many are free.
    pub(super) fn free(&self) -> usize {
        self.0.lock().free
    }

    /// Waits for one. Dropping the future gives the place in line up at once.
    pub(super) async fn acquire(self: &Arc<Self>, workspace: Option<&WorkspaceId>) -> Permit {
        let (place, granted) = {
            let mut inner = self.0.lock();
            // Whoever gives one back hands it to those who wait, so none is free while somebody does.
            if inner.free > 0 {
                inner.free -= 1;
                return Permit(Some(Arc::clone(self)));
            }
            let (grant, granted) = oneshot::channel();
            let nobodys = WorkspaceId::default_workspace();
            (inner.waiting.push(workspace.unwrap_or(&nobodys), grant, ANY_TIME), granted)
        };
        let in_line = InLine { permits: self, place };
        let permit = granted.await;
        std::mem::forget(in_line); // popped: the place is no longer ours
        permit.expect("grants leave the line by being given, or when their caller leaves")
    }

    /// Hands one on to whoever is next.
    fn release(self: &Arc<Self>) {
        loop {
            let next = {
                let mut inner = self.0.lock();
                match inner.waiting.pop(ANY_TIME) {
                    Some(next) => next,
                    None => {
                        inner.free += 1;
                        return;
                    }
                }
            };
            match next.send(Permit(Some(Arc::clone(self)))) {
                Ok(()) => return,
                // Its caller left a moment ago: it goes to the one behind.
                Err(mut permit) => drop(permit.0.take()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::poll;
    use std::pin::pin;

    fn ws(name: &str) -> WorkspaceId {
        WorkspaceId::new(name)
    }

    #[actix_rt::test]
    async fn a_permit_goes_to_workspaces_by_turns_and_comes_home() {
        let permits = Permits::new(1);
        let (flood, polite) = (ws("flood"), ws("polite"));
        let held = permits.acquire(Some(&flood)).await;
        let mut first = pin!(permits.acquire(Some(&flood)));
        let mut second = pin!(permits.acquire(Some(&flood)));
        let mut other = pin!(permits.acquire(Some(&polite)));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        assert!(poll!(&mut other).is_pending());
        drop(held);
        let held = first.await;
        assert!(poll!(&mut second).is_pending(), "one at a time");
        drop(held);
        let held = other.await;
        assert!(poll!(&mut second).is_pending(), "by turns");
        drop(held);
        drop(second.await);
        assert_eq!(permits.free(), 1);
    }

    #[actix_rt::test]
    async fn who_leaves_takes_no_permit_along() {
        let permits = Permits::new(1);
        let held = permits.acquire(None).await;
        {
            let mut left_before = pin!(permits.acquire(None));
            assert!(poll!(&mut left_before).is_pending());
        }
        {
            let mut left_after = pin!(permits.acquire(None));
            assert!(poll!(&mut left_after).is_pending());
            drop(held); // granted, and never taken
        }
        assert_eq!(permits.free(), 1);
    }
}
