//! Owns what the caller may choose: environment variables, as `make bench NAME=value` passes them on.
//!
//! Must not start or measure anything.

use std::path::PathBuf;
use std::time::Duration;

use crate::servers::Outcome;

/// The choices of one run.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `CURVES=1`: the curves instead of the gates.
    pub(crate) curves: bool,
    /// `PEERS=1`: other gateways beside the floors.
    pub(crate) peers: bool,
    /// `STRICT=1`: a missed gate or a wrong count ends the run with a failure.
    pub(crate) strict: bool,
    /// `FLOORS_ONLY=1`: no Tidegate; proves generator and floors.
    pub(crate) floors_only: bool,
    /// `ONLY=hit,miss`: these scenarios; empty means all.
    pub(crate) only: Vec<String>,
    /// `ROUNDS=3`: rounds per scenario, at least 1; medians need 3.
    pub(crate) rounds: usize,
    /// `WINDOW_MS=2500`: measured time per round.
    pub(crate) window: Duration,
    /// `PUBLISH=1`: plots go to `docs/images` as well.
    pub(crate) publish: bool,
    /// Results and temporary files.
    pub(crate) folder: PathBuf,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Names the variable and its value when one cannot be understood.
    pub(crate) fn from_environment() -> Outcome<Self> {
        let only = std::env::var("ONLY").unwrap_or_default();
        let names = only.split(',').map(str::trim).filter(|name| !name.is_empty());
        let settings = Self {
            curves: flag("CURVES")?,
            peers: flag("PEERS")?,
            strict: flag("STRICT")?,
            floors_only: flag("FLOORS_ONLY")?,
            only: names.map(str::to_owned).collect(),
            rounds: usize::try_from(number("ROUNDS", 3)?)?.max(1),
            window: Duration::from_millis(number("WINDOW_MS", 2500)?),
            publish: flag("PUBLISH")?,
            folder: std::env::current_dir()?.join("target/bench"),
        };
        std::fs::create_dir_all(&settings.folder)?;
        Ok(settings)
    }

    /// Whether the scenario `name` is asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

fn flag(name: &str) -> Outcome<bool> {
    match std::env::var(name).as_deref() {
        Err(_) | Ok("" | "0") => Ok(false),
        Ok("1") => Ok(true),
        Ok(other) => Err(format!("{name}={other}: use 0 or 1").into()),
    }
}

fn number(name: &str, default: u64) -> Outcome<u64> {
    match std::env::var(name) {
        Err(_) => Ok(default),
        Ok(text) if text.is_empty() => Ok(default),
        Ok(text) => text.parse().map_err(|_| format!("{name}={text}: use a whole number").into()),
    }
}
