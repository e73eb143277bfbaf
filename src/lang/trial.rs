//! Owns what must hold for any text at all: that reading, checking, laying out and running it end, and that a layout means
//! what the text meant. Tests try it on damaged programs and on noise, the fuzz target on whatever it finds. Must not be
//! part of any path of the server.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::app::App;
use super::ast::Program;
use super::fault::Fault;
use super::format::format;
use super::machine::{Limits, Machine, Progress, World};
use super::memory::Memory;
use super::parse::parse;
use super::records::Store;
use super::value::{Map, Value};
use super::{read, report};

/// Instructions a run may take here.
const STEPS: u64 = 20_000;
/// Turns of a run; each carries out instructions or answers asks, so more of them never end.
const TURNS: usize = 10_000;
/// Flows of a program that are run.
const FLOWS: usize = 4;
/// Faults of one reading.
const MAX_FAULTS: usize = 100;

/// Reads `source` and, if it can be read, lays it out and runs its flows with `input`.
///
/// # Errors
/// What does not hold, as a sentence. Cost: at most `STEPS` instructions a flow.
pub fn trial(source: &str, input: &Value) -> Result<(), String> {
    reads(source)?;
    runs(source, input)
}

/// Whatever `source` is, reading ends; and if it can be read, its layout means the same and is final.
///
/// # Errors
/// What does not hold.
pub fn reads(source: &str) -> Result<(), String> {
    let program = match parse(source) {
        Ok(program) => program,
        Err(faults) => return told(&faults, source),
    };
    if let Err(faults) = read(source) {
        told(&faults, source)?;
    }
    let unwritten = |faults: Vec<Fault>| format!("the layout cannot be read: {faults:?}");
    let once = format(source).map_err(unwritten)?;
    let again = parse(&once).map_err(unwritten)?;
    if meaning(&again) != meaning(&program) {
        return Err(format!("the layout means something else:\n{once}"));
    }
    if format(&once).map_err(unwritten)? != once {
        return Err(format!("the layout is not final:\n{once}"));
    }
    Ok(())
}

/// Whatever `source` is, running each of its flows ends, within small limits.
///
/// # Errors
/// What does not hold.
pub fn runs(source: &str, input: &Value) -> Result<(), String> {
    let Ok(app) = read(source).and_then(App::new).map(Arc::new) else { return Ok(()) };
    app.tree().flows.iter().take(FLOWS).try_for_each(|flow| ends(&app, &flow.name.text, input))
}

fn ends(app: &Arc<App>, flow: &str, input: &Value) -> Result<(), String> {
    let world = World {
        identity: None,
        state: Map::default(),
        store: Store::new(),
        memory: Memory::new(),
        limits: Limits { steps: STEPS, memory_bytes: 4 << 20, text_bytes: 1 << 20, ..Limits::default() },
        observing: true,
        now_ms: None,
    };
    let mut run = Machine::start(Arc::clone(app), flow, input.clone(), world);
    for _ in 0..TURNS {
        match run.advance(100) {
            Progress::Blocked(asks) if asks.is_empty() => return Err(format!("{flow} waits for nothing")),
            Progress::Blocked(asks) => asks.iter().for_each(|ask| run.resolve(ask.id, Ok("answer".into()))),
            Progress::Spent => {}
            Progress::Wants(_) => return Err(format!("{flow} wants records that are in memory")),
            Progress::Done(_) => return Ok(()),
        }
    }
    Err(format!("{flow} does not end"))
}

/// Every fault can be shown to people and to programs.
fn told(faults: &[Fault], source: &str) -> Result<(), String> {
    if faults.is_empty() || faults.len() > MAX_FAULTS {
        return Err(format!("{} faults", faults.len()));
    }
    let shown = |fault: &Fault| {
        !report::text_with_source(fault, source).is_empty()
            && !report::pretty(fault, source, "app.ai", true).is_empty()
    };
    match faults.iter().find(|fault| !shown(fault)) {
        Some(fault) => Err(format!("a fault without words: {fault:?}")),
        None if report::failure(faults)["ok"] == false => Ok(()),
        None => Err("faults are told as no failure".to_owned()),
    }
}

/// The tree without places, to compare what two texts mean.
fn meaning(program: &Program) -> String {
    static SPAN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"Span \{ line: \d+, column: \d+, len: \d+ \}").expect("a valid pattern")
    });
    SPAN.replace_all(&format!("{program:?}"), "").into_owned()
}
