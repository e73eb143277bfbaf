//! Owns the instructions that need more than operands and locals, as far as they are short; the long ones have files of
//! their own. Must not loop over instructions.

use std::sync::Arc;

use super::ctx::Ctx;
use super::effects::{Logged, Measured, StepKind, Yielded};
use super::frame::{Cell, Last};
use super::hot::Raised;
use super::shared::{AGENTS_PER_RUN, identity_has};
use super::{state, words};
use crate::lang::ast::{DueKind, MetricOp};
use crate::lang::compile::form::{EnqueueForm, LogForm, MetricForm, Target};
use crate::lang::compile::op::Op;
use crate::lang::fault::Fault;
use crate::lang::span::Span;
use crate::lang::value::{Value, ops};

type Done = Result<(), Fault>;

impl Ctx<'_> {
    /// Carries out one instruction that the hot loop left.
    pub(super) fn cold(&mut self, op: Op, span: Span) -> Done {
        let code = self.code();
        match op {
            Op::Return => {
                let value = self.pop();
                self.finish(value, true)
            }
            Op::End | Op::TaskEnd => {
                let value = self.settle_last();
                self.finish(value, false)
            }
            Op::PartEnd => {
                let value = self.pop();
                self.finish(value, false)
            }
            Op::TryOpen(catch) => {
                self.strand.open_try(catch);
                Ok(())
            }
            Op::TryClose => {
                self.strand.tries.pop();
                Ok(())
            }
            Op::CallFunction(at) => self.call_function(at, span),
            Op::CallFlow(at) => self.call_flow(at, span),
            Op::CallTool(at) => self.call_tool(&code.tools[at as usize]),
            Op::Await(slot) => self.wait_for(slot),
            Op::Ask(at) => self.ask(&code.asks[at as usize], false, span),
            Op::AskOnce(at) => self.ask(&code.asks[at as usize], true, span),
            Op::RunAgent(at) => self.run_agent(&code.asks[at as usize], span),
            Op::Guard(at) => self.guard(&code.guards[at as usize], span),
            Op::HasRole => self.identity_check("role", &["roles", "role"]),
            Op::HasPermission => {
                self.identity_check("permission", &["permissions", "permission", "scopes", "scope"])
            }
            Op::Notice => {
                let text = self.pop();
                state::set(self.state(), &[Arc::from("notice")], text.clone())?;
                self.last(text);
                Ok(())
            }
            Op::Order(at) => self.order(&code.orders[at as usize]),
            Op::KeepFirst => self.keep_first(),
            Op::Enqueue(at) => self.enqueue(&code.enqueues[at as usize], span),
            Op::Tick => self.tick(),
            Op::Log(at) => self.log(&code.logs[at as usize]),
            Op::Metric(at) => self.metric(&code.metrics[at as usize]),
            Op::Yield => self.yield_(),
            Op::Gate { path, out } => {
                let held = state::get(self.state(), &code.states[path as usize]).is_ok_and(is_nothing);
                if held {
                    self.frame().pc = out as usize;
                }
                Ok(())
            }
            Op::FlowInput(at) => self.flow_input(&code.inputs[at as usize]),
            other => self.record(other, span),
        }
    }

    fn wait_for(&mut self, slot: u32) -> Done {
        let name = &self.code().names[slot as usize];
        let frame = self.frame();
        match &frame.cells[slot as usize] {
            Cell::Unset => return Err(Fault::run(format!("Unknown async variable '{name}'"), None)),
            Cell::Held(_) => {}
            Cell::Pending(outcome) => match &**outcome {
                Ok(value) => frame.cells[slot as usize] = Cell::Held(value.clone()),
                Err(fault) => return Err(fault.clone()),
            },
        }
        frame.last_is(Last::Slot(slot));
        Ok(())
    }

    fn identity_check(&mut self, kind: &str, words: &[&str]) -> Done {
        let wanted = self.pop();
        let Value::Text(wanted) = &wanted else { return Err(words::name_is_no_text(kind)) };
        let held = identity_has(&self.shared.identity, words, wanted);
        self.push(Value::Bool(held));
        Ok(())
    }

    /// Counts an agent before its input is looked at. The fault stands nowhere: it is the statement's.
    pub(super) fn count_agent(&mut self) -> Raised<()> {
        let count = if self.strand.head { &mut self.shared.agents } else { &mut self.strand.effects.agents };
        *count += 1;
        if *count > AGENTS_PER_RUN {
            return Err(Box::new(Fault::run("Agent call limit exceeded in flow", None)));
        }
        Ok(())
    }

    fn order(&mut self, form: &crate::lang::compile::form::OrderForm) -> Done {
        let list = self.target_value(&form.target)?;
        self.shared.made += (list.as_list().map_or(0, |list| list.len()) * size_of::<Value>()) as u64;
        let ordered = ops::order(list, &form.field, form.descending)?;
        self.assign(&form.target, ordered)?;
        self.strand.effects.ordered = Some(form.target.clone());
        Ok(())
    }

    fn keep_first(&mut self) -> Done {
        let count = self.pop();
        let Some(target) = self.strand.effects.ordered.clone() else {
            return Err(words::guided(
                "keep first needs an order statement first.",
                "No list has been ordered in this run yet.",
                "Order a list before keep first.",
                "order state.items by score from highest to lowest\nkeep first 5 items",
            ));
        };
        let list = self.target_value(&target)?;
        let kept = ops::keep_first(list, &count)?;
        self.assign(&target, kept)
    }

    fn target_value(&mut self, target: &Target) -> Result<Value, Fault> {
        match target {
            Target::State(path) => state::get(self.state(), path).cloned(),
            Target::Local(name) => {
                let slot = self.code().slot(name);
                match slot.map(|slot| &self.frame().cells[slot as usize]) {
                    Some(Cell::Held(value)) => Ok(value.clone()),
                    Some(cell) => Err(words::unknown(name, cell)),
                    None => Err(words::unknown(name, &Cell::Unset)),
                }
            }
        }
    }

    fn assign(&mut self, target: &Target, value: Value) -> Done {
        match target {
            Target::State(path) => {
                state::set(self.state(), &path.keys, value.clone())?;
                self.last(value);
            }
            Target::Local(name) => {
                let Some(slot) = self.code().slot(name) else {
                    return Err(words::unknown(name, &Cell::Unset));
                };
                if self.frame().constants[slot as usize] {
                    return Err(Fault::run(format!("Cannot set constant '{name}'"), None));
                }
                self.give(slot, value);
            }
        }
        Ok(())
    }

    fn enqueue(&mut self, form: &EnqueueForm, span: Span) -> Done {
        let due = if form.due.is_some() { Some(self.pop()) } else { None };
        let input = if form.input { self.pop() } else { Value::Map(crate::lang::value::Map::default()) };
        if !self.program.jobs_allowed {
            return Err(words::no_capability("Jobs", "jobs"));
        }
        let due = match (form.due, due) {
            (Some(kind), Some(value)) => Some(self.due(kind, &value)?),
            _ => None,
        };
        let waiting = self.shared.queue.len() + self.shared.scheduled.len();
        if waiting >= self.shared.limits.jobs {
            let text = format!("At most {} jobs may wait at once.", self.shared.limits.jobs);
            return Err(super::limits::hit(text));
        }
        let job = &self.program.jobs[form.job as usize];
        self.strand.effects.step(StepKind::Enqueued, &job.name, span);
        self.shared.enqueue(form.job as usize, input.clone(), due);
        self.last(input);
        Ok(())
    }

    fn due(&self, kind: DueKind, value: &Value) -> Result<u64, Fault> {
        if !self.program.scheduling_allowed {
            return Err(words::no_capability("Scheduling", "scheduling"));
        }
        let amount = whole(value)?;
        match kind {
            DueKind::After => Ok(self.shared.clock.saturating_add(amount)),
            DueKind::At if amount < self.shared.clock => Err(words::guided(
                "Scheduled time is already in the past.",
                "A job is due at or after the current logical time.",
                "Choose a later time.",
                "enqueue job \"refresh\" at 5",
            )),
            DueKind::At => Ok(amount),
        }
    }

    fn tick(&mut self) -> Done {
        let amount = self.pop();
        if !self.program.scheduling_allowed {
            return Err(words::no_capability("Scheduling", "scheduling"));
        }
        self.shared.tick(whole(&amount)?);
        Ok(())
    }

    fn log(&mut self, form: &LogForm) -> Done {
        let fields = if form.fields { Some(self.pop()) } else { None };
        let message = self.pop();
        if fields.as_ref().is_some_and(|fields| fields.as_map().is_none()) {
            return Err(Fault::run("Log fields must be an object", None));
        }
        if self.shared.observing {
            self.room_for_message()?;
            let line = Logged { level: form.level, message: message.clone(), fields };
            self.strand.effects.logs.push(line);
        }
        self.last(message);
        Ok(())
    }

    fn metric(&mut self, form: &MetricForm) -> Done {
        let labels = if form.labels { Some(self.pop()) } else { None };
        let value = if form.value { Some(self.pop()) } else { None };
        if labels.as_ref().is_some_and(|labels| labels.as_map().is_none()) {
            return Err(Fault::run("Metric labels must be an object", None));
        }
        if self.shared.observing {
            self.room_for_message()?;
            let point = value.clone().unwrap_or_else(|| Value::int(1));
            match form.op {
                MetricOp::Record => {
                    whole(&point)?;
                }
                _ if point.as_number().is_none() => {
                    return Err(Fault::run("Metric value must be a number", None));
                }
                _ => {}
            }
            let measured = Measured { name: form.name.clone(), op: form.op, value: point, labels };
            self.strand.effects.metrics.push(measured);
        }
        self.last(value.unwrap_or_default());
        Ok(())
    }

    fn yield_(&mut self) -> Done {
        let output = self.pop();
        self.room_for_message()?;
        let flow = Arc::clone(&self.flow().1.name);
        let sequence = self.strand.effects.yields.len() as u64 + 1;
        self.strand.effects.yields.push(Yielded { flow, output: output.clone(), sequence });
        self.last(output);
        Ok(())
    }

    fn room_for_message(&self) -> Done {
        let most = self.shared.limits.messages;
        if self.strand.effects.messages() < most {
            return Ok(());
        }
        Err(super::limits::hit(format!("A run may have at most {most} yields, log lines and metric points.")))
    }
}

/// Whether a value keeps a gate shut.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Text(text) => text.is_empty(),
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        number => number.as_number().is_some_and(|number| number.is_zero()),
    }
}

/// A whole number of at least zero, for the logical clock.
pub(super) fn whole(value: &Value) -> Result<u64, Fault> {
    let Some(number) = value.as_number() else { return Err(words::time_is_no_number()) };
    if !number.is_integral() {
        return Err(words::time_is_no_whole_number());
    }
    if number.is_negative() && !number.is_zero() {
        return Err(words::time_runs_backward());
    }
    // No clock of a run comes near what does not fit.
    Ok(number.to_i64().and_then(|time| u64::try_from(time).ok()).unwrap_or(u64::MAX))
}
