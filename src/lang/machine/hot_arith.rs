//! Owns the operators of the hot loop. Must not touch locals other than to read operands and store a result.

use super::frame::Cell;
use super::hot::{CELL, Hot, Raised};
use super::{walk, words};
use crate::lang::compile::op::{Operand, Pc, Relation, Slot, Source, Store, Truth};
use crate::lang::fault::Fault;
use crate::lang::value::ops::{self, Arithmetic};
use crate::lang::value::{Number, Value};

impl Hot<'_> {
    /// Reads an operand where it is; `below` says how many stack operands stand above it.
    #[inline(always)]
    pub(super) fn operand(&self, operand: Operand, below: usize, pc: usize) -> Raised<&Value> {
        match operand.source() {
            Source::Slot(slot) => match &self.frame.cells[slot as usize] {
                Cell::Held(value) => Ok(value),
                _ => Err(self.unknown_operand(slot, pc)),
            },
            Source::Const(at) => Ok(&self.code.consts[at as usize]),
            Source::Stack => Ok(&self.values[self.values.len() - 1 - below]),
        }
    }

    #[inline(never)]
    fn compute(&self, operator: Arithmetic, left: &Value, right: &Value) -> Raised<Value> {
        if let (Arithmetic::Add, Value::Text(text)) = (operator, right) {
            self.limits.join(left, text)?;
        }
        ops::arithmetic(operator, left, right)
    }

    #[inline(always)]
    pub(super) fn arith(
        &mut self,
        operator: Arithmetic,
        left: Operand,
        right: Operand,
        pc: usize,
    ) -> Raised<bool> {
        let a = self.operand(left, usize::from(right == Operand::STACK), pc)?;
        let b = self.operand(right, 0, pc)?;
        if let Some(quick) = quick(operator, a, b) {
            self.consume(left, right);
            self.push_with(|| Value::Number(Number::from_quick(quick)));
            return Ok(true);
        }
        let result = self.compute(operator, a, b)?;
        let bytes = text_bytes(&result);
        self.consume(left, right);
        self.values.push(result);
        Ok(self.made(bytes) & self.worked(bytes as u64))
    }

    #[inline(always)]
    pub(super) fn arith_gathered(
        &mut self,
        operator: Arithmetic,
        left: Operand,
        right: Operand,
        pc: usize,
    ) -> Raised<bool> {
        let a = self.operand(left, usize::from(right == Operand::STACK), pc)?;
        let b = self.operand(right, 0, pc)?;
        if let Some(quick) = quick(operator, a, b) {
            self.consume(left, right);
            walk::gather_with(self.walks, || Value::Number(Number::from_quick(quick)));
            return Ok(self.made(CELL));
        }
        let result = self.compute(operator, a, b)?;
        let bytes = text_bytes(&result);
        self.consume(left, right);
        walk::gather_with(self.walks, || result);
        Ok(self.made(CELL + bytes) & self.worked(bytes as u64))
    }

    #[inline(always)]
    pub(super) fn arith_to(
        &mut self,
        operator: Arithmetic,
        operands: [Operand; 2],
        (slot, mode): (Slot, Store),
        pc: usize,
    ) -> Raised<bool> {
        let [left, right] = operands;
        let a = self.operand(left, usize::from(right == Operand::STACK), pc)?;
        let b = self.operand(right, 0, pc)?;
        if let Some(quick) = quick(operator, a, b) {
            self.consume(left, right);
            match &mut self.frame.cells[slot as usize] {
                Cell::Held(Value::Number(number)) => number.overwrite(quick),
                cell => *cell = Cell::Held(Value::Number(Number::from_quick(quick))),
            }
            self.stored(slot, mode);
            return Ok(true);
        }
        let result = self.compute(operator, a, b)?;
        let bytes = text_bytes(&result);
        self.consume(left, right);
        self.frame.cells[slot as usize] = Cell::Held(result);
        self.stored(slot, mode);
        Ok(self.made(bytes) & self.worked(bytes as u64))
    }

    /// Pushes what `make` gives, made where it will stand. Made elsewhere and copied as a whole, it would be read
    /// back before its pieces have left the processor's store buffer, which costs more than most instructions.
    #[inline(always)]
    pub(super) fn push_with(&mut self, make: impl FnOnce() -> Value) {
        self.values.extend(std::iter::once_with(make));
    }

    /// Takes the operands that stood on the stack away.
    #[inline(always)]
    pub(super) fn consume(&mut self, left: Operand, right: Operand) {
        let used = usize::from(left == Operand::STACK) + usize::from(right == Operand::STACK);
        let height = self.values.len() - used;
        self.values.truncate(height);
    }

    #[inline(always)]
    pub(super) fn compare(
        &mut self,
        relation: Relation,
        left: Operand,
        right: Operand,
        pc: usize,
    ) -> Raised<bool> {
        let a = self.operand(left, usize::from(right == Operand::STACK), pc)?;
        let b = self.operand(right, 0, pc)?;
        let order = match (a, b) {
            (Value::Number(a), Value::Number(b)) => a.quick_compare(b),
            _ => None,
        };
        let truth = match (relation, order) {
            (Relation::Is, Some(order)) => order.is_eq(),
            (Relation::IsNot, Some(order)) => order.is_ne(),
            (Relation::Ordered(comparison), Some(order)) => comparison.holds(order),
            (Relation::Is, None) => a.equals(b),
            (Relation::IsNot, None) => !a.equals(b),
            (Relation::Ordered(comparison), None) => ops::compare(comparison, a, b)?,
        };
        let bytes = if order.is_some() { 0 } else { bulk_of_both(a, b) };
        self.consume(left, right);
        if bytes > 0 {
            self.worked(bytes);
        }
        Ok(truth)
    }

    /// A local that an instruction reads itself fails where the local stands.
    #[cold]
    pub(super) fn unknown_operand(&self, slot: Slot, pc: usize) -> Box<Fault> {
        let fault = self.unknown(slot);
        let at = u32::try_from(pc - 1).unwrap_or(u32::MAX);
        match self.code.operand_span(at, slot) {
            Some(span) => Box::new(fault.at(span)),
            None => fault,
        }
    }

    #[inline(always)]
    pub(super) fn short_circuit(&mut self, word: Truth, out: Pc, pc: &mut usize) -> Raised<()> {
        let truth = match self.top() {
            Value::Bool(truth) => *truth,
            other => return Err(Box::new(words::truth(word, other))),
        };
        if truth == (word == Truth::Or) {
            *pc = out as usize;
        } else {
            self.drop_top();
        }
        Ok(())
    }

    pub(super) fn between(&mut self, strict: bool, out: Pc, pc: &mut usize) -> Raised<()> {
        let low = self.pop();
        let lower = if strict { ops::Comparison::Greater } else { ops::Comparison::AtLeast };
        let value = self.top();
        if !ops::compare(lower, value, &low)? {
            *value = Value::Bool(false);
            *pc = out as usize;
        }
        Ok(())
    }
}

/// Bytes a comparison of two values looks at, at most.
#[inline]
pub(super) fn bulk_of_both(left: &Value, right: &Value) -> u64 {
    match (left, right) {
        (Value::Text(_), Value::Text(_))
        | (Value::List(_), Value::List(_))
        | (Value::Map(_), Value::Map(_)) => left.bulk().min(right.bulk()),
        _ => 0,
    }
}

/// Bytes a computed value has besides itself.
#[inline(always)]
fn text_bytes(value: &Value) -> usize {
    if let Value::Text(text) = value { text.len() } else { 0 }
}

/// The result of two numbers, where machine words are enough.
#[inline(always)]
fn quick(operator: Arithmetic, left: &Value, right: &Value) -> Option<(i64, i32)> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.quick(operator.quick()?, right),
        _ => None,
    }
}
