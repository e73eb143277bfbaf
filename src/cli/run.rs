//! Owns `tidegate run`: one flow of an app from its input to its result. An engine is made only when the flow asks.

use std::cell::RefCell;
use std::io::{IsTerminal, Stdout, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tidegate_actors::ports::clock::{Clock, SystemClock};

use super::Parts;
use super::flags::AppArgs;
use super::program::{Program, Refused, complain, print_faults};
use super::screen::Screen;
use crate::config::Loaded;
use crate::lang::Machine;
use crate::lang::fault::Fault;
use crate::lang::machine::{Limits, Outcome, World};
use crate::lang::records::Store;
use crate::lang::value::{JsonStyle, Map, Value, parse_json};
use crate::run::{Asker, Begun, Ran, Tell, begin, drive_beside_others, payload, wait};

/// One flow of an app.
#[derive(Debug, Args)]
pub(super) struct FlowArgs {
    /// The app
    #[arg(value_name = "APP.AI")]
    pub(super) app: PathBuf,
    /// The flow [default: the only one]
    #[arg(long, value_name = "NAME")]
    flow: Option<String>,
    /// Its input: a JSON object, or @FILE that holds one
    #[arg(long, value_name = "JSON|@FILE")]
    input: Option<String>,
    /// Print everything, as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// A run.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) flow: FlowArgs,
    #[command(flatten)]
    pub(super) settings: AppArgs,
}

/// A run whose answers may be seen as they come.
#[derive(Debug, Args)]
pub(super) struct SeenRunArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Print answers asked for with `stream: true` as they come [default: on a terminal]
    #[arg(long, conflicts_with = "json")]
    stream: bool,
}

/// Runs the flow. The exit code says whether it succeeded.
pub(super) fn run(args: &SeenRunArgs, parts: Parts) -> bool {
    let SeenRunArgs { run: RunArgs { flow: args, settings }, stream } = args;
    let program = match Program::open(&args.app, settings.load_args()) {
        Ok(program) => program,
        Err(refused) => return refuse(&refused, &args.app, args.json),
    };
    match ready(args, &program) {
        Ok((flow, input, identity)) => {
            let seen = !args.json && (*stream || std::io::stdout().is_terminal());
            let (tell, screen) = seen.then(|| Screen::new(std::io::stdout())).unzip();
            match go(&program, (&flow, input, identity), parts, tell) {
                Ok(ran) => told(&program, &ran.outcome, args.json, screen.as_deref()),
                Err(text) => not_begun(&Fault::config(text), args.json),
            }
        }
        Err(fault) => not_begun(&fault, args.json),
    }
}

/// Tells why no flow began; with `--json` for programs too.
pub(super) fn not_begun(fault: &Fault, json: bool) -> bool {
    if json {
        say(&payload::pretty(&payload::failure(&[fault])));
    }
    failed(&fault.message())
}

pub(super) fn failed(text: &str) -> bool {
    complain(text);
    false
}

pub(super) fn refuse(refused: &Refused, path: &Path, json: bool) -> bool {
    refused.print(path);
    if json {
        let told = match refused {
            Refused::Program(faults, _) => payload::failure(faults),
            Refused::Settings(text) => payload::failure(&[Fault::config(text.as_str())]),
        };
        say(&payload::pretty(&told));
    }
    false
}

pub(super) fn ready(args: &FlowArgs, program: &Program) -> Result<(String, Value, Option<Map>), Fault> {
    let flow = program.flow(args.flow.as_deref())?;
    let input = match &args.input {
        Some(text) => input(text, "--input").map_err(Fault::config)?,
        None => Value::fields([]),
    };
    Ok((flow, input, program.identity().map_err(Fault::config)?))
}

/// The input as it was typed, or as the file has it; `place` is what it was typed as.
pub(super) fn input(text: &str, place: &str) -> Result<Value, String> {
    let (text, at) = match text.strip_prefix('@') {
        Some(file) => {
            let read = std::fs::read_to_string(file);
            (read.map_err(|error| format!("cannot read {file}: {error}"))?, format!("{file} of {place}"))
        }
        None => (text.to_owned(), place.to_owned()),
    };
    let value = parse_json(&text).map_err(|fault| format!("{at} is not JSON: {fault}"))?;
    match value {
        Value::Map(_) => Ok(value),
        other => Err(format!("{at} must be a JSON object, got {}", other.type_name())),
    }
}

/// Runs without an engine until the flow asks, then with one; `tell` hears of it while it goes on.
pub(super) fn go(
    program: &Program,
    question: (&str, Value, Option<Map>),
    parts: Parts,
    tell: Option<Tell>,
) -> Result<Ran, String> {
    go_then(program, question, parts, tell, |_, _| ()).map(|(ran, _)| ran)
}

/// As [`go`]; `look` sees who asked while that still lives, if the flow asked at all.
pub(super) fn go_then<T>(
    program: &Program,
    (flow, input, identity): (&str, Value, Option<Map>),
    parts: Parts,
    tell: Option<Tell>,
    look: impl FnOnce(&Asker, &Ran) -> T,
) -> Result<(Ran, Option<T>), String> {
    let store = (parts.records)(&program.loaded.config.persistence, program.folder());
    let archive = store.archive().cloned();
    let memory = program.memory()?;
    let start = |store: Store| {
        let world = World {
            identity: identity.clone(),
            state: Map::default(),
            memory: memory.clone(),
            limits: Limits::default(),
            observing: program.observing(),
            // Records that end with the process are younger than any lifetime.
            now_ms: store.archive().map(|_| now_ms()),
            store,
        };
        Machine::start(Arc::clone(&program.app), flow, input.clone(), world)
    };
    let done = match begin(start(store)) {
        Begun::Done(outcome) => Ok((Ran { outcome: *outcome, told: Vec::new() }, None)),
        Begun::Waits(run, asks) => {
            let Loaded { config, .. } = &program.loaded;
            actix_web::rt::System::new().block_on(async {
                let asker = (parts.asker)(config, &config.performance).map_err(|error| error.to_string())?;
                asker.engine().ready().await; // else the first ask finds no cache yet
                let ran = drive_beside_others(run, asks, &asker, tell, start).await;
                // The answers are there and paid for: that they cannot be remembered must not hide them.
                if let Err(text) = program.remember(&ran.outcome.memory) {
                    complain(&text);
                }
                let seen = look(&asker, &ran);
                Ok((ran, Some(seen)))
            })
        }
    };
    if let Some(archive) = archive {
        wait(archive.close()).map_err(|fault| fault.to_string())?;
    }
    done
}

/// Milliseconds of the clock by which records expire.
pub(super) fn now_ms() -> i64 {
    SystemClock::new().unix_us() / 1_000
}

fn told(program: &Program, outcome: &Outcome, json: bool, screen: Option<&RefCell<Screen<Stdout>>>) -> bool {
    let text = outcome.result.as_ref().ok().and_then(Value::as_text).map(AsRef::as_ref);
    let stands_there = screen.is_some_and(|screen| screen.borrow_mut().end(text));
    match &outcome.result {
        Ok(result) => {
            match (json, result) {
                _ if stands_there => {}
                (true, _) => say(&payload::pretty(&payload::payload(outcome))),
                (false, Value::Text(text)) => say(text),
                (false, value) => say(&value.to_json(JsonStyle::Pretty)),
            }
            true
        }
        Err(fault) => {
            print_faults(std::slice::from_ref(fault), &program.source, &program.path);
            if json {
                say(&payload::pretty(&payload::payload(outcome)));
            }
            false
        }
    }
}

/// Prints an answer. Nobody is left to tell when standard output is closed.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
