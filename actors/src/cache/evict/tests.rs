//! Eviction against models of what it promises.

use proptest::prelude::*;

use super::*;
use crate::cache::entry::{EntryFacts, Kept};
use crate::call::{CallId, CallKind, WorkspaceId};
use crate::key::Key;
use crate::ports::clock::Tick;

fn entry(hash: u128, read: u64) -> Arc<Entry> {
    entry_until(hash, read, Tick(u64::MAX))
}

fn entry_until(hash: u128, read: u64, expires: Tick) -> Arc<Entry> {
    let facts = EntryFacts {
        key: Key { hash, sha: [0; 32] },
        workspace: WorkspaceId::default_workspace(),
        kind: CallKind::Chat,
        model: "m".into(),
        target: "t".into(),
        tags: Default::default(),
        payer: CallId::fresh(),
        usage: None,
        estimated: false,
        born: Tick(0),
        expires,
    };
    let entry = Entry::new(facts, Kept::Whole(bytes::Bytes::new()));
    entry.touch(read);
    entry.take_visited();
    Arc::new(entry)
}

#[test]
fn of_129_entries_in_a_cache_of_128_the_least_recently_read_goes() {
    let mut order = Eviction::new(Capacity::Entries(128));
    let entries: Vec<_> = (0..129).map(|at| entry(at, at as u64)).collect();
    for entry in &entries {
        order.admit(Arc::clone(entry));
    }
    entries[0].touch(1_000);
    assert_eq!(order.victim(129, 0), Some(1), "0 was read since");
    assert_eq!(order.victim(128, 0), None);
}

#[test]
fn what_expires_is_named_in_the_order_of_its_end_and_only_when_that_has_come() {
    let mut order = Eviction::new(Capacity::Bytes(0));
    for (hash, expires) in [(1, 30), (2, 10), (3, 20), (4, 10)] {
        order.admit(entry_until(hash, 0, Tick(expires)));
    }
    order.admit(entry_until(2, 0, Tick(40))); // asked again: its earlier end counts no more
    order.forget(4);
    assert_eq!(order.expired(Tick(19)), None);
    let mut at = |now| std::iter::from_fn(|| order.expired(Tick(now))).collect::<Vec<_>>();
    assert_eq!((at(20), at(40), at(u64::MAX)), (vec![3], vec![1, 2], vec![]));
    assert_eq!(order.victim(0, 1), None, "what expired cannot be evicted");
}

/// A full cache evicts one entry for each it takes. Their ends were remembered until they came, a week later: a
/// gateway that remembered nothing more grew by 32 bytes a miss.
#[test]
fn nothing_is_remembered_of_entries_that_went_before_their_time() {
    for capacity in [Capacity::Bytes(100 * 512), Capacity::Entries(100)] {
        let mut order = Eviction::new(capacity);
        let mut live = 0;
        for hash in 0..10_000 {
            order.admit(entry_until(hash, hash as u64, Tick(u64::MAX)));
            live += 1;
            while order.victim(live, live * 512).is_some() {
                live -= 1;
            }
            assert_eq!(order.expiry.len(), live);
        }
        assert_eq!(live, 100);
        (0..10_000).for_each(|hash| order.forget(hash));
        assert_eq!(order.expiry.len(), 0);
    }
}

#[test]
fn sieve_spares_what_was_read_since_the_hand_last_passed() {
    let mut order = Eviction::new(Capacity::Bytes(0));
    let entries: Vec<_> = (0..4).map(|at| entry(at, 0)).collect();
    for entry in &entries {
        order.admit(Arc::clone(entry));
    }
    entries[0].touch(1);
    entries[2].touch(2);
    let gone: Vec<_> = std::iter::from_fn(|| order.victim(0, 1)).collect();
    assert_eq!(gone, [1, 3, 0, 2], "the hand passes 0 and 2 once, then comes round");
}

proptest! {
    #[test]
    fn lru_always_takes_the_entry_with_the_oldest_read(
        steps in proptest::collection::vec((0u8..4, 0u128..40), 1..300)
    ) {
        let mut order = Eviction::new(Capacity::Entries(0));
        let mut model: HashMap<u128, Arc<Entry>> = HashMap::new();
        let mut sequence = 0;
        for (step, hash) in steps {
            sequence += 1;
            match step {
                0 | 1 => {
                    let new = entry(hash, sequence);
                    order.forget(hash);
                    order.admit(Arc::clone(&new));
                    model.insert(hash, new);
                }
                2 => if let Some(entry) = model.get(&hash) { entry.touch(sequence) },
                _ => {
                    let oldest = model.values().min_by_key(|entry| entry.last_read()).map(|e| e.facts.key.hash);
                    prop_assert_eq!(order.victim(model.len(), 0), oldest);
                    if let Some(hash) = oldest { model.remove(&hash); }
                }
            }
        }
    }

    #[test]
    fn sieve_names_every_entry_once_and_nothing_else(
        steps in proptest::collection::vec((0u8..5, 0u128..40), 1..300)
    ) {
        let mut order = Eviction::new(Capacity::Bytes(0));
        let mut model: HashMap<u128, Arc<Entry>> = HashMap::new();
        for (step, hash) in steps {
            match step {
                0 | 1 => {
                    let new = entry(hash, 0);
                    order.admit(Arc::clone(&new));
                    model.insert(hash, new);
                }
                2 => if let Some(entry) = model.get(&hash) { entry.touch(1) },
                3 => { order.forget(hash); model.remove(&hash); }
                _ => match order.victim(0, 1) {
                    Some(gone) => prop_assert!(model.remove(&gone).is_some()),
                    None => prop_assert!(model.is_empty()),
                },
            }
        }
    }
}
