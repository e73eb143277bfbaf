//! Behaviour of the machine, program by program.

use std::sync::Arc;

use super::{Ask, AskFault, Limits, Machine, Outcome, Progress, World};
use crate::lang::fault::FaultKind;
use crate::lang::memory::Memory;
use crate::lang::mock::{self, MockCall};
use crate::lang::records::Store;
use crate::lang::value::{JsonStyle, Map, Value, parse_json};

mod any_order;
mod async_calls;
mod control;
mod faults;
mod limits;
mod records;
mod together;
mod wanting;

/// A world with nothing in it.
fn world() -> World {
    World {
        identity: None,
        state: Map::default(),
        store: Store::new(),
        memory: Memory::new(),
        limits: Limits::default(),
        observing: true,
        now_ms: None,
    }
}

fn machine(source: &str, input: &str, world: World) -> Machine {
    let source = format!("spec is \"1.0\"\n\n{source}");
    let app = crate::lang::load(&source).unwrap_or_else(|faults| panic!("{}", faults[0]));
    Machine::start(Arc::new(app), "main", parse_json(input).expect("the input is JSON"), world)
}

/// What the mock says.
fn mock_answer(ask: &Ask) -> Arc<str> {
    Arc::from(mock::answer(MockCall {
        model: &ask.model,
        system_prompt: ask.system_prompt.as_deref(),
        input: &ask.input,
        recalled: ask.mock_recalled(),
    }))
}

/// In which order open asks are answered.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Oldest,
    Newest,
}

/// Runs to the end; gives the outcome and the most asks that were open at once.
fn drive(machine: &mut Machine, order: Order, slice: u64) -> (Outcome, usize) {
    drive_by(machine, |open| if order == Order::Oldest { 0 } else { open - 1 }, || slice)
}

/// As [`drive`]: `next` says which of so many open asks is answered, `slice` how far the machine goes at a time.
fn drive_by(
    machine: &mut Machine,
    mut next: impl FnMut(usize) -> usize,
    mut slice: impl FnMut() -> u64,
) -> (Outcome, usize) {
    let (mut open, mut most): (Vec<Ask>, usize) = (Vec::new(), 0);
    loop {
        match machine.advance(slice()) {
            Progress::Done(outcome) => return (*outcome, most),
            Progress::Spent => {}
            Progress::Wants(_) => unreachable!("records in memory want nothing"),
            Progress::Blocked(new) => {
                open.extend(new);
                let gone = machine.take_cancelled();
                open.retain(|ask| !gone.contains(&ask.id));
                most = most.max(open.len());
                assert!(!open.is_empty(), "the run waits for nothing");
                let ask = open.remove(next(open.len()));
                let answer = if ask.input.contains("FAIL") {
                    Err(AskFault { message: "the model is down".to_owned(), kind: FaultKind::AiFailed })
                } else {
                    Ok(mock_answer(&ask))
                };
                machine.resolve(ask.id, answer);
            }
        }
    }
}

fn run_in(source: &str, input: &str, world: World) -> Outcome {
    drive(&mut machine(source, input, world), Order::Oldest, u64::MAX).0
}

fn run(source: &str) -> Outcome {
    run_in(source, "{}", world())
}

/// The result as JSON.
fn result(source: &str) -> String {
    match run(source).result {
        Ok(value) => value.to_json(JsonStyle::Compact),
        Err(fault) => panic!("{fault}"),
    }
}

/// The fault as `line:column text`, only the first line of it.
fn fault(source: &str) -> String {
    let fault = run(source).result.expect_err("the program fails");
    let place = fault.span.map_or_else(String::new, |span| format!("{}:{} ", span.line, span.column));
    let text = fault.message();
    format!("{place}{}", text.lines().next().unwrap_or_default())
}

fn json(value: &Value) -> String {
    value.to_json(JsonStyle::Compact)
}

/// The result as JSON, or the fault.
fn came(outcome: &Outcome) -> String {
    match &outcome.result {
        Ok(value) => json(value),
        Err(fault) => fault.to_string(),
    }
}

/// Everything a run leaves behind, as text.
fn told(outcome: &Outcome) -> String {
    let yields: Vec<String> = outcome.yields.iter().map(|y| format!("{} {}", y.sequence, y.output)).collect();
    let logs: Vec<String> = outcome.logs.iter().map(|line| line.message.to_string()).collect();
    let steps: Vec<String> =
        outcome.steps.iter().map(|step| format!("{:?} {}", step.kind, step.what)).collect();
    let (memory, state) = (json(&outcome.memory.to_value()), json(&outcome.shown_state));
    let result = came(outcome);
    format!("{result}\n{yields:?}\n{logs:?}\n{steps:#?}\n{memory}\n{state}\n{}", outcome.instructions)
}
