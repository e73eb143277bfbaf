//! Owns the instructions that need nothing but the running body, its operands and the state: values, operators, locals,
//! jumps and loops. Must not start another body, touch records, or reach the world; [`super::cold`] does.

use super::frame::{Cell, Floor, Frame, Last, Walker};
use super::limits::Limits;
use super::{state, walk, words};
use crate::lang::compile::code::Code;
use crate::lang::compile::op::{Op, Pc, Slot, Truth};
use crate::lang::fault::{Fault, FaultKind};
use crate::lang::span::Span;
use crate::lang::value::{Map, Value};

/// Bytes of a value where it stands, and about those of an entry of a map.
pub(super) const CELL: usize = size_of::<Value>();
pub(super) const ENTRY: usize = 4 * CELL;

/// Bytes of work that count as one instruction, and after which the loop stops to count them.
pub(super) const WORK_PER_STEP: u64 = 1 << 10;
pub(super) const WORK_SLICE: u64 = 4 << 20;

/// A fault on its way up; boxed, because almost nothing raises one.
pub(super) type Raised<T> = Result<T, Box<Fault>>;

/// Why the loop stopped.
pub(super) enum Exit {
    /// The budget is used up.
    Spent,
    /// So much was made or done that it should be counted.
    Audit,
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
    /// Bytes made since what is held was last counted.
    pub(super) made: &'r mut u64,
    /// Bytes copied or compared that no instruction was counted for yet.
    pub(super) work: &'r mut u64,
}

impl Hot<'_> {
    /// Carries out instructions until one needs more, one fails or the budget is used up. Each costs one.
    pub(super) fn run(&mut self, budget: &mut u64) -> Raised<Exit> {
        let code = self.code;
        let mut pc = self.frame.pc;
        let mut left = *budget;
        let exit = loop {
            if left == 0 {
                break Ok(Exit::Spent);
            }
            left -= 1;
            let op = &code.ops[pc];
            pc += 1;
            match self.step(op, &mut pc) {
                Ok(true) => {}
                Ok(false) if *self.made >= self.limits.audit_bytes() || *self.work >= WORK_SLICE => {
                    break Ok(Exit::Audit);
                }
                Ok(false) => break Ok(Exit::Cold(*op)),
                Err(fault) => break Err(placed(fault, self.code.spans[pc - 1])),
            }
        };
        self.frame.pc = pc;
        *budget = left;
        exit
    }

    /// Notes bytes that were made; false when what is held should be counted.
    #[inline(always)]
    pub(super) fn made(&mut self, bytes: usize) -> bool {
        *self.made += bytes as u64;
        *self.made < self.limits.audit_bytes()
    }

    /// Notes bytes that were copied or compared; false when they should be counted.
    #[inline(always)]
    pub(super) fn worked(&mut self, bytes: u64) -> bool {
        *self.work = self.work.saturating_add(bytes);
        *self.work < WORK_SLICE
    }

    /// Carries out one instruction; false when it is not one of these, or has been carried out and made so much that
    /// what is held should be counted.
    #[inline(always)]
    #[expect(clippy::too_many_lines, reason = "one arm per instruction")]
    pub(super) fn step(&mut self, op: &Op, pc: &mut usize) -> Raised<bool> {
        match *op {
            Op::Const(at) => {
                let value = &self.code.consts[at as usize];
                self.push_with(|| value.clone());
            }
            Op::Load(slot) => {
                let Cell::Held(value) = &self.frame.cells[slot as usize] else {
                    return Err(self.unknown(slot));
                };
                self.values.extend(std::iter::once_with(|| value.clone()));
            }
            Op::Arith { operator, left, right } => return self.arith(operator, left, right, *pc),
            Op::ArithTo { operator, left, right, slot, mode } => {
                return self.arith_to(operator, [left, right], (slot, mode), *pc);
            }
            Op::ArithGathered { operator, left, right } => {
                return self.arith_gathered(operator, left, right, *pc);
            }
            Op::CompareKept { relation, left, right } => {
                let kept = self.compare(relation, left, right, *pc)?;
                walk::keep_item(self.walks, kept);
                return Ok(self.made(CELL) & (*self.work < WORK_SLICE));
            }
            Op::Compare { relation, left, right } => {
                let truth = self.compare(relation, left, right, *pc)?;
                self.push_with(|| Value::Bool(truth));
                return Ok(*self.work < WORK_SLICE);
            }
            Op::CompareUnless { relation, left, right, out } => {
                if !self.compare(relation, left, right, *pc)? {
                    *pc = out as usize;
                }
                return Ok(*self.work < WORK_SLICE);
            }
            Op::Let(slot) => self.bind(slot, false),
            Op::LetConstant(slot) => self.bind(slot, true),
            Op::Set(slot) => self.set(slot)?,
            Op::Jump(to) => *pc = to as usize,
            Op::Unless(to) => {
                match self.top() {
                    Value::Bool(true) => {}
                    Value::Bool(false) => *pc = to as usize,
                    other => return Err(Box::new(words::truth(Truth::Condition, other))),
                }
                self.drop_top();
            }
            Op::WalkNext { slot, out } => self.walk_next(slot, out, pc),
            Op::AppendLocal { slot, mode } => return self.append_local(slot, mode),
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
                self.frame.last_is(Last::State(at));
            }
            Op::WalkAgain { slot, top } => self.walk_again(slot, top, pc),
            Op::WhileCheck(limit) => self.round(limit)?,
            Op::WhileAgain { limit, top } => {
                self.round(limit)?;
                *pc = top as usize;
            }
            Op::RepeatNext(out) => match self.walks.last_mut() {
                Some(Walker::Times(left)) if *left > 0 => *left -= 1,
                _ => *pc = out as usize,
            },
            Op::RepeatAgain(top) => {
                if let Some(Walker::Times(left)) = self.walks.last_mut()
                    && *left > 0
                {
                    *left -= 1;
                    *pc = top as usize;
                }
            }
            Op::Statement(at) => self.frame.statement = at + 1,
            Op::ShortCircuit { word, out } => self.short_circuit(word, out, pc)?,
            Op::NeedTruth(word) => {
                if !matches!(self.top(), Value::Bool(_)) {
                    return Err(Box::new(words::truth(word, self.top())));
                }
            }
            Op::Not => match self.top() {
                Value::Bool(truth) => *truth = !*truth,
                other => return Err(Box::new(words::truth(Truth::Not, other))),
            },
            Op::Gathered => {
                walk::gather(self.walks, self.values);
                return Ok(self.made(CELL));
            }
            Op::Kept => {
                let verdict = self.values.last().expect("every instruction finds its operands on the stack");
                walk::keep(self.walks, verdict)?;
                self.drop_top();
                return Ok(self.made(CELL));
            }
            Op::Reduced(slot) => {
                self.store_top(slot);
            }
            other => return self.step_more(other, pc),
        }
        Ok(true)
    }

    #[inline(always)]
    pub(super) fn pop(&mut self) -> Value {
        self.values.pop().expect("every instruction finds the operands the compiler put there")
    }

    #[inline(always)]
    pub(super) fn top(&mut self) -> &mut Value {
        self.values.last_mut().expect("every instruction finds the operands the compiler put there")
    }

    /// Drops the value on the stack where it is.
    #[inline(always)]
    pub(super) fn drop_top(&mut self) {
        self.values.truncate(self.values.len() - 1);
    }

    /// Moves the value on the stack into a local.
    #[inline(always)]
    pub(super) fn store_top(&mut self, slot: Slot) {
        if let (Cell::Held(place), Some(value)) = (&mut self.frame.cells[slot as usize], self.values.last())
            && matches!(value, Value::Number(_))
        {
            value.copy_to(place);
            self.drop_top();
        } else {
            self.frame.cells[slot as usize] = Cell::Held(self.pop());
        }
    }

    #[inline(always)]
    pub(super) fn round(&mut self, limit: u32) -> Raised<()> {
        if let Some(Walker::Rounds(rounds)) = self.walks.last_mut() {
            if *rounds >= limit {
                return Err(Box::new(Fault::run("Loop limit hit", None)));
            }
            *rounds += 1;
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn walk_again(&mut self, slot: Slot, top: Pc, pc: &mut usize) {
        let mut to = *pc;
        self.walk_next(slot, u32::MAX, &mut to);
        if to != u32::MAX as usize {
            *pc = top as usize;
        }
    }

    #[cold]
    pub(super) fn unknown(&self, slot: Slot) -> Box<Fault> {
        Box::new(words::unknown(&self.code.names[slot as usize], &self.frame.cells[slot as usize]))
    }

    #[inline(always)]
    pub(super) fn walk_next(&mut self, slot: Slot, out: Pc, pc: &mut usize) {
        match self.walks.last() {
            Some(Walker::Items { list, next, .. }) if *next < list.len() => {}
            _ => {
                *pc = out as usize;
                return;
            }
        }
        self.settle(slot);
        if let Some(Walker::Items { list, next, .. }) = self.walks.last_mut() {
            let item = &list[*next];
            *next += 1;
            match &mut self.frame.cells[slot as usize] {
                Cell::Held(place) => item.copy_to(place),
                cell => *cell = Cell::Held(item.clone()),
            }
        }
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
        Last::Held => frame.held.clone(),
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
