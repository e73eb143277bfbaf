//! Owns `tidegate prove`: the grid of a proof on its way, its table, its verdict. What is proved is decided in `run`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::Parts;
use super::flags::FileArgs;
use super::ingest::documents;
use super::program::Program;
use super::progress::Progress;
use super::run::{FlowArgs, failed, now_ms, ready, refuse, say};
use super::table::Table;
use crate::lang::value::{JsonStyle, Value};
use crate::run::ingest::{CHUNK_CHARS, HASH, chunks};
use crate::run::prove::{Cell, Claim, Difference, Given, Tried, Verdict, prove};

/// A run whose result must not depend on settings.
#[derive(Debug, Args)]
pub(super) struct ProveArgs {
    /// Of everything that is drawn: how late each answer comes, where the cache dies
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Prove the vectors of these texts too, embedded as `tidegate ingest` does
    #[arg(long, value_name = "FILE", num_args = 1..)]
    texts: Vec<PathBuf>,
    /// Who embeds them: `hash`, or PROVIDER/MODEL
    #[arg(long, value_name = "MODEL", default_value = HASH)]
    model: String,
    #[command(flatten)]
    run: FlowArgs,
    // The grid tries every performance setting itself.
    #[command(flatten)]
    file: FileArgs,
}

/// Proves the run. The exit code is the verdict.
pub(super) fn run(args: &ProveArgs, parts: Parts) -> bool {
    let ProveArgs { run, seed, file, .. } = args;
    let program = match Program::open(&run.app, file.load_args()) {
        Ok(program) => program,
        Err(refused) => return refuse(&refused, &run.app, run.json),
    };
    match claim(args, &program, parts).and_then(|claim| go(&claim, *seed, &program, parts)) {
        Ok(verdict) => {
            match run.json {
                true => say(&as_json(&verdict).to_json(JsonStyle::Pretty)),
                false => say(&as_text(&verdict, std::io::stdout().is_terminal())),
            }
            verdict.holds()
        }
        Err(text) => failed(&text),
    }
}

fn claim(args: &ProveArgs, program: &Program, parts: Parts) -> Result<Claim, String> {
    let (flow, input, identity) = ready(&args.run, program).map_err(|fault| fault.message())?;
    let documents = documents(&args.texts, program)?;
    let texts = documents.iter().flat_map(|(_, text)| chunks(text, CHUNK_CHARS)).map(Arc::from).collect();
    let store = (parts.records)(&program.loaded.config.persistence, program.folder());
    Ok(Claim {
        app: program.app.clone(),
        flow,
        input,
        identity,
        memory: program.memory()?,
        archive: store.archive().map(|archive| (archive.clone(), now_ms())),
        observing: program.observing(),
        texts,
        embedding: args.model.clone(),
    })
}

fn go(claim: &Claim, seed: u64, program: &Program, parts: Parts) -> Result<Verdict, String> {
    let cells = Cell::all();
    let mut progress = Progress::new("cells", cells.len());
    let make = |settings: &_, given: &Given| {
        let asker = (parts.asker)(&program.loaded.config, settings)?;
        Ok(given.fix(asker))
    };
    let verdict = prove(claim, &cells, seed, &make, &mut |done| progress.at(done));
    progress.end();
    verdict
}

fn on(switch: bool) -> &'static str {
    if switch { "on" } else { "off" }
}

fn as_text(verdict: &Verdict, colour: bool) -> String {
    let mut table =
        Table::new(&["cache", "batching", "slots", "ports", "hit", "joined", "asked", "time", "verdict"]);
    table.right(&["slots", "hit", "joined", "asked", "time"]);
    for Tried { cell, differences, came: [hit, joined, asked], took } in &verdict.tried {
        table.row([
            on(cell.cache).to_owned(),
            on(cell.batching).to_owned(),
            cell.concurrency.to_string(),
            cell.trouble.name().to_owned(),
            hit.to_string(),
            joined.to_string(),
            asked.to_string(),
            format!("{} ms", took.as_millis()),
            told(differences),
        ]);
    }
    let details = first_differences(verdict);
    let plain = match verdict.plain.of_what("fault") {
        Some("") | None => "succeeds",
        Some(_) => "fails",
    };
    let asks = if verdict.asks == 1 { "1 AI call".to_owned() } else { format!("{} AI calls", verdict.asks) };
    format!("The plain serial run {plain} after {asks}. Compared with it:\n\n{table}\n{details}{}", {
        let text = sentence(verdict);
        match (colour, verdict.holds()) {
            (true, true) => format!("\u{1b}[32m{text}\u{1b}[0m"),
            (true, false) => format!("\u{1b}[31m{text}\u{1b}[0m"),
            _ => text,
        }
    })
}

fn told(differences: &[Difference]) -> String {
    if differences.is_empty() {
        return "same".to_owned();
    }
    let what: Vec<&str> = differences.iter().map(|difference| difference.what).collect();
    format!("DIFFERENT: {}", what.join(", "))
}

/// What the first cell that differs gave instead.
fn first_differences(verdict: &Verdict) -> String {
    let Some(tried) = verdict.tried.iter().find(|tried| !tried.differences.is_empty()) else {
        return String::new();
    };
    let line = |difference: &Difference| {
        let Difference { what, plain, here } = difference;
        format!("  {what}\n    plain  {plain}\n    here   {here}\n")
    };
    let lines: String = tried.differences.iter().map(line).collect();
    format!("First difference: {}\n{lines}\n", named(&tried.cell))
}

fn named(cell: &Cell) -> String {
    let Cell { cache, batching, concurrency, trouble } = cell;
    format!("cache {}, batching {}, {concurrency} slots, ports {}", on(*cache), on(*batching), trouble.name())
}

fn sentence(verdict: &Verdict) -> String {
    let cells = verdict.tried.len();
    let differ = verdict.tried.iter().filter(|tried| !tried.differences.is_empty()).count();
    match differ {
        0 => format!("PROVED: {cells} of {cells} cells are the same, byte for byte (seed {}).", verdict.seed),
        _ => format!(
            "NOT PROVED: {differ} of {cells} cells differ with seed {0}. See it again with --seed {0}.",
            verdict.seed
        ),
    }
}

fn as_json(verdict: &Verdict) -> Value {
    let whole = |number: usize| Value::int(i64::try_from(number).unwrap_or(i64::MAX));
    let cell = |tried: &Tried| {
        let Tried { cell, differences, came: [hit, joined, asked], took } = tried;
        let differences = differences.iter().map(|difference| {
            Value::fields([
                ("here", difference.here.as_str().into()),
                ("plain", difference.plain.as_str().into()),
                ("what", difference.what.into()),
            ])
        });
        Value::fields([
            ("asked", whole(*asked)),
            ("batching", Value::Bool(cell.batching)),
            ("cache", Value::Bool(cell.cache)),
            ("concurrency", whole(cell.concurrency)),
            ("differences", Value::list(differences.collect())),
            ("hit", whole(*hit)),
            ("joined", whole(*joined)),
            ("ports", cell.trouble.name().into()),
            ("same", Value::Bool(tried.differences.is_empty())),
            ("took_ms", Value::Float(took.as_micros() as f64 / 1e3)),
        ])
    };
    Value::fields([
        ("asks", whole(verdict.asks)),
        ("cells", Value::list(verdict.tried.iter().map(cell).collect())),
        ("proved", Value::Bool(verdict.holds())),
        ("seed", Value::int(i64::try_from(verdict.seed).unwrap_or(i64::MAX))),
    ])
}

#[cfg(test)]
mod tests;
