//! Owns the running of one strand until it stops: the loop over instructions, faults on their way up, bodies that
//! begin and end. Must not start or join other strands; [`super::fork`] does.

use std::sync::Arc;

use super::effects::StepKind;
use super::frame::{Body, Cell, Frame, Role};
use super::hot::{Exit, Hot, Raised, WORK_PER_STEP, last_value};
use super::shared::Shared;
use super::strand::{Status, Strand, as_ai_fault};
use super::world::Ask;
use crate::lang::compile::code::{Code, FlowUnit, Program};
use crate::lang::compile::op::Op;
use crate::lang::fault::Fault;
use crate::lang::span::Span;
use crate::lang::value::{Map, Value};

/// Characters of a caught fault that the trace keeps.
const SHOWN_CHARS: usize = 200;

/// The code of a body.
pub(super) fn code_of(program: &Program, body: Body) -> &Code {
    match body {
        Body::Flow(at) => &program.flows[at].code,
        Body::Function(at) => &program.functions[at].code,
        Body::Job(at) => &program.jobs[at].code,
        Body::Requires(at) => {
            &program.flows[at].requires.as_ref().expect("only rules that exist are entered").code
        }
        Body::When(at) => program.jobs[at].when.as_ref().expect("only triggers that exist are entered"),
    }
}

/// One strand at work.
pub(super) struct Ctx<'m> {
    pub(super) program: &'m Program,
    pub(super) shared: &'m mut Shared,
    pub(super) strand: &'m mut Strand,
    /// The flow the run is of.
    pub(super) main: usize,
    /// Asks begun, to be handed out.
    pub(super) asks: &'m mut Vec<Ask>,
    pub(super) next_ask: &'m mut u64,
}

impl<'m> Ctx<'m> {
    /// Runs the strand until it waits, ends or has used up the budget.
    pub(super) fn run(&mut self, budget: &mut u64) {
        while matches!(self.strand.status, Status::Ready) {
            match self.burst(budget) {
                Ok(true) => {}
                Ok(false) => return,
                Err(fault) => self.raise(fault),
            }
        }
    }

    /// Takes a fault to its `try`, or ends the strand with it.
    pub(super) fn raise(&mut self, mut fault: Box<Fault>) {
        let program = self.program;
        let inside_ask = |frame: &Frame| {
            code_of(program, frame.body)
                .asks_at(u32::try_from(frame.pc.saturating_sub(1)).unwrap_or(u32::MAX))
        };
        if self.strand.frames.iter().any(inside_ask) {
            as_ai_fault(&mut fault);
        }
        let span = fault.span.unwrap_or_default();
        let text = fault.message();
        match self.strand.catch(fault) {
            None => {
                self.shared.made += text.len() as u64;
                let shown: String = text.chars().take(SHOWN_CHARS).collect();
                self.strand.effects.step(StepKind::Caught, &Arc::from(shown), span);
            }
            Some(fault) => self.strand.status = Status::Done(Err(fault)),
        }
    }

    /// Carries out instructions up to the next one that needs more than the hot loop; false when the budget is used up,
    /// what is held should be counted, or something of the records is missing.
    fn burst(&mut self, budget: &mut u64) -> Raised<bool> {
        let program = self.program;
        let Some(frame) = self.strand.frames.last_mut() else { return Ok(false) };
        let code = code_of(program, frame.body);
        let steps = if self.strand.head { self.shared.steps } else { self.strand.ahead_steps };
        // One more than is left, so that the limit is seen to be passed.
        let most = (*budget).min(self.shared.limits.steps.saturating_sub(steps).saturating_add(1));
        let mut left = most;
        let exit = Hot {
            code,
            frame,
            values: &mut self.strand.values,
            walks: &mut self.strand.walks,
            state: &mut self.shared.states[self.strand.state],
            identity: &self.shared.identity,
            limits: &self.shared.limits,
            made: &mut self.shared.made,
            work: &mut self.strand.work,
        }
        .run(&mut left);
        let worked = self.strand.work / WORK_PER_STEP;
        self.strand.work %= WORK_PER_STEP;
        let steps = (most - left).saturating_add(worked);
        *budget = budget.saturating_sub(steps);
        self.count(steps)?;
        match exit? {
            Exit::Spent | Exit::Audit => Ok(false),
            Exit::Cold(op) => {
                let span = self.span();
                match op {
                    // Their faults stand nowhere, or where they say.
                    Op::CountAgent => self.count_agent()?,
                    Op::Fork(at) => self.open_fork(at)?,
                    _ => self.cold(op, span).map_err(|fault| Box::new(fault.at(span)))?,
                }
                Ok(self.shared.want.is_none() && self.shared.made < self.shared.limits.audit_bytes())
            }
        }
    }

    /// Counts steps against the limit.
    fn count(&mut self, steps: u64) -> Raised<()> {
        let total = if self.strand.head {
            self.shared.steps += steps;
            self.shared.steps
        } else {
            self.strand.ahead_steps += steps;
            self.strand.ahead_steps
        };
        if total > self.shared.limits.steps {
            return Err(Box::new(self.shared.limits.too_many_steps().at(self.span())));
        }
        Ok(())
    }

    /// Makes the instruction being carried out come again, as if it had not.
    pub(super) fn come_again(&mut self) {
        self.frame().pc -= 1;
        if self.strand.head {
            self.shared.steps -= 1;
        } else {
            self.strand.ahead_steps -= 1;
        }
    }

    /// Where the instruction being carried out stands.
    pub(super) fn span(&self) -> Span {
        let Some(frame) = self.strand.frames.last() else { return Span::default() };
        let spans = &code_of(self.program, frame.body).spans;
        spans.get(frame.pc.saturating_sub(1)).copied().unwrap_or_default()
    }

    pub(super) fn pop(&mut self) -> Value {
        self.strand.values.pop().expect("every instruction finds the operands the compiler put there")
    }

    pub(super) fn pop_many(&mut self, count: usize) -> Vec<Value> {
        let height = self.strand.values.len().saturating_sub(count);
        self.strand.values.split_off(height)
    }

    pub(super) fn push(&mut self, value: Value) {
        self.strand.values.push(value);
    }

    pub(super) fn frame(&mut self) -> &mut Frame {
        self.strand.frames.last_mut().expect("a running strand stands in a body")
    }

    /// The code being carried out.
    pub(super) fn code(&self) -> &'m Code {
        let frame = self.strand.frames.last().expect("a running strand stands in a body");
        code_of(self.program, frame.body)
    }

    pub(super) fn state(&mut self) -> &mut Map {
        &mut self.shared.states[self.strand.state]
    }

    /// Gives a local a value that is also the last value.
    pub(super) fn give(&mut self, slot: u32, value: Value) {
        self.frame().give(slot, value);
    }

    /// Makes a value the last value.
    pub(super) fn last(&mut self, value: Value) {
        self.frame().hold(value);
    }

    /// The last value of the running body, no longer tied to where it came from.
    pub(super) fn settle_last(&mut self) -> Value {
        let code = self.code();
        let state = &self.shared.states[self.strand.state];
        let frame = self.strand.frames.last_mut().expect("a running strand stands in a body");
        let value = last_value(frame, code, state);
        frame.hold(value.clone());
        value
    }

    /// The flow whose name and rule apply: the innermost one, or the run's own inside jobs.
    pub(super) fn flow(&self) -> (usize, &'m FlowUnit) {
        let inner = self.strand.frames.iter().rev().find_map(|frame| match frame.body {
            Body::Flow(at) => Some(at),
            _ => None,
        });
        let at = inner.unwrap_or(self.main);
        (at, &self.program.flows[at])
    }

    /// Begins a body with these values in its first locals.
    pub(super) fn enter(
        &mut self,
        body: Body,
        role: Role,
        first: impl IntoIterator<Item = Cell>,
    ) -> Result<(), Fault> {
        if self.strand.frames.len() >= self.shared.limits.depth {
            return Err(self.shared.limits.too_deep());
        }
        let slots = code_of(self.program, body).names.len();
        self.strand.enter(body, role, slots);
        for (cell, value) in self.frame().cells.iter_mut().zip(first) {
            *cell = value;
        }
        Ok(())
    }
}
