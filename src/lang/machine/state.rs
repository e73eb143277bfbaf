//! Owns reading and writing paths below `state`. Must not know statements; paths come compiled.

use std::sync::Arc;

use crate::lang::compile::form::StatePath;
use crate::lang::fault::{Fault, FaultKind};
use crate::lang::value::{MAX_DEPTH, Map, Value};

impl StatePath {
    /// How deep the value at its end is nested at least.
    pub(super) fn depth(&self) -> u32 {
        u32::try_from(self.keys.len()).unwrap_or(u32::MAX)
    }
}

/// The value at a path.
pub(super) fn get<'s>(state: &'s Map, path: &StatePath) -> Result<&'s Value, Fault> {
    let mut found: Option<&Value> = None;
    for key in &path.keys {
        let map = match found {
            None => Some(state),
            Some(value) => value.as_map(),
        };
        let Some(map) = map else {
            return Err(Fault::run(format!("State path '{}' is not a mapping", path.shown), None));
        };
        found = map.get(key);
        if found.is_none() {
            return Err(Fault::run(format!("Unknown state path '{}'", path.shown), None));
        }
    }
    found.ok_or_else(|| Fault::run(format!("Unknown state path '{}'", path.shown), None))
}

/// Writes a path: maps that are missing are made, what is no map in the middle is replaced by one.
pub(super) fn set(state: &mut Map, keys: &[Arc<str>], value: Value) -> Result<(), Fault> {
    let depth = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    if depth.saturating_add(value.depth()) > MAX_DEPTH {
        let text = format!("The state is nested more than {MAX_DEPTH} deep.");
        return Err(Fault::run(text, None).of_kind(FaultKind::Limit));
    }
    let Some((name, above)) = keys.split_last() else { return Ok(()) };
    let mut trail = Vec::with_capacity(above.len());
    let mut map = std::mem::take(state);
    for key in above {
        let inner = match map.remove(key) {
            Some(Value::Map(inner)) => inner,
            _ => Map::default(),
        };
        trail.push((map, key));
        map = inner;
    }
    map.insert(Arc::clone(name), value);
    *state = rise(map, trail);
    Ok(())
}

/// Changes the value at an existing path in place, without a copy when nobody else holds it.
pub(super) fn change(
    state: &mut Map,
    path: &StatePath,
    change: impl FnOnce(&mut Value) -> Result<(), Fault>,
) -> Result<(), Fault> {
    get(state, path)?;
    let Some((name, above)) = path.keys.split_last() else { return Ok(()) };
    let mut trail = Vec::with_capacity(above.len());
    let mut map = std::mem::take(state);
    for key in above {
        let inner = match map.remove(key) {
            Some(Value::Map(inner)) => inner,
            _ => Map::default(),
        };
        trail.push((map, key));
        map = inner;
    }
    let mut value = map.remove(name).unwrap_or_default();
    let outcome = change(&mut value);
    map.insert(Arc::clone(name), value);
    *state = rise(map, trail);
    outcome
}

fn rise(mut map: Map, trail: Vec<(Map, &Arc<str>)>) -> Map {
    for (mut outer, key) in trail.into_iter().rev() {
        outer.insert(Arc::clone(key), Value::Map(map));
        map = outer;
    }
    map
}
