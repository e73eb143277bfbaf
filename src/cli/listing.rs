//! Owns the plain form of a payload: one `key: value` line each, for people and shell scripts.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::lang::value::Value;

/// Lines of a payload: keys sorted, lists as `key.count` and `key.1`, newlines escaped, numbers as they are.
pub(super) fn listing(payload: &Value) -> String {
    let mut lines = BTreeMap::new();
    flatten("", payload, &mut lines);
    let mut text = String::new();
    for (key, value) in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key}: {}", value.replace('\\', "\\\\").replace('\n', "\\n"));
    }
    text
}

fn flatten(at: &str, value: &Value, lines: &mut BTreeMap<String, String>) {
    let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match value {
        Value::Map(map) if !map.is_empty() => {
            for (name, value) in map.iter() {
                flatten(&below(name), value, lines);
            }
        }
        Value::Map(_) => {
            lines.insert(at.to_owned(), "{}".to_owned());
        }
        Value::List(list) => {
            lines.insert(below("count"), list.len().to_string());
            for (index, value) in list.iter().enumerate() {
                flatten(&below(&(index + 1).to_string()), value, lines);
            }
        }
        scalar => {
            lines.insert(at.to_owned(), scalar.to_display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::value::parse_json;

    #[test]
    fn a_payload_is_listed_with_its_keys_sorted_and_its_lists_counted() {
        let payload = r#"{"result":[1,{"b":"x\ny","a":null}],"ok":true,"state":{}}"#;
        let payload = parse_json(payload).expect("JSON");
        assert_eq!(
            listing(&payload),
            "ok: true\nresult.1: 1\nresult.2.a: null\nresult.2.b: x\\ny\nresult.count: 2\nstate: {}\n"
        );
    }
}
