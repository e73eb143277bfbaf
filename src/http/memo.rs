//! Requests a worker has read before: a body that comes again byte for byte is neither parsed nor hashed again.
//!
//! Owns a table per worker, so that no lock is taken, under one budget of bytes for all. What it gives is a function
//! of the body's bytes alone, and yet workspaces share none of it: how long an answer takes must not tell one of them
//! what another asked. Must not know what is answered.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use tidegate_actors::WorkspaceId;
use tidegate_actors::json::Document;
use tidegate_actors::key::{BodyDigest, KeyHash, KnownKey};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use super::budget::{ByteBudget, ByteShare};
use super::vendor::{ChatView, Vendor};

/// One body may take this part of the budget at most: a few large ones must not drive out all others.
const LARGEST_PART: usize = 64;

/// A chat request as it was understood.
#[derive(Debug)]
pub(crate) struct Understood {
    pub(crate) vendor: Vendor,
    pub(crate) document: Arc<Document>,
    pub(crate) digest: BodyDigest,
    pub(crate) view: ChatView,
    /// The key it has, where it is remembered.
    pub(crate) known: Option<Arc<KnownKey>>,
}

impl Understood {
    fn footprint(&self) -> usize {
        let Self { document, view, .. } = self;
        document.footprint() + view.model.len() + KnownKey::MAX_BYTES + size_of::<Self>() + size_of::<Slot>()
    }
}

#[derive(Debug)]
struct Slot {
    understood: Rc<Understood>,
    /// Read since the hand passed last.
    visited: Cell<bool>,
}

/// What one worker remembers; evicts by second chance (CLOCK, Corbato 1968).
#[derive(Debug)]
pub(crate) struct RequestMemo {
    table: RefCell<Table>,
    largest: usize,
}

#[derive(Debug)]
struct Table {
    slots: HashMap<u128, Slot, KeyHash>,
    /// In the order the hand passes over them.
    order: VecDeque<u128>,
    share: ByteShare,
}

impl RequestMemo {
    /// An empty one that takes what it holds from `budget`.
    pub(crate) fn new(budget: &Arc<ByteBudget>) -> Self {
        let table = Table { slots: HashMap::default(), order: VecDeque::new(), share: budget.share() };
        Self { table: RefCell::new(table), largest: budget.limit() / LARGEST_PART }
    }

    /// What `body` was understood as, if it came before from the same workspace at a door of the same vendor.
    pub(crate) fn recall(
        &self,
        vendor: Vendor,
        workspace: &WorkspaceId,
        body: &[u8],
    ) -> Option<Rc<Understood>> {
        if body.len() > self.largest {
            return None;
        }
        let table = self.table.borrow();
        if table.slots.is_empty() {
            return None;
        }
        let slot = table.slots.get(&place(workspace, body))?;
        let known = &slot.understood;
        if known.vendor != vendor || known.document.raw() != body {
            return None;
        }
        slot.visited.set(true);
        Some(Rc::clone(known))
    }

    /// Remembers `understood`, over a copy of its text; the oldest that were not read again make place.
    pub(crate) fn keep(&self, workspace: &WorkspaceId, understood: &Understood) {
        if understood.footprint() > self.largest {
            return;
        }
        let Understood { vendor, document, digest, view, known: _ } = understood;
        let understood = Rc::new(Understood {
            vendor: *vendor,
            document: Arc::new(document.detached()),
            digest: *digest,
            view: view.clone(),
            known: Some(Arc::default()),
        });
        self.table.borrow_mut().insert(place(workspace, document.raw()), understood);
    }
}

/// Where a workspace's body lies. Two workspaces that fall together see what is the same for both.
fn place(workspace: &WorkspaceId, body: &[u8]) -> u128 {
    xxh3_128_with_seed(body, xxh3_64(workspace.as_str().as_bytes()))
}

impl Table {
    fn insert(&mut self, hash: u128, understood: Rc<Understood>) {
        if self.slots.contains_key(&hash) {
            return; // of the other vendor, or a collision: whoever came first stays
        }
        while !self.share.grow(understood.footprint()) {
            if !self.evict() {
                return;
            }
        }
        self.slots.insert(hash, Slot { understood, visited: Cell::new(false) });
        self.order.push_back(hash);
    }

    /// Lets go of one; false if there is none.
    fn evict(&mut self) -> bool {
        while let Some(hash) = self.order.pop_front() {
            let spared = self.slots.get(&hash).is_some_and(|slot| slot.visited.replace(false));
            if spared {
                self.order.push_back(hash);
            } else if let Some(slot) = self.slots.remove(&hash) {
                self.share.shrink(slot.understood.footprint());
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidegate_actors::json::JsonLimits;

    use super::*;

    fn understood(vendor: Vendor, text: &str) -> Understood {
        let body =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}],"max_tokens":1}}"#);
        let document = Document::parse(Bytes::from(body), JsonLimits::default()).expect("a request");
        let digest = BodyDigest::of(document.root(), vendor.deny());
        let view = vendor.read(&document).expect("a request");
        Understood { vendor, document: Arc::new(document), digest, view, known: None }
    }

    fn own() -> WorkspaceId {
        WorkspaceId::default_workspace()
    }

    #[test]
    fn a_body_of_one_workspace_is_not_recalled_for_another() {
        let memo = RequestMemo::new(&ByteBudget::new(1 << 20));
        let one = understood(Vendor::OpenAi, "one");
        memo.keep(&own(), &one);
        assert!(memo.recall(Vendor::OpenAi, &WorkspaceId::new("other"), one.document.raw()).is_none());
        assert!(memo.recall(Vendor::OpenAi, &own(), one.document.raw()).is_some());
    }

    #[test]
    fn a_body_is_recalled_by_its_bytes_and_only_at_a_door_of_its_vendor() {
        let memo = RequestMemo::new(&ByteBudget::new(1 << 20));
        let one = understood(Vendor::OpenAi, "one");
        memo.keep(&own(), &one);

        let again = memo.recall(Vendor::OpenAi, &own(), one.document.raw()).expect("it was kept");
        assert_eq!((again.digest, &again.view), (one.digest, &one.view));
        assert!(
            memo.recall(Vendor::Anthropic, &own(), one.document.raw()).is_none(),
            "the deny-list differs"
        );
        let other = understood(Vendor::OpenAi, "two");
        assert!(memo.recall(Vendor::OpenAi, &own(), other.document.raw()).is_none());
    }

    #[test]
    fn the_budget_is_filled_never_passed_and_given_back() {
        let budget = ByteBudget::new(64 * understood(Vendor::OpenAi, "text 000").footprint());
        let memo = RequestMemo::new(&budget);
        let bodies: Vec<_> = (0..200).map(|n| understood(Vendor::OpenAi, &format!("text {n:03}"))).collect();
        memo.keep(&own(), &bodies[0]);
        let one = budget.held();
        for body in &bodies[1..] {
            assert!(
                memo.recall(Vendor::OpenAi, &own(), bodies[0].document.raw()).is_some(),
                "what is read stays"
            );
            memo.keep(&own(), body);
            assert!(budget.held() <= budget.limit(), "{} of {}", budget.held(), budget.limit());
        }
        assert!(budget.limit() - budget.held() < one, "all places are taken: {} held", budget.held());
        assert!(
            memo.recall(Vendor::OpenAi, &own(), bodies[199].document.raw()).is_some(),
            "the newest is there"
        );
        assert!(
            memo.recall(Vendor::OpenAi, &own(), bodies[1].document.raw()).is_none(),
            "the oldest unread is not"
        );
        drop(memo);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_body_too_large_for_its_part_of_the_budget_is_not_kept() {
        let budget = ByteBudget::new(64 * 1_024);
        let memo = RequestMemo::new(&budget);
        let large = understood(Vendor::OpenAi, &"x".repeat(1_024));
        memo.keep(&own(), &large);
        assert_eq!(budget.held(), 0);
        assert!(memo.recall(Vendor::OpenAi, &own(), large.document.raw()).is_none());
    }
}
