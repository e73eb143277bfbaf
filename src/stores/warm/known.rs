//! Which answers there are, as far as memory can say: a miss that is surely none needs no look at the disk.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::RwLock;

/// What is known of all of them.
const LOADING: u8 = 0;
const LOADED: u8 = 1;
const CLOSED: u8 = 2;

/// The first bytes of their SHA-256.
#[derive(Debug, Default)]
pub(super) struct Known {
    heads: RwLock<HashSet<u64>>,
    stage: AtomicU8,
}

impl Known {
    /// False if there surely is none, or none may be told.
    pub(super) fn may_have(&self, sha: &[u8; 32]) -> bool {
        match self.stage.load(Ordering::Acquire) {
            LOADING => true,
            LOADED => self.heads.read().contains(&head(sha)),
            _ => false,
        }
    }

    /// Whether one of these bytes was added and not taken out.
    pub(super) fn has(&self, sha: &[u8; 32]) -> bool {
        self.heads.read().contains(&head(sha))
    }

    pub(super) fn add(&self, sha: &[u8; 32]) {
        self.heads.write().insert(head(sha));
    }

    pub(super) fn remove(&self, sha: &[u8; 32]) {
        self.heads.write().remove(&head(sha));
    }

    /// From here on it holds all of them.
    pub(super) fn is_complete(&self) {
        self.stage.store(LOADED, Ordering::Release);
    }

    /// From here on none of them may be told.
    pub(super) fn close(&self) {
        self.stage.store(CLOSED, Ordering::Release);
        self.heads.write().clear();
    }
}

fn head(sha: &[u8; 32]) -> u64 {
    sha.first_chunk::<8>().map_or(0, |head| u64::from_le_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_all_are_known_any_may_be_there_and_once_closed_none() {
        let known = Known::default();
        assert!(known.may_have(&[1; 32]), "it may not have been seen yet");
        known.add(&[2; 32]);
        known.is_complete();
        assert!(known.may_have(&[2; 32]) && !known.may_have(&[1; 32]));
        known.remove(&[2; 32]);
        assert!(!known.may_have(&[2; 32]));
        known.add(&[3; 32]);
        known.close();
        assert!(!known.may_have(&[3; 32]));
    }
}
