//! Owns what one body holds while it runs: its locals, its last value, the loops and `try` blocks it is inside. Must
//! not carry out instructions.

use std::sync::Arc;

use crate::lang::compile::op::{Pc, Slot};
use crate::lang::fault::Fault;
use crate::lang::records::Row;
use crate::lang::span::Span;
use crate::lang::value::{List, Value};

/// A local.
#[derive(Clone, Debug, Default)]
pub(super) enum Cell {
    /// Never given a value.
    #[default]
    Unset,
    /// A value.
    Held(Value),
    /// An async call: what it gave, waiting for its `await`.
    Pending(Box<Result<Value, Fault>>),
}

/// Where the value of the last statement that had one is. A local or state path that still holds it is named instead
/// of copied, so that the next statement may change it in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// In [`Frame::held`].
    Held,
    Slot(Slot),
    State(u32),
}

/// A body of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Flow(usize),
    Requires(usize),
    Function(usize),
    Job(usize),
    When(usize),
}

/// Why a frame stands where it does: what happens with its value.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// The bottom of a strand: its value is the strand's.
    Bottom,
    /// A function call; its value goes to the caller, checked.
    Function { call: u32, span: Span },
    /// A flow call; the listed outputs go to the caller.
    Flow { call: u32, span: Span },
    /// An access rule before the flow below it begins.
    Entry,
    /// An access rule before a write of the frame below it.
    Write { span: Span },
}

/// One running body.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) body: Body,
    pub(super) role: Role,
    pub(super) pc: usize,
    pub(super) cells: Vec<Cell>,
    /// Which locals `set` may not touch.
    pub(super) constants: Vec<bool>,
    pub(super) last: Last,
    /// The last value, where nothing else holds it; otherwise null.
    pub(super) held: Value,
    /// Statement at the top of the body, plus one; 0 before the first.
    pub(super) statement: u32,
    /// Heights of the strand's stacks when the frame began.
    pub(super) floor: Floor,
}

/// Heights of the stacks of a strand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Floor {
    pub(super) values: usize,
    pub(super) walks: usize,
    pub(super) tries: usize,
}

impl Frame {
    pub(super) fn new(body: Body, role: Role, slots: usize, floor: Floor) -> Self {
        Self {
            body,
            role,
            pc: 0,
            cells: vec![Cell::Unset; slots],
            constants: vec![false; slots],
            last: Last::Held,
            held: Value::Null,
            statement: 0,
            floor,
        }
    }

    /// The last value is what this local or path holds now.
    #[inline(always)]
    pub(super) fn last_is(&mut self, last: Last) {
        if self.last == Last::Held {
            self.held = Value::Null;
        }
        self.last = last;
    }

    /// The last value is this one.
    pub(super) fn hold(&mut self, value: Value) {
        self.last = Last::Held;
        self.held = value;
    }

    /// Goes back to an earlier statement at the top of the body, for the place of a fault.
    pub(super) fn back_by(&mut self, statements: usize) {
        let back = u32::try_from(statements).unwrap_or(u32::MAX);
        self.statement = self.statement.saturating_sub(back);
    }

    /// Gives a local a value that is also the last value.
    pub(super) fn give(&mut self, slot: Slot, value: Value) {
        self.cells[slot as usize] = Cell::Held(value);
        self.last_is(Last::Slot(slot));
    }
}

/// A loop that is under way.
#[derive(Clone, Debug)]
pub(super) enum Walker {
    /// `repeat up to`: rounds left.
    Times(u64),
    /// `repeat while`: rounds begun.
    Rounds(u32),
    /// A list and how far it is walked.
    Items { list: List, next: usize, out: Vec<Value>, saved: Vec<(Slot, Cell)> },
    /// Records and how far they are walked; the kept ones gather in `kept`.
    Rows { rows: Vec<Row>, next: usize, kept: Vec<Row> },
}

/// A `try` that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handler {
    pub(super) catch: Pc,
    pub(super) values: usize,
    pub(super) walks: usize,
}

/// What `as e` of a caught fault holds.
pub(super) fn caught(fault: &Fault) -> Value {
    let place = |number: fn(&Span) -> u32| {
        fault.span.as_ref().map_or(Value::Null, |span| Value::int(i64::from(number(span))))
    };
    Value::fields([
        ("message", Value::Text(Arc::from(fault.message()))),
        ("line", place(|span| span.line)),
        ("column", place(|span| span.column)),
    ])
}
