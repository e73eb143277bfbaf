//! Owns Tidegate under test: its configuration for a run, its start, and the counters it is asked for
//! afterwards.
//!
//! Must not switch anything off that a user would have on, except where a scenario says so by name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::Outcome;
use super::child::{Child, Place};
use crate::generator::{Ask, Connection, Template};

/// Where the release build is looked for when `TIDEGATE_BIN` does not say.
const BINARY: &str = "target/release/tidegate";

/// What differs from the shipped configuration.
#[derive(Debug, Clone)]
pub(crate) struct TidegateOptions {
    /// What tables call it; no two that run at once have the same.
    pub(crate) name: &'static str,
    /// `gateway.batch`.
    pub(crate) batch: bool,
    /// `data.keep`.
    pub(crate) keep: bool,
    /// Whole TOML lines for the gateway's table, for curves that need other limits.
    pub(crate) gateway: &'static str,
    /// Whole TOML lines for the provider's table, likewise.
    pub(crate) provider: &'static str,
    /// Whole TOML tables at the end, likewise.
    pub(crate) tables: &'static str,
    /// What an earlier run kept is removed first.
    pub(crate) afresh: bool,
    /// An app served beside the gateway: its text, and its `namel3ss.toml`.
    pub(crate) app: Option<(&'static str, &'static str)>,
}

impl Default for TidegateOptions {
    fn default() -> Self {
        Self {
            name: "tidegate",
            batch: true,
            keep: true,
            gateway: "",
            provider: "",
            tables: "",
            afresh: true,
            app: None,
        }
    }
}

impl TidegateOptions {
    /// A server that keeps nothing on the disk: no ledger, no answers behind memory. What those cost is the difference.
    pub(crate) fn without_books() -> Self {
        Self { name: "tidegate, no books", keep: false, ..Self::default() }
    }
}

/// A running Tidegate in front of the mock upstream.
pub(crate) struct Tidegate {
    pub(crate) child: Child,
}

/// What the server says it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

impl Tidegate {
    /// Starts the release build with one worker on core 0 in front of `upstream`.
    ///
    /// # Errors
    /// When the binary is missing or prints no URL within 30 s.
    pub(crate) async fn start(
        upstream: SocketAddr,
        folder: &Path,
        options: &TidegateOptions,
    ) -> Outcome<Self> {
        let binary = std::env::var_os("TIDEGATE_BIN").map_or_else(|| PathBuf::from(BINARY), PathBuf::from);
        if !binary.exists() {
            return Err(
                format!("{} is not there: run `make bench`, which builds it", binary.display()).into()
            );
        }
        let home = folder.join(options.name.replace(", ", "-"));
        // What an earlier run kept would make hits of misses.
        if options.afresh && home.exists() {
            std::fs::remove_dir_all(&home)?;
        }
        std::fs::create_dir_all(&home)?;
        let app = home.join("app.ai").display().to_string();
        let config = home.join("tidegate.toml");
        std::fs::write(&config, config_text(upstream, options))?;
        let (config, data) = (config.display().to_string(), home.join("data").display().to_string());
        let mut arguments = vec!["serve", "--port", "0", "--config", &config, "--data", &data];
        if let Some((text, settings)) = options.app {
            std::fs::write(&app, text)?;
            std::fs::write(home.join("namel3ss.toml"), settings)?;
            arguments.push(&app);
        }
        let child = Child::printing(options.name, Place::Tested, &binary, &arguments, &[]).await?;
        Ok(Self { child })
    }

    /// The two counters every cache has, from the JSON metrics path.
    ///
    /// # Errors
    /// When the path does not answer or lacks them.
    pub(crate) async fn counters(&self) -> Outcome<Counters> {
        let metrics = get_json(self.child.addr, "/api/metrics").await?;
        Ok(Counters {
            hits: number(&metrics, "performance_ai_cache_hit")?,
            misses: number(&metrics, "performance_ai_cache_miss")?,
        })
    }
}

/// Calls of the served app at `addr` that were answered from memory.
///
/// # Errors
/// When the path does not answer or names no app.
pub(crate) async fn app_hits(addr: SocketAddr) -> Outcome<u64> {
    let engine = get_json(addr, "/api/v1/engine").await?;
    engine["app"]["cache"]["hits"]["chat"].as_u64().ok_or_else(|| "/api/v1/engine names no app".into())
}

/// The value of the counter `name` among the document's counters.
fn number(document: &serde_json::Value, name: &str) -> Outcome<u64> {
    let counters = document["counters"].as_array().map_or(&[][..], Vec::as_slice);
    let counter = counters.iter().find(|counter| counter["name"] == name);
    let value = counter.and_then(|counter| counter["value"].as_f64());
    value.map(|value| value as u64).ok_or_else(|| format!("/api/metrics has no counter {name}").into())
}

/// Asks `path` once and parses the answer.
///
/// # Errors
/// When it is not a 200 with JSON.
pub(crate) async fn get_json(addr: SocketAddr, path: &str) -> Outcome<serde_json::Value> {
    let mut template = Template::new(&Ask::Get { path: path.to_owned() }, addr, "");
    let (status, body) = Connection::open(addr).await?.text(template.with_key(0)).await?;
    if status != 200 {
        return Err(format!("{path}: status {status}: {body}").into());
    }
    Ok(serde_json::from_str(&body).map_err(|error| format!("{path}: {error}: {body}"))?)
}

/// One worker, everything on, every model of the mock upstream under its own name.
fn config_text(upstream: SocketAddr, options: &TidegateOptions) -> String {
    let models = ["bench", "bench-d50", "bench-t8-g2", "bench-t1000-g60000", "embed"];
    let mut text = format!(
        "[listen]\nworkers = 1\n\n[data]\nkeep = {}\n\n[gateway]\ncache = \"declared\"\nbatch = {}\n{}\n\
         [providers.up]\nkind = \"openai\"\nbase_url = \"http://{upstream}/v1\"\napi_key = \"sk-mock\"\n{}",
        options.keep, options.batch, options.gateway, options.provider
    );
    for model in models {
        text.push_str(&format!(
            "\n[models.\"{model}\"]\ntargets = [{{ provider = \"up\", model = \"{model}\", weight = 1 }}]\n"
        ));
    }
    text.push_str(options.tables);
    text
}
