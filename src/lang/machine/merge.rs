//! Owns how what several parts came to becomes one value. Pure: must not touch strands.

use std::sync::Arc;

use super::strand::Outcome;
use crate::lang::ast::{AgentMerge, AgentPolicy, BranchMerge, BranchPolicy};
use crate::lang::fault::Fault;
use crate::lang::value::{JsonStyle, Map, Number, Value};

/// The value of `run agents in parallel`.
pub(super) fn agents(outputs: Vec<Value>, merge: Option<&AgentMerge>) -> Result<Value, Fault> {
    let Some(merge) = merge else { return Ok(Value::list(outputs)) };
    match merge.policy {
        AgentPolicy::All => Ok(Value::list(outputs)),
        AgentPolicy::FirstValid => outputs
            .into_iter()
            .find(|output| valid(output, merge))
            .ok_or_else(|| failed("No candidates passed validation for merge policy 'first_valid'.")),
        AgentPolicy::Ranked => ranked(outputs, merge),
        AgentPolicy::Consensus => consensus(outputs, merge),
    }
}

fn failed(text: &str) -> Fault {
    Fault::run(text, None)
}

fn valid(output: &Value, merge: &AgentMerge) -> bool {
    let has = |key: &str| output.as_map().is_some_and(|map| map.contains_key(key));
    merge.require_keys.iter().all(|key| has(&key.text)) && !(merge.require_non_empty && is_empty(output))
}

fn is_empty(output: &Value) -> bool {
    let blank = |value: &Value| match value {
        Value::Null => true,
        Value::Text(text) => text.trim().is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    };
    match output.as_map() {
        Some(map) if map.len() == 1 => map.values().all(blank),
        _ => blank(output),
    }
}

fn ranked(outputs: Vec<Value>, merge: &AgentMerge) -> Result<Value, Fault> {
    let mut best: Option<(Number, Value)> = None;
    for output in outputs {
        let Some(score) = score(&output, merge).filter(|_| valid(&output, merge)) else { continue };
        if best.as_ref().is_none_or(|(top, _)| score > *top) {
            best = Some((score, output));
        }
    }
    best.map(|(_, output)| output)
        .ok_or_else(|| failed("No candidates produced a numeric score for merge policy 'ranked'."))
}

fn score(output: &Value, merge: &AgentMerge) -> Option<Number> {
    match (&merge.score_key, &merge.score_rule) {
        (Some(key), _) => output.as_map()?.get(&key.text)?.as_number(),
        (None, Some(rule)) if &*rule.text == "text_length" => {
            let text = match output {
                Value::Text(text) => text,
                other => other.as_map()?.get("text")?.as_text()?,
            };
            Some(Number::from(text.chars().count()))
        }
        _ => None,
    }
}

fn consensus(outputs: Vec<Value>, merge: &AgentMerge) -> Result<Value, Fault> {
    let least = merge.min_consensus.unwrap_or(0);
    if least == 0 {
        return Err(failed("Merge policy 'consensus' requires min_consensus."));
    }
    if least > outputs.len() as u64 {
        return Err(failed("Consensus threshold exceeds candidate count."));
    }
    let mut votes: Vec<(String, u64, Value)> = Vec::new();
    for output in outputs {
        let Some(view) = view(&output, merge).filter(|_| valid(&output, merge)) else { continue };
        match votes.iter_mut().find(|(known, ..)| *known == view) {
            Some((_, count, _)) => *count += 1,
            None => votes.push((view, 1, output)),
        }
    }
    let mut winner: Option<(u64, Value)> = None;
    for (_, count, output) in votes {
        if count >= least && winner.as_ref().is_none_or(|(most, _)| count > *most) {
            winner = Some((count, output));
        }
    }
    winner
        .map(|(_, output)| output)
        .ok_or_else(|| failed("No consensus reached for merge policy 'consensus'."))
}

/// What a candidate votes for.
fn view(output: &Value, merge: &AgentMerge) -> Option<String> {
    let value = match (&merge.consensus_key, output.as_map()) {
        (Some(key), map) => map?.get(&key.text)?,
        (None, Some(map)) => map.get("text").unwrap_or(output),
        (None, None) => output,
    };
    (!matches!(value, Value::Null)).then(|| value.to_json(JsonStyle::Canonical))
}

/// The value of `orchestration:`.
pub(super) fn branches(ended: Vec<(Arc<str>, Outcome)>, merge: &BranchMerge) -> Result<Value, Fault> {
    let policy = merge.policy.name();
    match merge.policy {
        BranchPolicy::Collect => Ok(Value::list(ended.into_iter().map(collected).collect())),
        BranchPolicy::AllOk | BranchPolicy::Strict => {
            let bad: Vec<&str> =
                ended.iter().filter(|(_, outcome)| outcome.is_err()).map(|(name, _)| &**name).collect();
            if !bad.is_empty() {
                let bad = bad.join(", ");
                return Err(failed(&format!(
                    "Orchestration merge failed: {policy} requires all branches to succeed. Failed branches: {bad}."
                )));
            }
            let good = ended.into_iter().filter_map(|(name, outcome)| Some((name, outcome.ok()?)));
            Ok(if merge.policy == BranchPolicy::AllOk {
                Value::list(good.map(|(_, value)| value).collect())
            } else {
                Value::map(good.collect())
            })
        }
        BranchPolicy::FirstOk | BranchPolicy::Prefer => {
            let order = preferred(&ended, merge);
            order.into_iter().find_map(|at| ended[at].1.as_ref().ok().cloned()).ok_or_else(|| {
                failed(&format!(
                    "Orchestration merge failed: {policy} requires at least one successful branch."
                ))
            })
        }
    }
}

/// Branches in the order in which they are preferred.
fn preferred(ended: &[(Arc<str>, Outcome)], merge: &BranchMerge) -> Vec<usize> {
    if merge.policy == BranchPolicy::FirstOk {
        return (0..ended.len()).collect();
    }
    let named =
        merge.precedence.iter().filter_map(|name| ended.iter().position(|(known, _)| *known == name.text));
    let mut order: Vec<usize> = named.collect();
    for at in 0..ended.len() {
        if !order.contains(&at) {
            order.push(at);
        }
    }
    order
}

fn collected((name, outcome): (Arc<str>, Outcome)) -> Value {
    let mut entry = Map::default();
    let mut put = |key: &str, value: Value| entry.insert(Arc::from(key), value);
    put("branch", Value::Text(name));
    match outcome {
        Ok(value) => {
            put("status", Value::from("ok"));
            put("value", value);
        }
        Err(fault) => {
            put("status", Value::from("error"));
            put("error_type", Value::from("Namel3ssError"));
            put("error_message", Value::text(fault.located()));
        }
    }
    Value::Map(entry)
}
