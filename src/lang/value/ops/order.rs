//! Owns `order ... by` and `keep first`.

use super::fault;
use crate::lang::fault::Fault;
use crate::lang::value::{Number, Value};

/// The list sorted by a numeric field of its maps; equal ones keep their order.
pub fn order(list: Value, field: &str, highest_first: bool) -> Result<Value, Fault> {
    let Value::List(list) = list else {
        return Err(fault(format!("Order needs a list but got {}", list.type_name())));
    };
    let mut keyed = Vec::with_capacity(list.len());
    for item in list.into_items() {
        keyed.push((sort_key(&item, field)?, item));
    }
    if highest_first {
        keyed.sort_by(|(a, _), (b, _)| b.compare(a));
    } else {
        keyed.sort_by(|(a, _), (b, _)| a.compare(b));
    }
    Ok(Value::list(keyed.into_iter().map(|(_, item)| item).collect()))
}

fn sort_key(item: &Value, field: &str) -> Result<Number, Fault> {
    let Value::Map(map) = item else {
        let got = item.type_name();
        return Err(fault(format!("Order list items must be objects but got {got}")));
    };
    let value = map.get(field).ok_or_else(|| fault(format!("Order field '{field}' is missing")))?;
    value.as_number().ok_or_else(|| {
        let got = value.type_name();
        fault(format!("Order field '{field}' must be a number but got {got}"))
    })
}

/// The first `count` items, or all if there are fewer.
pub fn keep_first(list: Value, count: &Value) -> Result<Value, Fault> {
    let Some(whole) = count.as_number() else {
        let got = count.type_name();
        return Err(fault(format!("keep first needs a number but got {got}")));
    };
    if !whole.is_integral() {
        return Err(fault("keep first needs a whole number"));
    }
    if whole.is_negative() {
        return Err(fault("keep first needs zero or more"));
    }
    let Value::List(list) = list else {
        let got = list.type_name();
        return Err(fault(format!("keep first needs a list but got {got}")));
    };
    let count = whole.to_i64().and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    if count >= list.len() {
        return Ok(Value::List(list));
    }
    let mut items = list.into_items();
    items.truncate(count);
    Ok(Value::list(items))
}
