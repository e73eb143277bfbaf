//! Owns whether the caller of a run is who the program's `identity` block describes. Must not look at rules of flows.

use std::sync::Arc;

use super::words::guided;
use crate::lang::compile::code::CallerUnit;
use crate::lang::fault::Fault;
use crate::lang::value::{Map, Value};

/// Types first, then constraints, then the level of trust.
pub(super) fn check(caller: &CallerUnit, identity: &Map) -> Result<(), Fault> {
    judged(caller, identity).map_err(|fault| fault.at(caller.span))
}

fn judged(caller: &CallerUnit, identity: &Map) -> Result<(), Fault> {
    if let Some((field, kind)) = caller.schema.mistyped(identity) {
        return Err(guided(
            format!("Identity field '{field}' must be {kind}."),
            "The identity declaration defines a different type for this field.",
            "Provide a value that matches the declared type.",
            "N3_IDENTITY_EMAIL=dev@example.com",
        ));
    }
    if let Err(violation) = caller.schema.check(identity) {
        return Err(guided(
            format!("Identity field '{}' failed validation.", violation.field),
            violation.message,
            "Provide an identity value that satisfies the declared constraint.",
            "N3_IDENTITY_EMAIL=dev@example.com",
        ));
    }
    match &caller.trust_levels {
        Some(levels) => trusted(identity, levels),
        None => Ok(()),
    }
}

fn trusted(identity: &Map, levels: &[Arc<str>]) -> Result<(), Fault> {
    let (what, fix) = match identity.get("trust_level") {
        Some(Value::Text(held)) if levels.iter().any(|level| level == held) => return Ok(()),
        None | Some(Value::Null) => (
            "Identity is missing trust_level.".to_owned(),
            "Provide a trust_level value in your identity defaults.",
        ),
        Some(held) => (
            format!("Identity trust_level '{}' is not allowed.", held.to_display()),
            "Provide a trust_level value that matches the declaration.",
        ),
    };
    let example = format!("N3_IDENTITY_TRUST_LEVEL={}", levels.first().map_or("", |level| level));
    Err(guided(what, format!("Allowed trust levels: {}.", levels.join(", ")), fix, example))
}
