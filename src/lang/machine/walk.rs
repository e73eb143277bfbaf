//! Owns loops: how `repeat`, `for each` and the transforms begin, go on and end. Must not bind names; the loop over
//! instructions does.

use super::frame::{Cell, Walker};
use super::words;
use crate::lang::compile::op::{Slot, Truth, Walk};
use crate::lang::fault::Fault;
use crate::lang::records::Row;
use crate::lang::value::{Value, ops};

/// How often `repeat up to` repeats.
pub(super) fn count(value: &Value) -> Result<u64, Fault> {
    let whole = value.as_number().filter(crate::lang::value::Number::is_integral);
    let Some(whole) = whole else { return Err(Fault::run("Repeat count must be an integer", None)) };
    if whole.is_negative() {
        return Err(Fault::run("Repeat count cannot be negative", None));
    }
    // More rounds than a word counts never end before the limit on steps.
    Ok(whole.to_i64().and_then(|count| u64::try_from(count).ok()).unwrap_or(u64::MAX))
}

/// Begins a walk over a list.
pub(super) fn open(walk: Walk, value: Value) -> Result<Walker, Fault> {
    let Value::List(list) = value else {
        return Err(match walk {
            Walk::ForEach => Fault::run("For-each expects a list", None),
            Walk::Map => super::words::not_a_list("map"),
            Walk::Filter => super::words::not_a_list("filter"),
            Walk::Reduce => super::words::not_a_list("reduce"),
        });
    };
    let out = if walk == Walk::Map { Vec::with_capacity(list.len()) } else { Vec::new() };
    Ok(Walker::Items { list, next: 0, out, saved: Vec::new() })
}

/// Takes the value `map` made of an item from the stack.
#[inline(always)]
pub(super) fn gather(walks: &mut [Walker], values: &mut Vec<Value>) {
    if let Some(Walker::Items { out, .. }) = walks.last_mut() {
        Value::move_last(values, out);
    }
}

/// Keeps the item `filter` stands at, or not.
#[inline(always)]
pub(super) fn keep(walks: &mut [Walker], verdict: &Value) -> Result<(), Fault> {
    let Value::Bool(kept) = verdict else { return Err(words::truth(Truth::Filter, verdict)) };
    keep_item(walks, *kept);
    Ok(())
}

/// Keeps the item a walk stands at, or not.
#[inline(always)]
pub(super) fn keep_item(walks: &mut [Walker], kept: bool) {
    if let Some(Walker::Items { list, next, out, .. }) = walks.last_mut()
        && kept
        && let Some(item) = list.get(next.wrapping_sub(1))
    {
        out.extend(std::iter::once_with(|| item.clone()));
    }
}

/// Takes a value `map` made of an item, made where it will stand.
#[inline(always)]
pub(super) fn gather_with(walks: &mut [Walker], make: impl FnOnce() -> Value) {
    if let Some(Walker::Items { out, .. }) = walks.last_mut() {
        out.extend(std::iter::once_with(make));
    }
}

/// Ends a transform: its value, and the outer values of what it bound. The value of a `reduce` is on the stack.
pub(super) fn close(walk: Walk, walker: Walker, cells: &mut [Cell]) -> Result<Option<Value>, Fault> {
    let Walker::Items { out, saved, .. } = walker else { return Ok(None) };
    restore(saved, cells);
    match walk {
        Walk::Map | Walk::Filter => ops::list(out).map(Some),
        Walk::ForEach | Walk::Reduce => Ok(None),
    }
}

/// Gives bound names their outer values back.
pub(super) fn restore(saved: Vec<(Slot, Cell)>, cells: &mut [Cell]) {
    for (slot, cell) in saved.into_iter().rev() {
        if let Some(place) = cells.get_mut(slot as usize) {
            *place = cell;
        }
    }
}

/// The record a walk over records stands at.
pub(super) fn row(walker: &Walker) -> Option<&Row> {
    match walker {
        Walker::Rows { rows, next, .. } => rows.get(next.checked_sub(1)?),
        _ => None,
    }
}
