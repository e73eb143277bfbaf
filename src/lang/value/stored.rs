//! Owns the text under which a value is kept between processes: JSON that, unlike the form of results, loses nothing:
//! decimals keep their scale and stay apart from texts. Must not know where it is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::json_read::parse_within;
use super::{JsonFault, JsonStyle, MAX_DEPTH, Number, Value};

/// Marks a decimal: `{"$decimal": "1.50"}`.
const DECIMAL: &str = "$decimal";
/// Marks a map that would be taken for a mark: `{"$map": {"$decimal": ..}}`.
const MAP: &str = "$map";

impl Value {
    /// The value as text that [`Value::from_stored`] gives back exactly.
    pub fn to_stored(&self) -> String {
        marked(self).to_json(JsonStyle::Compact)
    }

    /// The value of a [`Value::to_stored`] text.
    ///
    /// # Errors
    /// A text that is not JSON or holds a mark without its content.
    pub fn from_stored(text: &str) -> Result<Self, JsonFault> {
        // Marks add at most one level to each, the decimal inside included.
        unmarked(parse_within(text, 2 * MAX_DEPTH + 1)?)
            .ok_or(JsonFault { what: "a mark without its content", at: 0 })
    }
}

fn marked(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.to_string() != number.to_plain() || !number.is_integral() => {
            Value::fields([(DECIMAL, Value::text(number.to_string()))])
        }
        Value::List(list) => Value::list(list.iter().map(marked).collect()),
        Value::Map(map) => {
            let inner = Value::map(map.iter().map(|(key, value)| (Arc::clone(key), marked(value))).collect());
            let mistaken = map.len() == 1 && (map.contains_key(DECIMAL) || map.contains_key(MAP));
            if mistaken { Value::fields([(MAP, inner)]) } else { inner }
        }
        other => other.clone(),
    }
}

fn unmarked(value: Value) -> Option<Value> {
    match value {
        Value::List(list) => {
            let items: Option<_> = list.into_items().into_iter().map(unmarked).collect();
            Some(Value::list(items?))
        }
        Value::Map(map) if map.len() == 1 && map.contains_key(DECIMAL) => {
            Number::parse(map.get(DECIMAL)?.as_text()?).map(Value::Number)
        }
        Value::Map(map) if map.len() == 1 && map.contains_key(MAP) => entries(map.get(MAP)?.clone()),
        Value::Map(map) => entries(Value::Map(map)),
        other => Some(other),
    }
}

/// A map whose entries are unmarked, but not itself.
fn entries(value: Value) -> Option<Value> {
    let Value::Map(map) = value else { return None };
    let entries = map.into_entries().into_iter().map(|(key, value)| Some((key, unmarked(value)?)));
    Some(Value::map(entries.collect::<Option<BTreeMap<_, _>>>()?))
}
