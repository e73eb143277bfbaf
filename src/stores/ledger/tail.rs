//! The tail of the ledger: calls as they are told, for those who listen.
//!
//! Owns who listens, and how much each may be behind. Must not hold anybody up: it is the journal's own thread that shows a group
//! it has written down, so a caller pays nothing for it; while nobody listens that thread reads one number for each group.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::Stream;
use parking_lot::Mutex;
use tidegate_actors::WorkspaceId;
use tidegate_actors::ports::books::{BookedCall, Crowded, Heard, Listening, Wanted};
use tidegate_actors::ports::clock::{ClockRef, Tick};

use super::rows::{self, Booked};
use crate::stores::journal::{Group, Storage};

/// How many may listen, and how many of one workspace, so that none can shut out others.
const MOST_LISTENERS: usize = 128;
const MOST_OF_WORKSPACE: usize = 16;
/// Bytes that may wait for one listener.
const QUEUE_BYTES: usize = 256 << 10;
/// Calls of one second that are shown to a listener; of more, some are chosen.
const MOST_PER_SECOND: u64 = 200;
const SECOND: Duration = Duration::from_secs(1);

/// Who listens. Clones are one.
#[derive(Clone)]
pub(super) struct Tail(Arc<Shared>);

struct Shared {
    clock: ClockRef,
    /// Nothing once no more is told.
    listeners: Mutex<Option<Vec<Arc<Listener>>>>,
    /// How many those are: read for each group.
    count: AtomicUsize,
}

struct Listener {
    /// Whose calls; nothing for everybody's.
    whose: Option<WorkspaceId>,
    like: Wanted,
    line: Mutex<Line>,
}

/// What waits for a listener.
#[derive(Default)]
struct Line {
    calls: VecDeque<(Arc<BookedCall<'static>>, usize)>,
    bytes: usize,
    lost: u64,
    sampled: Option<(u64, u64)>,
    pace: Pace,
    waker: Option<Waker>,
    ended: bool,
}

impl Tail {
    pub(super) fn new(clock: ClockRef) -> Self {
        Self(Arc::new(Shared { clock, listeners: Mutex::new(Some(Vec::new())), count: AtomicUsize::new(0) }))
    }

    /// How many listen.
    pub(super) fn listeners(&self) -> usize {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Shows the calls of a group.
    pub(super) fn show(&self, group: &[u8]) {
        if self.listeners() == 0 {
            return;
        }
        for row in rows::rows(group) {
            if let Booked::Call(call) = row {
                self.show_call(&call);
            }
        }
    }

    fn show_call(&self, call: &BookedCall<'_>) {
        let (mut owned, now) = (None, self.0.clock.now());
        for listener in self.0.listeners.lock().iter().flatten() {
            if !listener.hears(call) {
                continue;
            }
            let call = owned.get_or_insert_with(|| Arc::new(call.clone().into_owned()));
            let waker = listener.line.lock().put(call, now);
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Shows calls to somebody.
    pub(super) fn listen(&self, whose: Option<WorkspaceId>, like: Wanted) -> Result<Listening, Crowded> {
        let mut listeners = self.0.listeners.lock();
        let ended = listeners.is_none();
        let line = Line { pace: Pace::from(self.0.clock.now()), ended, ..Line::default() };
        let listener = Arc::new(Listener { whose, like, line: Mutex::new(line) });
        if let Some(listeners) = &mut *listeners {
            let same = |other: &&Arc<Listener>| other.whose == listener.whose;
            let of_workspace = listeners.iter().filter(same).count();
            for (count, limit) in [(of_workspace, MOST_OF_WORKSPACE), (listeners.len(), MOST_LISTENERS)] {
                if count >= limit {
                    return Err(Crowded { limit });
                }
            }
            listeners.push(Arc::clone(&listener));
            self.0.count.store(listeners.len(), Ordering::Relaxed);
        }
        Ok(Box::pin(Ear { listener, tail: self.clone() }))
    }

    /// Nothing more is told: whoever listens hears what waits and the end.
    pub(super) fn end(&self) {
        let listeners = self.0.listeners.lock().take();
        self.0.count.store(0, Ordering::Relaxed);
        for listener in listeners.into_iter().flatten() {
            let waker = {
                let mut line = listener.line.lock();
                line.ended = true;
                line.waker.take()
            };
            waker.into_iter().for_each(Waker::wake);
        }
    }

    fn leave(&self, who: &Arc<Listener>) {
        if let Some(listeners) = &mut *self.0.listeners.lock() {
            listeners.retain(|listener| !Arc::ptr_eq(listener, who));
            self.0.count.store(listeners.len(), Ordering::Relaxed);
        }
    }
}

impl Listener {
    fn hears(&self, call: &BookedCall<'_>) -> bool {
        self.whose.as_ref().is_none_or(|whose| whose.as_str() == call.workspace) && self.like.is_like(call)
    }
}

impl Line {
    /// Adds a call, if it is shown and there is room; gives who waits for it.
    fn put(&mut self, call: &Arc<BookedCall<'static>>, now: Tick) -> Option<Waker> {
        self.turn(now);
        if !self.pace.shows() {
            return None;
        }
        let texts = [&call.workspace, &call.tags, &call.model, &call.target, &call.config];
        let texts: usize = texts.into_iter().map(|text| text.len()).sum();
        let bytes = texts + size_of::<BookedCall<'static>>();
        if self.bytes + bytes > QUEUE_BYTES {
            self.lost += 1;
        } else {
            self.bytes += bytes;
            self.calls.push_back((Arc::clone(call), bytes));
        }
        self.waker.take()
    }

    /// Notes what a second came to, if one is over.
    fn turn(&mut self, now: Tick) {
        if let Some((told, heard)) = self.pace.turn(now) {
            let sampled = self.sampled.get_or_insert_default();
            (sampled.0, sampled.1) = (sampled.0 + told, sampled.1 + heard);
        }
    }

    fn take(&mut self) -> Option<Heard> {
        if self.lost > 0 {
            return Some(Heard::Lost(std::mem::take(&mut self.lost)));
        }
        if let Some((told, heard)) = self.sampled.take() {
            return Some(Heard::Sampled { told, heard });
        }
        let (call, bytes) = self.calls.pop_front()?;
        self.bytes -= bytes;
        Some(Heard::Call(call))
    }
}

/// One who listens.
struct Ear {
    listener: Arc<Listener>,
    tail: Tail,
}

impl Stream for Ear {
    type Item = Heard;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        let mut line = self.listener.line.lock();
        line.turn(self.tail.0.clock.now());
        match line.take() {
            Some(heard) => Poll::Ready(Some(heard)),
            None if line.ended => Poll::Ready(None),
            None => {
                line.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.tail.leave(&self.listener);
    }
}

/// Which calls of a second are shown: all of them, until there are too many; then every n-th, by how many there were in the
/// second before.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Pace {
    since: Tick,
    told: u64,
    shown: u64,
    /// Of so many one is shown; 0 and 1 are all.
    one_in: u64,
}

impl Pace {
    fn from(now: Tick) -> Self {
        Self { since: now, ..Self::default() }
    }

    /// Begins a new second, if one is over: how many calls the old one had, and how many were shown, if those differ.
    fn turn(&mut self, now: Tick) -> Option<(u64, u64)> {
        let passed = now.since(self.since);
        if passed < SECOND {
            return None;
        }
        let Self { told, shown, .. } = *self;
        // After a silence nothing is known of what comes.
        let one_in = if passed < 2 * SECOND { told.div_ceil(MOST_PER_SECOND) } else { 1 };
        *self = Self { since: now, told: 0, shown: 0, one_in };
        (told > shown).then_some((told, shown))
    }

    /// Counts a call; says whether it is shown.
    fn shows(&mut self) -> bool {
        let shows = self.told.is_multiple_of(self.one_in.max(1)) && self.shown < MOST_PER_SECOND;
        self.told += 1;
        self.shown += u64::from(shows);
        shows
    }
}

/// The storage of the journal, whose groups are shown when they are written.
pub(super) struct Shown {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) tail: Tail,
}

impl Storage for Shown {
    fn append(&self, number: u64, bytes: &[u8]) -> io::Result<()> {
        self.storage.append(number, bytes)?;
        self.tail.show(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.storage.sync()
    }

    fn read(&self, from: u64, max_bytes: usize) -> io::Result<Vec<Group>> {
        self.storage.read(from, max_bytes)
    }

    fn last(&self) -> io::Result<Option<u64>> {
        self.storage.last()
    }

    fn forget(&self, before: u64) -> io::Result<u64> {
        self.storage.forget(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(ms: u64) -> Tick {
        Tick(0).plus_ms(ms)
    }

    #[test]
    fn all_calls_of_a_second_are_shown_until_there_are_too_many_and_then_evenly_chosen_ones() {
        let mut pace = Pace::from(tick(0));
        let shown = |pace: &mut Pace, calls| (0..calls).filter(|_| pace.shows()).collect::<Vec<_>>();
        assert_eq!(shown(&mut pace, MOST_PER_SECOND).len() as u64, MOST_PER_SECOND);
        assert_eq!(pace.turn(tick(999)), None, "the second is not over");
        assert_eq!(pace.turn(tick(1_000)), None, "nothing was left out");
        assert_eq!(shown(&mut pace, 1_000).last(), Some(&199), "nobody could know how many would come");
        assert_eq!(pace.turn(tick(2_000)), Some((1_000, 200)));
        let chosen = shown(&mut pace, 1_000);
        assert_eq!((chosen.len(), chosen[1], chosen.last()), (200, 5, Some(&995)), "one in five");
        assert_eq!(pace.turn(tick(5_000)), Some((1_000, 200)), "told also after a silence");
        assert_eq!(shown(&mut pace, 10), (0..10).collect::<Vec<_>>(), "and all are shown again");
    }
}
