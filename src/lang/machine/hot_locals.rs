//! Owns locals and paths in the hot loop: reading, binding, and changing lists and maps in place. Must not compute.

use std::sync::Arc;

use super::frame::{Cell, Last};
use super::hot::{Hot, Raised, last_value};
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
    pub(super) fn append_local(&mut self, slot: Slot, mode: Store) -> Raised<()> {
        self.may_store(slot, mode)?;
        let cell = &mut self.frame.cells[slot as usize];
        let Some(item) = self.values.last() else { return Ok(()) };
        let Cell::Held(Value::List(list)) = cell else { return self.append_refused(slot) };
        if item.depth() >= MAX_DEPTH || list.len() >= self.limits.items {
            return self.append_refused(slot);
        }
        if let Some(item) = self.values.pop() {
            list.push(item);
        }
        self.stored(slot, mode);
        Ok(())
    }

    /// The fault an append in place would have been, by the ordinary way.
    #[cold]
    pub(super) fn append_refused(&mut self, slot: Slot) -> Raised<()> {
        let (item, list) = (self.pop(), self.held(slot)?.clone());
        self.limits.grow(&list)?;
        ops::list_append(list, item)?;
        Ok(())
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

    pub(super) fn put_local(&mut self, slot: Slot, mode: Store) -> Raised<()> {
        self.may_store(slot, mode)?;
        let (entry, key) = (self.pop(), self.pop());
        self.limits.grow(self.held(slot)?)?;
        let cell = &mut self.frame.cells[slot as usize];
        match (cell, &key) {
            (Cell::Held(Value::Map(map)), Value::Text(word)) if entry.depth() < MAX_DEPTH => {
                map.insert(Arc::clone(word), entry);
            }
            _ => {
                ops::map_set(self.held(slot)?.clone(), &key, entry)?;
            }
        }
        self.stored(slot, mode);
        Ok(())
    }

    pub(super) fn append_state(&mut self, at: u32) -> Raised<()> {
        let item = self.pop();
        let path = &self.code.states[at as usize];
        self.limits.grow(state::get(self.state, path)?)?;
        state::change(self.state, path, |list| match list {
            Value::List(list) if item.depth() + path.depth() < MAX_DEPTH => {
                list.push(item);
                Ok(())
            }
            other => ops::list_append(other.clone(), item).map(drop),
        })?;
        self.frame.last_is(Last::State(at));
        Ok(())
    }

    pub(super) fn put_state(&mut self, at: u32) -> Raised<()> {
        let (entry, key) = (self.pop(), self.pop());
        let path = &self.code.states[at as usize];
        self.limits.grow(state::get(self.state, path)?)?;
        state::change(self.state, path, |map| match (map, &key) {
            (Value::Map(map), Value::Text(word)) if entry.depth() + path.depth() < MAX_DEPTH => {
                map.insert(Arc::clone(word), entry);
                Ok(())
            }
            (other, _) => ops::map_set(other.clone(), &key, entry).map(drop),
        })?;
        self.frame.last_is(Last::State(at));
        Ok(())
    }
}
