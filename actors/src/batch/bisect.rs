//! A rejected batch is halved until the item to blame is alone. Pure: says what to ask next.
//!
//! Owns the plan and its bound; must not know rows, callers' collectors or upstreams.
//!
//! The bound: a part rejected after `budget` asks is asked call by call, with all that is still open, so a
//! batch of n rows of c calls costs at most `budget(n) + log2(n) + c` asks, whoever filled it.

use std::hash::Hash;

/// What the upstream said to some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// It answered.
    Accepted,
    /// It says that the request is wrong.
    Rejected,
    /// It failed in a way that says nothing about the rows.
    Failed,
}

/// What is known of the rows that were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They have their answer, or their error.
    Settled,
    /// A rejected item, alone: it is to blame.
    Poison,
    /// All rows of one call, rejected together; which of them is to blame was not searched any more.
    RejectedCall,
    /// Asked again in smaller parts.
    Split,
}

/// Asks a batch of n rows may cost before its rows are asked call by call: enough to isolate four items.
const fn budget(rows: usize) -> usize {
    8 * depth(rows) + 8
}

/// Levels of a batch that is halved until its rows are alone.
const fn depth(rows: usize) -> usize {
    (usize::BITS - rows.leading_zeros()) as usize
}

/// The plan for one batch. Rows are named by their place in it.
#[derive(Debug)]
pub(crate) struct Bisect<C> {
    calls: Vec<C>,
    /// Parts still to be asked, the next one last.
    open: Vec<Vec<usize>>,
    asks: usize,
    accepted: bool,
    alone: usize,
}

impl<C: Eq + Hash + Copy> Bisect<C> {
    /// A batch whose rows belong to these calls.
    pub(crate) fn new(calls: Vec<C>) -> Self {
        let all = (0..calls.len()).collect();
        Self { calls, open: vec![all], asks: 0, accepted: false, alone: 0 }
    }

    /// The rows to ask next, of those for which somebody still waits; `None` when all is known.
    pub(crate) fn next(&mut self, mut wanted: impl FnMut(usize) -> bool) -> Option<Vec<usize>> {
        while let Some(mut rows) = self.open.pop() {
            rows.retain(|&row| wanted(row));
            if !rows.is_empty() {
                self.asks += 1;
                return Some(rows);
            }
        }
        None
    }

    /// Hears what the upstream said to the rows that [`Self::next`] gave.
    pub(crate) fn hear(&mut self, rows: Vec<usize>, said: Said) -> Verdict {
        match said {
            Said::Accepted => self.accepted = true,
            Said::Failed => {}
            Said::Rejected if rows.len() == 1 => {
                self.alone += 1;
                return Verdict::Poison;
            }
            Said::Rejected => return self.divide(rows),
        }
        Verdict::Settled
    }

    /// True when everything said so far speaks against the request and not against an item: two items
    /// were rejected alone and nothing was ever accepted. Rows of calls that failed need not be asked then.
    pub(crate) const fn hopeless(&self) -> bool {
        !self.accepted && self.alone >= 2
    }

    #[cfg(test)]
    pub(crate) const fn asks(&self) -> usize {
        self.asks
    }

    fn divide(&mut self, rows: Vec<usize>) -> Verdict {
        if self.asks < budget(self.calls.len()) {
            let (left, right) = rows.split_at(rows.len() / 2);
            self.open.push(right.to_vec());
            self.open.push(left.to_vec());
            return Verdict::Split;
        }
        let first = self.calls[rows[0]];
        if rows.iter().all(|&row| self.calls[row] == first) {
            return Verdict::RejectedCall;
        }
        self.by_call(rows);
        Verdict::Split
    }

    /// The budget is spent: everything still open, these rows included, goes call by call.
    fn by_call(&mut self, rows: Vec<usize>) {
        let mut places = std::collections::HashMap::new();
        let mut parts: Vec<Vec<usize>> = Vec::new();
        let open = std::mem::take(&mut self.open);
        for row in rows.into_iter().chain(open.into_iter().rev().flatten()) {
            let place = *places.entry(self.calls[row]).or_insert(parts.len());
            if place == parts.len() {
                parts.push(Vec::new());
            }
            parts[place].push(row);
        }
        parts.reverse();
        self.open = parts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs a plan against an upstream that rejects every request with a poison item in it.
    fn run(calls: Vec<u8>, poison: &[bool]) -> (Vec<Option<Verdict>>, Bisect<u8>) {
        let mut plan = Bisect::new(calls);
        let mut known = vec![None; poison.len()];
        while let Some(rows) = plan.next(|_| true) {
            let said = if rows.iter().any(|&row| poison[row]) { Said::Rejected } else { Said::Accepted };
            let verdict = plan.hear(rows.clone(), said);
            if verdict != Verdict::Split {
                for row in rows {
                    assert_eq!(known[row].replace(verdict), None, "row {row} was settled twice");
                }
            }
        }
        (known, plan)
    }

    #[test]
    fn one_poison_item_is_alone_after_two_asks_a_level_and_all_others_are_answered() {
        for place in 0..64 {
            let mut poison = vec![false; 64];
            poison[place] = true;
            let (known, plan) = run((0..64).collect(), &poison);
            for (row, verdict) in known.iter().enumerate() {
                let expected = if row == place { Verdict::Poison } else { Verdict::Settled };
                assert_eq!(*verdict, Some(expected), "row {row}, poison at {place}");
            }
            assert!(plan.asks() <= 1 + 2 * 6, "{} asks", plan.asks());
        }
    }

    #[test]
    fn a_request_that_is_wrong_as_a_whole_is_recognised_after_one_descent() {
        let mut plan = Bisect::new(vec![0; 2048]);
        while !plan.hopeless() {
            let rows = plan.next(|_| true).expect("not all is known");
            plan.hear(rows, Said::Rejected);
        }
        assert_eq!(plan.asks(), 13, "12 asks down to the first item and its neighbour");
        assert_eq!(plan.next(|_| false), None, "its one call has failed; nobody wants the rest");
    }

    #[test]
    fn rows_nobody_waits_for_are_not_asked_again() {
        let mut plan = Bisect::new(vec![0, 1, 2, 3]);
        let all = plan.next(|_| true).expect("the batch");
        assert_eq!(plan.hear(all, Said::Rejected), Verdict::Split);
        assert_eq!(plan.next(|row| row != 0), Some(vec![1]));
        assert_eq!(plan.hear(vec![1], Said::Rejected), Verdict::Poison);
        assert_eq!(plan.next(|row| row > 2), Some(vec![3]));
    }

    #[test]
    fn a_failure_says_nothing_about_the_rows_and_is_not_searched() {
        let mut plan = Bisect::new(vec![0, 1]);
        let all = plan.next(|_| true).expect("the batch");
        assert_eq!(plan.hear(all, Said::Failed), Verdict::Settled);
        assert_eq!(plan.next(|_| true), None);
    }

    proptest! {
        #[test]
        fn no_item_is_blamed_wrongly_every_row_is_settled_and_the_asks_are_bounded(
            rows in proptest::collection::vec((0u8..40, proptest::bool::weighted(0.4)), 1..200)
        ) {
            let (calls, poison): (Vec<u8>, Vec<bool>) = rows.into_iter().unzip();
            let bad_call = |call: u8| calls.iter().zip(&poison).any(|(of, bad)| *of == call && *bad);
            let (known, plan) = run(calls.clone(), &poison);
            for (row, verdict) in known.into_iter().enumerate() {
                match verdict.expect("every row is settled") {
                    Verdict::Poison => prop_assert!(poison[row]),
                    Verdict::RejectedCall => prop_assert!(bad_call(calls[row])),
                    _ => prop_assert!(!poison[row]),
                }
            }
            let distinct = calls.iter().collect::<std::collections::HashSet<_>>().len();
            let bound = budget(calls.len()) + depth(calls.len()) + distinct;
            prop_assert!(plan.asks() <= bound, "{} asks, {bound} allowed", plan.asks());
        }
    }
}
