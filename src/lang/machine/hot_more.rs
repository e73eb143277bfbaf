//! Owns the less frequent instructions of the hot loop: lists, maps, and how loops begin and end. Must not grow what
//! [`super::hot`] does in every round.

use std::sync::Arc;

use super::frame::{Cell, Walker};
use super::hot::{CELL, ENTRY, Hot, Raised};
use super::hot_arith::bulk_of_both;
use super::{state, walk};
use crate::lang::compile::op::{Op, Slot};
use crate::lang::fault::{Fault, FaultKind};
use crate::lang::value::{Map, Value, ops};

impl Hot<'_> {
    /// Carries out one of the less frequent instructions; as for [`Hot::step`].
    pub(super) fn step_more(&mut self, op: Op, pc: &mut usize) -> Raised<bool> {
        match op {
            Op::Sign(sign) => {
                let operand = self.top();
                *operand = ops::sign(sign, operand)?;
            }
            Op::Between { strict, out } => self.between(strict, out, pc)?,
            Op::OneOf(at) => {
                let value = self.pop();
                let found = self.code.choices[at as usize].iter().any(|choice| value.equals(choice));
                self.values.push(Value::Bool(found));
            }
            Op::Drop => drop(self.pop()),
            Op::Dup => self.values.push(self.values.last().cloned().unwrap_or_default()),
            Op::UnlessEqual(to) => {
                let (right, left) = (self.pop(), self.pop());
                if !left.equals(&right) {
                    *pc = to as usize;
                }
                return Ok(self.worked(bulk_of_both(&left, &right)));
            }
            Op::NeedState(at) => {
                state::get(self.state, &self.code.states[at as usize])?;
            }
            Op::RepeatOpen => {
                let count = self.pop();
                self.walks.push(Walker::Times(walk::count(&count)?));
            }
            Op::WhileOpen => self.walks.push(Walker::Rounds(0)),
            Op::LoopClose => drop(self.walks.pop()),
            Op::WalkOpen(kind) => {
                let list = self.pop();
                self.walks.push(walk::open(kind, list)?);
            }
            Op::Bind { slot } => self.save_binder(slot),
            Op::WalkClose(kind) => self.walk_close(kind)?,
            Op::Caught(slot) => {
                let fault = self.pop();
                self.settle(slot);
                self.frame.cells[slot as usize] = Cell::Held(fault);
            }
            other => return self.step_collection(other),
        }
        Ok(true)
    }

    /// Carries out an instruction about lists and maps; as for [`Hot::step`].
    fn step_collection(&mut self, op: Op) -> Raised<bool> {
        match op {
            Op::MakeList(length) => {
                let items = self.values.split_off(self.values.len() - length as usize);
                self.values.push(ops::list(items)?);
                return Ok(self.made(CELL * (length as usize + 2)));
            }
            Op::MapOpen => self.values.push(Value::Map(Map::default())),
            Op::MapKey(at) => self.map_key(at)?,
            Op::MapPut(at) => return self.map_put(at),
            Op::Index | Op::ListGet => {
                let index = self.pop();
                let list = self.top();
                *list = ops::list_get(list, &index)?;
            }
            Op::MapGet => {
                let key = self.pop();
                let map = self.top();
                *map = ops::map_get(map, &key)?;
            }
            Op::Dot(at) => {
                let key = Value::Text(Arc::clone(&self.code.words[at as usize]));
                let map = self.top();
                *map = ops::map_get(map, &key)?;
            }
            Op::ListLength => {
                let list = self.top();
                *list = ops::list_length(list)?;
            }
            Op::MapKeys => {
                let map = self.top();
                *map = ops::map_keys(map)?;
                let length = self.top().as_list().map_or(0, |list| list.len());
                return Ok(self.made(CELL * length));
            }
            Op::ListAppend => return self.list_append(),
            Op::MapSet => return self.map_set(),
            Op::Aggregate(function) => {
                let list = self.top();
                let bytes = list.bulk();
                *list = ops::aggregate(function, list)?;
                return Ok(self.worked(bytes));
            }
            Op::AppendState(at) => return self.append_state(at),
            Op::PutLocal { slot, mode } => return self.put_local(slot, mode),
            Op::PutState(at) => return self.put_state(at),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn map_key(&mut self, at: u32) -> Raised<()> {
        let key = &self.code.words[at as usize];
        match self.values.last() {
            Some(Value::Map(map)) if map.contains_key(key) => {
                Err(Box::new(Fault::run(format!("Map key '{key}' is duplicated"), None)))
            }
            _ => Ok(()),
        }
    }

    fn list_append(&mut self) -> Raised<bool> {
        let (item, list) = (self.pop(), self.pop());
        let length = list.as_list().map_or(0, |list| list.len());
        self.limits.grow(length)?;
        self.values.push(ops::list_append(list, item)?);
        let bytes = CELL * (length + 1);
        Ok(self.made(bytes) & self.worked(bytes as u64))
    }

    fn map_set(&mut self) -> Raised<bool> {
        let (entry, key, map) = (self.pop(), self.pop(), self.pop());
        let length = map.as_map().map_or(0, |map| map.len());
        self.limits.grow(length)?;
        self.values.push(ops::map_set(map, &key, entry)?);
        let bytes = ENTRY * (length + 1);
        Ok(self.made(bytes) & self.worked(bytes as u64))
    }

    fn map_put(&mut self, at: u32) -> Raised<bool> {
        let value = self.pop();
        let key = &self.code.words[at as usize];
        if let Value::Map(map) = self.top() {
            let mut map = std::mem::take(map);
            if !map.takes(key, &value) {
                return Err(too_large(value));
            }
            map.insert(Arc::clone(key), value);
            *self.top() = Value::Map(map);
        }
        Ok(self.made(ENTRY))
    }

    pub(super) fn save_binder(&mut self, slot: Slot) {
        self.settle(slot);
        let cell = std::mem::take(&mut self.frame.cells[slot as usize]);
        if let Some(Walker::Items { saved, .. }) = self.walks.last_mut() {
            saved.push((slot, cell));
        }
    }

    pub(super) fn walk_close(&mut self, kind: crate::lang::compile::op::Walk) -> Raised<()> {
        if let Some(walker) = self.walks.pop()
            && let Some(value) = walk::close(kind, walker, &mut self.frame.cells)?
        {
            self.values.push(value);
        }
        Ok(())
    }
}

/// What a list or map with this in it fails with: too deep, or too much.
#[cold]
pub(super) fn too_large(value: Value) -> Box<Fault> {
    match ops::list(vec![value; 2]) {
        Err(fault) => Box::new(fault),
        Ok(_) => Box::new(Fault::run("The value grew too large.", None).of_kind(FaultKind::Limit)),
    }
}
