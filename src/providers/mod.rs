//! Those who answer: one file per vendor and the catalogue that names them.
//!
//! Owns the way from a `[providers]` table to a running adapter. A new vendor is a file here, a
//! line in [`build`] and a kind in the configuration; the contract test runs every kind there is.

mod anthropic;
mod counting;
mod forward;
mod http;
mod keys;
mod mock;
mod openai;
mod quirks;
mod remote;
mod reply;
mod secrets;
mod sse_stream;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::ports::provider::{Fault, FaultKind, Provider};

use crate::config::{self, Model, ProviderKind};
pub use counting::TextCounter;
use quirks::QuirkTable;

/// A provider that cannot be made from its configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("providers.{provider}: {what}")]
pub struct BuildFault {
    /// Its name in configuration.
    pub provider: String,
    /// Why, for people; never a secret.
    pub what: String,
}

/// Makes the provider `name`. `models` are those of the configuration: a request is changed as the
/// quirks of its model say. Opens no connection.
///
/// # Errors
/// [`BuildFault`] for what the configuration's own checks cannot see.
pub fn build(
    name: &str,
    config: &config::Provider,
    models: &BTreeMap<String, Model>,
    clock: ClockRef,
) -> Result<Arc<dyn Provider>, BuildFault> {
    let made: Result<Arc<dyn Provider>, String> = match config.kind {
        ProviderKind::Openai => openai::OpenAi::new(config, QuirkTable::new(models), clock).map(shared),
        ProviderKind::Mock => Ok(shared(mock::Mock::new(config, clock))),
        ProviderKind::Anthropic => {
            anthropic::Anthropic::new(config, QuirkTable::new(models), clock).map(shared)
        }
    };
    made.map_err(|what| BuildFault { provider: name.to_owned(), what })
}

fn shared(provider: impl Provider) -> Arc<dyn Provider> {
    Arc::new(provider)
}

/// The fault of a request that cannot be sent to any upstream.
fn rejected(what: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Rejected { status: 400 }, what)
}

/// The fault of a request in another vendor's form: this kind cannot be asked it.
fn foreign_door(kind: &str, door: &str) -> Fault {
    let text =
        format!("a provider of kind \"{kind}\" cannot answer {door}; give the model a target that can");
    rejected(text)
}
