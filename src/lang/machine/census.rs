//! Owns the count of what a run holds in memory. Must not decide when to count; whoever makes values says when they may
//! have grown.

use std::collections::HashSet;

use super::frame::{Cell, Walker};
use super::strand::{Status, Strand};
use crate::lang::value::{Map, Value};

/// Bytes a value takes where it stands, and an allocation on top of what it holds.
const CELL: u64 = size_of::<Value>() as u64;
const ALLOCATION: u64 = 32;

/// Bytes that strands and states hold, at least as far as it matters: exact where the plain sum is over `most`.
pub(super) fn held(strands: &[Option<Strand>], states: &[Map], most: u64) -> u64 {
    let plain = roots(strands, states, |value| value.bulk());
    if plain <= most {
        return plain;
    }
    let mut census = Census::default();
    roots(strands, states, |value| census.count(value))
}

/// Adds up something over every value that stands by itself.
fn roots(strands: &[Option<Strand>], states: &[Map], mut of: impl FnMut(&Value) -> u64) -> u64 {
    let mut sum: u64 = 0;
    let mut add = |value: &Value| sum = sum.saturating_add(of(value));
    for state in states {
        add(&Value::Map(state.clone()));
    }
    for strand in strands.iter().flatten() {
        strand.values.iter().for_each(&mut add);
        for frame in &strand.frames {
            add(&frame.held);
            frame.cells.iter().for_each(|cell| add_cell(cell, &mut add));
        }
        strand.walks.iter().for_each(|walker| add_walker(walker, &mut add));
        if let Status::Done(Ok(value)) = &strand.status {
            add(value);
        }
        strand.effects.yields.iter().for_each(|message| add(&message.output));
        strand.effects.logs.iter().for_each(|line| add(&line.message));
        for ended in strand.fork.iter().flat_map(|fork| &fork.ended) {
            ended.changes.cells.iter().for_each(|(_, cell)| add_cell(cell, &mut add));
            ended.outcome.iter().for_each(&mut add);
        }
    }
    sum
}

fn add_cell(cell: &Cell, add: &mut impl FnMut(&Value)) {
    match cell {
        Cell::Held(value) => add(value),
        Cell::Pending(outcome) => outcome.iter().for_each(add),
        Cell::Unset => {}
    }
}

fn add_walker(walker: &Walker, add: &mut impl FnMut(&Value)) {
    match walker {
        Walker::Items { list, out, saved, .. } => {
            add(&Value::List(list.clone()));
            out.iter().for_each(&mut *add);
            saved.iter().for_each(|(_, cell)| add_cell(cell, add));
        }
        Walker::Rows { rows, kept, .. } => {
            rows.iter().chain(kept).for_each(|row| add(&Value::Map(row.fields.clone())));
        }
        Walker::Times(_) | Walker::Rounds(_) => {}
    }
}

/// Counts storage once, however often it is held.
#[derive(Default)]
struct Census {
    seen: HashSet<usize>,
}

impl Census {
    fn count(&mut self, root: &Value) -> u64 {
        let mut sum = CELL;
        let mut open: Vec<&Value> = vec![root];
        while let Some(value) = open.pop() {
            match value {
                Value::Text(text) if self.seen.insert(text.as_ptr().addr()) => {
                    sum += ALLOCATION + text.len() as u64;
                }
                Value::List(list) if self.seen.insert(list.address()) => {
                    sum += ALLOCATION + list.len() as u64 * CELL;
                    open.extend(list.iter());
                }
                Value::Map(map) if self.seen.insert(map.address()) => {
                    let keys: u64 = map.keys().map(|key| key.len() as u64 + ALLOCATION).sum();
                    sum += ALLOCATION + keys + map.len() as u64 * 2 * CELL;
                    open.extend(map.values());
                }
                _ => {}
            }
        }
        sum
    }
}
