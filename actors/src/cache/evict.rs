//! What goes when the cache is full, and what goes because its time is over. Pure: knows entries and their marks, never
//! the index, and nothing of what went.
//!
//! SIEVE (Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024) under a byte budget; strict LRU by entry
//! count, where a read only stores a sequence and the order is repaired when something must go.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;

use slab::Slab;

use crate::cache::Capacity;
use crate::cache::entry::Entry;
use crate::key::KeyHash;
use crate::ports::clock::Tick;

const NONE: usize = usize::MAX;

/// The eviction order of all entries of one cache.
#[derive(Debug)]
pub(crate) struct Eviction {
    capacity: Capacity,
    order: Order,
    /// When each entry's time is over. Exact: an entry that goes before its time must not be remembered until then.
    expiry: BTreeSet<(Tick, u128)>,
}

#[derive(Debug)]
enum Order {
    Sieve(Sieve),
    Lru(Lru),
}

impl Eviction {
    pub(crate) fn new(capacity: Capacity) -> Self {
        let order = match capacity {
            Capacity::Bytes(_) => Order::Sieve(Sieve::new()),
            Capacity::Entries(_) => Order::Lru(Lru::default()),
        };
        Self { capacity, order, expiry: BTreeSet::new() }
    }

    pub(crate) fn admit(&mut self, entry: Arc<Entry>) {
        self.forget(entry.facts.key.hash);
        self.expiry.insert((entry.facts.expires, entry.facts.key.hash));
        match &mut self.order {
            Order::Sieve(sieve) => sieve.admit(entry),
            Order::Lru(lru) => lru.admit(entry),
        }
    }

    /// The entry is gone for another reason (purged, expired, replaced).
    pub(crate) fn forget(&mut self, hash: u128) {
        let gone = match &mut self.order {
            Order::Sieve(sieve) => sieve.forget(hash),
            Order::Lru(lru) => lru.forget(hash),
        };
        if let Some(gone) = gone {
            self.expiry.remove(&(gone.facts.expires, hash));
        }
    }

    /// Names what must go while `entries` and `bytes` are over the capacity.
    pub(crate) fn victim(&mut self, entries: usize, bytes: usize) -> Option<u128> {
        let gone = match (&mut self.order, self.capacity) {
            (Order::Sieve(sieve), Capacity::Bytes(limit)) if bytes > limit => sieve.victim(),
            (Order::Lru(lru), Capacity::Entries(limit)) if entries > limit => lru.victim(),
            _ => None,
        }?;
        let hash = gone.facts.key.hash;
        self.expiry.remove(&(gone.facts.expires, hash));
        Some(hash)
    }

    /// Names an entry whose time is over at `now`.
    pub(crate) fn expired(&mut self, now: Tick) -> Option<u128> {
        let &(_, hash) = self.expiry.first().filter(|(expires, _)| *expires <= now)?;
        self.forget(hash);
        Some(hash)
    }
}

#[derive(Debug)]
struct Node {
    entry: Arc<Entry>,
    newer: usize,
    older: usize,
}

#[derive(Debug)]
struct Sieve {
    nodes: Slab<Node>,
    places: HashMap<u128, usize, KeyHash>,
    newest: usize,
    oldest: usize,
    hand: usize,
}

impl Sieve {
    fn new() -> Self {
        Self { nodes: Slab::new(), places: HashMap::default(), newest: NONE, oldest: NONE, hand: NONE }
    }

    fn admit(&mut self, entry: Arc<Entry>) {
        let hash = entry.facts.key.hash;
        let place = self.nodes.insert(Node { entry, newer: NONE, older: self.newest });
        match self.nodes.get_mut(self.newest) {
            Some(newest) => newest.newer = place,
            None => self.oldest = place,
        }
        self.newest = place;
        self.places.insert(hash, place);
    }

    fn forget(&mut self, hash: u128) -> Option<Arc<Entry>> {
        let place = self.places.remove(&hash)?;
        let Node { entry, newer, older } = self.nodes.remove(place);
        if self.hand == place {
            self.hand = newer;
        }
        match self.nodes.get_mut(newer) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
        match self.nodes.get_mut(older) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
        Some(entry)
    }

    /// The hand walks from old to new, spares what was read since its last pass, takes the first that was not.
    fn victim(&mut self) -> Option<Arc<Entry>> {
        let mut hand = if self.hand == NONE { self.oldest } else { self.hand };
        loop {
            let node = self.nodes.get(hand)?;
            if !node.entry.take_visited() {
                break;
            }
            hand = if node.newer == NONE { self.oldest } else { node.newer };
        }
        self.hand = hand;
        let hash = self.nodes[hand].entry.facts.key.hash;
        self.forget(hash)
    }
}

#[derive(Debug, Default)]
struct Lru {
    entries: HashMap<u128, Arc<Entry>, KeyHash>,
    /// May lag behind the entries' own sequences, and hold what is gone; repaired when read.
    heap: BinaryHeap<Reverse<(u64, u128)>>,
}

impl Lru {
    fn admit(&mut self, entry: Arc<Entry>) {
        let hash = entry.facts.key.hash;
        self.heap.push(Reverse((entry.last_read(), hash)));
        self.entries.insert(hash, entry);
        if self.heap.len() > 64 + 2 * self.entries.len() {
            self.heap =
                self.entries.iter().map(|(hash, entry)| Reverse((entry.last_read(), *hash))).collect();
        }
    }

    fn forget(&mut self, hash: u128) -> Option<Arc<Entry>> {
        self.entries.remove(&hash)
    }

    fn victim(&mut self) -> Option<Arc<Entry>> {
        while let Some(Reverse((seen, hash))) = self.heap.pop() {
            let Some(entry) = self.entries.get(&hash) else { continue };
            let last_read = entry.last_read();
            if last_read == seen {
                return self.entries.remove(&hash);
            }
            self.heap.push(Reverse((last_read, hash)));
        }
        None
    }
}

#[cfg(test)]
mod tests;
