//! Owns locals and paths in the hot loop: reading, binding, and changing lists and maps in place. Must not compute.

use std::sync::Arc;

use super::frame::{Cell, Last};
use super::hot::{CELL, ENTRY, Hot, Raised, last_value};
use super::hot_more::too_large;
use super::limits::Limits;
use super::{state, walk, words};
use crate::lang::compile::form::{Base, Path};
use crate::lang::compile::op::{Slot, Store};
use crate::lang::fault::Fault;
use crate::lang::value::{MAX_DEPTH, Value, ops};

impl Hot<'_> {
    #[inline(always)]
    pub(super) fn bind(&mut self, slot: Slot, constant: bool) {
        let value = self.pop();
        self.frame.cells[slot as usize] = Cell::Held(value);
        self.frame.constants[slot as usize] |= constant;
        self.frame.last_is(Last::Slot(slot));
    }

    #[inline(always)]
    pub(super) fn set(&mut self, slot: Slot) -> Raised<()> {
        self.may_set(slot)?;
        let value = self.pop();
        self.frame.cells[slot as usize] = Cell::Held(value);
        self.frame.last_is(Last::Slot(slot));
        Ok(())
    }

    #[inline(always)]
    pub(super) fn may_set(&self, slot: Slot) -> Raised<()> {
        let name = &self.code.names[slot as usize];
        if matches!(self.frame.cells[slot as usize], Cell::Unset) {
            return Err(Box::new(Fault::run(format!("Cannot set undeclared variable '{name}'"), None)));
        }
        if self.frame.constants[slot as usize] {
            return Err(Box::new(Fault::run(format!("Cannot set constant '{name}'"), None)));
        }
        Ok(())
    }

    /// Before a local changes that the last value still lives in: keeps that value.
    pub(super) fn settle(&mut self, slot: Slot) {
        if matches!(self.frame.last, Last::Slot(held) if held == slot) {
            let value = last_value(self.frame, self.code, self.state);
            self.frame.hold(value);
        }
    }

    pub(super) fn path(&self, path: &Path) -> Raised<Value> {
        let (mut value, identity) = match &path.base {
            Base::Identity => (self.identity, true),
            Base::Slot(slot) => (self.held(*slot)?, false),
            Base::Field { name, slot } => match self.field(name) {
                Some(value) => (value, false),
                None => (self.held(*slot)?, false),
            },
        };
        for attr in &path.attrs {
            value = match value.as_map().and_then(|map| map.get(attr)) {
                Some(value) => value,
                None if identity => return Err(Box::new(words::identity_lacks(attr))),
                None => return Err(Box::new(Fault::run(format!("Missing attribute '{attr}'"), None))),
            };
        }
        Ok(value.clone())
    }

    pub(super) fn held(&self, slot: Slot) -> Raised<&Value> {
        match &self.frame.cells[slot as usize] {
            Cell::Held(value) => Ok(value),
            _ => Err(self.unknown(slot)),
        }
    }

    /// A field of the record the innermost walk over records of this frame stands at.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        let own = &self.walks[self.frame.floor.walks..];
        own.iter().rev().find_map(walk::row).and_then(|row| row.fields.get(name))
    }

    #[inline(always)]
    pub(super) fn append_local(&mut self, slot: Slot, mode: Store) -> Raised<bool> {
        self.may_store(slot, mode)?;
        let cell = &mut self.frame.cells[slot as usize];
        let (Cell::Held(Value::List(list)), Some(item)) = (cell, self.values.last()) else {
            let item = self.pop();
            return Err(self.append_refused(slot, item));
        };
        self.limits.grow(list.len())?;
        if !list.takes(item) {
            return Err(too_large(item.clone()));
        }
        let copied = if list.is_shared() { list.len() } else { 0 };
        list.push_last(self.values);
        self.stored(slot, mode);
        Ok(self.made(CELL * (copied + 1)))
    }

    /// The fault of an append to something else than a list.
    #[cold]
    fn append_refused(&self, slot: Slot, item: Value) -> Box<Fault> {
        match self.held(slot).map(|other| ops::list_append(other.clone(), item)) {
            Ok(Err(fault)) => Box::new(fault),
            Err(fault) => fault,
            Ok(Ok(_)) => self.unknown(slot),
        }
    }

    #[inline(always)]
    pub(super) fn may_store(&self, slot: Slot, mode: Store) -> Raised<()> {
        if mode == Store::Set { self.may_set(slot) } else { Ok(()) }
    }

    #[inline(always)]
    pub(super) fn stored(&mut self, slot: Slot, mode: Store) {
        if mode != Store::Gather {
            self.frame.last_is(Last::Slot(slot));
        }
    }

    pub(super) fn put_local(&mut self, slot: Slot, mode: Store) -> Raised<bool> {
        self.may_store(slot, mode)?;
        let (entry, key) = (self.pop(), self.pop());
        let bytes = put(&mut self.frame.cells[slot as usize], &key, entry, self.limits)?;
        self.stored(slot, mode);
        Ok(self.made(bytes))
    }

    pub(super) fn append_state(&mut self, at: u32) -> Raised<bool> {
        let item = self.pop();
        let (path, limits) = (&self.code.states[at as usize], self.limits);
        let mut bytes = CELL;
        state::change(self.state, path, |list| match list {
            Value::List(list) => {
                limits.grow(list.len())?;
                if item.depth() + path.depth() >= MAX_DEPTH || !list.takes(&item) {
                    return Err(*too_large(item));
                }
                bytes += if list.is_shared() { CELL * list.len() } else { 0 };
                list.push(item);
                Ok(())
            }
            other => ops::list_append(other.clone(), item).map(drop),
        })?;
        self.frame.last_is(Last::State(at));
        Ok(self.made(bytes))
    }

    pub(super) fn put_state(&mut self, at: u32) -> Raised<bool> {
        let (entry, key) = (self.pop(), self.pop());
        let (path, limits) = (&self.code.states[at as usize], self.limits);
        let mut bytes = 0;
        state::change(self.state, path, |map| {
            if entry.depth() + path.depth() >= MAX_DEPTH {
                return Err(*too_large(entry));
            }
            let mut cell = Cell::Held(std::mem::take(map));
            let outcome = put(&mut cell, &key, entry, limits);
            if let Cell::Held(changed) = cell {
                *map = changed;
            }
            bytes = outcome?;
            Ok(())
        })?;
        self.frame.last_is(Last::State(at));
        Ok(self.made(bytes))
    }
}

/// Puts an entry into the map of a local, in place where nobody else holds it; gives about how many bytes that made.
fn put(cell: &mut Cell, key: &Value, entry: Value, limits: &Limits) -> Result<usize, Fault> {
    match (cell, key) {
        (Cell::Held(Value::Map(map)), Value::Text(word)) => {
            limits.grow(map.len())?;
            if !map.takes(word, &entry) {
                return Err(*too_large(entry));
            }
            let copied = if map.is_shared() { map.len() } else { 0 };
            map.insert(Arc::clone(word), entry);
            Ok(ENTRY * (copied + 1))
        }
        (Cell::Held(other), key) => ops::map_set(other.clone(), key, entry).map(|_| 0),
        _ => Ok(0),
    }
}
