//! The one integration binary: each module is a subject, and all share one link.
//!
//! Must not hold tests or helpers itself.

mod access;
mod apps;
mod command_line;
mod config;
mod config_performance;
mod config_persistence;
mod config_refusals;
mod dependencies;
mod doors;
mod encrypted;
mod events;
mod explain;
mod faults;
mod ingest;
mod issuer;
mod layers;
mod ledger;
mod n3;
mod persistence;
#[expect(clippy::panic, reason = "helpers of tests fail the way tests do")]
#[path = "../postgres/mod.rs"]
mod postgres;
mod promtool;
mod prove;
mod providers;
mod server;
mod sources;
mod stored;
mod streamed;
mod upstream;
mod warm;
