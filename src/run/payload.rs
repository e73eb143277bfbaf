//! Owns what a run is reported as, to whoever asked over the command line or HTTP.

use super::news::Token;
use crate::lang::fault::Fault;
use crate::lang::machine::{Outcome, Yielded};
use crate::lang::report;
use crate::lang::value::{JsonStyle, Value, parse_json};

/// The payload of a run: result, state, yields and the contract the language promises.
#[must_use]
pub fn payload(outcome: &Outcome) -> Value {
    match &outcome.result {
        Ok(result) => success(outcome, result),
        Err(fault) => failure(std::slice::from_ref(fault)),
    }
}

fn success(outcome: &Outcome, result: &Value) -> Value {
    let state = outcome.shown_state.clone();
    let none = || Value::list(Vec::new());
    let contract = Value::fields([
        ("errors", none()),
        ("flow_name", Value::Text(outcome.flow.clone())),
        ("result", result.clone()),
        ("state", state.clone()),
        ("status", "ok".into()),
    ]);
    let mut payload = vec![
        ("contract", contract),
        ("flow_name", Value::Text(outcome.flow.clone())),
        ("ok", Value::Bool(true)),
        ("result", result.clone()),
        ("state", state),
        ("traces", none()),
    ];
    if !outcome.yields.is_empty() {
        let yields = outcome.yields.iter().map(yielded).collect();
        payload.push(("yield_messages", Value::list(yields)));
    }
    Value::map(payload.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// A message as it is reported.
#[must_use]
pub fn yielded(message: &Yielded) -> Value {
    Value::fields([
        ("flow_name", Value::Text(message.flow.clone())),
        ("output", message.output.clone()),
        ("sequence", Value::int(i64::try_from(message.sequence).unwrap_or(i64::MAX))),
    ])
}

/// Part of an answer as it is reported.
#[must_use]
pub fn token(token: &Token) -> Value {
    let whole = |number: u64| Value::int(i64::try_from(number).unwrap_or(i64::MAX));
    Value::fields([
        ("ask", whole(token.ask)),
        ("flow_name", Value::Text(token.flow.clone())),
        ("output", Value::text(token.output.as_str())),
        ("profile", Value::Text(token.profile.clone())),
        ("sequence", whole(token.sequence)),
    ])
}

/// The payload of a program that could not be run, or a run that failed.
#[must_use]
pub fn failure<F: std::borrow::Borrow<Fault>>(faults: &[F]) -> Value {
    let faults: Vec<Fault> = faults.iter().map(|fault| fault.borrow().clone()).collect();
    // Made of texts and whole numbers, so that both forms of JSON say the same.
    parse_json(&report::failure(&faults).to_string()).unwrap_or_default()
}

/// The payload as text, keys sorted, two spaces a level.
#[must_use]
pub fn pretty(payload: &Value) -> String {
    payload.to_json(JsonStyle::Pretty)
}
