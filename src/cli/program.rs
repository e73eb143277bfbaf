//! Owns an app as it lies in a folder: its source, the settings and variables beside it, who runs it. Nothing here runs
//! a flow.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{self, LoadArgs, Loaded, Source};
use crate::lang::fault::Fault;
use crate::lang::memory::Memory;
use crate::lang::value::{JsonStyle, Map, Value, parse_json};
use crate::lang::{App, load, report};
use crate::run::capability_fault;
use crate::run::routing::reserved_claims;

/// Bytes of one app's source.
const MOST_BYTES: u64 = 16 << 20;
/// File of variables beside an app; the environment is stronger.
const VARIABLES: &str = ".env";
/// File of the short-term memory beside an app.
const MEMORY: &str = ".namel3ss/memory/short_term.json";

/// An app and everything beside it.
pub struct Program {
    /// Its file, as it was named.
    pub path: PathBuf,
    /// The text in it.
    pub source: String,
    /// What it means.
    pub app: Arc<App>,
    /// Settings of the folder.
    pub loaded: Loaded,
    /// The environment, with what `.env` adds.
    pub env: BTreeMap<String, String>,
}

/// Why a program cannot be run: settings first, then the program.
pub enum Refused {
    /// Settings or files, as text.
    Settings(String),
    /// The program, with its source.
    Program(Vec<Fault>, String),
}

impl Program {
    /// Reads an app with its settings. Nothing listens and nothing runs before all of it is right.
    ///
    /// # Errors
    /// Every fault of the settings, or every independent fault of the program.
    pub fn open(path: &Path, args: LoadArgs) -> Result<Self, Refused> {
        let Settings { source, env, loaded } = settings(path, args)?;
        let app = match load(&source) {
            Ok(app) => Arc::new(app),
            Err(faults) => return Err(Refused::Program(faults, source)),
        };
        let claims = reserved_claims(app.tree());
        if !claims.is_empty() {
            return Err(Refused::Program(claims, source));
        }
        let performance = &loaded.config.performance;
        if let Some(fault) = capability_fault(&app, performance, &enabled_by(&loaded)) {
            return Err(Refused::Program(vec![fault], source));
        }
        Ok(Self { path: path.to_path_buf(), source, app, loaded, env })
    }

    /// Whether the language's logs and metrics are kept.
    #[must_use]
    pub fn observing(&self) -> bool {
        let said = self.env.get("N3_OBSERVABILITY").map(|text| text.trim().to_lowercase());
        matches!(said.as_deref(), Some("1" | "true" | "yes" | "on"))
    }

    /// The caller the environment names.
    ///
    /// # Errors
    /// A variable that is not a JSON object.
    pub fn identity(&self) -> Result<Option<Map>, String> {
        identity(&self.env)
    }

    /// What the app's AI calls said in earlier runs.
    ///
    /// # Errors
    /// A file that cannot be read or was not written here: what it holds is not thrown away in silence.
    pub fn memory(&self) -> Result<Memory, String> {
        let path = self.beside(MEMORY);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Memory::new()),
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        let memory = parse_json(&text).ok().as_ref().and_then(Memory::from_value);
        memory
            .ok_or_else(|| format!("{} is no short-term memory; move it away to begin anew", path.display()))
    }

    /// Keeps what was said for later runs.
    ///
    /// # Errors
    /// A file that cannot be written; the old one is whole then.
    pub fn remember(&self, memory: &Memory) -> Result<(), String> {
        let path = self.beside(MEMORY);
        let text = memory.to_value().to_json(JsonStyle::Pretty);
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = folder.and_then(|()| replace(&path, &text));
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// The folder it lies in.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The path of something in the app's folder.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The only flow, or the one named.
    ///
    /// # Errors
    /// No flow of that name, or several and none named.
    pub fn flow(&self, name: Option<&str>) -> Result<String, Fault> {
        let names = flows(&self.app);
        let refused = match (name, names.as_slice()) {
            (Some(name), _) if names.iter().any(|known| known == name) => return Ok(name.to_owned()),
            (Some(name), _) => format!("Unknown flow '{name}'. The app has: {}.", listed(&names)),
            (None, [only]) => return Ok(only.clone()),
            (None, []) => "The app has no flow.".to_owned(),
            (None, _) => format!("Multiple flows found. Name one of: {}.", listed(&names)),
        };
        Err(Fault::run(refused, None))
    }
}

/// What lies around an app, and its text.
pub(super) struct Settings {
    source: String,
    env: BTreeMap<String, String>,
    pub(super) loaded: Loaded,
}

/// Reads everything but the program.
pub(super) fn settings(path: &Path, args: LoadArgs) -> Result<Settings, Refused> {
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let source = read(path).map_err(Refused::Settings)?;
    let mut env = variables(&folder.join(VARIABLES)).map_err(Refused::Settings)?;
    env.extend(args.env.clone());
    // A file named on the command line is meant from where the command is given.
    let file = args.file.map(|file| std::path::absolute(&file).unwrap_or(file));
    let loaded = config::load(&LoadArgs { file, folder, env: env.clone(), ..args })
        .map_err(|faults| Refused::Settings(faults.to_string()))?;
    Ok(Settings { source, env, loaded })
}

impl Refused {
    /// Prints why, to standard error.
    pub fn print(&self, path: &Path) {
        match self {
            Self::Settings(text) => complain(text),
            Self::Program(faults, source) => print_faults(faults, source, path),
        }
    }
}

/// Names of all flows, in written order.
pub fn flows(app: &App) -> Vec<String> {
    let tree = app.tree();
    let flows = tree.flows.iter().map(|flow| &flow.name.text);
    flows.chain(tree.llm_calls.iter().map(|call| &call.name.text)).map(ToString::to_string).collect()
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// Prints faults to standard error: for a reader at a terminal in colour, else plain.
pub fn print_faults(faults: &[Fault], source: &str, path: &Path) {
    let stderr = std::io::stderr();
    let terminal = stderr.is_terminal();
    let file = path.display().to_string();
    let mut out = stderr.lock();
    for fault in faults {
        let text = match terminal {
            true => report::pretty(fault, source, &file, true),
            false => report::text_with_source(fault, source),
        };
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(out, "{text}\n");
    }
}

/// Says why a command did not do what it was asked.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "tidegate: {text}");
}

/// Which setting turned performance on, and where it was set.
fn enabled_by(loaded: &Loaded) -> String {
    let set = loaded.values.iter().filter(|value| value.path.starts_with("performance."));
    let named: Vec<String> = set
        .filter(|value| value.source != Source::Default)
        .map(|value| format!("{} ({})", value.path, value.source))
        .collect();
    if named.is_empty() { "A performance setting".to_owned() } else { named.join(", ") }
}

fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let about = std::fs::metadata(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    if about.len() > MOST_BYTES {
        return Err(format!("{shown} has {} bytes, an app may have {MOST_BYTES}", about.len()));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    String::from_utf8(bytes).map_err(|error| {
        format!("{shown} is not UTF-8: byte {} is not part of a character", error.utf8_error().valid_up_to())
    })
}

fn variables(path: &Path) -> Result<BTreeMap<String, String>, String> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let wrong = |error: dotenvy::Error| format!("cannot read {}: {error}", path.display());
    dotenvy::from_path_iter(path).map_err(wrong)?.map(|pair| pair.map_err(wrong)).collect()
}

/// `N3_IDENTITY_JSON`, or a field for each `N3_IDENTITY_<FIELD>`.
fn identity(env: &BTreeMap<String, String>) -> Result<Option<Map>, String> {
    const PREFIX: &str = "N3_IDENTITY_";
    if let Some(text) = env.get("N3_IDENTITY_JSON").filter(|text| !text.trim().is_empty()) {
        let value =
            parse_json(text).map_err(|fault| format!("N3_IDENTITY_JSON must be a JSON object: {fault}"))?;
        let map = value.as_map().cloned().ok_or("N3_IDENTITY_JSON must be a JSON object")?;
        return Ok(Some(map));
    }
    let mut map = Map::default();
    for (name, text) in env.range(PREFIX.to_owned()..) {
        let Some(field) = name.strip_prefix(PREFIX) else { break };
        if field != "JSON" {
            map.insert(field.to_lowercase().into(), Value::text(text.as_str()));
        }
    }
    Ok((!map.is_empty()).then_some(map))
}

/// Writes beside the file and renames, so that no half-written file is ever there. Permissions stay as they were.
///
/// # Errors
/// Those of the file system; the old file is whole then.
pub(super) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let beside = path.with_file_name(name);
    std::fs::write(&beside, text)?;
    if let Ok(about) = std::fs::metadata(path) {
        std::fs::set_permissions(&beside, about.permissions())?;
    }
    std::fs::rename(&beside, path)
}
