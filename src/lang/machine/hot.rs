//! Owns the instructions that need nothing but the running body, its operands and the state: values, operators, locals,
//! jumps and loops. Must not start another body, touch records, or reach the world; [`super::cold`] does.

use std::sync::Arc;

use super::frame::{Cell, Floor, Frame, Last, Walker};
use super::limits::Limits;
use super::{state, walk, words};
use crate::lang::compile::code::Code;
use crate::lang::compile::op::{Base, Op, Path, Pc, Slot, Store, Truth};
use crate::lang::fault::{Fault, FaultKind};
use crate::lang::span::Span;
use crate::lang::value::ops::{self, Arithmetic};
use crate::lang::value::{MAX_DEPTH, Map, Value};

/// A fault on its way up; boxed, because almost nothing raises one.
pub(super) type Raised<T> = Result<T, Box<Fault>>;

/// Why the loop stopped.
pub(super) enum Exit {
    /// The budget is used up.
    Spent,
    /// An instruction that needs more than this loop has.
    Cold(Op),
}

/// What the loop works on.
pub(super) struct Hot<'r> {
    pub(super) code: &'r Code,
    pub(super) frame: &'r mut Frame,
    pub(super) values: &'r mut Vec<Value>,
    pub(super) walks: &'r mut Vec<Walker>,
    pub(super) state: &'r mut Map,
    pub(super) identity: &'r Value,
    pub(super) limits: &'r Limits,
}

impl Hot<'_> {
    /// Carries out instructions until one needs more, one fails or the budget is used up. Each costs one.
    pub(super) fn run(&mut self, budget: &mut u64) -> Raised<Exit> {
        let mut pc = self.frame.pc;
        loop {
            if *budget == 0 {
                self.frame.pc = pc;
                return Ok(Exit::Spent);
            }
            *budget -= 1;
            let op = self.code.ops[pc];
            pc += 1;
            match self.step(op, &mut pc) {
                Ok(true) => {}
                Ok(false) => {
                    self.frame.pc = pc;
                    return Ok(Exit::Cold(op));
                }
                Err(fault) => {
                    self.frame.pc = pc;
                    return Err(placed(fault, self.code.spans[pc - 1]));
                }
            }
        }
    }

    /// Carries out one instruction; false when it is not one of these.
    #[inline(always)]
    #[expect(clippy::too_many_lines, reason = "one arm per instruction")]
    fn step(&mut self, op: Op, pc: &mut usize) -> Raised<bool> {
        match op {
            Op::Const(at) => self.values.push(self.code.consts[at as usize].clone()),
            Op::Load(slot) => {
                let value = match &self.frame.cells[slot as usize] {
                    Cell::Held(value) => value.clone(),
                    _ => return Err(self.unknown(slot)),
                };
                self.values.push(value);
            }
            Op::Arith(operator) => self.arith(operator)?,
            Op::Compare(comparison) => {
                let right = self.pop();
                let left = self.top();
                let truth = ops::compare(comparison, left, &right)?;
                *left = Value::Bool(truth);
            }
            Op::Equal => {
                let right = self.pop();
                let left = self.top();
                *left = Value::Bool(left.equals(&right));
            }
            Op::NotEqual => {
                let right = self.pop();
                let left = self.top();
                *left = Value::Bool(!left.equals(&right));
            }
            Op::Let(slot) => self.bind(slot, false),
            Op::LetConstant(slot) => self.bind(slot, true),
            Op::Set(slot) => self.set(slot)?,
            Op::Jump(to) => *pc = to as usize,
            Op::Unless(to) => match self.pop() {
                Value::Bool(true) => {}
                Value::Bool(false) => *pc = to as usize,
                other => return Err(Box::new(words::truth(Truth::Condition, &other))),
            },
            Op::WalkNext { slot, out } => self.walk_next(slot, out, pc),
            Op::AppendLocal { slot, mode } => self.append_local(slot, mode)?,
            Op::Need(slot) => {
                if !matches!(self.frame.cells[slot as usize], Cell::Held(_)) {
                    return Err(self.unknown(slot));
                }
            }
            Op::LoadPath(at) => {
                let value = self.path(&self.code.paths[at as usize])?;
                self.values.push(value);
            }
            Op::LoadState(at) => {
                let value = state::get(self.state, &self.code.states[at as usize])?.clone();
                self.values.push(value);
            }
            Op::SetState(at) => {
                let value = self.pop();
                state::set(self.state, &self.code.states[at as usize].keys, value)?;
                self.frame.last = Last::State(at);
            }
            Op::WhileCheck(limit) => {
                if matches!(self.walks.last(), Some(Walker::Rounds(rounds)) if *rounds >= limit) {
                    return Err(Box::new(Fault::run("Loop limit hit", None)));
                }
            }
            Op::WhileTick => {
                if let Some(Walker::Rounds(rounds)) = self.walks.last_mut() {
                    *rounds += 1;
                }
            }
            Op::RepeatNext(out) => match self.walks.last_mut() {
                Some(Walker::Times(left)) if *left > 0 => *left -= 1,
                _ => *pc = out as usize,
            },
            Op::Statement(at) => self.frame.statement = at + 1,
            Op::ShortCircuit { word, out } => self.short_circuit(word, out, pc)?,
            Op::NeedTruth(word) => {
                if !matches!(self.top(), Value::Bool(_)) {
                    return Err(Box::new(words::truth(word, self.top())));
                }
            }
            Op::Not => {
                let operand = self.pop();
                let Value::Bool(truth) = operand else {
                    return Err(Box::new(words::truth(Truth::Not, &operand)));
                };
                self.values.push(Value::Bool(!truth));
            }
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
            }
            Op::MakeList(length) => {
                let items = self.values.split_off(self.values.len() - length as usize);
                self.values.push(ops::list(items)?);
            }
            Op::MapOpen => self.values.push(Value::Map(Map::default())),
            Op::MapKey(at) => self.map_key(at)?,
            Op::MapPut(at) => self.map_put(at)?,
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
            }
            Op::ListAppend => {
                let (item, list) = (self.pop(), self.pop());
                self.limits.grow(&list)?;
                self.values.push(ops::list_append(list, item)?);
            }
            Op::MapSet => {
                let (entry, key, map) = (self.pop(), self.pop(), self.pop());
                self.limits.grow(&map)?;
                self.values.push(ops::map_set(map, &key, entry)?);
            }
            Op::Aggregate(function) => {
                let list = self.top();
                *list = ops::aggregate(function, list)?;
            }
            Op::AppendState(at) => self.append_state(at)?,
            Op::PutLocal { slot, mode } => self.put_local(slot, mode)?,
            Op::PutState(at) => self.put_state(at)?,
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
            Op::Gathered => {
                let value = self.pop();
                walk::gather(self.walks, value);
            }
            Op::Kept => {
                let verdict = self.pop();
                walk::keep(self.walks, &verdict)?;
            }
            Op::Reduced(slot) => {
                let value = self.pop();
                self.frame.cells[slot as usize] = Cell::Held(value);
            }
            Op::WalkClose(kind) => self.walk_close(kind)?,
            Op::Caught(slot) => {
                let fault = self.pop();
                self.settle(slot);
                self.frame.cells[slot as usize] = Cell::Held(fault);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    #[inline(always)]
    fn pop(&mut self) -> Value {
        self.values.pop().expect("every instruction finds the operands the compiler put there")
    }

    #[inline(always)]
    fn top(&mut self) -> &mut Value {
        self.values.last_mut().expect("every instruction finds the operands the compiler put there")
    }

    #[inline(always)]
    fn arith(&mut self, operator: Arithmetic) -> Raised<()> {
        let right = self.pop();
        if let (Arithmetic::Add, Value::Text(text)) = (operator, &right) {
            self.limits.join(self.values.last(), text)?;
        }
        let left = self.top();
        *left = ops::arithmetic(operator, left, &right)?;
        Ok(())
    }

    #[cold]
    fn unknown(&self, slot: Slot) -> Box<Fault> {
        Box::new(words::unknown(&self.code.names[slot as usize], &self.frame.cells[slot as usize]))
    }

    #[inline(always)]
    fn bind(&mut self, slot: Slot, constant: bool) {
        let value = self.pop();
        self.frame.cells[slot as usize] = Cell::Held(value);
        self.frame.constants[slot as usize] |= constant;
        self.frame.last = Last::Slot(slot);
    }

    #[inline(always)]
    fn set(&mut self, slot: Slot) -> Raised<()> {
        self.may_set(slot)?;
        let value = self.pop();
        self.frame.cells[slot as usize] = Cell::Held(value);
        self.frame.last = Last::Slot(slot);
        Ok(())
    }

    #[inline(always)]
    fn may_set(&self, slot: Slot) -> Raised<()> {
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
    fn settle(&mut self, slot: Slot) {
        if matches!(self.frame.last, Last::Slot(held) if held == slot) {
            self.frame.last = Last::Held(last_value(self.frame, self.code, self.state));
        }
    }

    #[inline(always)]
    fn walk_next(&mut self, slot: Slot, out: Pc, pc: &mut usize) {
        let item = match self.walks.last_mut() {
            Some(Walker::Items { list, next, .. }) if *next < list.len() => {
                *next += 1;
                list[*next - 1].clone()
            }
            _ => {
                *pc = out as usize;
                return;
            }
        };
        self.settle(slot);
        self.frame.cells[slot as usize] = Cell::Held(item);
    }

    fn save_binder(&mut self, slot: Slot) {
        self.settle(slot);
        let cell = std::mem::take(&mut self.frame.cells[slot as usize]);
        if let Some(Walker::Items { saved, .. }) = self.walks.last_mut() {
            saved.push((slot, cell));
        }
    }

    fn walk_close(&mut self, kind: crate::lang::compile::op::Walk) -> Raised<()> {
        if let Some(walker) = self.walks.pop()
            && let Some(value) = walk::close(kind, walker, &mut self.frame.cells)?
        {
            self.values.push(value);
        }
        Ok(())
    }

    fn path(&self, path: &Path) -> Raised<Value> {
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

    fn held(&self, slot: Slot) -> Raised<&Value> {
        match &self.frame.cells[slot as usize] {
            Cell::Held(value) => Ok(value),
            _ => Err(self.unknown(slot)),
        }
    }

    /// A field of the record the innermost walk over records of this frame stands at.
    fn field(&self, name: &str) -> Option<&Value> {
        let own = &self.walks[self.frame.floor.walks..];
        own.iter().rev().find_map(walk::row).and_then(|row| row.fields.get(name))
    }

    #[inline(always)]
    fn append_local(&mut self, slot: Slot, mode: Store) -> Raised<()> {
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
    fn append_refused(&mut self, slot: Slot) -> Raised<()> {
        let (item, list) = (self.pop(), self.held(slot)?.clone());
        self.limits.grow(&list)?;
        ops::list_append(list, item)?;
        Ok(())
    }

    #[inline(always)]
    fn may_store(&self, slot: Slot, mode: Store) -> Raised<()> {
        if mode == Store::Set { self.may_set(slot) } else { Ok(()) }
    }

    #[inline(always)]
    fn stored(&mut self, slot: Slot, mode: Store) {
        if mode != Store::Gather {
            self.frame.last = Last::Slot(slot);
        }
    }

    fn put_local(&mut self, slot: Slot, mode: Store) -> Raised<()> {
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

    fn append_state(&mut self, at: u32) -> Raised<()> {
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
        self.frame.last = Last::State(at);
        Ok(())
    }

    fn put_state(&mut self, at: u32) -> Raised<()> {
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
        self.frame.last = Last::State(at);
        Ok(())
    }

    #[inline(always)]
    fn short_circuit(&mut self, word: Truth, out: Pc, pc: &mut usize) -> Raised<()> {
        let truth = match self.top() {
            Value::Bool(truth) => *truth,
            other => return Err(Box::new(words::truth(word, other))),
        };
        if truth == (word == Truth::Or) {
            *pc = out as usize;
        } else {
            self.values.pop();
        }
        Ok(())
    }

    fn between(&mut self, strict: bool, out: Pc, pc: &mut usize) -> Raised<()> {
        let low = self.pop();
        let lower = if strict { ops::Comparison::Greater } else { ops::Comparison::AtLeast };
        let value = self.top();
        if !ops::compare(lower, value, &low)? {
            *value = Value::Bool(false);
            *pc = out as usize;
        }
        Ok(())
    }

    fn map_key(&mut self, at: u32) -> Raised<()> {
        let key = &self.code.words[at as usize];
        match self.values.last() {
            Some(Value::Map(map)) if map.contains_key(key) => {
                Err(Box::new(Fault::run(format!("Map key '{key}' is duplicated"), None)))
            }
            _ => Ok(()),
        }
    }

    fn map_put(&mut self, at: u32) -> Raised<()> {
        let value = self.pop();
        let key = &self.code.words[at as usize];
        let Value::Map(map) = self.top() else { return Ok(()) };
        let mut map = std::mem::take(map);
        if value.depth() >= MAX_DEPTH {
            ops::map([(Arc::clone(key), value)])?;
            return Ok(());
        }
        map.insert(Arc::clone(key), value);
        *self.top() = Value::Map(map);
        Ok(())
    }
}

/// The fault where its instruction stands. Arithmetic without a result stands nowhere: it is its statement's.
#[cold]
fn placed(mut fault: Box<Fault>, span: Span) -> Box<Fault> {
    if fault.catchable || fault.kind != FaultKind::Engine {
        fault.span.get_or_insert(span);
    }
    fault
}

/// The last value of a frame, as a value of its own.
pub(super) fn last_value(frame: &Frame, code: &Code, state: &Map) -> Value {
    match &frame.last {
        Last::Held(value) => value.clone(),
        Last::Slot(slot) => match frame.cells.get(*slot as usize) {
            Some(Cell::Held(value)) => value.clone(),
            _ => Value::Null,
        },
        Last::State(at) => match code.states.get(*at as usize).map(|path| state::get(state, path)) {
            Some(Ok(value)) => value.clone(),
            _ => Value::Null,
        },
    }
}

/// Ends every loop above the floor, putting back what transforms had bound.
pub(super) fn unwind_walks(walks: &mut Vec<Walker>, height: usize, cells: &mut [Cell]) {
    while walks.len() > height {
        if let Some(Walker::Items { saved, .. }) = walks.pop() {
            walk::restore(saved, cells);
        }
    }
}

/// Heights of the stacks now.
pub(super) fn floor(values: &[Value], walks: &[Walker], tries: usize) -> Floor {
    Floor { values: values.len(), walks: walks.len(), tries }
}
