//! The bounded mailbox of a batcher: rows that wait, rows in the air, batch slots, and the bell.
//!
//! Lives outside the batcher's actor, so waiting rows outlive a crash. One mutex, held O(1) per row;
//! must not know actors, vectors or upstreams.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::batch::budget::RowBudget;
use crate::batch::cut::{CutLimits, CutReason, Filling, Waiting, When, when};
use crate::batch::pace::{Air, Ticket};
use crate::batch::row::{Collector, Delivered, How, RowAddress, Seq};
use crate::batch::table::{Asker, RowAsk, RowId, RowTable, Settled, Taken};
use crate::call::{CallId, WorkspaceId};
use crate::error::CallError;
use crate::key::Key;
use crate::ports::clock::{ClockRef, Tick};

/// Age at which a row goes before every workspace's turn.
const AGING: Duration = Duration::from_secs(2);

/// How many rows one queue holds and how it is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueLimits {
    pub(crate) max_rows: usize,
    pub(crate) in_flight_batches: usize,
    pub(crate) cut: CutLimits,
}

/// Why nothing of a request was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// `limit` rows wait; `own` of this queue's are the workspace's.
    Full { limit: usize, own: usize, oldest: Option<Tick> },
    /// The batcher left or may not restart any more.
    Closed,
}

/// One batch, just cut; without rows if everybody left before.
#[derive(Debug)]
pub(crate) struct Cut<I> {
    /// What [`RowQueue::release`] takes back.
    pub(crate) ticket: Ticket,
    pub(crate) rows: Vec<Taken<I>>,
    pub(crate) reason: CutReason,
    pub(crate) tokens: u64,
    /// How long its oldest row had waited.
    pub(crate) waited: Duration,
}

/// Whether a batch may be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start<I> {
    /// A slot was taken, in the turn of the row that carries this.
    Go(I),
    /// Not before this moment.
    At(Tick),
    /// Nothing waits, no slot is free, one is started already, or the generation is over.
    No,
}

#[derive(Debug)]
struct Inner<I, V> {
    table: RowTable<I, V>,
    running: usize,
    air: Air,
    /// A slot was taken and its batch is not cut yet.
    uncut: bool,
    generation: u64,
    closed: bool,
}

/// Numbers of one queue at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RowReading {
    pub(crate) waiting: usize,
    pub(crate) in_air: usize,
    pub(crate) running: usize,
    pub(crate) oldest: Option<Tick>,
    pub(crate) closed: bool,
}

/// Waiting rows, rows in the air and batch slots of one batcher.
#[derive(Debug)]
pub(crate) struct RowQueue<I, V> {
    inner: Mutex<Inner<I, V>>,
    budget: Arc<RowBudget>,
    limits: QueueLimits,
    bell: AtomicBool,
    progress: AtomicU64,
    /// A row in the air lost its last caller.
    deserted: Notify,
}

impl<I: Clone, V: Clone> RowQueue<I, V> {
    pub(crate) fn new(limits: QueueLimits, budget: Arc<RowBudget>) -> Self {
        // Where calls do not mix, a batch is one call's rows, and those lie together only in plain order.
        let aging = if limits.cut.mix_calls { AGING } else { Duration::ZERO };
        let table = RowTable::new(aging);
        let inner =
            Inner { table, running: 0, air: Air::default(), uncut: false, generation: 0, closed: false };
        let (bell, progress) = (AtomicBool::new(false), AtomicU64::new(0));
        Self { inner: Mutex::new(inner), budget, limits, bell, progress, deserted: Notify::new() }
    }

    /// Joins or queues every row, or none of them. `recheck` looks for a vector published meanwhile.
    ///
    /// # Errors
    /// When the rows that would have to wait are more than the limit allows; nothing is left behind.
    pub(crate) fn enter(
        self: &Arc<Self>,
        asker: &Asker<'_, V>,
        asks: Vec<RowAsk<I>>,
        mut recheck: impl FnMut(&Key) -> Option<V>,
    ) -> Result<Stay<I, V>, Refused> {
        let mut stay = Stay::new(self, asker.collector, asks.len());
        let mut found = Vec::new();
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(Refused::Closed);
        }
        for ask in asks {
            if let Some(seat) = inner.table.join(asker, &ask.key, ask.seq) {
                stay.seats.push(seat);
                stay.joined += 1;
            } else if let Some(value) = recheck(&ask.key) {
                found.push((ask.seq, value));
            } else if inner.table.waiting() < self.limits.max_rows && self.budget.take() {
                stay.seats.push(inner.table.push(asker, ask));
                stay.queued += 1;
            } else {
                return Err(self.roll_back(&mut inner.table, &mut stay, asker.workspace));
            }
        }
        drop(inner);
        for (seq, value) in found {
            stay.hand(seq, value);
        }
        Ok(stay)
    }

    fn roll_back(&self, table: &mut RowTable<I, V>, stay: &mut Stay<I, V>, own: &WorkspaceId) -> Refused {
        let seats = std::mem::take(&mut stay.seats);
        self.budget.give(table.leave(&stay.collector, &seats).0.len());
        let limit = self.limits.max_rows.min(self.budget.limit());
        Refused::Full { limit, own: table.waiting_of(own), oldest: table.oldest() }
    }

    /// Takes a slot for a batch, if one may start now. One slot at a time waits for its cut.
    pub(crate) fn start(&self, generation: u64, now: Tick) -> Start<I> {
        let mut inner = self.inner.lock();
        let Some(oldest) = inner.table.oldest() else { return Start::No };
        if inner.uncut || inner.generation != generation || inner.running >= self.limits.in_flight_batches {
            return Start::No;
        }
        let waiting = Waiting { rows: inner.table.waiting(), tokens: inner.table.tokens(), oldest };
        if let When::At(due) = when(&self.limits.cut, waiting, now) {
            return Start::At(due);
        }
        let Some(item) = inner.table.item_in_turn(now) else { return Start::No };
        inner.running += 1;
        inner.uncut = true;
        drop(inner);
        self.progress.fetch_add(1, Ordering::Relaxed);
        Start::Go(item)
    }

    /// Cuts the batch for which [`Self::start`] took a slot.
    pub(crate) fn cut(&self, now: Tick) -> Cut<I> {
        let mut inner = self.inner.lock();
        inner.uncut = false;
        let mut filling = Filling::new(self.limits.cut).sharing(self.share(&inner, now));
        let mut rows = Vec::with_capacity(inner.table.waiting().min(self.limits.cut.max_items));
        let mut oldest = now;
        while let Some(next) = inner.table.peek(now).filter(|next| filling.offer(next.call, next.tokens)) {
            oldest = oldest.min(next.since);
            rows.extend(inner.table.take_off(now));
        }
        let (reason, tokens) = filling.close();
        let ticket = inner.air.depart(tokens, now);
        drop(inner);
        self.budget.give(rows.len());
        Cut { ticket, rows, reason, tokens, waited: now.since(oldest) }
    }

    /// Where calls do not mix, slots are not few and batches not divisible.
    fn share(&self, inner: &Inner<I, V>, now: Tick) -> Option<u64> {
        let slots = self.limits.in_flight_batches;
        self.limits.cut.mix_calls.then(|| inner.air.share(inner.table.tokens(), slots, now))?
    }

    /// The upstream answered a request of so many tokens in this time, at the first attempt.
    pub(crate) fn learn(&self, tokens: u64, took: Duration) {
        self.inner.lock().air.learn(tokens, took);
    }

    /// A slot came home, with the ticket of its batch if one was cut; true if rows wait for it.
    pub(crate) fn release(&self, ticket: Option<Ticket>) -> bool {
        let mut inner = self.inner.lock();
        inner.running -= 1;
        match ticket {
            Some(ticket) => inner.air.arrive(ticket),
            None => inner.uncut = false,
        }
        inner.table.waiting() > 0
    }

    /// Tells everybody who waits for these rows, which leave the air. Rows settled already are skipped.
    ///
    /// What is to be found in the cache must be there before: from here on a newcomer asks anew.
    pub(crate) fn settle(&self, ends: impl IntoIterator<Item = (RowId, Settled<V>)>) {
        let mut gone = Vec::new();
        {
            let mut inner = self.inner.lock();
            gone.extend(ends.into_iter().filter_map(|(id, end)| Some((inner.table.remove(id)?, end))));
        }
        for (row, end) in gone {
            row.tell(&end);
        }
    }

    /// True if somebody waits for a row in the air. A row that is not wanted leaves the air.
    ///
    /// `failed_too` counts callers whose call has failed and whose error this row cannot change.
    pub(crate) fn is_wanted(&self, id: RowId, failed_too: bool) -> bool {
        let gone = {
            let mut inner = self.inner.lock();
            if inner.table.is_wanted(id, failed_too) {
                return true;
            }
            inner.table.remove(id)
        };
        if let Some(row) = gone {
            row.give_up();
        }
        false
    }

    /// The calls that would pay for these rows: for each the first that still waits.
    pub(crate) fn payers(&self, ids: impl IntoIterator<Item = RowId>) -> Vec<Option<CallId>> {
        let inner = self.inner.lock();
        ids.into_iter().map(|id| inner.table.payer(id)).collect()
    }

    fn leave(&self, collector: &Arc<Collector<V>>, seats: &[RowId]) {
        let (gone, deserted) = self.inner.lock().table.leave(collector, seats);
        self.budget.give(gone.len());
        if deserted {
            self.deserted.notify_waiters();
        }
    }

    /// Ready when nobody has waited for any of these rows in the air for `grace`; they have left it then.
    pub(crate) async fn abandoned(&self, ids: &[RowId], clock: &ClockRef, grace: Duration) {
        loop {
            let left = self.deserted.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.is_deserted(ids) {
                if !grace.is_zero() {
                    clock.sleep_until(clock.now().plus(grace)).await;
                }
                if self.take_deserted(ids) {
                    return;
                }
            }
            left.await;
        }
    }

    fn is_deserted(&self, ids: &[RowId]) -> bool {
        let inner = self.inner.lock();
        !ids.iter().any(|&id| inner.table.is_wanted(id, true))
    }

    fn take_deserted(&self, ids: &[RowId]) -> bool {
        let gone: Vec<_> = {
            let mut inner = self.inner.lock();
            if ids.iter().any(|&id| inner.table.is_wanted(id, true)) {
                return false;
            }
            ids.iter().map(|&id| inner.table.remove(id)).collect()
        };
        drop(gone); // outside the lock
        true
    }

    /// Gives every waiting row this end.
    pub(crate) fn refuse_waiting(&self, error: &CallError) {
        let rows = self.inner.lock().table.drain_line();
        self.budget.give(rows.len());
        for row in rows {
            row.tell(&Settled::Lost(error.clone()));
        }
    }

    /// Refuses newcomers and gives every waiting row this end. Rows in the air still come home.
    pub(crate) fn close(&self, error: &CallError) {
        self.inner.lock().closed = true;
        self.refuse_waiting(error);
    }

    /// Refuses newcomers if nothing waits and nothing is in the air; true if it is closed now.
    pub(crate) fn close_if_idle(&self) -> bool {
        let mut inner = self.inner.lock();
        let empty = inner.table.waiting() + inner.table.in_air() + inner.running == 0;
        inner.closed |= empty;
        inner.closed
    }
}

/// The bell, generations, and what is shown of the queue.
impl<I: Clone, V> RowQueue<I, V> {
    /// True if the batcher must be told: nobody rang since it last looked.
    pub(crate) fn ring(&self) -> bool {
        !self.bell.swap(true, Ordering::AcqRel)
    }

    /// The batcher is about to look: an entry from here on rings again.
    pub(crate) fn silence_bell(&self) {
        self.bell.store(false, Ordering::Release);
    }

    /// A new batcher takes over; older generations start nothing from here on.
    pub(crate) fn begin_generation(&self, generation: u64) {
        self.inner.lock().generation = generation;
        self.bell.store(false, Ordering::Release);
    }

    /// Batches started so far; a batcher with rows and slots whose count stands still is stuck.
    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// True if a batch could be started at `now`.
    pub(crate) fn has_work(&self, now: Tick) -> bool {
        let inner = self.inner.lock();
        let due = |oldest: Tick| now >= oldest.plus(self.limits.cut.max_linger);
        let slot = !inner.uncut && inner.running < self.limits.in_flight_batches;
        slot && inner.table.oldest().is_some_and(due)
    }

    pub(crate) fn read(&self) -> RowReading {
        let inner = self.inner.lock();
        let (waiting, in_air) = (inner.table.waiting(), inner.table.in_air());
        let (running, closed) = (inner.running, inner.closed);
        RowReading { waiting, in_air, running, oldest: inner.table.oldest(), closed }
    }

    pub(crate) const fn limits(&self) -> &QueueLimits {
        &self.limits
    }
}

/// A call's places among the rows. Dropping it leaves them at once.
#[derive(Debug)]
pub(crate) struct Stay<I: Clone, V: Clone> {
    queue: Arc<RowQueue<I, V>>,
    collector: Arc<Collector<V>>,
    seats: Vec<RowId>,
    /// Rows that were put in line for this call.
    pub(crate) queued: usize,
    /// Items that wait for a row which was there already.
    pub(crate) joined: usize,
}

impl<I: Clone, V: Clone> Stay<I, V> {
    fn new(queue: &Arc<RowQueue<I, V>>, collector: &Arc<Collector<V>>, rows: usize) -> Self {
        let (queue, collector) = (Arc::clone(queue), Arc::clone(collector));
        Self { queue, collector, seats: Vec::with_capacity(rows), queued: 0, joined: 0 }
    }

    fn hand(&self, seq: Seq, value: V) {
        let address = RowAddress { call: self.collector.call(), seq };
        self.collector.deliver(address, Ok(Delivered { value, how: How::Hit, billed: 0 }));
    }
}

impl<I: Clone, V: Clone> Drop for Stay<I, V> {
    fn drop(&mut self) {
        if !self.seats.is_empty() {
            self.queue.leave(&self.collector, &self.seats);
        }
    }
}
