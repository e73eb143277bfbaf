//! Owns `tidegate explain`: a run of a flow, then each of its AI calls as a table, as JSON and as a picture.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Parts;
use super::program::{Program, complain, print_faults};
use super::run::{RunArgs, failed, go_then, ready, refuse, say};
use super::table::{Table, cut};
use super::timeline::{Bar, picture};
use crate::lang::value::{JsonStyle, Value};
use crate::run::{Explained, Ran, explain};

/// Characters of an input shown in the text form.
const INPUT_CHARS: usize = 60;
/// Hexadecimal digits of a key shown in the table.
const KEY_DIGITS: usize = 12;

/// A run whose AI calls are explained.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Draw the calls on a time axis, into this file
    #[arg(long, value_name = "OUT.SVG")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

/// Runs the flow and tells of its calls. The exit code says whether the flow succeeded and everything was written.
pub(super) fn run(args: &ExplainArgs, parts: Parts) -> bool {
    let ExplainArgs { run: RunArgs { flow: run, settings }, svg } = args;
    let program = match Program::open(&run.app, settings.load_args()) {
        Ok(program) => program,
        Err(refused) => return refuse(&refused, &run.app, run.json),
    };
    let done = ready(run, &program).map_err(|fault| fault.message()).and_then(|(flow, input, identity)| {
        go_then(&program, (&flow, input, identity), parts, None, |asker, ran| explain(asker, &ran.told))
    });
    match done {
        Ok((ran, calls)) => {
            let calls = calls.unwrap_or_default();
            let told = tell(&program, &ran, &calls, run.json);
            svg.as_deref().is_none_or(|path| draw(path, &program, &calls)) && told
        }
        Err(text) => failed(&text),
    }
}

fn tell(program: &Program, ran: &Ran, calls: &[Explained], json: bool) -> bool {
    let fault = ran.outcome.result.as_ref().err();
    match json {
        true => say(&as_json(ran, calls).to_json(JsonStyle::Pretty)),
        false => say(&as_text(program, ran, calls)),
    }
    if let Some(fault) = fault {
        print_faults(std::slice::from_ref(fault), &program.source, &program.path);
    }
    fault.is_none()
}

fn as_json(ran: &Ran, calls: &[Explained]) -> Value {
    let result = ran.outcome.result.as_ref();
    Value::fields([
        ("calls", Value::list(calls.iter().map(Explained::to_value).collect())),
        ("error", result.err().map(|fault| Value::text(fault.message())).unwrap_or_default()),
        ("flow", Value::Text(ran.outcome.flow.clone())),
        ("ok", Value::Bool(result.is_ok())),
    ])
}

fn as_text(program: &Program, ran: &Ran, calls: &[Explained]) -> String {
    let flow = &ran.outcome.flow;
    if calls.is_empty() {
        return format!("flow \"{flow}\" of {}: no AI call", program.path.display());
    }
    let mut table = Table::new(&["#", "flow", "asked", "of", "line", "came", "key", "began", "wait", "time"]);
    for call in calls {
        let (ask, told) = (&call.told.ask, &call.told);
        let who = ask.agent.as_ref().map_or_else(
            || format!("profile {}", ask.profile),
            |agent| format!("agent {agent} ({})", ask.profile),
        );
        table.row([
            call.number.to_string(),
            ask.flow.to_string(),
            who,
            format!("{}/{}", ask.provider, ask.model),
            ask.span.line.to_string(),
            call.outcome().to_owned(),
            call.key().0.chars().take(KEY_DIGITS).collect(),
            ms(told.began),
            ms(told.waited),
            ms(told.took),
        ]);
    }
    table.right(&["#", "line", "began", "wait", "time"]);
    let why =
        calls.iter().map(|call| format!("  {:>2}  {}: {}\n", call.number, call.outcome(), call.because()));
    let keys = calls.iter().map(|call| format!("  {:>2}  {}\n", call.number, key_line(call)));
    format!(
        "flow \"{flow}\" of {}: {}\n\n{table}\nWhy\n{}\nWhat makes the key\n{}",
        program.path.display(),
        summary(calls),
        why.collect::<String>(),
        keys.collect::<String>().trim_end_matches('\n')
    )
}

fn summary(calls: &[Explained]) -> String {
    let words = ["hit", "joined", "miss", "bypass", "failed", "not_asked"];
    let counts = words.iter().filter_map(|word| {
        let count = calls.iter().filter(|call| call.outcome() == *word).count();
        (count > 0).then(|| format!("{count} {}", word.replace('_', " ")))
    });
    let calls = if calls.len() == 1 { "1 AI call".to_owned() } else { format!("{} AI calls", calls.len()) };
    format!("{calls} ({})", counts.collect::<Vec<_>>().join(", "))
}

fn key_line(call: &Explained) -> String {
    let ask = &call.told.ask;
    let prompt = ask.system_prompt.as_ref().map_or_else(
        || "none".to_owned(),
        |prompt| Value::text(cut(prompt, INPUT_CHARS)).to_json(JsonStyle::Compact),
    );
    let tools = if ask.tools.is_empty() { "none".to_owned() } else { ask.tools.join(", ") };
    let input = Value::text(cut(&ask.input, INPUT_CHARS)).to_json(JsonStyle::Compact);
    let remembered = ask.recalled.as_ref().map_or(0, Vec::len);
    format!(
        "provider {}, model {}, system prompt {prompt}, tools {tools}, memory {remembered} items, input {input}",
        ask.provider, ask.model
    )
}

fn ms(time: std::time::Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn draw(path: &Path, program: &Program, calls: &[Explained]) -> bool {
    let bars: Vec<Bar> = calls
        .iter()
        .map(|call| Bar {
            label: format!(
                "{}  {}",
                call.number,
                call.told.ask.agent.as_ref().unwrap_or(&call.told.ask.profile)
            ),
            note: call.outcome().to_owned(),
            began: call.told.began,
            waited: call.told.waited,
            took: call.told.took,
        })
        .collect();
    let title = format!("AI calls of {}", program.path.display());
    match std::fs::write(path, picture(&title, &bars)) {
        Ok(()) => true,
        Err(error) => {
            complain(&format!("cannot write {}: {error}", path.display()));
            false
        }
    }
}
