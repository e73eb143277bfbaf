//! The rows of one queue, by place and by key: who waits for which, in line or in the air. Pure.
//!
//! Owns membership and row single-flight, O(1) per row; must not know locks, bounds or time beyond the
//! ticks it is given.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;

use crate::batch::row::{Collector, Delivered, How, RowAddress, RowEnd, RowFailure, Seq};
use crate::call::{CallId, WorkspaceId};
use crate::error::CallError;
use crate::key::{Key, KeyHash};
use crate::lane::fair::{FairQueue, Place};
use crate::ports::clock::Tick;

/// Names a row until it is settled. The stamp tells a reused place from the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowId {
    index: usize,
    stamp: u64,
}

/// One item a call wants computed.
#[derive(Debug)]
pub(crate) struct RowAsk<I> {
    pub(crate) seq: Seq,
    pub(crate) key: Key,
    pub(crate) tokens: u32,
    pub(crate) item: I,
}

/// Who asks.
#[derive(Debug)]
pub(crate) struct Asker<'a, V> {
    pub(crate) collector: &'a Arc<Collector<V>>,
    pub(crate) workspace: &'a WorkspaceId,
    /// True if its rows may be shared with other calls.
    pub(crate) share: bool,
    /// The purge epoch it looked up under; rows from before a purge are not joined.
    pub(crate) epoch: u64,
    pub(crate) now: Tick,
}

/// A row as it travels.
#[derive(Debug, Clone)]
pub(crate) struct Taken<I> {
    pub(crate) id: RowId,
    pub(crate) key: Key,
    /// The call the row was queued for.
    pub(crate) call: CallId,
    pub(crate) tokens: u32,
    pub(crate) item: I,
}

/// What became of a row.
#[derive(Debug, Clone)]
pub(crate) enum Settled<V> {
    /// Its vector, and its share of the invoice.
    Answer(V, u64),
    Poison(CallError),
    Lost(CallError),
}

/// A call that waits for a row, under one of its items.
#[derive(Debug)]
pub(super) struct Waiter<V> {
    collector: Arc<Collector<V>>,
    seq: Seq,
}

impl<V> Waiter<V> {
    fn deliver(&self, end: RowEnd<V>) {
        let address = RowAddress { call: self.collector.call(), seq: self.seq };
        self.collector.deliver(address, end);
    }
}

/// A row and everybody who waits for it.
#[derive(Debug)]
pub(super) struct Row<I, V> {
    stamp: u64,
    key: Key,
    shared: bool,
    epoch: u64,
    call: CallId,
    tokens: u32,
    item: I,
    /// In line; `None` in the air.
    place: Option<Place>,
    waiters: Vec<Waiter<V>>,
}

impl<I, V: Clone> Row<I, V> {
    /// Tells its callers, outside every lock. The first who still waits pays; the others share.
    pub(super) fn tell(self, end: &Settled<V>) {
        for (at, waiter) in self.waiters.into_iter().enumerate() {
            let (how, part) = if at == 0 { (How::Computed, 1) } else { (How::Joined, 0) };
            waiter.deliver(match end {
                Settled::Answer(value, share) => {
                    Ok(Delivered { value: value.clone(), how, billed: share * part })
                }
                Settled::Poison(error) => Err(RowFailure::Poison(error.clone())),
                Settled::Lost(error) => Err(RowFailure::Lost(error.clone())),
            });
        }
    }

    /// Tells its callers, whose calls have failed already, that it is not asked any more.
    pub(super) fn give_up(self) {
        for waiter in self.waiters {
            waiter.deliver(Err(RowFailure::Moot));
        }
    }
}

/// What the line needs to know of a row to decide where a batch ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct InLine {
    pub(super) row: usize,
    pub(super) call: CallId,
    pub(super) tokens: u32,
    pub(super) since: Tick,
}

/// All rows of one queue.
#[derive(Debug)]
pub(super) struct RowTable<I, V> {
    rows: Slab<Row<I, V>>,
    by_key: HashMap<Key, usize, KeyHash>,
    line: FairQueue<InLine>,
    tokens: u64,
    stamps: u64,
}

impl<I: Clone, V> RowTable<I, V> {
    /// A row that waited `aging` goes before every workspace's turn.
    pub(super) fn new(aging: Duration) -> Self {
        let (rows, by_key) = (Slab::new(), HashMap::default());
        Self { rows, by_key, line: FairQueue::new(aging), tokens: 0, stamps: 0 }
    }

    /// Rows in line.
    pub(super) fn waiting(&self) -> usize {
        self.line.len()
    }

    /// Rows of one workspace in line.
    pub(super) fn waiting_of(&self, workspace: &WorkspaceId) -> usize {
        self.line.len_of(workspace)
    }

    /// Tokens in line.
    pub(super) const fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Since when the oldest row in line waits.
    pub(super) fn oldest(&self) -> Option<Tick> {
        self.line.oldest()
    }

    /// Rows in the air.
    pub(super) fn in_air(&self) -> usize {
        self.rows.len() - self.line.len()
    }

    /// Waits for a row that is in line or in the air already, if there is one.
    pub(super) fn join(&mut self, asker: &Asker<'_, V>, key: &Key, seq: Seq) -> Option<RowId> {
        let index = *self.by_key.get(key).filter(|_| asker.share)?;
        let row = &mut self.rows[index];
        if row.epoch != asker.epoch {
            return None;
        }
        row.waiters.push(Waiter { collector: Arc::clone(asker.collector), seq });
        Some(RowId { index, stamp: row.stamp })
    }

    /// Puts a new row in line.
    pub(super) fn push(&mut self, asker: &Asker<'_, V>, ask: RowAsk<I>) -> RowId {
        self.stamps += 1;
        let stamp = self.stamps;
        let call = asker.collector.call();
        let entry = self.rows.vacant_entry();
        let index = entry.key();
        let in_line = InLine { row: index, call, tokens: ask.tokens, since: asker.now };
        let place = self.line.push(asker.workspace, in_line, asker.now);
        entry.insert(Row {
            stamp,
            key: ask.key,
            shared: asker.share,
            epoch: asker.epoch,
            call,
            tokens: ask.tokens,
            item: ask.item,
            place: Some(place),
            waiters: vec![Waiter { collector: Arc::clone(asker.collector), seq: ask.seq }],
        });
        self.tokens += u64::from(ask.tokens);
        if asker.share {
            self.by_key.insert(ask.key, index);
        }
        RowId { index, stamp }
    }

    /// Whose turn it is.
    pub(super) fn peek(&mut self, now: Tick) -> Option<InLine> {
        self.line.peek(now).copied()
    }

    /// What the row in turn carries.
    pub(super) fn item_in_turn(&mut self, now: Tick) -> Option<I> {
        let next = self.peek(now)?;
        Some(self.rows[next.row].item.clone())
    }

    /// Takes the row in turn out of line and into the air.
    pub(super) fn take_off(&mut self, now: Tick) -> Option<Taken<I>> {
        let next = self.line.pop(now)?;
        Some(self.fly(next.row))
    }

    fn fly(&mut self, index: usize) -> Taken<I> {
        let row = &mut self.rows[index];
        row.place = None;
        self.tokens -= u64::from(row.tokens);
        let id = RowId { index, stamp: row.stamp };
        Taken { id, key: row.key, call: row.call, tokens: row.tokens, item: row.item.clone() }
    }

    /// Empties the line.
    pub(super) fn drain_line(&mut self) -> Vec<Row<I, V>> {
        let waiting = self.line.drain();
        waiting
            .into_iter()
            .filter_map(|next| {
                let id = self.fly(next.row).id;
                self.remove(id)
            })
            .collect()
    }

    fn get(&self, id: RowId) -> Option<&Row<I, V>> {
        self.rows.get(id.index).filter(|row| row.stamp == id.stamp)
    }

    /// Takes a row out of the air; `None` if it was settled already.
    pub(super) fn remove(&mut self, id: RowId) -> Option<Row<I, V>> {
        self.get(id)?;
        let row = self.rows.remove(id.index);
        if row.shared && self.by_key.get(&row.key) == Some(&id.index) {
            self.by_key.remove(&row.key);
        }
        Some(row)
    }

    /// True if a call waits for the row; `failed_too` counts calls whose end it cannot change any more.
    pub(super) fn is_wanted(&self, id: RowId, failed_too: bool) -> bool {
        let wants = |waiter: &Waiter<V>| failed_too || !waiter.collector.is_decided(waiter.seq);
        self.get(id).is_some_and(|row| row.waiters.iter().any(wants))
    }

    /// The call that would pay for a row: the first that still waits.
    pub(super) fn payer(&self, id: RowId) -> Option<CallId> {
        Some(self.get(id)?.waiters.first()?.collector.call())
    }

    /// Takes a caller off its rows; gives the rows in line that nobody wants any more, and whether a row in
    /// the air has lost its last caller.
    pub(super) fn leave(&mut self, collector: &Arc<Collector<V>>, seats: &[RowId]) -> (Vec<Row<I, V>>, bool) {
        let mut gone = Vec::new();
        let mut deserted = false;
        for &id in seats {
            let Some(row) = self.rows.get_mut(id.index).filter(|row| row.stamp == id.stamp) else { continue };
            row.waiters.retain(|waiter| !Arc::ptr_eq(&waiter.collector, collector));
            if !row.waiters.is_empty() {
                continue;
            }
            match row.place {
                Some(place) => {
                    self.tokens -= u64::from(row.tokens);
                    self.line.leave(place);
                    gone.extend(self.remove(id));
                }
                None => deserted = true,
            }
        }
        (gone, deserted)
    }
}
