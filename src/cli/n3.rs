//! Owns the grammar of the binary when it is called `n3`: the commands users of `.ai` apps know, word for word. What
//! they do is done by the same code as `tidegate run` and `tidegate check`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use super::flags::{AppArgs, FileArgs, PerformanceArgs};
use super::listing::listing;
use super::program::{Program, Refused, print_faults};
use super::run::{failed, go, input, not_begun, refuse, say};
use super::service::Service;
use super::{Parts, Up, check};
use crate::config::{Flag, LoadArgs, Loaded};
use crate::lang::fault::Fault;
use crate::lang::machine::Outcome;
use crate::lang::value::{Map, Value};
use crate::run::pages::{Action, Pages};
use crate::run::payload;

const EXAMPLES: &str = "\
Examples:
  n3 run app.ai                           serve the app on http://127.0.0.1:7340/
  n3 run app.ai --json                    run its only flow and print the payload
  n3 run --async-runtime true --max-concurrency 8 --cache-size 128 --enable-batching true app.ai
  n3 app.ai flow \"greet\" --json           run one flow with an empty input
  n3 app.ai page.lobby.button.greet '{\"name\": \"Ann\"}'
  n3 check app.ai                         parse it, lint it, list what can be done

tidegate --help knows more: the gateway, run --input, prove, explain.";

/// Where an app is served unless `--port` says otherwise, and how many ports above it are tried while each is taken.
const PORT: u16 = 7_340;
const SPARE_PORTS: u16 = 19;
/// Variable that holds what callers of the versioned API must show with `--headless`.
const TOKEN: &str = "N3_API_TOKEN";

#[derive(Debug, Parser)]
#[command(name = "n3", version, about = "Runs `.ai` apps.", after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve an app, or with --json run its only flow
    Run(RunArgs),
    /// Say whether an app can be run, and what can be done in it
    Check {
        /// The app
        app: PathBuf,
    },
    /// List the actions of an app's pages
    Actions {
        /// The app
        app: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the manifest of an app's pages
    Ui {
        /// The app
        app: PathBuf,
    },
    /// Lay out an app
    Fmt {
        /// The app
        app: PathBuf,
        /// Change nothing; exit with 1 if something would change
        #[arg(long)]
        check: bool,
    },
    /// `APP.AI flow NAME`, or `APP.AI ACTION` and its JSON
    #[command(external_subcommand)]
    App(Vec<OsString>),
}

/// How `n3 run` serves.
#[derive(Debug, Args)]
struct RunArgs {
    /// The app
    app: PathBuf,
    /// Port to listen on [default: 7340, or the next free of 20]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Do not open a browser (none is opened anyway)
    #[arg(long)]
    no_open: bool,
    /// Serve the versioned API to who has the token of N3_API_TOKEN
    #[arg(long)]
    headless: bool,
    /// Print the address and exit
    #[arg(long)]
    dry: bool,
    /// Run the only flow and print the payload
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    performance: PerformanceArgs,
}

/// Runs the command; true if it went well, `None` if it was not understood.
pub(super) fn run(args: impl IntoIterator<Item = OsString>, parts: Parts) -> Result<bool, clap::Error> {
    Ok(match Cli::try_parse_from(args)?.command {
        Command::Run(args) => serve(args, parts),
        Command::Check { app } => parsed(&app),
        Command::Actions { app, json } => with(&app, |program| actions(&program, json)),
        Command::Ui { app } => with(&app, |program| {
            paged(&program, |pages| {
                say(&payload::pretty(&pages.manifest(|_| true)));
                true
            })
        }),
        Command::Fmt { app, check } => check::format(&[app], check),
        Command::App(words) => of_app(&words, parts),
    })
}

fn settings(performance: PerformanceArgs) -> LoadArgs {
    AppArgs { file: FileArgs::default(), performance }.load_args()
}

/// Opens an app without flags of its own.
fn with(path: &Path, then: impl FnOnce(Program) -> bool) -> bool {
    match Program::open(path, settings(PerformanceArgs::default())) {
        Ok(program) => then(program),
        Err(refused) => {
            refused.print(path);
            false
        }
    }
}

/// The pages of an app, read once more for what they add to it.
fn paged(program: &Program, then: impl FnOnce(&Pages) -> bool) -> bool {
    match Pages::new(program.app.tree()) {
        Ok(pages) => then(&pages),
        Err(faults) => {
            print_faults(&faults, &program.source, &program.path);
            false
        }
    }
}

fn parsed(app: &Path) -> bool {
    match Program::open(app, settings(PerformanceArgs::default())) {
        Ok(program) => paged(&program, |pages| {
            say("Parse: OK\nLint: OK\nManifest: OK");
            say(&format!("Actions: {} discovered", pages.actions().len()));
            true
        }),
        Err(refused) => {
            say("Parse: FAIL");
            refused.print(app);
            false
        }
    }
}

fn actions(program: &Program, json: bool) -> bool {
    paged(program, |pages| {
        match json {
            true => {
                say(&payload::pretty(&Value::fields([("actions", pages.action_list()), ("ok", true.into())])))
            }
            false => pages.actions().for_each(|action| say(&action.id)),
        }
        true
    })
}

fn serve(args: RunArgs, parts: Parts) -> bool {
    let RunArgs { app, port, no_open: _, headless, dry, json, performance } = args;
    let mut folder = settings(performance);
    if json {
        return match Program::open(&app, folder) {
            Ok(program) => match program.flow(None) {
                Ok(flow) => one_flow(&program, &flow, true, parts),
                Err(fault) => not_begun(&fault, true),
            },
            Err(refused) => refuse(&refused, &app, true),
        };
    }
    let (port, spare_ports) = port.map_or((PORT, SPARE_PORTS), |port| (port, 0));
    folder.flags.push(Flag { path: "listen.port", name: "--port", text: port.to_string() });
    // Several of one folder run side by side, and a data directory has one server.
    folder.flags.push(Flag { path: "data.keep", name: "n3 run", text: "false".to_owned() });
    let token = folder.env.get(TOKEN).filter(|token| !token.is_empty()).cloned();
    let mut service = match Service::of_app(&app, folder, spare_ports, announced) {
        Ok(service) => service,
        Err(refused) => return refuse(&refused, &app, false),
    };
    if headless {
        match (token, &mut service.app) {
            (Some(token), Some(app)) => app.token = Some(token),
            _ => return failed(&format!("--headless needs a token: set {TOKEN}")),
        }
    }
    if dry {
        let url = format!("http://127.0.0.1:{port}");
        say(announced(&service.loaded, Up { url: &url, guarded: false }).trim_end());
        return true;
    }
    (parts.serve)(service).map_or_else(|error| failed(&error.to_string()), |()| true)
}

/// What is printed once the app is served.
fn announced(_: &Loaded, up: Up<'_>) -> String {
    format!("App: {}/\n", up.url)
}

/// `APP.AI flow NAME [--json]` and `APP.AI ACTION [JSON] [--json]`
fn of_app(words: &[OsString], parts: Parts) -> bool {
    let texts: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let json = texts.iter().any(|word| word == "--json");
    let words: Vec<&str> = texts.iter().map(String::as_str).filter(|word| *word != "--json").collect();
    let app = Path::new(words.first().copied().unwrap_or_default());
    let program = match Program::open(app, settings(PerformanceArgs::default())) {
        Ok(program) => program,
        Err(refused) => return refuse(&refused, app, json),
    };
    match words[1..] {
        ["flow", name] => match program.flow(Some(name)) {
            Ok(flow) => one_flow(&program, &flow, json, parts),
            Err(fault) => not_begun(&fault, json),
        },
        [id] => act(program, id, "{}", json, parts),
        [id, payload] => act(program, id, payload, json, parts),
        _ => failed("after the app comes: flow NAME, or the id of an action and its JSON"),
    }
}

fn one_flow(program: &Program, flow: &str, json: bool, parts: Parts) -> bool {
    let ran =
        program.identity().and_then(|identity| go(program, (flow, Value::fields([]), identity), parts, None));
    match ran {
        Ok(ran) => told(program, &ran.outcome, payload::payload(&ran.outcome), json),
        Err(text) => not_begun(&Fault::config(text), json),
    }
}

/// Does what a page offers: its rule first, then its flow.
fn act(mut program: Program, id: &str, typed: &str, json: bool, parts: Parts) -> bool {
    let pages = match Pages::new(program.app.tree()) {
        Ok(pages) => pages,
        Err(faults) => return refuse(&Refused::Program(faults, program.source), &program.path, json),
    };
    let Some(action) = pages.action(id) else {
        let known: Vec<&str> = pages.actions().map(|action| action.id.as_str()).collect();
        return failed(&format!("Unknown action '{id}'. The app has: {}.", known.join(", ")));
    };
    program.app = pages.app().clone();
    let input = match input(typed, "the payload of the action") {
        Ok(Value::Map(typed)) => action.input(typed),
        Ok(_) => action.input(Map::default()),
        Err(text) => return failed(&text),
    };
    match done(&program, action, &input, parts) {
        Ok(outcome) => {
            let faulty = outcome.result.is_err();
            if let Err(fault) = &outcome.result {
                print_faults(std::slice::from_ref(fault), &program.source, &program.path);
            }
            let reply = action.reply(outcome, &input, pages.manifest(|_| true));
            if json || !faulty {
                show(&reply.body, json);
            }
            !faulty
        }
        Err(text) => failed(&text),
    }
}

fn done(program: &Program, action: &Action, input: &Value, parts: Parts) -> Result<Outcome, String> {
    let run = |flow: &str| {
        let identity = program.identity()?;
        go(program, (flow, input.clone(), identity), parts, None).map(|ran| ran.outcome)
    };
    if let Some(guard) = action.deed.guard() {
        let outcome = run(guard)?;
        if outcome.result.is_err() {
            return Ok(outcome);
        }
    }
    run(action.deed.flow())
}

fn told(program: &Program, outcome: &Outcome, payload: Value, json: bool) -> bool {
    if let Err(fault) = &outcome.result {
        print_faults(std::slice::from_ref(fault), &program.source, &program.path);
    }
    if json || outcome.result.is_ok() {
        show(&payload, json);
    }
    outcome.result.is_ok()
}

fn show(payload: &Value, json: bool) {
    match json {
        true => say(&payload::pretty(payload)),
        false => say(listing(payload).trim_end()),
    }
}
