//! Owns the settings of metrics and logs. Must not know what is measured.

use super::faults::{Faults, KeyPath};
use super::leaf::choices;
use super::reader::settings;

settings! {
    /// `[observability]`: the metrics.
    pub struct Observability {
        /// Whether `/metrics` and the JSON path show anything.
        enabled: bool = true;
        /// Path of the JSON metrics.
        metrics_endpoint: String = "/api/metrics".to_owned();
    }
}

/// Path prefixes that belong to other doors.
const RESERVED: [&str; 7] = ["/v1", "/api/v1", "/mcp", "/ws", "/docs", "/health", "/ready"];

/// Why `path` cannot serve the JSON metrics; nothing when it can.
pub(crate) fn endpoint_fault(path: &str) -> Option<String> {
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b));
    if !path.starts_with('/') || path.len() < 2 || path.ends_with('/') || !plain {
        return Some(format!("must be a path like \"/api/metrics\", got {path:?}"));
    }
    let taken = |prefix: &&str| {
        path == *prefix || path.strip_prefix(*prefix).is_some_and(|rest| rest.starts_with('/'))
    };
    if path == "/metrics" || RESERVED.iter().any(taken) {
        return Some(format!("{path:?} belongs to another part of the server"));
    }
    None
}

impl Observability {
    pub(crate) fn agree(&self, at: &KeyPath, faults: &mut Faults) {
        if let Some(fault) = endpoint_fault(&self.metrics_endpoint) {
            faults.add(&at.key("metrics_endpoint"), fault);
        }
    }
}

choices! {
    /// The least severe event that is logged.
    pub enum LogLevel {
        /// Nothing.
        Off = "off",
        /// Something is broken.
        Error = "error",
        /// Something needs a look.
        Warn = "warn",
        /// One line per call.
        Info = "info",
        /// Decisions inside a call.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

choices! {
    /// How a line of the log looks.
    pub enum LogFormat {
        /// Text on a terminal, JSON elsewhere.
        Auto = "auto",
        /// One JSON object per line.
        Json = "json",
        /// For people.
        Text = "text",
    }
}

settings! {
    /// `[log]`: lines on standard error.
    pub struct Log {
        /// The least severe event that is logged.
        level: LogLevel = LogLevel::Info;
        /// How a line looks.
        format: LogFormat = LogFormat::Auto;
    }
}
