//! Owns parts of a run that may be under way together: tasks, agents, branches, async calls. They begin, wait and join
//! here so that everything a program can see is as if they had run one after the other. Must not carry out
//! instructions.
//!
//! The part that a serial run would be at is the head. A part ahead of it keeps what it does to itself and stops where
//! something depends on the parts before; when its turn comes and it turns out that it went too far (more agents or
//! steps than were left), it starts over.

use std::sync::Arc;

use super::Machine;
use super::ctx::{Ctx, code_of};
use super::effects::StepKind;
use super::frame::{Cell, Frame, Last, Role};
use super::hot::Raised;
use super::merge;
use super::shared::AGENTS_PER_RUN;
use super::strand::{Ended, Fork, Status, Strand};
use super::tasks::{self, Changes};
use crate::lang::compile::form::{ForkForm, Join, Part};
use crate::lang::compile::op::Slot;
use crate::lang::fault::{Fault, FaultKind};
use crate::lang::span::Span;
use crate::lang::value::Value;

/// Agents one block may run.
const AGENTS_PER_BLOCK: usize = 3;

impl Ctx<'_> {
    /// Begins a fork; the machine starts its parts.
    pub(super) fn open_fork(&mut self, at: u32) -> Raised<()> {
        let form = &self.code().forks[at as usize];
        if matches!(form.join, Join::Agents { .. }) && form.parts.len() > AGENTS_PER_BLOCK {
            return Err(Box::new(Fault::run("Parallel agent limit exceeded", None)));
        }
        // Tasks stand in the order of their names, so twins are neighbours.
        let twins = form.parts.windows(2).find(|pair| pair[0].name == pair[1].name);
        if let (Join::Tasks(_), Some(twins)) = (&form.join, twins) {
            return Err(Box::new(Fault::run("Parallel task names must be unique", Some(twins[1].span))));
        }
        let most = self.shared.limits.parts;
        if form.parts.len() > most {
            let fault = super::limits::hit(format!("A block may have at most {most} parts."));
            return Err(Box::new(fault.at(self.span())));
        }
        if let Join::Async { into, counted } = &form.join
            && let Err(fault) = self.no_failed_locals()
        {
            // It fails at the first launch of the group.
            let behind = if *counted { into.len().saturating_sub(1) } else { 0 };
            self.frame().back_by(behind);
            return Err(fault);
        }
        self.settle_last();
        self.strand.fork = Some(Fork { form: at, parts: Vec::new(), ended: Vec::new() });
        self.strand.status = Status::Forked;
        Ok(())
    }

    /// An async call sees what the async calls before it gave; one that failed fails here, the first by name.
    fn no_failed_locals(&mut self) -> Raised<()> {
        let names = &self.code().names;
        let failed = self.frame().cells.iter().zip(names).filter_map(|(cell, name)| match cell {
            Cell::Pending(outcome) => outcome.as_ref().as_ref().err().map(|fault| (name, fault)),
            _ => None,
        });
        match failed.min_by_key(|(name, _)| *name) {
            Some((_, fault)) => Err(Box::new(fault.clone())),
            None => Ok(()),
        }
    }
}

impl Machine {
    fn strand(&self, id: usize) -> &Strand {
        self.strands[id].as_ref().expect("a strand that is named is there")
    }

    fn strand_mut(&mut self, id: usize) -> &mut Strand {
        self.strands[id].as_mut().expect("a strand that is named is there")
    }

    fn top(&self, id: usize) -> &Frame {
        self.strand(id).frames.last().expect("a strand that forked stands in a body")
    }

    fn form(&self, id: usize) -> &ForkForm {
        let fork = self.strand(id).fork.as_ref().expect("a strand that forked has a fork");
        &code_of(self.program(), self.top(id).body).forks[fork.form as usize]
    }

    /// Does what the parts of a fork allow: starts them, joins those that are done, goes on after the last.
    pub(super) fn tend(&mut self, id: usize) {
        while let Some(fork) = &self.strand(id).fork {
            let (form, next) = (self.form(id), fork.ended.len());
            if next == form.parts.len() {
                return self.close_fork(id);
            }
            let begun = fork.parts.len();
            let room = form.apart && begun - next < self.shared.limits.parts_at_once;
            if begun <= next || (room && begun < form.parts.len()) {
                self.begin_part(id, begun);
                continue;
            }
            let Some(part) = fork.parts[next] else { return };
            if self.strand(id).head && !self.strand(part).head && self.promote(part) {
                continue;
            }
            if !matches!(self.strand(part).status, Status::Done(_)) {
                return;
            }
            if let Some(fault) = self.join_part(id, part) {
                self.drop_parts(id);
                return self.raise_in(id, fault);
            }
        }
    }

    fn begin_part(&mut self, id: usize, at: usize) {
        let form = self.form(id);
        let Part { name, span, start, refused } = form.parts[at].clone();
        let (tasks, copied) = (matches!(form.join, Join::Tasks(_)), matches!(form.join, Join::Async { .. }));
        let parent = self.strand(id);
        let mut part = Strand::new(parent.state);
        part.parent = Some((id, at));
        part.task = parent.task || tasks;
        part.head = parent.head && parent.fork.as_ref().is_some_and(|fork| fork.ended.len() == at);
        part.effects.ordered = parent.effects.ordered.clone();
        let above = self.top(id);
        part.frames.push(Frame {
            role: Role::Bottom,
            pc: start as usize,
            last: Last::Held,
            held: Value::Null,
            floor: super::frame::Floor::default(),
            ..above.clone()
        });
        part.effects.step(StepKind::Part, &name, span);
        if let Some((text, span)) = refused {
            part.status = Status::Done(Err(Box::new(Fault::run(text, Some(span)))));
        }
        if copied {
            part.frames.iter_mut().flat_map(|frame| &mut frame.cells).for_each(see_what_it_gave);
            part.state = self.shared.copy_state(part.state);
            part.copied = true;
        }
        let new = self.add(part);
        if let Some(fork) = &mut self.strand_mut(id).fork {
            fork.parts.push(Some(new));
        }
    }

    fn add(&mut self, strand: Strand) -> usize {
        match self.strands.iter().position(Option::is_none) {
            Some(free) => {
                self.strands[free] = Some(strand);
                free
            }
            None => {
                self.strands.push(Some(strand));
                self.strands.len() - 1
            }
        }
    }

    /// Makes a part the head. True when it has to start over, or something else has changed that is worth a look.
    fn promote(&mut self, id: usize) -> bool {
        let (agents, steps) = (self.strand(id).effects.agents, self.strand(id).ahead_steps);
        let too_many = agents > 0 && self.shared.agents + agents > AGENTS_PER_RUN;
        if too_many || self.shared.steps + steps > self.shared.limits.steps {
            self.start_over(id);
            return true;
        }
        self.shared.agents += agents;
        self.shared.steps += steps;
        let strand = self.strands[id].as_mut().expect("a strand that is named is there");
        strand.effects.agents = 0;
        strand.ahead_steps = 0;
        strand.head = true;
        self.shared.remember(&mut strand.effects.memorable);
        match strand.status {
            Status::AwaitHead => strand.status = Status::Ready,
            Status::Forked => self.tend(id),
            _ => {}
        }
        false
    }

    fn start_over(&mut self, id: usize) {
        let Some((parent, at)) = self.strand(id).parent else { return };
        self.drop_strand(id);
        // Parts behind it may have been begun already; they stay as they are.
        let kept = match &mut self.strand_mut(parent).fork {
            Some(fork) => fork.parts.split_off(at),
            None => return,
        };
        self.begin_part(parent, at);
        if let Some(fork) = &mut self.strand_mut(parent).fork {
            fork.parts.extend(kept.into_iter().skip(1));
        }
    }

    /// Takes in what a finished part did. Gives a fault that ends the fork at once.
    fn join_part(&mut self, id: usize, part: usize) -> Option<Box<Fault>> {
        let mut done = self.strands[part].take()?;
        let copied = done.copied;
        if copied {
            self.shared.free_state(done.state);
        }
        let at = done.parent.map_or(0, |(_, at)| at);
        let form = self.form(id);
        let Part { name, span, .. } = form.parts[at].clone();
        let (tasks, agents) = (matches!(form.join, Join::Tasks(_)), matches!(form.join, Join::Agents { .. }));
        let Status::Done(outcome) = std::mem::replace(&mut done.status, Status::Ready) else { return None };
        done.effects.step(StepKind::PartEnd, &name, span);
        let yields = if tasks { std::mem::take(&mut done.effects.yields) } else { Vec::new() };
        let ended_steps = done.ahead_steps;
        let frame = done.frames.into_iter().next();
        let changes = match (tasks, frame) {
            (true, Some(frame)) => tasks::changes(self.top(id), frame),
            _ => Changes::default(),
        };
        let parent = self.strand_mut(id);
        parent.effects.join(done.effects, true);
        parent.ahead_steps += ended_steps;
        let limit = matches!(&outcome, Err(fault) if fault.kind == FaultKind::Limit);
        let ended = match outcome {
            Err(fault) if tasks || limit => return Some(fault),
            Err(fault) if agents => return Some(Box::new(agent_failed(&name, &fault, span))),
            outcome => Ended { outcome, changes, yields },
        };
        let last = at + 1 == self.form(id).parts.len();
        let failed = ended.outcome.as_ref().err().filter(|_| copied && !last).cloned();
        if let Some(fork) = &mut self.strand_mut(id).fork {
            fork.ended.push(ended);
            fork.parts[at] = None;
        }
        if failed.is_some() {
            self.launch_fails(id);
        }
        failed
    }

    fn drop_parts(&mut self, id: usize) {
        let Some(fork) = self.strand_mut(id).fork.take() else { return };
        fork.parts.into_iter().flatten().for_each(|part| self.drop_strand(part));
    }

    fn drop_strand(&mut self, id: usize) {
        let mut doomed = vec![id];
        while let Some(id) = doomed.pop() {
            let Some(strand) = self.strands[id].take() else { continue };
            if strand.copied {
                self.shared.free_state(strand.state);
            }
            if let Status::Asking(ask) = strand.status {
                self.open.remove(&ask);
                self.asks.retain(|new| new.id != ask);
                self.cancelled.push(ask);
            }
            doomed.extend(strand.fork.into_iter().flat_map(|fork| fork.parts.into_iter().flatten()));
        }
    }

    /// Every part is joined: makes one value of them and goes on behind the fork.
    fn close_fork(&mut self, id: usize) {
        let Some(fork) = self.strand_mut(id).fork.take() else { return };
        let body = self.top(id).body;
        let app = Arc::clone(&self.app);
        let code = code_of(app.program(), body);
        let form = &code.forks[fork.form as usize];
        let span = code.spans[self.top(id).pc.saturating_sub(1)];
        let strand = self.strand_mut(id);
        strand.status = Status::Ready;
        let Some(frame) = strand.frames.last_mut() else { return };
        let outcome = match &form.join {
            Join::Tasks(merge) => tasks::join(frame, form, *merge, &code.names, &fork.ended).map(|()| {
                let yields = fork.ended.into_iter().flat_map(|task| task.yields);
                strand.effects.yields.extend(yields);
            }),
            Join::Agents { merge, into } => {
                let outputs = fork.ended.into_iter().filter_map(|ended| ended.outcome.ok()).collect();
                merge::agents(outputs, merge.as_ref()).map(|value| frame.give(*into, value))
            }
            Join::Branches { merge, into } => {
                let names = form.parts.iter().map(|part| Arc::clone(&part.name));
                let ended = names.zip(fork.ended.into_iter().map(|ended| ended.outcome)).collect();
                merge::branches(ended, merge).map(|value| frame.give(*into, value))
            }
            Join::Async { into, .. } => {
                self.launch(id, into, fork.ended);
                Ok(())
            }
        };
        match outcome {
            Ok(()) => {
                if let Some(frame) = self.strand_mut(id).frames.last_mut() {
                    frame.pc = form.end as usize;
                }
            }
            Err(fault) => {
                // The value of a fork that fails counts for nothing, nor do its yields.
                self.raise_in(id, Box::new(fault.at(span)));
            }
        }
    }

    /// Async calls are over; what each came to waits in its local.
    fn launch(&mut self, id: usize, into: &[(Slot, bool)], ended: Vec<Ended>) {
        let flow = Arc::clone(&self.program().flows[self.main].name);
        let body = self.top(id).body;
        let app = Arc::clone(&self.app);
        let names = &code_of(app.program(), body).names;
        for ((slot, constant), ended) in into.iter().zip(ended) {
            self.shared.launches += 1;
            let number = self.shared.launches;
            let Some(frame) = self.strand_mut(id).frames.last_mut() else { return };
            let outcome = ended.outcome.map_err(|fault| *fault);
            frame.cells[*slot as usize] = Cell::Pending(Box::new(outcome));
            frame.constants[*slot as usize] |= constant;
            frame.hold(Value::fields([
                ("task_id", Value::text(format!("{flow}:{number:04}:{}", names[*slot as usize]))),
                ("status", Value::from("pending")),
            ]));
        }
    }

    /// An async call of a group failed before another was launched, which therefore fails: what was launched stays.
    fn launch_fails(&mut self, id: usize) {
        let Join::Async { into, counted } = self.form(id).join.clone() else { return };
        let Some(fork) = &mut self.strand_mut(id).fork else { return };
        let ended = std::mem::take(&mut fork.ended);
        let behind = if counted { into.len().saturating_sub(ended.len() + 1) } else { 0 };
        self.launch(id, &into, ended);
        if let Some(frame) = self.strand_mut(id).frames.last_mut() {
            frame.back_by(behind);
        }
    }

    fn raise_in(&mut self, id: usize, fault: Box<Fault>) {
        self.strand_mut(id).status = Status::Ready;
        self.with(id, |ctx| ctx.raise(fault));
    }
}

/// An async call that is over but not awaited is what it gave, to the next async call.
fn see_what_it_gave(cell: &mut Cell) {
    if let Cell::Pending(outcome) = cell
        && let Ok(value) = &**outcome
    {
        *cell = Cell::Held(value.clone());
    }
}

fn agent_failed(name: &str, fault: &Fault, span: Span) -> Fault {
    Fault::run(format!("Agent '{name}' failed: {}", fault.located()), Some(span)).of_kind(fault.kind)
}
