//! Owns `tidegate search`: what was ingested beside an app, nearest to a question first. What is near is decided in `run`.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::Parts;
use super::flags::FileArgs;
use super::ingest::{INDEX, read};
use super::program::{Program, Refused};
use super::run::{failed, refuse, say};
use crate::lang::value::{JsonStyle, Value};
use crate::run::ingest::{Embedder, Found, Index, Pace, models, nearest};
use crate::run::missing_capabilities;

/// Chunks that are shown where nothing else is said.
const SHOWN: usize = 5;

/// A question to what was ingested.
#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    /// The app
    #[arg(value_name = "APP.AI")]
    app: PathBuf,
    /// What to look for
    #[arg(value_name = "QUESTION")]
    question: String,
    /// Chunks to show, at most
    #[arg(long, value_name = "N", default_value_t = SHOWN)]
    limit: usize,
    /// Whose vectors: `hash`, or PROVIDER/MODEL [default: the only ones there are]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Print JSON: each chunk with its score and source
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: FileArgs,
}

/// Searches. The exit code says whether there was something to search and a question to search with.
pub(super) fn run(args: &SearchArgs, parts: Parts) -> bool {
    let program = match Program::open(&args.app, args.settings.load_args()) {
        Ok(program) => program,
        Err(refused) => return refuse(&refused, &args.app, args.json),
    };
    let why = "A search makes a vector of the question (embedding), and the app does not ask for that.";
    if let Some(fault) = missing_capabilities(&program.app, &["embedding"], why) {
        return refuse(&Refused::Program(vec![fault], program.source), &args.app, args.json);
    }
    match go(args, &program, parts) {
        Ok((model, found)) => {
            match args.json {
                true => say(&as_json(&args.question, &model, &found).to_json(JsonStyle::Pretty)),
                false => say(as_text(&found).trim_end()),
            }
            true
        }
        Err(text) => failed(&text),
    }
}

fn go(args: &SearchArgs, program: &Program, parts: Parts) -> Result<(Arc<str>, Vec<Found>), String> {
    if args.limit == 0 {
        return Err("--limit must be at least 1, got 0".to_owned());
    }
    let path = program.beside(INDEX);
    let index = read(&path)?;
    let asked = match &args.model {
        Some(name) => name.clone(),
        None => {
            Embedder::name_of(&only_model(&index).map_err(|fault| format!("{}: {fault}", path.display()))?)
        }
    };
    let config = &program.loaded.config;
    let pace = Pace::of(&config.performance, config.gateway.deadline_ms);
    actix_web::rt::System::new().block_on(async {
        let asker = (parts.asker)(config, &config.performance).map_err(|error| error.to_string())?;
        asker.engine().ready().await;
        let embedder = Embedder::new(&asker, &asked, pace)?;
        let model = Arc::clone(embedder.id());
        if !models(&index).contains(&model) {
            return Err(format!("{} has no vectors of {model}: {}", path.display(), known(&index)));
        }
        let mut vector = None;
        embedder
            .embed(&[args.question.as_str().into()], |embeddings| vector = embeddings.into_iter().next())
            .await;
        let vector = vector.ok_or("the question was not embedded")??;
        let found = nearest(&index, &model, &vector, args.limit)?;
        Ok((model, found))
    })
}

/// The model of the vectors, where there is one.
fn only_model(index: &Index) -> Result<Arc<str>, String> {
    let mut models = models(index).into_iter();
    match (models.next(), models.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(known(index)),
    }
}

/// What there is instead of the only, or the wanted, vectors, and what to do.
fn known(index: &Index) -> String {
    let names: Vec<String> = models(index).iter().map(|id| Embedder::name_of(id)).collect();
    match names.is_empty() {
        true => "nothing was ingested yet; `tidegate ingest APP.AI FILE...` does it".to_owned(),
        false => format!("choose with --model: {}", names.join(", ")),
    }
}

/// A line for each chunk with its score and source, and below it what it says.
fn as_text(found: &[Found]) -> String {
    let mut text = String::new();
    for Found { score, document, chunk, text: words } in found {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{score:.4}  {document}, chunk {chunk}");
        for line in words.lines() {
            let line = line.replace(char::is_control, " ");
            let _ = writeln!(text, "{}", format!("        {line}").trim_end());
        }
        text.push('\n');
    }
    text
}

fn as_json(question: &str, model: &str, found: &[Found]) -> Value {
    let one = |found: &Found| {
        Value::fields([
            ("chunk", Value::int(found.chunk)),
            ("document", Value::Text(found.document.clone())),
            ("score", Value::Float(found.score)),
            ("text", Value::Text(found.text.clone())),
        ])
    };
    Value::fields([
        ("found", Value::list(found.iter().map(one).collect())),
        ("model", model.into()),
        ("ok", Value::Bool(true)),
        ("question", question.into()),
    ])
}
