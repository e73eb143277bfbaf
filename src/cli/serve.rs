//! Owns `tidegate serve`: the configuration is loaded before anything else, so that a refused setting never serves a
//! request. Must not know how the server works.

use std::fmt::Write;
use std::path::Path;

use super::ServeError;
use super::flags::{self, ServerArgs};
use super::service::Service;
use crate::config::{ANY_MODEL, CacheMode, Config, Loaded};

/// Serves until told to stop; true if it went well.
pub(super) fn run(
    app: Option<&Path>,
    settings: &ServerArgs,
    serve: impl FnOnce(Service) -> Result<(), ServeError>,
) -> Result<bool, String> {
    let service = match app {
        None => Service { loaded: flags::load(&settings.load_args())?, app: None, spare_ports: 0, banner },
        Some(path) => match Service::of_app(path, settings.load_args(), 0, app_banner) {
            Ok(service) => service,
            Err(refused) => {
                refused.print(path);
                return Ok(false);
            }
        },
    };
    serve(service).map(|()| true).map_err(|error| error.to_string())
}

/// What a person should know when an app is served: as [`banner`], and where the app is.
fn app_banner(loaded: &Loaded, up: Up<'_>) -> String {
    let url = up.url;
    let app = format!("  {:<11}{url}/api/ui lists its pages, {url}/api/health says how it is\n", "app");
    banner(loaded, up) + &app
}

/// A server that answers.
#[derive(Debug, Clone, Copy)]
pub struct Up<'a> {
    /// Where.
    pub url: &'a str,
    /// Whether every request needs a key.
    pub guarded: bool,
}

/// What a person should know when a server has started at `url`: where it is, who may use it, who answers, what is off.
#[must_use]
pub fn banner(loaded: &Loaded, up: Up<'_>) -> String {
    let Up { url, guarded } = up;
    let config = &loaded.config;
    let mut text = format!("tidegate {} at {url}\n", env!("CARGO_PKG_VERSION"));
    let mut line = |name: &str, what: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<11}{what}");
    };
    let key = if guarded { "a key of `tidegate key create`" } else { "any API key" };
    line("openai", &format!("base URL {url}/v1, {key}"));
    line("anthropic", &format!("base URL {url}, {key}"));
    line(
        "workspace",
        match guarded {
            true => "that of the key or of who signed in; every request needs one of them",
            false => "default (there are no keys and no people, so only this machine may connect)",
        },
    );
    if config.access.demo {
        line("demo", "test_user signs in with test_password at /api/v1/auth/login");
    }
    line("config", loaded.file.as_deref().unwrap_or("none, defaults; see `tidegate config`"));
    line("models", &models(config));
    if config.is_mock_only() {
        line(
            "provider",
            "mock: answers are made up from the input; configure [providers.NAME] for real ones",
        );
    }
    let off = switched_off(config);
    line("off", if off.is_empty() { "nothing" } else { &off });
    text
}

fn models(config: &Config) -> String {
    let named: Vec<&str> =
        config.models.keys().map(String::as_str).filter(|name| *name != ANY_MODEL).collect();
    let more = if named.len() > 8 { format!(" and {} more", named.len() - 8) } else { String::new() };
    let mut text = named[..named.len().min(8)].join(", ") + &more;
    if let Some(model) = config.models.get(ANY_MODEL) {
        let to = model.targets.first().map_or("", |target| target.provider.as_str());
        let joint = if text.is_empty() { "" } else { "; " };
        text += &format!("{joint}any other name goes to {to}");
    }
    text
}

fn switched_off(config: &Config) -> String {
    let mut off = Vec::new();
    if config.gateway.cache == CacheMode::Off {
        off.push("cache");
    }
    if !config.gateway.join {
        off.push("joining");
    }
    if !config.gateway.batch {
        off.push("batching");
    }
    if !config.observability.enabled {
        off.push("metrics");
    }
    off.join(", ")
}
