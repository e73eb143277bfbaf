//! Owns the writing of one body: instructions, places, tables, and which slot a name has. Must not decide what
//! a statement or expression means; `expr` and `stmt` do.

use std::collections::HashMap;
use std::sync::Arc;

use super::code::Code;
use super::index::Index;
use super::op::{Base, Op, Path, Pc, Slot, StatePath};
use crate::lang::ast::Name;
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
            in_predicate: false,
            level: 0,
        };
        for name in given {
            body.slot(name);
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
        slot
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
        inner(self);
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
