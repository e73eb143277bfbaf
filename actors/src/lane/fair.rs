//! Who is next: fair between workspaces, first come first served within one, oldest first past an age.
//!
//! Age alone would undo fairness: all that a flood queues grows old together. So who is old goes first only if its workspace was
//! not the last to be served: whoever else waits gets at least every second turn.
//!
//! Owns order and membership, O(1) each; must not know slots, actors or time beyond the ticks it is given.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use slab::Slab;

use crate::call::WorkspaceId;
use crate::ports::clock::Tick;

const NONE: usize = usize::MAX;

/// Names a waiting item until it is popped or leaves. The stamp tells a reused place from the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    index: usize,
    stamp: u64,
}

#[derive(Debug)]
struct Links {
    before: usize,
    after: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    stamp: u64,
    since: Tick,
    group: usize,
    in_all: Links,
    in_group: Links,
}

#[derive(Debug, Clone, Copy)]
struct Ends {
    first: usize,
    last: usize,
}

impl Ends {
    const EMPTY: Self = Self { first: NONE, last: NONE };
}

#[derive(Debug)]
struct Group {
    workspace: WorkspaceId,
    ends: Ends,
    len: usize,
}

#[derive(Clone, Copy)]
enum List {
    All,
    Group,
}

/// A queue of waiting items that belong to workspaces.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    items: Slab<Waiting<T>>,
    all: Ends,
    groups: Slab<Group>,
    by_workspace: HashMap<WorkspaceId, usize>,
    turns: VecDeque<usize>,
    /// The workspace served last. Its turn goes behind everybody else's when the next one is looked for, not before: who
    /// comes in between goes first.
    last: Option<usize>,
    stamps: u64,
    aging: Duration,
}

impl<T> FairQueue<T> {
    /// An empty queue; an item that waited `aging` goes first, but no workspace's twice in a row while others wait. With none at
    /// all everything goes in order of arrival.
    pub(crate) fn new(aging: Duration) -> Self {
        Self {
            items: Slab::new(),
            all: Ends::EMPTY,
            groups: Slab::new(),
            by_workspace: HashMap::new(),
            turns: VecDeque::new(),
            last: None,
            stamps: 0,
            aging,
        }
    }

    /// Items waiting.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Items of one workspace waiting.
    pub(crate) fn len_of(&self, workspace: &WorkspaceId) -> usize {
        self.by_workspace.get(workspace).map_or(0, |&group| self.groups[group].len)
    }

    /// Since when the oldest item waits.
    pub(crate) fn oldest(&self) -> Option<Tick> {
        self.items.get(self.all.first).map(|waiting| waiting.since)
    }

    /// Adds an item at the end of its workspace's line.
    pub(crate) fn push(&mut self, workspace: &WorkspaceId, item: T, now: Tick) -> Place {
        let group = self.group_of(workspace);
        self.stamps += 1;
        let links = || Links { before: NONE, after: NONE };
        let index = self.items.insert(Waiting {
            item,
            stamp: self.stamps,
            since: now,
            group,
            in_all: links(),
            in_group: links(),
        });
        self.append(List::All, index);
        self.append(List::Group, index);
        self.groups[group].len += 1;
        Place { index, stamp: self.stamps }
    }

    /// Takes the next item: the oldest if it waited longer than the aging bound and another workspace was served last, else
    /// by turns.
    pub(crate) fn pop(&mut self, now: Tick) -> Option<T> {
        let next = self.next(now)?;
        self.last = Some(self.items[next].group);
        Some(self.take(next))
    }

    /// The item that [`Self::pop`] would take.
    pub(crate) fn peek(&mut self, now: Tick) -> Option<&T> {
        let next = self.next(now)?;
        Some(&self.items[next].item)
    }

    fn next(&mut self, now: Tick) -> Option<usize> {
        let oldest = self.items.get(self.all.first)?;
        let is_old = now.since(oldest.since) >= self.aging;
        if is_old && (self.last != Some(oldest.group) || self.aging.is_zero()) {
            return Some(self.all.first);
        }
        if self.last.is_some() && self.turns.front().copied() == self.last {
            self.turns.rotate_left(1);
        }
        // A workspace whose items all left is still in `turns`; it gives its turn up here.
        while let Some(&group) = self.turns.front() {
            let first = self.groups[group].ends.first;
            if first != NONE {
                return Some(first);
            }
            self.turns.pop_front();
            self.forget(group);
        }
        None
    }

    /// Takes an item out of line; `None` if it was popped already.
    pub(crate) fn leave(&mut self, place: Place) -> Option<T> {
        let waiting = self.items.get(place.index)?;
        (waiting.stamp == place.stamp).then(|| self.take(place.index))
    }

    /// Takes everything, oldest first.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        let mut out = Vec::with_capacity(self.len());
        while self.all.first != NONE {
            out.push(self.take(self.all.first));
        }
        out
    }

    fn group_of(&mut self, workspace: &WorkspaceId) -> usize {
        if let Some(&group) = self.by_workspace.get(workspace) {
            return group;
        }
        let group = self.groups.insert(Group { workspace: workspace.clone(), ends: Ends::EMPTY, len: 0 });
        self.by_workspace.insert(workspace.clone(), group);
        self.turns.push_back(group);
        group
    }

    fn forget(&mut self, group: usize) {
        if self.last == Some(group) {
            self.last = None; // its number is given to another
        }
        let gone = self.groups.remove(group);
        self.by_workspace.remove(&gone.workspace);
    }

    fn take(&mut self, index: usize) -> T {
        self.unlink(List::All, index);
        self.unlink(List::Group, index);
        let waiting = self.items.remove(index);
        self.groups[waiting.group].len -= 1;
        waiting.item
    }

    fn ends(&mut self, list: List, group: usize) -> &mut Ends {
        match list {
            List::All => &mut self.all,
            List::Group => &mut self.groups[group].ends,
        }
    }

    fn links(&mut self, list: List, index: usize) -> &mut Links {
        let waiting = &mut self.items[index];
        match list {
            List::All => &mut waiting.in_all,
            List::Group => &mut waiting.in_group,
        }
    }

    fn append(&mut self, list: List, index: usize) {
        let group = self.items[index].group;
        let last = self.ends(list, group).last;
        if last == NONE {
            self.ends(list, group).first = index;
        } else {
            self.links(list, last).after = index;
            self.links(list, index).before = last;
        }
        self.ends(list, group).last = index;
    }

    fn unlink(&mut self, list: List, index: usize) {
        let group = self.items[index].group;
        let Links { before, after } = *self.links(list, index);
        if before == NONE {
            self.ends(list, group).first = after;
        } else {
            self.links(list, before).after = after;
        }
        if after == NONE {
            self.ends(list, group).last = before;
        } else {
            self.links(list, after).before = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ws(name: &str) -> WorkspaceId {
        WorkspaceId::new(name)
    }

    fn queue() -> FairQueue<u32> {
        FairQueue::new(Duration::from_secs(2))
    }

    #[test]
    fn workspaces_take_turns_however_many_jobs_one_of_them_queued() {
        let mut queue = queue();
        for item in 0..4 {
            queue.push(&ws("flood"), item, Tick(0));
        }
        queue.push(&ws("polite"), 100, Tick(0));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop(Tick(0))).collect();
        assert_eq!(order, [0, 100, 1, 2, 3]);
    }

    #[test]
    fn an_item_older_than_the_aging_bound_goes_first() {
        let mut queue = queue();
        queue.push(&ws("b"), 1, Tick(0));
        queue.push(&ws("a"), 2, Tick(0).plus_ms(1500));
        assert_eq!(queue.pop(Tick(0).plus_ms(1600)), Some(1));
        queue.push(&ws("b"), 3, Tick(0).plus_ms(1600));
        assert_eq!(queue.pop(Tick(0).plus_ms(3500)), Some(2), "a's item waited 2 s");
    }

    /// All that a flood had queued was older than the bound, so that who came behind it waited for all of it.
    #[test]
    fn a_flood_that_has_grown_old_holds_up_nobody_else_for_more_than_a_turn() {
        let mut queue = queue();
        for item in 0..100 {
            queue.push(&ws("flood"), item, Tick(0));
        }
        let late = Tick(0).plus_ms(60_000);
        assert_eq!(queue.pop(late), Some(0));
        for polite in 200..210 {
            queue.push(&ws("polite"), polite, late);
            assert_eq!(queue.pop(late), Some(polite), "the flood was served last");
            assert!(queue.pop(late) < Some(100), "nobody else waits");
        }
    }

    #[test]
    fn a_place_that_was_popped_cannot_take_its_successor_along() {
        let mut queue = queue();
        let first = queue.push(&ws("a"), 1, Tick(0));
        assert_eq!(queue.pop(Tick(0)), Some(1));
        queue.push(&ws("a"), 2, Tick(0));
        assert_eq!(queue.leave(first), None);
        assert_eq!(queue.len(), 1);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_doubled_or_reordered_within_a_workspace(
            steps in proptest::collection::vec((0u8..4, 0usize..3, 0usize..64), 1..400)
        ) {
            let names = [ws("a"), ws("b"), ws("c")];
            let mut queue = queue();
            let mut model: Vec<VecDeque<(Place, u32)>> = vec![VecDeque::new(); 3];
            let mut next = 0;
            for (step, who, which) in steps {
                match step {
                    0 | 1 => {
                        let place = queue.push(&names[who], next, Tick(0));
                        model[who].push_back((place, next));
                        next += 1;
                    }
                    2 => {
                        let popped = queue.pop(Tick(0));
                        let owner = model.iter_mut().find(|line| line.front().map(|(_, item)| *item) == popped);
                        match owner {
                            Some(line) => { line.pop_front(); }
                            None => prop_assert_eq!(popped, None),
                        }
                    }
                    _ => if !model[who].is_empty() {
                        let at = which % model[who].len();
                        let (place, item) = model[who].remove(at).expect("in range");
                        prop_assert_eq!(queue.leave(place), Some(item));
                    },
                }
                prop_assert_eq!(queue.len(), model.iter().map(VecDeque::len).sum::<usize>());
                for (name, line) in names.iter().zip(&model) {
                    prop_assert_eq!(queue.len_of(name), line.len());
                }
            }
        }
    }
}
