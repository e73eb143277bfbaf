//! Tidegate as a library: what `main.rs` starts and the integration tests drive.
//!
//! Owns nothing but the list of parts. Imports point down only: `app -> {cli, http} -> engine`.

pub mod app;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod http;
pub mod identity;
pub mod lang;
pub mod providers;
pub mod run;
pub mod stores;
pub mod telemetry;
