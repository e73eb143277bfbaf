//! Owns the grammar of the command line and hands each command to its file. Must not know how a server is put together:
//! `main` passes that in, because imports point down only.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{Config, Performance, Persistence};
use crate::lang::records::Store;
use crate::run::Asker;

mod check;
mod db;
mod explain;
mod flags;
mod health;
mod ingest;
mod key;
mod limit;
mod listing;
mod n3;
mod office;
pub mod program;
mod progress;
mod prove;
mod run;
mod screen;
mod search;
mod serve;
pub mod service;
mod settings;
mod table;
mod timeline;
mod user;
mod workspace;

use self::flags::{AddressArgs, AppArgs, DataArgs, ServerArgs};
use self::service::Service;
pub use office::{Books, Settled};
pub use serve::{Up, banner};

/// What commands need from the composition, which they must not name.
#[derive(Clone, Copy)]
pub struct Parts {
    /// Runs a server until it is told to stop.
    pub serve: fn(Service) -> Result<(), ServeError>,
    /// Makes who answers the asks of a program; in a running actix `System`.
    pub asker: fn(&Config, &Performance) -> Result<Asker, ServeError>,
    /// Makes the records of the app in a folder. Nothing is opened before a run wants something of them.
    pub records: fn(&Persistence, &Path) -> Store,
    /// Looks after the database; says what there is to say, name by name.
    pub upkeep: fn(&Config, Upkeep) -> Result<Told, ServeError>,
    /// Opens where keys are given.
    pub office: fn(&Config) -> Result<Books, ServeError>,
}

/// Names and what is to be said of them.
pub type Told = Vec<(String, String)>;

/// What is done to the database as a whole.
#[derive(Debug, Clone)]
pub enum Upkeep {
    /// Look at it.
    Status,
    /// Make it or bring it up to date.
    Migrate,
    /// Copy it to this new file.
    Backup(PathBuf),
    /// Put the copy in this file in its place.
    Restore(PathBuf),
    /// Keep it fast.
    Optimize,
}

/// How a server ended when it did not end well.
pub type ServeError = Box<dyn std::error::Error + Send + Sync>;

const EXAMPLES: &str = "\
Examples:
  tidegate serve                          start on http://127.0.0.1:8080, nothing to configure
  tidegate serve --port 9000 --config up.toml
  tidegate config                         every setting, its value and where it came from
  tidegate config --check --config up.toml
  tidegate health                         exit code 0 when the server answers

Settings come from, strongest first: flag, environment (TIDEGATE_LISTEN_PORT is listen.port), file, default.
config/tidegate.toml lists every key with its unit and reason.";

const SERVE_EXAMPLES: &str = "\
Examples:
  tidegate serve
  tidegate serve app.ai                   its routes, /api/action and /api/ui beside the gateway's paths
  tidegate serve --port 0                 take a free port and print it
  TIDEGATE_GATEWAY_CACHE=off tidegate serve --config up.toml

Point any OpenAI or Anthropic SDK at it:
  OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=unused python app.py
  ANTHROPIC_BASE_URL=http://127.0.0.1:8080 ANTHROPIC_API_KEY=unused python app.py

A smallest file for a real provider (tidegate.toml):
  [providers.openai]
  kind = \"openai\"
  api_key_env = \"OPENAI_API_KEY\"";

const RUN_EXAMPLES: &str = "\
Examples:
  tidegate run app.ai                     the only flow, without input
  tidegate run app.ai --flow greet --input '{\"name\": \"Ann\"}'
  tidegate run app.ai --input @order.json --json
  tidegate run app.ai --stream | tee talk.txt      answers of `stream: true` as they come, as on a terminal
  tidegate run app.ai --async-runtime true --max-concurrency 8 --cache-size 128
  N3_PERSIST_TARGET=sqlite tidegate run app.ai     keep its records in .namel3ss/data.db

Settings beside the app count: namel3ss.toml, tidegate.toml, .env. N3_IDENTITY_JSON says who runs it.";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  tidegate explain app.ai                 which call was answered from where, and why
  tidegate explain app.ai --cache-size 64 the same with a cache: look for `hit` and what a miss differs in
  tidegate explain app.ai --flow greet --input '{\"name\": \"Ann\"}' --json
  tidegate explain app.ai --async-runtime true --max-concurrency 4 --svg calls.svg

came: hit (from memory), joined (another call asked the same at that moment), miss (asked, and kept), bypass (asked,
not kept), failed. wait: all of the time in which the provider was not at work on the answer.";

const PROVE_EXAMPLES: &str = "\
Examples:
  tidegate prove app.ai                   does any setting change what the only flow gives?
  tidegate prove app.ai --flow greet --input '{\"name\": \"Ann\"}'
  tidegate prove app.ai --texts notes/*.txt   do batches change a vector or its place?
  tidegate prove app.ai --seed 7 --json   other delays and deaths; the same seed draws the same

48 runs, each in a world of its own: cache on and off, batching on and off, 1, 2, 8 and 32 slots, and ports as they are,
with answers late and in another order, and with the cache killed around them. Result, fault, state, yields, steps,
memory, records, logs and vectors must be those of a plain serial run, byte for byte. Each question is put to a real provider
once; all runs get that answer. Nothing the app keeps is changed. Exit code 0: proved; 1: not.";

const INGEST_EXAMPLES: &str = "\
Examples:
  tidegate ingest app.ai notes/*.txt      embed the texts; a second time only what is new
  tidegate ingest app.ai book.txt --chunk-chars 400
  tidegate ingest app.ai book.txt --enable-batching true --max-concurrency 32
  tidegate ingest app.ai book.txt --model openai/text-embedding-3-small

The app needs the capabilities uploads and embedding. A text is cut into chunks of at most 800 characters, at the last
empty line in the second half of a chunk, else at a line end, else at the end of a sentence, else between words. With
--enable-batching a request carries as many chunks as --max-concurrency says, at most 64; else one. A chunk that is
refused is marked unavailable, the others are embedded; the exit code is 1 then, and the next run tries it again.

The index is .namel3ss/embeddings.jsonl beside the app: a line of JSON for each chunk, with document, chunk, text, model,
status (ready, unavailable), vector. Known chunks (same text, same model) are not embedded again.";

const SEARCH_EXAMPLES: &str = "\
Examples:
  tidegate search app.ai \"who pays for a joined call?\"
  tidegate search app.ai \"tides\" --limit 1 --json

Looks at every chunk that `tidegate ingest` put beside the app; the question is embedded as they were. The score is the
cosine of both vectors: 1 is the same direction, 0 nothing in common. Of equal scores the first in the index comes first.";

const CONFIG_EXAMPLES: &str = "\
Examples:
  tidegate config                         a table
  tidegate config --json                  {\"values\":[{\"path\",\"value\",\"source\"}, ..]}
  tidegate config --check                 says ok, or every fault with its line, and exits with 1

Secrets are shown as `set`, never as text.";

#[derive(Debug, Parser)]
#[command(name = "tidegate", version, about = "A gateway for AI calls: remembers, joins, batches, explains.")]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server
    #[command(after_help = SERVE_EXAMPLES)]
    Serve {
        /// An app to serve beside the gateway
        #[arg(value_name = "APP.AI")]
        app: Option<PathBuf>,
        #[command(flatten)]
        settings: ServerArgs,
    },
    /// Run one flow of an app
    #[command(after_help = RUN_EXAMPLES)]
    Run(run::SeenRunArgs),
    /// Run one flow of an app and explain each of its AI calls
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(explain::ExplainArgs),
    /// Prove that no setting changes what a flow gives
    #[command(after_help = PROVE_EXAMPLES)]
    Prove(prove::ProveArgs),
    /// Cut texts into chunks and embed them, into the index beside an app
    #[command(after_help = INGEST_EXAMPLES)]
    Ingest(ingest::IngestArgs),
    /// Find what is nearest to a question in what was ingested
    #[command(after_help = SEARCH_EXAMPLES)]
    Search(search::SearchArgs),
    /// Check an app without running it
    Check {
        /// The app
        #[arg(value_name = "APP.AI")]
        app: PathBuf,
        /// Print JSON: each error with its place
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: AppArgs,
    },
    /// Lay out apps in the one layout there is; comments stay
    Fmt {
        /// The apps
        #[arg(value_name = "APP.AI", required = true)]
        apps: Vec<PathBuf>,
        /// Change nothing; exit with 1 if something would change
        #[arg(long)]
        check: bool,
    },
    /// Show the configuration, or check it
    #[command(after_help = CONFIG_EXAMPLES)]
    Config {
        /// Say ok, or list every fault, and exit with 1 if there is one
        #[arg(long, conflicts_with = "json")]
        check: bool,
        /// Print JSON: each value with its source
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: ServerArgs,
    },
    /// Make, list, rotate and revoke API keys
    #[command(after_help = key::EXAMPLES)]
    Key {
        #[command(subcommand)]
        command: key::KeyCommand,
        #[command(flatten)]
        settings: DataArgs,
    },
    /// Say what workspaces and keys may use
    #[command(after_help = limit::EXAMPLES)]
    Limit {
        #[command(subcommand)]
        command: limit::LimitCommand,
        #[command(flatten)]
        settings: DataArgs,
    },
    /// Add and list people who sign in, say what they may, keep them out
    #[command(after_help = user::EXAMPLES)]
    User {
        #[command(subcommand)]
        command: user::UserCommand,
        #[command(flatten)]
        settings: DataArgs,
    },
    /// Make and list workspaces
    #[command(after_help = workspace::EXAMPLES)]
    Workspace {
        #[command(subcommand)]
        command: workspace::WorkspaceCommand,
        #[command(flatten)]
        settings: DataArgs,
    },
    /// Look after the database of the data directory
    #[command(after_help = db::EXAMPLES)]
    Db {
        #[command(subcommand)]
        command: db::DbCommand,
        #[command(flatten)]
        settings: DataArgs,
    },
    /// Ask a running server whether it is alive; the exit code is the answer
    Health {
        /// Where to ask [default: the configured address, path /health]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        #[command(flatten)]
        settings: AddressArgs,
    },
}

/// Runs the command in `args` and returns the exit code of the process: 0 well, 1 refused or failed, 2 not understood.
/// `parts` is what commands are made of below the command line.
pub fn run(args: impl IntoIterator<Item = OsString>, parts: Parts) -> ExitCode {
    let mut args = args.into_iter().peekable();
    let called = args.peek().map(|name| Path::new(name).file_stem().unwrap_or_default().to_owned());
    if called.is_some_and(|name| name == "n3") {
        return match n3::run(args, parts) {
            Ok(well) => code(well),
            Err(error) => usage(&error),
        };
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(mut error) => {
            name_owners(&mut error);
            return usage(&error);
        }
    };
    let done = match cli.command {
        Command::Serve { app, settings } => match serve::run(app.as_deref(), &settings, parts.serve) {
            Ok(well) => return code(well),
            Err(text) => Err(text),
        },
        Command::Run(args) => return code(run::run(&args, parts)),
        Command::Ingest(args) => return code(ingest::run(&args, parts)),
        Command::Search(args) => return code(search::run(&args, parts)),
        Command::Prove(args) => return code(prove::run(&args, parts)),
        Command::Explain(args) => return code(explain::run(&args, parts)),
        Command::Check { app, json, settings } => return code(check::run(&app, json, &settings)),
        Command::Fmt { apps, check } => return code(check::format(&apps, check)),
        Command::Config { check, json, settings } => {
            settings::run(&settings, settings::View::new(check, json))
        }
        Command::Key { command, settings } => key::run(command, &settings, parts),
        Command::Limit { command, settings } => limit::run(command, &settings, parts),
        Command::User { command, settings } => user::run(command, &settings, parts),
        Command::Workspace { command, settings } => workspace::run(command, &settings, parts),
        Command::Db { command, settings } => db::run(command, &settings, parts),
        Command::Health { url, settings } => health::run(url.as_deref(), &settings),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "tidegate: {text}");
            ExitCode::FAILURE
        }
    }
}

fn code(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says of a flag that a command does not have which commands have it.
fn name_owners(error: &mut clap::Error) {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) if error.kind() == ErrorKind::UnknownArgument => flag.clone(),
        _ => return,
    };
    let named = flag.trim_start_matches('-').split('=').next().unwrap_or_default();
    let cli = Cli::command();
    let has = |command: &&clap::Command| command.get_arguments().any(|arg| arg.get_long() == Some(named));
    let owners: Vec<String> = cli
        .get_subcommands()
        .filter(has)
        .map(|command| format!("`tidegate {}`", command.get_name()))
        .collect();
    if !owners.is_empty() {
        let tip = format!("{flag} is a flag of {}", owners.join(", "));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}

/// Help and version are answers; everything else clap says is a refusal.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}
