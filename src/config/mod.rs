//! Owns the configuration: its types, its defaults and how it is put together from flags, environment and file, with
//! every fault found in one pass. Must not act on any setting, and prints nothing.
//!
//! A key is one line in the section's `settings!` block; `config/tidegate.toml` must say the same (a test compares).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod access;
mod credentials;
mod database;
mod engine;
mod faults;
mod layers;
mod leaf;
mod ledger;
mod models;
pub mod near;
mod performance;
mod persistence;
mod provider;
mod provider_rules;
mod reader;
mod roots;
mod secret;
mod server;
mod telemetry;

pub use access::{Access, Network};
pub use credentials::{Credentials, KeyFrom};
pub use database::{Database, PoolName, PoolProfile};
pub use engine::{
    Batch, Cache, CacheMode, Flight, Forward, Gateway, KeptKind, Kinds, LaneName, Lanes, RunOn,
};
pub use faults::{Fault, Faults, KeyPath, Source};
pub use layers::Flag;
pub use ledger::{Ledger, LedgerSync};
pub use models::{ANY_MODEL, EmbedTokens, MaxTokensField, Model, ModelKind, Quirks, Target};
pub use performance::{APP_FILE, Performance, PerformanceFlags};
pub use persistence::{PersistTarget, Persistence};
pub use provider::{
    Address, Auth, Bounds, Breaker, Mock, Provider, ProviderKind, Retries, ScriptedFailure, Timeouts,
};
pub use reader::Value;
pub use secret::Secret;
pub use server::{DataDir, Limits, Listen, Workers};
pub use telemetry::{Log, LogFormat, LogLevel, Observability};

use layers::{FileLayer, Layers};
use reader::{Reader, Section, Walk};

/// File that is read when the command line names none and it lies in the working directory.
pub const FILE: &str = "tidegate.toml";

/// The whole configuration. More than eight fields because it is the file's table of contents.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The sockets.
    pub listen: Listen,
    /// Who comes in, and how.
    pub access: Access,
    /// What one client may send.
    pub limits: Limits,
    /// Where Tidegate keeps what outlives the process.
    pub data: DataDir,
    /// The connections to its database.
    pub database: Database,
    /// How many calls run and wait.
    pub lanes: Lanes,
    /// The switches of the gateway doors.
    pub gateway: Gateway,
    /// The memory of answers.
    pub cache: Cache,
    /// One upstream answer with many readers.
    pub flight: Flight,
    /// Embeddings that travel together.
    pub batch: Batch,
    /// How each kind of call is kept and scheduled.
    pub kinds: Kinds,
    /// A row for each call.
    pub ledger: Ledger,
    /// Who answers, by name.
    pub providers: BTreeMap<String, Provider>,
    /// Public names and their targets; [`ANY_MODEL`] stands for the rest.
    pub models: BTreeMap<String, Model>,
    /// The metrics.
    pub observability: Observability,
    /// The log.
    pub log: Log,
    /// `[performance]` of the application in the working directory, or of the one that is run.
    pub performance: Performance,
    /// `[persistence]` of that application.
    pub persistence: Persistence,
}

const SECTIONS: [&str; 16] = [
    "listen",
    "access",
    "limits",
    "data",
    "database",
    "lanes",
    "gateway",
    "cache",
    "flight",
    "batch",
    "kinds",
    "ledger",
    "providers",
    "models",
    "observability",
    "log",
];

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Listen::default(),
            access: Access::default(),
            limits: Limits::default(),
            data: DataDir::default(),
            database: Database::default(),
            lanes: Lanes::default(),
            gateway: Gateway::default(),
            cache: Cache::default(),
            flight: Flight::default(),
            batch: Batch::default(),
            kinds: Kinds::default(),
            ledger: Ledger::default(),
            providers: BTreeMap::from([("mock".to_owned(), Provider::default())]),
            models: mock_models(),
            observability: Observability::default(),
            log: Log::default(),
            performance: Performance::default(),
            persistence: Persistence::default(),
        }
    }
}

/// With no provider configured every model name answers, so that an unchanged SDK example works without a key.
fn mock_models() -> BTreeMap<String, Model> {
    let both = [ModelKind::Chat, ModelKind::Embed];
    BTreeMap::from([
        ("mock-chat".to_owned(), Model::to("mock", &[ModelKind::Chat])),
        ("mock-claude".to_owned(), Model::to("mock", &[ModelKind::Chat])),
        ("mock-embed".to_owned(), Model::to("mock", &[ModelKind::Embed])),
        (ANY_MODEL.to_owned(), Model::to("mock", &both)),
    ])
}

impl Config {
    /// The model that answers for `name`: its own table, else the one for every name.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.get(name).or_else(|| self.models.get(ANY_MODEL))
    }

    /// Whether every provider makes its answers up.
    #[must_use]
    pub fn is_mock_only(&self) -> bool {
        self.providers.values().all(|provider| provider.kind == ProviderKind::Mock)
    }

    fn read(reader: &mut Reader<'_, '_>) -> Self {
        let default = Self::default();
        let listen = reader.section("listen", default.listen);
        let access = reader.section("access", default.access);
        let limits = reader.section("limits", default.limits);
        let data = reader.section("data", default.data);
        let database = reader.section("database", default.database);
        let lanes = reader.section("lanes", default.lanes);
        let gateway = reader.section("gateway", default.gateway);
        let cache = reader.section("cache", default.cache);
        let flight = reader.section("flight", default.flight);
        let batch = reader.section("batch", default.batch);
        let kinds = reader.section("kinds", default.kinds);
        let ledger = reader.section("ledger", default.ledger);
        let providers = reader.named("providers", default.providers, Source::Default);
        let (models, why) = models_for(reader, &providers, default.models);
        let models = reader.named("models", models, why);
        let observability = reader.section("observability", default.observability);
        let log = reader.section("log", default.log);
        reader.refuse_unknown_keys();
        Self {
            listen,
            access,
            limits,
            data,
            database,
            lanes,
            gateway,
            cache,
            flight,
            batch,
            kinds,
            ledger,
            providers,
            models,
            observability,
            log,
            performance: Performance::default(),
            persistence: Persistence::default(),
        }
    }

    fn check(&self, faults: &mut Faults) {
        let at = |section: &str| KeyPath::root().key(section);
        self.listen.ranges(&at("listen"), faults);
        self.listen.agree(&at("listen"), faults);
        self.access.ranges(&at("access"), faults);
        self.limits.ranges(&at("limits"), faults);
        self.limits.agree(&at("limits"), faults);
        self.data.agree(&at("data"), faults);
        self.database.ranges(&at("database"), faults);
        self.lanes.ranges(&at("lanes"), faults);
        self.gateway.ranges(&at("gateway"), faults);
        self.cache.ranges(&at("cache"), faults);
        self.cache.agree(&at("cache"), faults);
        self.flight.ranges(&at("flight"), faults);
        self.batch.ranges(&at("batch"), faults);
        self.kinds.ranges(&at("kinds"), faults);
        self.ledger.ranges(&at("ledger"), faults);
        for (name, provider) in &self.providers {
            let at = at("providers").key(name);
            provider_rules::name(name, &at, faults);
            provider.ranges(&at, faults);
            provider.agree(&at, faults);
        }
        for (name, model) in &self.models {
            let at = at("models").key(name);
            models::name(name, &at, faults);
            model.ranges(&at, faults);
            model.agree(&at, &self.providers, faults);
        }
        self.observability.agree(&at("observability"), faults);
        self.check_across(faults);
    }

    /// Rules between sections.
    fn check_across(&self, faults: &mut Faults) {
        let gateway = KeyPath::root().key("gateway");
        let (operations, slots) = (self.gateway.max_operations, self.lanes.max_concurrency);
        let message = format!("must be at least lanes.max_concurrency = {slots}, got {operations}");
        faults.require(operations >= slots, &gateway.key("max_operations"), message);
        let rows = self.ledger.queue_rows;
        let message = format!("must be at least gateway.max_operations = {operations}, got {rows}");
        let ledger = KeyPath::root().key("ledger");
        faults.require(rows >= operations, &ledger.key("queue_rows"), message);
        if let Some(name) = &self.gateway.passthrough
            && !self.providers.contains_key(name)
        {
            let hint = near::hint(name, self.providers.keys().map(String::as_str));
            faults.add(&gateway.key("passthrough"), format!("no [providers.{name}]{hint}"));
        }
        self.access.agree((&self.listen, &self.data), faults);
        let models = KeyPath::root().key("models");
        let message =
            "several providers and no [models]: add [models.\"*\"] with targets = [{ provider = \"..\" }]";
        faults.require(!self.models.is_empty(), &models, message);
    }
}

/// The models when the user gives none: everything goes to the only provider there is.
fn models_for(
    reader: &Reader<'_, '_>,
    providers: &BTreeMap<String, Provider>,
    default: BTreeMap<String, Model>,
) -> (BTreeMap<String, Model>, Source) {
    if !reader.walk.faults.given(&KeyPath::root().key("providers")) {
        return (default, Source::Default);
    }
    let only = providers.keys().next().filter(|_| providers.len() == 1);
    let any = only.map(|name| (ANY_MODEL.to_owned(), Model::to(name, &[ModelKind::Chat, ModelKind::Embed])));
    (any.into_iter().collect(), Source::Implied("the only provider"))
}

/// What `load` starts from. Nothing is read from the process itself, so a test can give all of it. Not
/// `Debug`: the environment holds keys.
#[derive(Clone, Default)]
pub struct LoadArgs {
    /// The file named by `--config`; it must exist.
    pub file: Option<PathBuf>,
    /// Folder in which `tidegate.toml` and `namel3ss.toml` are looked for when they are not named.
    pub folder: PathBuf,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Flags that set a key.
    pub flags: Vec<Flag>,
    /// The four flags of an application.
    pub performance: PerformanceFlags,
}

/// A configuration that can be used, and where each value came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every setting with its source, in the order of the file.
    pub values: Vec<Value>,
    /// The file that was read, as it was named.
    pub file: Option<String>,
}

/// Puts the configuration together: flag, then environment, then file, then default.
///
/// # Errors
/// Every fault of every layer, each with its path and place.
///
/// # Cost
/// Reads at most two files and one per `api_key_file`; blocks.
pub fn load(args: &LoadArgs) -> Result<Loaded, Faults> {
    let mut early = Faults::default();
    let file = args.file.clone().unwrap_or_else(|| PathBuf::from(FILE));
    let name = file.display().to_string();
    let path = args.folder.join(file);
    let text = read_optional(&path, &mut early);
    if text.is_none() && args.file.is_some() && early.is_empty() {
        early.add_plain(None, format!("{name}: there is no such file"));
    }
    let app = read_optional(&args.folder.join(APP_FILE), &mut early);
    let layers = Layers {
        file: text.as_deref().and_then(|text| parse(&name, text, &mut early)),
        env: args.env.clone(),
        folder: path.parent().map(Path::to_path_buf).unwrap_or_default(),
        flags: args.flags.clone(),
    };
    let readable = early.is_empty();
    let mut walk = Walk::new(&layers);
    walk.faults = early;
    let mut config = Config::read(&mut walk.root());
    let app = app.as_deref().and_then(|text| performance::app_file(text, &mut walk.faults));
    config.performance = performance::read(&mut walk, app.as_ref(), &args.performance);
    config.persistence = persistence::read(&mut walk, app.as_ref());
    join_observability(&mut walk, &mut config);
    if readable {
        walk.refuse_unknown_variables(&SECTIONS);
        config.check(&mut walk.faults);
    }
    if !walk.faults.is_empty() {
        return Err(walk.faults);
    }
    let file = text.is_some().then_some(name);
    Ok(Loaded { config, values: walk.values, file })
}

fn parse<'t>(name: &str, text: &'t str, faults: &mut Faults) -> Option<FileLayer<'t>> {
    let errors = match FileLayer::parse(name, text) {
        Ok(layer) => return Some(layer),
        Err(errors) => errors,
    };
    for (source, message) in errors {
        faults.add_plain(Some(source), format!("not valid TOML: {message}"));
    }
    None
}

fn read_optional(path: &Path, faults: &mut Faults) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            faults.add_plain(None, format!("cannot read {}: {error}", path.display()));
            None
        }
    }
}

/// The application's names for two gateway settings: `N3_OBSERVABILITY` and `[performance] metrics_endpoint`.
fn join_observability(walk: &mut Walk<'_>, config: &mut Config) {
    let at = KeyPath::root().key("observability");
    let (enabled, endpoint) = (at.key("enabled"), at.key("metrics_endpoint"));
    let own_variable = matches!(walk.faults.source(&enabled), Some(Source::Env(_)));
    if let Some(on) = performance::observability(walk)
        && !own_variable
    {
        config.observability.enabled = on;
        walk.amend(&enabled, on.into(), Source::Env("N3_OBSERVABILITY".to_owned()));
    }
    let asked = KeyPath::root().key("performance").key("metrics_endpoint");
    let Some(path) = config.performance.metrics_endpoint.clone() else {
        let effective = config.observability.metrics_endpoint.as_str().into();
        let source = walk.faults.source(&endpoint).cloned();
        walk.amend(&asked, effective, source.unwrap_or(Source::Default));
        return;
    };
    if !walk.faults.given(&endpoint) {
        let source = walk.faults.source(&asked).cloned();
        walk.amend(&endpoint, path.as_str().into(), source.unwrap_or(Source::Default));
        config.observability.metrics_endpoint = path;
    } else if path != config.observability.metrics_endpoint {
        let message = format!("differs from performance.metrics_endpoint = {path:?}; give one of them");
        walk.faults.add(&endpoint, message);
    }
}
