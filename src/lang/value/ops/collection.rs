//! Owns the forms that make and read lists and maps. A form that makes one refuses to nest deeper than
//! [`MAX_DEPTH`] or to grow over [`MAX_BULK`], which is what bounds every walk over a value.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{fault, guided};
use crate::lang::fault::{Fault, FaultKind};
use crate::lang::value::{List, MAX_BULK, MAX_DEPTH, Map, Value};

/// The value, unless it is deeper or larger than one may be. No `try` catches that.
fn limited(value: Value) -> Result<Value, Fault> {
    if value.is_within_limits() {
        return Ok(value);
    }
    let fault = if value.depth() > MAX_DEPTH {
        guided(
            format!("Lists and maps are nested more than {MAX_DEPTH} deep."),
            "A value that contains itself again and again grows without end.",
            "Keep what is nested in a flat list, or in records.",
            "set items is list append items with entry",
        )
    } else {
        guided(
            format!("A list or map is larger than {} MiB.", MAX_BULK >> 20),
            "Everything in it counts, as often as it stands there.",
            "Keep less at once, or store it as records.",
            "create \"Entry\" with entry as stored",
        )
    };
    Err(fault.of_kind(FaultKind::Limit).uncatchable())
}

/// A list of these items.
pub fn list(items: Vec<Value>) -> Result<Value, Fault> {
    limited(Value::list(items))
}

/// A map of these entries; a key may stand once.
pub fn map(entries: impl IntoIterator<Item = (Arc<str>, Value)>) -> Result<Value, Fault> {
    let mut sorted = BTreeMap::new();
    for (key, value) in entries {
        if sorted.contains_key(&key) {
            return Err(fault(format!("Map key '{key}' is duplicated")));
        }
        sorted.insert(key, value);
    }
    limited(Value::map(sorted))
}

fn need_list<'v>(form: &str, value: &'v Value) -> Result<&'v List, Fault> {
    value.as_list().ok_or_else(|| fault(format!("{form} needs a list but got {}", value.type_name())))
}

fn need_map<'v>(form: &str, value: &'v Value) -> Result<&'v Map, Fault> {
    value.as_map().ok_or_else(|| fault(format!("{form} needs a map but got {}", value.type_name())))
}

fn need_key(key: &Value) -> Result<&Arc<str>, Fault> {
    key.as_text().ok_or_else(|| fault(format!("Map key must be text but got {}", key.type_name())))
}

/// `list length of value`
pub fn list_length(value: &Value) -> Result<Value, Fault> {
    Ok(Value::Number(need_list("List length", value)?.len().into()))
}

/// `list append value with item`: O(1) when `value` has no other holder.
pub fn list_append(value: Value, item: Value) -> Result<Value, Fault> {
    let Value::List(mut list) = value else {
        need_list("List append", &value)?;
        return Ok(value);
    };
    list.push(item);
    limited(Value::List(list))
}

/// `list get value at index` and `value[index]`
pub fn list_get(value: &Value, index: &Value) -> Result<Value, Fault> {
    let list = need_list("List get", value)?;
    let Some(number) = index.as_number() else {
        return Err(fault(format!("List index must be a number but got {}", index.type_name())));
    };
    if !number.is_integral() {
        return Err(fault("List index must be an integer"));
    }
    number
        .to_i64()
        .and_then(|at| usize::try_from(at).ok())
        .and_then(|at| list.get(at).cloned())
        .ok_or_else(|| fault("List index is out of range"))
}

/// `map get value key key`
pub fn map_get(value: &Value, key: &Value) -> Result<Value, Fault> {
    let map = need_map("Map get", value)?;
    let key = need_key(key)?;
    map.get(key).cloned().ok_or_else(|| fault(format!("Map key '{key}' was not found")))
}

/// `map set value key key value entry`: copies the map only when it has other holders.
pub fn map_set(value: Value, key: &Value, entry: Value) -> Result<Value, Fault> {
    let Value::Map(mut map) = value else {
        need_map("Map set", &value)?;
        return Ok(value);
    };
    map.insert(Arc::clone(need_key(key)?), entry);
    limited(Value::Map(map))
}

/// `map keys value`: the keys, sorted.
pub fn map_keys(value: &Value) -> Result<Value, Fault> {
    let map = need_map("Map keys", value)?;
    Ok(Value::list(map.keys().map(|key| Value::Text(Arc::clone(key))).collect()))
}

/// `value.name` on a local.
pub fn attribute(value: &Value, name: &str) -> Result<Value, Fault> {
    value
        .as_map()
        .and_then(|map| map.get(name).cloned())
        .ok_or_else(|| fault(format!("Missing attribute '{name}'")))
}
