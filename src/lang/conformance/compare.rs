//! Owns when a result is the promised one: numbers by value, everything else exactly, in JSON form.

use crate::lang::value::{JsonStyle, Value, parse_json};

/// Where `actual` differs from `expected` after both took their JSON form; nothing where they are the same.
pub(super) fn differences(what: &str, expected: &Value, actual: &Value) -> Option<String> {
    let actual = parse_json(&actual.to_json(JsonStyle::Canonical)).expect("what is written can be read");
    let show = |value: &Value| value.to_json(JsonStyle::Compact);
    (!same(expected, &actual)).then(|| format!("{what}: expected {}, got {}", show(expected), show(&actual)))
}

/// Stricter than the language: `true` is not 1 here.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|((ka, va), (kb, vb))| ka == kb && same(va, vb))
        }
        _ => a.type_name() == b.type_name() && a.equals(b),
    }
}

#[test]
fn a_boolean_is_not_a_number_and_a_text_is_not_one_either() {
    let number = |text: &str| parse_json(text).expect("JSON");
    assert!(differences("x", &number("1.0"), &number("1")).is_none());
    assert!(differences("x", &number("1"), &true.into()).is_some());
    assert!(differences("x", &number("[\"2.5\"]"), &number("[2.5]")).is_some());
}
