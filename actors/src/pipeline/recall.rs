//! The look behind memory: what an earlier process kept answers, and is remembered again.
//!
//! Owns when a found answer counts. Must not know where it lay.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::Entry;
use crate::cache::orders::{Order, Publish, Then};
use crate::call::{CacheWish, WorkspaceId};
use crate::engine::Shared;
use crate::flight::Stamps;
use crate::key::Key;

/// A disk that answers later than this is no faster than asking again.
const PATIENCE: Duration = Duration::from_millis(500);

/// Who looks, and under what.
pub(super) struct Recall<'a> {
    pub(super) workspace: &'a WorkspaceId,
    pub(super) stamps: Stamps,
    pub(super) wish: CacheWish,
}

impl Recall<'_> {
    /// The answers behind memory of these keys, in their order.
    ///
    /// A purge empties the store and then moves the epoch once more, so an answer counts only if the epoch stands where it
    /// stood when the call looked its keys up: neither is it told nor remembered else.
    pub(super) async fn of(&self, engine: &Shared, keys: &[Key]) -> Vec<Option<Arc<Entry>>> {
        let nothing = || vec![None; keys.len()];
        let Some(tier) = engine.cache.tier.as_ref().filter(|_| self.wish.read) else { return nothing() };
        let wanted: Vec<usize> = (0..keys.len()).filter(|&at| tier.may_have(&keys[at])).collect();
        if wanted.is_empty() {
            return nothing();
        }
        let late = engine.clock.sleep_until(engine.clock.now().plus(PATIENCE));
        let found = tokio::select! {
            biased;
            found = tier.read(wanted.iter().map(|&at| keys[at]).collect()) => found,
            () = late => return nothing(),
        };
        let mut answers = nothing();
        if engine.cache.epochs.of(self.workspace) != self.stamps.purge {
            return answers;
        }
        let mut again = Vec::new();
        for (at, entry) in wanted.into_iter().zip(found) {
            let Some(entry) = entry.filter(|entry| self.counts(engine, entry, &keys[at])) else { continue };
            again.push((Arc::new(entry.promoted()), self.stamps));
            answers[at] = Some(entry);
        }
        if !again.is_empty() {
            // Without a writer nothing is remembered; the answers count all the same.
            let publish = Publish { entries: again, then: Then::new(|| ()) };
            let _ = engine.cache.door.tell(Order::Publish(publish));
        }
        answers
    }

    fn counts(&self, engine: &Shared, entry: &Entry, key: &Key) -> bool {
        let now = engine.clock.now();
        let young = self.wish.max_age_ms.is_none_or(|max| entry.age(now).as_millis() <= u128::from(max));
        entry.facts.key == *key
            && entry.facts.workspace == *self.workspace
            && now < entry.facts.expires
            && young
    }
}
