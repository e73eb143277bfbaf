//! Owns a run: a machine of explicit frames that can stop at any ask and go on later, and be sliced by instructions. It
//! never calls anybody: what it wants from a model it hands out as an [`Ask`] and waits, and so it does with what it wants
//! of records that outlast the process.
//!
//! A run of a flow is one transaction over records and state: it commits when flow and jobs have ended, and leaves both
//! as they were when a fault gets out. Must not do I/O, read a clock or start threads.

mod asking;
mod caller;
mod calls;
mod census;
mod cold;
mod ctx;
mod effects;
mod fork;
mod frame;
mod hot;
mod hot_arith;
mod hot_locals;
mod hot_more;
mod limits;
mod merge;
mod phase;
mod records;
mod shared;
mod state;
mod strand;
mod tasks;
#[cfg(test)]
mod tests;
mod walk;
mod words;
mod world;

use std::collections::HashMap;
use std::sync::Arc;

pub use self::effects::{Logged, Measured, Step, StepKind, Yielded};
pub use self::limits::Limits;
pub use self::world::{Ask, AskFault, Outcome, Progress, World};

use self::ctx::Ctx;
use self::phase::Phase;
use self::shared::Shared;
use self::strand::{Status, Strand};
use crate::lang::App;
use crate::lang::compile::code::Program;
use crate::lang::fault::Fault;
use crate::lang::records::{Archive, Supply};
use crate::lang::span::Span;
use crate::lang::value::{Map, Value};

/// The strand the run itself is.
const ROOT: usize = 0;

/// One run of a flow.
pub struct Machine {
    app: Arc<App>,
    /// Index of the flow.
    main: usize,
    shared: Shared,
    strands: Vec<Option<Strand>>,
    phase: Phase,
    /// Asks not yet handed out.
    asks: Vec<Ask>,
    next_ask: u64,
    /// Which strand waits for which ask.
    open: HashMap<u64, usize>,
    cancelled: Vec<u64>,
    /// A want that was handed out and not supplied yet: where it is missed.
    awaited: Option<Option<Span>>,
    /// The state before the run.
    before: Map,
    course: phase::Course,
}

impl Machine {
    /// Begins a run of a flow. What is wrong from the start (no such flow, an identity the app does not accept) is the
    /// outcome of the first [`Machine::advance`].
    #[must_use]
    pub fn start(app: Arc<App>, flow: &str, input: Value, world: World) -> Self {
        let before = world.state.clone();
        let shared = Shared::new(world);
        let mut machine = Self {
            app,
            main: 0,
            shared,
            strands: vec![Some(Strand::new(0))],
            phase: Phase::Over,
            asks: Vec::new(),
            next_ask: 1,
            open: HashMap::new(),
            cancelled: Vec::new(),
            awaited: None,
            before,
            course: phase::Course::default(),
        };
        machine.begin(flow, input);
        machine
    }

    fn program(&self) -> &Program {
        self.app.program()
    }

    /// Runs until every strand waits, the run is over, or `budget` instructions are carried out.
    ///
    /// After [`Progress::Done`] the machine is empty: it then says `Blocked` without asks.
    pub fn advance(&mut self, mut budget: u64) -> Progress {
        loop {
            if let Some(outcome) = self.take_outcome() {
                return Progress::Done(Box::new(outcome));
            }
            if let Some((want, place)) = self.shared.want.take() {
                self.awaited = Some(place);
                return Progress::Wants(want);
            }
            if self.awaited.is_some() {
                return Progress::Blocked(std::mem::take(&mut self.asks));
            }
            if budget == 0 {
                return Progress::Spent;
            }
            match self.next_ready() {
                Some(id) => {
                    self.with(id, |ctx| ctx.run(&mut budget));
                    if self.shared.made >= self.shared.limits.audit_bytes() {
                        self.audit(id);
                    }
                    self.look(id);
                }
                None => return Progress::Blocked(std::mem::take(&mut self.asks)),
            }
        }
    }

    /// Answers an ask. Answers to asks that are not open are ignored: the part that asked may be gone.
    pub fn resolve(&mut self, id: u64, answer: Result<Arc<str>, AskFault>) {
        let Some(strand) = self.open.remove(&id) else { return };
        self.with(strand, |ctx| ctx.answer(answer));
        self.look(strand);
    }

    /// Where the records outlast the process.
    #[must_use]
    pub fn archive(&self) -> Option<&Arc<dyn Archive>> {
        self.shared.store.archive()
    }

    /// Gives the run what it wanted of its archive, or says why there is nothing: then it ends with that fault.
    pub fn supply(&mut self, supplied: Result<Supply, Fault>) {
        if let Some(place) = self.awaited.take() {
            self.supplied(supplied, place);
        }
    }

    /// Messages of `yield` from number `from` on, counted from zero, that no other can come before any more. Nothing once
    /// the run is over: its outcome has them.
    #[must_use]
    pub fn yielded(&self, from: usize) -> Vec<Yielded> {
        let root =
            self.strands[ROOT].as_ref().filter(|_| !matches!(self.phase, Phase::Ended(_) | Phase::Over));
        let yields = root.and_then(|root| root.effects.yields.get(from..)).unwrap_or_default();
        let number = |at: usize| u64::try_from(from + at + 1).unwrap_or(u64::MAX);
        yields.iter().enumerate().map(|(at, told)| Yielded { sequence: number(at), ..told.clone() }).collect()
    }

    /// Asks that nobody waits for any more since the last call of this; their answers would be ignored.
    pub fn take_cancelled(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.cancelled)
    }

    /// Lets a strand work.
    fn with(&mut self, id: usize, work: impl FnOnce(&mut Ctx<'_>)) {
        let Some(mut strand) = self.strands[id].take() else { return };
        work(&mut Ctx {
            program: self.app.program(),
            shared: &mut self.shared,
            strand: &mut strand,
            main: self.main,
            asks: &mut self.asks,
            next_ask: &mut self.next_ask,
        });
        self.strands[id] = Some(strand);
    }

    /// Counts what the run holds; too much ends the strand that made the last of it.
    fn audit(&mut self, id: usize) {
        self.shared.made = 0;
        let most = self.shared.limits.memory_bytes;
        if census::held(&self.strands, &self.shared.states, most) > most {
            let fault = self.shared.limits.too_much_memory();
            self.with(id, |ctx| {
                let span = ctx.span();
                ctx.raise(Box::new(fault.at(span)));
            });
        }
    }

    /// Sees to a strand that has worked.
    fn look(&mut self, id: usize) {
        let Some(strand) = &self.strands[id] else { return };
        match strand.status {
            Status::Asking(ask) => {
                self.open.insert(ask, id);
            }
            Status::Forked => self.tend_up(id),
            Status::Done(_) => match strand.parent {
                Some((parent, _)) => self.tend_up(parent),
                None => self.phase_ended(),
            },
            Status::Ready | Status::AwaitHead => {}
        }
    }

    /// Tends a fork; if that ends its strand, the fork above, and so on.
    fn tend_up(&mut self, mut id: usize) {
        loop {
            self.tend(id);
            let Some(strand) = &self.strands[id] else { return };
            match (&strand.status, strand.parent) {
                (Status::Done(_), Some((parent, _))) => id = parent,
                (Status::Done(_), None) => return self.phase_ended(),
                _ => return,
            }
        }
    }

    /// The first strand in serial order that can work.
    fn next_ready(&self) -> Option<usize> {
        let mut seen = vec![ROOT];
        while let Some(id) = seen.pop() {
            let Some(strand) = &self.strands[id] else { continue };
            match (&strand.status, &strand.fork) {
                (Status::Ready, _) => return Some(id),
                (Status::Forked, Some(fork)) => {
                    seen.extend(fork.parts[fork.ended.len()..].iter().rev().flatten())
                }
                _ => {}
            }
        }
        None
    }
}
