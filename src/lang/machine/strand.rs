//! Owns one thread of a run: its frames, its operands, what it waits for. The run itself is a strand; the parts of a
//! fork are strands below it. Must not carry out instructions.

use super::asking::Waiting;
use super::effects::Effects;
use super::frame::{Body, Frame, Handler, Role, Walker, caught};
use super::hot::{floor, unwind_walks};
use super::tasks::Changes;
use crate::lang::compile::op::Pc;
use crate::lang::fault::{Fault, FaultKind};
use crate::lang::value::Value;

/// What a strand came to.
pub(super) type Outcome = Result<Value, Box<Fault>>;

/// What a strand is doing.
#[derive(Debug)]
pub(super) enum Status {
    Ready,
    /// Waits for the answer to this ask.
    Asking(u64),
    /// Waits until every part before it is done.
    AwaitHead,
    /// Waits for its parts.
    Forked,
    Done(Outcome),
}

/// A fork that is under way.
#[derive(Debug)]
pub(super) struct Fork {
    /// Index into the forks of the running body.
    pub(super) form: u32,
    /// The parts begun, in order; none once joined.
    pub(super) parts: Vec<Option<usize>>,
    /// What the joined parts came to.
    pub(super) ended: Vec<Ended>,
}

/// A part that is done and joined.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) changes: Changes,
    pub(super) yields: Vec<super::effects::Yielded>,
}

/// One thread of a run.
#[derive(Debug)]
pub(super) struct Strand {
    /// The strand that forked it and which of its parts it is.
    pub(super) parent: Option<(usize, usize)>,
    pub(super) frames: Vec<Frame>,
    pub(super) values: Vec<Value>,
    pub(super) walks: Vec<Walker>,
    pub(super) tries: Vec<Handler>,
    pub(super) status: Status,
    pub(super) waiting: Option<Waiting>,
    pub(super) fork: Option<Fork>,
    pub(super) effects: Effects,
    /// Which state it sees.
    pub(super) state: usize,
    /// Whether that state is a copy of its own.
    pub(super) copied: bool,
    /// Whether every part before it is done, up to the root.
    pub(super) head: bool,
    /// Whether it is a task of `parallel:` or called by one.
    pub(super) task: bool,
    /// Instructions it carried out while it was not the head.
    pub(super) ahead_steps: u64,
    /// Bytes copied or compared that are less than an instruction.
    pub(super) work: u64,
    /// Statement of the bottom body that an uncaught fault came out of, plus one.
    pub(super) fell_at: u32,
}

impl Strand {
    pub(super) fn new(state: usize) -> Self {
        Self {
            parent: None,
            frames: Vec::new(),
            values: Vec::new(),
            walks: Vec::new(),
            tries: Vec::new(),
            status: Status::Ready,
            waiting: None,
            fork: None,
            fell_at: 0,
            work: 0,
            effects: Effects::default(),
            state,
            copied: false,
            head: true,
            task: false,
            ahead_steps: 0,
        }
    }

    /// Puts a body on top.
    pub(super) fn enter(&mut self, body: Body, role: Role, slots: usize) {
        let floor = floor(&self.values, &self.walks, self.tries.len());
        self.frames.push(Frame::new(body, role, slots, floor));
    }

    /// Takes the top body away with everything it had on the stacks.
    pub(super) fn leave(&mut self) -> Option<Frame> {
        let frame = self.frames.pop()?;
        self.values.truncate(frame.floor.values);
        self.walks.truncate(frame.floor.walks);
        self.tries.truncate(frame.floor.tries);
        Some(frame)
    }

    /// Looks for a `try` that takes the fault and goes on there; otherwise gives the fault back.
    pub(super) fn catch(&mut self, mut fault: Box<Fault>) -> Option<Box<Fault>> {
        while let Some(frame) = self.frames.last_mut() {
            let own = self.tries.len() > frame.floor.tries;
            if fault.catchable
                && own
                && let Some(handler) = self.tries.pop()
            {
                self.values.truncate(handler.values);
                unwind_walks(&mut self.walks, handler.walks, &mut frame.cells);
                frame.pc = handler.catch as usize;
                self.values.push(caught(&fault));
                return None;
            }
            match frame.role {
                // What fails in the rule of a write fails where the write stands.
                Role::Write { span } => fault.span = Some(span),
                Role::Bottom | Role::Function { .. } | Role::Flow { .. } | Role::Entry => {}
            }
            self.fell_at = frame.statement;
            self.leave();
        }
        Some(fault)
    }

    /// Begins a `try`.
    pub(super) fn open_try(&mut self, catch: Pc) {
        let (values, walks) = (self.values.len(), self.walks.len());
        self.tries.push(Handler { catch, values, walks });
    }
}

/// Marks what failed inside an `ask` as an AI failure; what speaks of a provider is the provider's.
pub(super) fn as_ai_fault(fault: &mut Fault) {
    if fault.kind == FaultKind::Engine {
        let provider = fault.message().to_lowercase().contains("provider");
        fault.kind = if provider { FaultKind::AiProvider } else { FaultKind::AiFailed };
    }
}
