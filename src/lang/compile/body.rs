//! Owns the writing of one body: instructions, places, tables, and which slot a name has. Must not decide what
//! a statement or expression means; `expr` and `stmt` do.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::code::Code;
use super::form::{Base, Path, StatePath};
use super::index::Index;
use super::op::{Op, Operand, Pc, Slot};
use crate::lang::ast::{Expr, ExprKind, Name};
use crate::lang::fault::Fault;
use crate::lang::span::Span;
use crate::lang::value::Value;

/// A body being written.
pub(super) struct Body<'a> {
    pub(super) index: &'a Index,
    pub(super) code: Code,
    pub(super) faults: Vec<Fault>,
    slots: HashMap<Arc<str>, Slot>,
    words: HashMap<Arc<str>, u32>,
    states: HashMap<Vec<Arc<str>>, u32>,
    /// Names that a transform inside a predicate binds: they stand before the record's fields.
    binders: Vec<Arc<str>>,
    /// Locals that surely have a value where the next instruction stands, by slot.
    assigned: Vec<bool>,
    /// Names declared constant anywhere in the body.
    pub(super) constants: HashSet<Arc<str>>,
    /// Whether names may mean fields of a record.
    pub(super) in_predicate: bool,
    /// How many statements stand above each other; statements of level 1 are counted for the error id.
    pub(super) level: u32,
}

impl<'a> Body<'a> {
    /// An empty body whose first slots have these names.
    pub(super) fn new(index: &'a Index, given: &[Arc<str>]) -> Self {
        let mut body = Self {
            index,
            code: Code::default(),
            faults: Vec::new(),
            slots: HashMap::new(),
            words: HashMap::new(),
            states: HashMap::new(),
            binders: Vec::new(),
            assigned: Vec::new(),
            constants: HashSet::new(),
            in_predicate: false,
            level: 0,
        };
        for name in given {
            let slot = body.slot(name);
            body.assign(slot);
        }
        body
    }

    /// Ends the body.
    pub(super) fn close(mut self, span: Span, faults: &mut Vec<Fault>) -> Code {
        self.emit(Op::End, span);
        faults.append(&mut self.faults);
        self.code
    }

    /// Where the next instruction will stand.
    pub(super) fn here(&self) -> Pc {
        index_of(self.code.ops.len())
    }

    pub(super) fn emit(&mut self, op: Op, span: Span) -> Pc {
        let at = self.here();
        self.code.ops.push(op);
        self.code.spans.push(span);
        at
    }

    /// Points the jump at `at` to the next instruction.
    pub(super) fn land(&mut self, at: Pc) {
        let here = self.here();
        let Some(op) = self.code.ops.get_mut(at as usize) else { return };
        match op {
            Op::Jump(out)
            | Op::Unless(out)
            | Op::UnlessEqual(out)
            | Op::TryOpen(out)
            | Op::RepeatNext(out)
            | Op::ScanNext(out)
            | Op::UpdateNext(out)
            | Op::Between { out, .. }
            | Op::ShortCircuit { out, .. }
            | Op::CompareUnless { out, .. }
            | Op::Gate { out, .. }
            | Op::WalkNext { out, .. } => *out = here,
            _ => {}
        }
    }

    /// The slot of a name; the first mention makes it.
    pub(super) fn slot(&mut self, name: &Arc<str>) -> Slot {
        if let Some(slot) = self.slots.get(name) {
            return *slot;
        }
        let slot = index_of(self.code.names.len());
        self.code.names.push(name.clone());
        self.slots.insert(name.clone(), slot);
        self.assigned.push(false);
        slot
    }

    /// From here on the local has a value.
    pub(super) fn assign(&mut self, slot: Slot) {
        self.assigned[slot as usize] = true;
    }

    /// A given name that may have no value after all.
    pub(super) fn doubt(&mut self, name: &Arc<str>) {
        let slot = self.slot(name);
        self.assigned[slot as usize] = false;
    }

    /// Whether the local surely has a value here.
    pub(super) fn is_assigned(&self, slot: Slot) -> bool {
        self.assigned[slot as usize]
    }

    /// Writes what may not run; what it assigns is not sure afterwards. Gives what was.
    pub(super) fn maybe(&mut self, inner: impl FnOnce(&mut Self)) -> Vec<bool> {
        let before = self.assigned.clone();
        inner(self);
        self.restore_assigned(before)
    }

    /// Takes back what is sure; gives what was.
    fn restore_assigned(&mut self, mut before: Vec<bool>) -> Vec<bool> {
        before.resize(self.assigned.len(), false);
        std::mem::replace(&mut self.assigned, before)
    }

    /// What both of two branches assign is sure.
    pub(super) fn sure_in_both(&mut self, mut one: Vec<bool>, mut other: Vec<bool>) {
        let slots = self.assigned.len();
        one.resize(slots, false);
        other.resize(slots, false);
        for (slot, sure) in self.assigned.iter_mut().enumerate() {
            *sure |= one[slot] && other[slot];
        }
    }

    /// Prepares an operand. What can be read in place is not written; whoever reads it knows where it stands.
    pub(super) fn operand(&mut self, expr: &Expr, before_code: bool) -> (Operand, Option<(Slot, Span)>) {
        if let Some(value) = super::expr::literal(expr)
            && let Some(operand) = Operand::constant(index_of(self.code.consts.len()))
        {
            self.code.consts.push(value);
            return (operand, None);
        }
        if let ExprKind::Name { root, attrs } = &expr.kind
            && attrs.is_empty()
            && let Base::Slot(slot) = self.base(root)
            // Read later than written here, it must not fail later.
            && (!before_code || self.is_assigned(slot))
            && let Some(operand) = Operand::slot(slot)
        {
            return (operand, Some((slot, expr.span)));
        }
        self.expr(expr);
        (Operand::STACK, None)
    }

    /// Prepares two operands and gives where those stand that are read in place.
    pub(super) fn two_operands(&mut self, left: &Expr, right: &Expr) -> ([Operand; 2], Vec<(Slot, Span)>) {
        let in_place = matches!(&right.kind, ExprKind::Name { attrs, .. } if attrs.is_empty())
            || super::expr::literal(right).is_some();
        let (left, left_span) = self.operand(left, !in_place);
        let (right, right_span) = self.operand(right, false);
        ([left, right], left_span.into_iter().chain(right_span).collect())
    }

    /// Writes an instruction that reads locals itself.
    pub(super) fn emit_reading(&mut self, op: Op, span: Span, reads: Vec<(Slot, Span)>) -> Pc {
        let at = self.emit(op, span);
        self.code.operand_spans.extend(reads.into_iter().map(|(slot, span)| (at, slot, span)));
        at
    }

    pub(super) fn constant(&mut self, value: Value, span: Span) {
        let at = push(&mut self.code.consts, value);
        self.emit(Op::Const(at), span);
    }

    pub(super) fn word(&mut self, word: &Arc<str>) -> u32 {
        let words = &mut self.code.words;
        *self.words.entry(word.clone()).or_insert_with(|| push(words, word.clone()))
    }

    pub(super) fn state(&mut self, words: &[Name]) -> u32 {
        let path = state_path(words);
        let states = &mut self.code.states;
        *self.states.entry(path.keys.clone()).or_insert_with(|| push(states, path))
    }

    /// Reads `root.a.b`.
    pub(super) fn load(&mut self, root: &Arc<str>, attrs: &[Name], span: Span) {
        let base = self.base(root);
        if let (Base::Slot(slot), []) = (&base, attrs) {
            self.emit(Op::Load(*slot), span);
            return;
        }
        let attrs = attrs.iter().map(|attr| attr.text.clone()).collect();
        let at = push(&mut self.code.paths, Path { base, attrs });
        self.emit(Op::LoadPath(at), span);
    }

    fn base(&mut self, root: &Arc<str>) -> Base {
        if &**root == "identity" {
            return Base::Identity;
        }
        let slot = self.slot(root);
        if self.in_predicate && !self.binders.contains(root) {
            return Base::Field { name: root.clone(), slot };
        }
        Base::Slot(slot)
    }

    /// Writes `inner` with `name` bound by a transform.
    pub(super) fn bound(&mut self, name: &Arc<str>, inner: impl FnOnce(&mut Self)) {
        self.binders.push(name.clone());
        let slot = self.slot(name);
        self.maybe(|this| {
            this.assign(slot);
            inner(this);
        });
        self.binders.pop();
    }
}

/// A table index; a body with four thousand million entries does not fit into memory.
pub(super) fn index_of(at: usize) -> u32 {
    u32::try_from(at).expect("a table of a body has fewer than 2^32 entries")
}

/// Adds an entry to a table and gives its index.
pub(super) fn push<T>(table: &mut Vec<T>, entry: T) -> u32 {
    table.push(entry);
    index_of(table.len() - 1)
}

/// The words of a state path.
pub(super) fn state_path(words: &[Name]) -> StatePath {
    let keys: Vec<Arc<str>> = words.iter().map(|word| word.text.clone()).collect();
    let shown = Arc::from(keys.join("."));
    StatePath { keys, shown }
}
