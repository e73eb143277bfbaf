//! The way to the cache's writer: orders wait here, outside of it, and a bell says that they do. A caller on the writer's
//! own thread behind whom nobody waits has its order carried out at once.
//!
//! Owns the bounded line of orders and whose generation may take them. One short mutex, held O(1). A writer that dies or
//! gets stuck has one order in its hands at most; the rest is dropped here when it is given up. Must not know what an
//! order means.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actix::Addr;
use parking_lot::Mutex;

use crate::cache::actor::{CacheActor, Crash, Doorbell, End, Sweep};
use crate::cache::orders::{Join, JoinAsk, Joined, Order};
use crate::cache::writer::Writer;
use crate::mail::{Door, Reply, reply};
use crate::near::{Asked, Near};

/// Nobody heard the order: no writer lives, or too many orders wait. It was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unheard;

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Order>,
    /// The generation that takes them; without one nothing is taken in.
    writer: Option<u64>,
}

/// Orders that wait for the writer, and its bell.
#[derive(Debug)]
pub(crate) struct CacheDoor {
    line: Mutex<Line>,
    bell: AtomicBool,
    progress: AtomicU64,
    /// Orders that may wait.
    limit: usize,
    writer: Door<CacheActor>,
    /// The writer itself, for its own thread.
    pub(crate) near: Near<Writer>,
}

/// How a join is answered.
pub(crate) enum Joining {
    Now(Joined),
    Later(Reply<Joined>),
    /// As [`Unheard`].
    Never,
}

impl CacheDoor {
    pub(crate) fn new(limit: usize) -> Self {
        let (bell, progress) = (AtomicBool::new(false), AtomicU64::new(0));
        let writer = Door::default();
        Self { line: Mutex::default(), bell, progress, limit, writer, near: Near::new() }
    }

    /// Has an order carried out at once, or puts it in line; never waits.
    ///
    /// # Errors
    /// When nobody would take it; the order is dropped, which lets go whoever waits for it.
    pub(crate) fn tell(&self, order: Order) -> Result<(), Unheard> {
        match self.at_once(order, Writer::carry_out) {
            Ok(done) => done.ok_or(Unheard),
            Err(order) => self.stand_in_line(order),
        }
    }

    /// Asks what [`Order::Join`] asks, without a reply to wait for where the answer is there at once.
    pub(crate) fn join(&self, ask: JoinAsk) -> Joining {
        match self.at_once(ask, Writer::join) {
            Ok(joined) => joined.map_or(Joining::Never, Joining::Now),
            Err(ask) => {
                let (to, from) = reply();
                match self.stand_in_line(Order::Join(Join { ask, reply: to })) {
                    Ok(()) => Joining::Later(from),
                    Err(Unheard) => Joining::Never,
                }
            }
        }
    }

    /// What `act` makes of `input`, if the writer whose turn it is lives on this thread and no order waits; nothing if
    /// that was its end. Else gives `input` back.
    fn at_once<I, R>(&self, input: I, act: impl FnOnce(&mut Writer, I) -> R) -> Result<Option<R>, I> {
        let current = {
            let line = self.line.lock();
            line.writer.filter(|_| line.waiting.is_empty())
        };
        let Some(current) = current else { return Err(input) };
        let asked = self.near.ask(input, |writer, input| {
            if writer.generation() == current && writer.hears() { Ok(act(writer, input)) } else { Err(input) }
        });
        match asked {
            Asked::Done(done) => done.map(Some),
            Asked::Away(input) => Err(input),
            Asked::Broke(panic) => {
                // An actor that cannot be told is dead already.
                drop(self.writer.tell(Crash(panic)));
                Ok(None)
            }
        }
    }

    fn stand_in_line(&self, order: Order) -> Result<(), Unheard> {
        {
            let mut line = self.line.lock();
            if line.writer.is_none() || line.waiting.len() >= self.limit {
                drop(line); // before the order is: its drop may tell another one
                return Err(Unheard);
            }
            line.waiting.push_back(order);
        }
        if !self.bell.swap(true, Ordering::AcqRel) && self.writer.tell(Doorbell).is_err() {
            self.silence_bell(); // the next generation looks by itself
        }
        Ok(())
    }

    /// The writer is about to look: an order from here on rings again.
    pub(crate) fn silence_bell(&self) {
        self.bell.store(false, Ordering::Release);
    }

    /// The next order, if `generation` is the one that takes them.
    pub(crate) fn take(&self, generation: u64) -> Option<Order> {
        let mut line = self.line.lock();
        if line.writer != Some(generation) {
            return None;
        }
        let order = line.waiting.pop_front()?;
        drop(line);
        self.progress.fetch_add(1, Ordering::Relaxed);
        Some(order)
    }

    /// Asks the writer to look for entries whose time is over.
    pub(crate) fn sweep(&self, generation: u64) {
        // Without a writer there is nothing to sweep; the next one sets its own alarm.
        drop(self.writer.tell(Sweep { generation }));
    }

    /// Asks the writer to end; false if none lives.
    pub(crate) fn end(&self) -> bool {
        self.writer.tell(End).is_ok()
    }

    /// A new generation moved in.
    pub(crate) fn open(&self, generation: u64, writer: Addr<CacheActor>) {
        self.silence_bell();
        self.writer.open(writer);
        self.line.lock().writer = Some(generation);
    }

    /// The generation is gone or given up: no more orders, and those in line are let go.
    pub(crate) fn shut(&self) {
        self.writer.shut();
        let left = self.line.lock().leave();
        drop(left); // outside the lock: each wakes its caller
    }

    /// [`Self::shut`], unless another generation moved in already.
    pub(crate) fn leave(&self, generation: u64) {
        let left = {
            let mut line = self.line.lock();
            if line.writer == Some(generation) { line.leave() } else { VecDeque::new() }
        };
        drop(left);
    }

    /// Orders taken so far; a writer with orders whose count stands still is stuck.
    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// True if an order waits.
    pub(crate) fn has_work(&self) -> bool {
        !self.line.lock().waiting.is_empty()
    }
}

impl Line {
    fn leave(&mut self) -> VecDeque<Order> {
        self.writer = None;
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::orders::Forget;
    use crate::mail::{Reply, reply};

    fn order() -> (Order, Reply<usize>) {
        let (to, from) = reply();
        (Order::Forget(Forget { hashes: Vec::new(), reply: to }), from)
    }

    fn opened(limit: usize, generation: u64) -> CacheDoor {
        let door = CacheDoor::new(limit);
        door.line.lock().writer = Some(generation);
        door
    }

    #[test]
    fn a_door_behind_which_nobody_lives_takes_no_order() {
        let door = CacheDoor::new(8);
        let (order, mut reply) = order();
        assert_eq!(door.tell(order), Err(Unheard));
        assert!(reply.try_recv().is_err(), "whoever waits is let go");
    }

    #[test]
    fn a_full_line_takes_no_more_until_an_order_is_taken() {
        let door = opened(3, 1);
        for _ in 0..3 {
            assert_eq!(door.tell(order().0), Ok(()));
        }
        assert_eq!(door.tell(order().0), Err(Unheard));
        assert!(door.take(1).is_some());
        assert_eq!(door.tell(order().0), Ok(()));
        assert_eq!(door.progress(), 1);
    }

    #[test]
    fn a_generation_that_was_replaced_takes_nothing() {
        let door = opened(3, 2);
        assert_eq!(door.tell(order().0), Ok(()));
        assert!(door.take(1).is_none());
        door.leave(1);
        assert!(door.take(2).is_some(), "nor does its end let anything go");
    }

    #[test]
    fn orders_of_a_generation_that_ends_are_let_go() {
        let door = opened(3, 1);
        let (order, mut reply) = order();
        assert_eq!(door.tell(order), Ok(()));
        assert!(door.has_work());
        door.leave(1);
        assert!(!door.has_work());
        assert_eq!(reply.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Closed));
    }
}
