//! Owns the course of a run around its flow: what is checked first, triggers, jobs, commit or rollback, and the outcome.
//! Must not carry out instructions.

use std::collections::HashSet;
use std::sync::Arc;

use super::calls::given_cells;
use super::effects::StepKind;
use super::frame::{Body, Role};
use super::shared::{Shared, unwrap_answers};
use super::strand::{Outcome as Came, Status, Strand};
use super::world::{Outcome, World};
use super::{Machine, ROOT};
use crate::lang::fault::{Fault, Place};
use crate::lang::records::{Store, Supply, Want};
use crate::lang::span::Span;
use crate::lang::value::{Map, Value};

/// Where a run stands.
pub(super) enum Phase {
    /// Looking at the `when` of jobs: before the flow, after it, after each job.
    Triggers { at: usize, input: Option<Value> },
    /// The flow itself.
    Flow,
    /// A job.
    Job,
    /// Ended well with this value; the archive is told what to keep.
    Keeping(Value),
    /// Finished; the outcome waits to be fetched.
    Ended(Came),
    /// Nothing left.
    Over,
}

/// What the phases share.
#[derive(Default)]
pub(super) struct Course {
    /// The flow's value, once it has ended.
    result: Option<Value>,
    /// What each trigger said last.
    triggers: Vec<bool>,
    /// Statement the flow was at when it ended, plus one.
    statement: u32,
}

impl Shared {
    pub(super) fn new(world: World) -> Self {
        Self {
            known: world.identity.is_some(),
            identity: Value::Map(world.identity.unwrap_or_default()),
            states: vec![world.state],
            free_states: Vec::new(),
            store: world.store,
            want: None,
            memory: world.memory,
            limits: world.limits,
            observing: world.observing,
            now_ms: world.now_ms,
            agents: 0,
            launches: 0,
            steps: 0,
            made: 0,
            stored: 0,
            clock: 0,
            queue: Vec::new(),
            scheduled: Vec::new(),
            orders: 0,
        }
    }
}

impl Machine {
    /// Checks what can be checked before the flow and begins.
    pub(super) fn begin(&mut self, flow: &str, input: Value) {
        match self.check(flow) {
            Ok(main) => self.main = main,
            Err(fault) => {
                self.phase = Phase::Ended(Err(Box::new(fault)));
                return;
            }
        }
        self.course.triggers = vec![false; self.program().jobs.len()];
        self.look_at_triggers(0, Some(input));
    }

    fn check(&mut self, flow: &str) -> Result<usize, Fault> {
        let program = self.app.program();
        if let Some(version) = program.spec.as_deref().filter(|version| *version != "1.0") {
            return Err(Fault::run(format!("Spec version \"{version}\" is not supported."), None));
        }
        let main = program.flow(flow).ok_or_else(|| Fault::run(format!("Unknown flow '{flow}'."), None))?;
        if let Some(caller) = &program.caller {
            let identity = self.shared.identity.as_map().cloned().unwrap_or_default();
            super::caller::check(caller, &identity)?;
        }
        self.shared.store.begin(!self.app.only_reads(flow));
        Ok(main)
    }

    fn root(&mut self) -> &mut Strand {
        self.strands[ROOT].as_mut().expect("the root strand stays for the whole run")
    }

    /// Puts a body on the empty root strand.
    fn stage(&mut self, body: Body, input: Value) {
        let mut entered = Ok(());
        self.with(ROOT, |ctx| {
            ctx.strand.frames.clear();
            ctx.strand.values.clear();
            ctx.strand.walks.clear();
            ctx.strand.tries.clear();
            ctx.strand.status = Status::Ready;
            entered = ctx.enter(body, Role::Bottom, given_cells(input));
            if let (Ok(()), Body::Flow(flow)) = (&entered, body) {
                entered = ctx.enter_entry_rule(flow);
            }
        });
        if let Err(fault) = entered {
            self.end(Err(Box::new(fault)));
        }
    }

    /// Looks at the next trigger from `at` on; after the last one begins the flow or the next job.
    fn look_at_triggers(&mut self, at: usize, input: Option<Value>) {
        let jobs = &self.program().jobs;
        if let Some(next) = (at..jobs.len()).find(|job| jobs[*job].when.is_some()) {
            self.phase = Phase::Triggers { at: next, input };
            return self.stage(Body::When(next), Value::Map(Map::default()));
        }
        match input {
            Some(input) => {
                self.phase = Phase::Flow;
                let unit = &self.program().flows[self.main];
                let (name, span) = (Arc::clone(&unit.name), unit.span);
                self.root().effects.step(StepKind::Flow, &name, span);
                self.stage(Body::Flow(self.main), input);
            }
            None => self.next_job(),
        }
    }

    fn next_job(&mut self) {
        match self.shared.next_job() {
            Some(queued) => {
                self.phase = Phase::Job;
                let job = &self.program().jobs[queued.job];
                let (name, span) = (Arc::clone(&job.name), job.span);
                self.root().effects.step(StepKind::Job, &name, span);
                let input = match queued.input {
                    Value::Null => Value::Map(Map::default()),
                    other => other,
                };
                self.stage(Body::Job(queued.job), input);
            }
            None => {
                let result = self.course.result.take().unwrap_or_default();
                self.end(Ok(result));
            }
        }
    }

    /// The body on the root strand has ended.
    pub(super) fn phase_ended(&mut self) {
        let root = self.root();
        let Status::Done(came) = std::mem::replace(&mut root.status, Status::AwaitHead) else { return };
        let statement = root.frames.first().map_or(root.fell_at, |frame| frame.statement);
        match (std::mem::replace(&mut self.phase, Phase::Over), came) {
            (Phase::Triggers { at, input }, came) => self.trigger_said(at, input, came),
            (Phase::Flow, came) => {
                self.course.statement = statement;
                match came {
                    Ok(value) => {
                        self.course.result = Some(value);
                        self.look_at_triggers(0, None);
                    }
                    Err(fault) => self.end(Err(fault)),
                }
            }
            (Phase::Job, Ok(_)) => self.look_at_triggers(0, None),
            (_, came) => self.end(came),
        }
    }

    fn trigger_said(&mut self, at: usize, input: Option<Value>, came: Came) {
        let now = match came {
            Ok(Value::Bool(truth)) => truth,
            Ok(_) => {
                let span = self.program().jobs[at].span;
                let text = "Job when clauses must evaluate to true or false";
                return self.end(Err(Box::new(Fault::run(text, Some(span)))));
            }
            Err(fault) if fault.message().starts_with("Unknown state path") => false,
            Err(fault) => return self.end(Err(fault)),
        };
        let before = std::mem::replace(&mut self.course.triggers[at], now);
        if input.is_none() && now && !before {
            self.shared.enqueue(at, Value::Map(Map::default()), None);
        }
        self.look_at_triggers(at + 1, input);
    }

    /// Ends the run: commits, as soon as what must outlast the process does, or rolls back.
    fn end(&mut self, came: Came) {
        match came {
            Ok(value) => match self.shared.store.changes() {
                Some(changes) => {
                    self.phase = Phase::Keeping(value);
                    self.shared.want = Some((Want::Keep(changes), None));
                }
                None => {
                    self.shared.store.commit();
                    self.phase = Phase::Ended(Ok(value));
                }
            },
            Err(fault) => {
                self.shared.store.rollback();
                self.phase = Phase::Ended(Err(self.placed(fault)));
            }
        }
    }

    /// What the archive answered: the run goes on, or ends with the fault whatever would catch it, because the archive
    /// has undone what it did.
    pub(super) fn supplied(&mut self, supplied: Result<Supply, Fault>, place: Option<Span>) {
        match supplied {
            Ok(supply) => {
                let kept = matches!(supply, Supply::Kept { .. });
                self.shared.store.supply(supply);
                if kept && let Phase::Keeping(value) = std::mem::replace(&mut self.phase, Phase::Over) {
                    self.shared.store.commit();
                    self.phase = Phase::Ended(Ok(value));
                }
            }
            Err(fault) => {
                if matches!(self.phase, Phase::Flow) {
                    self.course.statement = self.root().frames.first().map_or(0, |frame| frame.statement);
                }
                let fault = place.into_iter().fold(fault, Fault::at);
                self.end(Err(Box::new(fault)));
                self.shared.store.distrust();
            }
        }
    }

    /// Ends a run that goes no further: undoes what it did to the records and gives them back. The machine is empty
    /// afterwards.
    pub fn abandon(&mut self) -> Store {
        self.phase = Phase::Over;
        self.strands = vec![None];
        self.asks.clear();
        self.open.clear();
        self.shared.want = None;
        self.awaited = None;
        let mut store = std::mem::take(&mut self.shared.store);
        store.rollback();
        store
    }

    /// The fault with the statement the flow was at.
    fn placed(&self, mut fault: Box<Fault>) -> Box<Fault> {
        let flow = &self.program().flows[self.main];
        let index = self.course.statement;
        let top = index.checked_sub(1).and_then(|at| flow.code.statements.get(at as usize));
        if fault.span.is_none() {
            fault.span = Some(top.map_or(flow.span, |top| top.span));
        }
        let statement = top.map_or("none", |top| top.kind);
        fault.place = Some(Box::new(Place { flow: Arc::clone(&flow.name), statement, index }));
        fault
    }

    /// The outcome, once there is one.
    pub(super) fn take_outcome(&mut self) -> Option<Outcome> {
        if !matches!(self.phase, Phase::Ended(_)) {
            return None;
        }
        let Phase::Ended(came) = std::mem::replace(&mut self.phase, Phase::Over) else { return None };
        let effects = std::mem::take(&mut self.root().effects);
        let answers: HashSet<&str> = effects.answers.iter().map(|text| &**text).collect();
        let state = match &came {
            Ok(_) => std::mem::take(&mut self.shared.states[0]),
            Err(_) => std::mem::take(&mut self.before),
        };
        let shown_state = unwrap_answers(&Value::Map(state.clone()), &answers);
        let mut yields = effects.yields;
        for (message, sequence) in yields.iter_mut().zip(1..) {
            message.sequence = sequence;
        }
        Some(Outcome {
            flow: self.program().flows.get(self.main).map(|flow| Arc::clone(&flow.name)).unwrap_or_default(),
            result: came.map(|value| unwrap_answers(&value, &answers)),
            state,
            shown_state,
            yields,
            logs: effects.logs,
            metrics: effects.metrics,
            steps: effects.steps,
            memory: std::mem::take(&mut self.shared.memory),
            store: std::mem::take(&mut self.shared.store),
            instructions: self.shared.steps,
        })
    }
}
