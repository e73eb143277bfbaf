//! Owns how a run is answered over HTTP: its status, its shape, and the words of a failure.

use std::sync::Arc;

use tidegate_actors::CallId;

use super::Route;
use crate::lang::fault::{Fault, FaultKind};
use crate::lang::machine::Outcome;
use crate::lang::report;
use crate::lang::value::{JsonStyle, Map, Value};
use crate::run::{Told, payload};

/// Characters of the message of an error.
const MAX_MESSAGE_CHARS: usize = 240;

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: Value,
    /// The AI calls behind it, in the order in which they were made.
    pub calls: Vec<CallId>,
}

impl Reply {
    /// One that says something.
    #[must_use]
    pub fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    /// One with another status.
    #[must_use]
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, body, calls: Vec::new() }
    }

    /// The same, naming the calls of the run behind it.
    #[must_use]
    pub fn of(self, told: &[Told]) -> Self {
        Self { calls: told.iter().filter_map(|told| told.call).collect(), ..self }
    }

    /// The body as it is sent: compact, keys sorted, everything beyond ASCII escaped.
    #[must_use]
    pub fn json(&self) -> String {
        self.body.to_json(JsonStyle::Canonical)
    }
}

/// The status a fault is answered with: 401 if too little is known of the caller, 403 if the caller may not, 503 if the
/// records cannot be reached, 429 if a limit had no room for an ask, else 400.
#[must_use]
pub fn status(fault: &Fault) -> u16 {
    let what = report::headline(fault);
    let of_rule = fault.place.as_ref().is_some_and(|place| place.statement == "none");
    match () {
        () if fault.kind == FaultKind::Store => 503,
        () if fault.kind == FaultKind::AiLimited => 429,
        () if of_rule && what.starts_with("Identity is missing ") => 401,
        () if what.ends_with(" requires authentication.") => 401,
        () if what.ends_with(" access is not permitted.") => 403,
        () => 400,
    }
}

/// The answer to a request that failed because of `fault`.
#[must_use]
pub fn problem(fault: &Fault) -> Reply {
    let told = payload::failure(std::slice::from_ref(fault));
    let errors = told.as_map().and_then(|told| told.get("errors")).and_then(Value::as_list);
    let entry = errors.and_then(|errors| errors.first()).and_then(Value::as_map);
    let fix = entry.and_then(|entry| entry.get("remediation")).and_then(Value::as_text);
    let code = report::error_id(fault).unwrap_or_else(|| match fault.stage {
        crate::lang::fault::Stage::Run => "runtime_error".to_owned(),
        other => format!("{}_error", other.name()),
    });
    told_problem(status(fault), &code, &fault.located(), fix.map_or("", AsRef::as_ref))
}

/// The answer to a request that was never run.
#[must_use]
pub fn refused(status: u16, message: &str, remediation: &str) -> Reply {
    told_problem(status, "runtime_error", message, remediation)
}

fn told_problem(status: u16, code: &str, message: &str, remediation: &str) -> Reply {
    let body = Value::fields([
        ("code", code.into()),
        ("message", report::cut(message, MAX_MESSAGE_CHARS).into()),
        ("remediation", remediation.into()),
    ]);
    Reply::new(status, body)
}

impl Route {
    /// What the route answers after its flow.
    #[must_use]
    pub fn reply(&self, outcome: &Outcome) -> Reply {
        match &outcome.result {
            Ok(result) => self.shaped(result),
            Err(fault) => problem(fault),
        }
    }

    /// A map is the answer; anything else is the only field of the response.
    fn shaped(&self, result: &Value) -> Reply {
        match (result, self.response.as_slice()) {
            (Value::Map(_), _) => Reply::ok(result.clone()),
            (_, [only]) => {
                let mut body = Map::default();
                body.insert(Arc::clone(only), result.clone());
                Reply::ok(Value::Map(body))
            }
            _ => refused(
                400,
                "Flow response must be an object matching the route response schema.",
                "Return a map with the fields of the route's response block.",
            ),
        }
    }
}
