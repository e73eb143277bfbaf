//! Behaviour of the operations on values, with the sentences they fail with.

use super::*;
use crate::lang::value::{Number, Value};

fn number(text: &str) -> Value {
    Value::Number(Number::parse(text).expect("a number"))
}

fn words(fault: &crate::lang::fault::Fault) -> &str {
    match &fault.text {
        crate::lang::fault::FaultText::Plain(text) => text,
        crate::lang::fault::FaultText::Guided(guide) => &guide.what,
    }
}

fn fault<T: std::fmt::Debug>(result: Result<T, impl Into<Box<crate::lang::fault::Fault>>>) -> String {
    words(&result.map_err(Into::into).expect_err("must fail")).to_owned()
}

#[test]
fn plus_joins_texts_and_refuses_a_mix() {
    let joined = arithmetic(Arithmetic::Add, &"a".into(), &"b".into());
    assert_eq!(joined.expect("two texts"), Value::from("ab"));
    let mixed = arithmetic(Arithmetic::Add, &"a".into(), &Value::int(1));
    assert_eq!(fault(mixed), "Cannot apply '+' to text and number.");
    let flag = arithmetic(Arithmetic::Multiply, &true.into(), &Value::int(1));
    assert_eq!(fault(flag), "Cannot apply '*' to boolean and number.");
}

#[test]
fn division_by_zero_can_be_caught_and_a_failed_power_cannot() {
    let divided = arithmetic(Arithmetic::Divide, &Value::int(1), &number("0.00")).expect_err("zero");
    assert_eq!((words(&divided), divided.catchable), ("Division by zero.", true));
    let power = arithmetic(Arithmetic::Power, &Value::int(0), &Value::int(0)).expect_err("no result");
    assert_eq!((words(&power), power.catchable), ("Runtime error", false));
}

#[test]
fn an_untouched_fraction_becomes_a_decimal_in_arithmetic() {
    let doubled = arithmetic(Arithmetic::Multiply, &Value::Float(19.99), &Value::int(2));
    assert_eq!(doubled.expect("numbers"), number("39.98"));
}

#[test]
fn comparisons_need_numbers_and_bounds_out_of_order_are_never_met() {
    assert_eq!(fault(compare(Comparison::Less, &"a".into(), &"b".into())), "Comparison requires numbers.");
    let five = Value::int(5);
    assert!(between(&five, &five, &Value::int(9), false).expect("numbers"));
    assert!(!between(&five, &five, &Value::int(9), true).expect("numbers"));
    assert!(!between(&five, &Value::int(9), &Value::int(1), false).expect("numbers"));
}

#[test]
fn list_forms_say_what_they_need() {
    let list = Value::list(vec![Value::int(1), Value::int(2)]);
    assert_eq!(list_get(&list, &number("1.0")).expect("in range"), Value::int(2));
    for index in ["2", "-1", "99999999999999999999999"] {
        assert_eq!(fault(list_get(&list, &number(index))), "List index is out of range");
    }
    assert_eq!(fault(list_get(&list, &number("0.5"))), "List index must be an integer");
    assert_eq!(fault(list_get(&list, &"0".into())), "List index must be a number but got text");
    assert_eq!(fault(list_append("x".into(), list)), "List append needs a list but got text");
    assert_eq!(fault(list_length(&true.into())), "List length needs a list but got boolean");
}

#[test]
fn map_forms_say_what_they_need() {
    let map = map([("a".into(), Value::int(1))]).expect("one key");
    assert_eq!(fault(map_get(&map, &"k".into())), "Map key 'k' was not found");
    assert_eq!(fault(map_get(&map, &Value::int(1))), "Map key must be text but got number");
    assert_eq!(fault(map_keys(&Value::list(vec![]))), "Map keys needs a map but got list");
    assert_eq!(fault(attribute(&map, "b")), "Missing attribute 'b'");
    let twice = super::map([("a".into(), Value::Null), ("a".into(), Value::Null)]);
    assert_eq!(fault(twice), "Map key 'a' is duplicated");
    let set = map_set(map.clone(), &"b".into(), Value::int(2)).expect("a map");
    assert_eq!(map_keys(&set).expect("a map"), Value::list(vec!["a".into(), "b".into()]));
    assert_eq!(map_keys(&map).expect("a map"), Value::list(vec!["a".into()]), "the old map is unchanged");
}

#[test]
fn values_cannot_nest_without_end() {
    let mut value = Value::list(vec![]);
    let refused = (0..1000).find_map(|_| match list(vec![value.clone()]) {
        Ok(deeper) => {
            value = deeper;
            None
        }
        Err(fault) => Some(fault),
    });
    assert!(words(&refused.expect("a limit")).contains("nested more than 256 deep"));
}

#[test]
fn values_that_share_their_parts_are_measured_as_if_they_did_not() {
    let mut value = Value::list(vec!["x".into()]);
    let mut again = Value::list(vec!["x".into()]);
    let refused = (0..100).find_map(|_| {
        assert_eq!(value, again);
        value = list(vec![value.clone(), value.clone()]).ok()?;
        match list(vec![again.clone(), again.clone()]) {
            Ok(doubled) => again = doubled,
            Err(fault) => return Some(fault),
        }
        // Comparing parts that are not shared takes time in proportion to their bulk.
        (value.bulk() > 1 << 20).then(|| list(vec![value.clone(); 10_000]).expect_err("too large"))
    });
    assert!(words(&refused.expect("a limit")).contains("larger than 1024 MiB"));
}

#[test]
fn what_a_map_holds_is_measured_through_changes() {
    let mut map = crate::lang::value::Map::default();
    let empty = Value::Map(map.clone()).bulk();
    map.insert("k".into(), "a long text".into());
    map.insert("k".into(), number("1"));
    map.insert("j".into(), number("1e5000"));
    assert!(Value::Map(map.clone()).bulk() > empty + 5000, "the zeros of an exponent count");
    map.remove("k");
    map.remove("j");
    assert_eq!(Value::Map(map).bulk(), empty);
}

#[test]
fn aggregates_compute_and_complain() {
    let list = |items: &[&str]| Value::list(items.iter().map(|item| number(item)).collect());
    let xs = list(&["4", "1.5", "10", "2"]);
    for (function, result) in [
        (Aggregate::Sum, "17.5"),
        (Aggregate::Min, "1.5"),
        (Aggregate::Max, "10"),
        (Aggregate::Mean, "4.375"),
        (Aggregate::Median, "3"),
    ] {
        assert_eq!(aggregate(function, &xs).expect("numbers"), number(result));
    }
    assert_eq!(fault(aggregate(Aggregate::Max, &list(&[]))), "max cannot operate on an empty list");
    assert_eq!(fault(aggregate(Aggregate::Sum, &"1".into())), "sum requires a list but got text");
    let mixed = Value::list(vec![Value::int(1), "3".into()]);
    let message = "mean list item at index 1 must be a number but got text";
    assert_eq!(fault(aggregate(Aggregate::Mean, &mixed)), message);
}

#[test]
fn order_is_stable_and_keep_takes_whole_numbers() {
    let row = |score: &str, name: &str| Value::fields([("s", number(score)), ("n", name.into())]);
    let rows = Value::list(vec![row("1", "a"), row("3", "b"), row("1.0", "c")]);
    let ordered = order(rows.clone(), "s", true).expect("numbers");
    let expected = Value::list(vec![row("3", "b"), row("1", "a"), row("1", "c")]);
    assert_eq!(ordered, expected);
    assert_eq!(fault(order(rows, "x", true)), "Order field 'x' is missing");
    assert_eq!(fault(order(Value::int(3), "x", true)), "Order needs a list but got number");
    let kept = keep_first(ordered, &Value::int(1)).expect("a whole number");
    assert_eq!(kept, Value::list(vec![row("3", "b")]));
    assert_eq!(fault(keep_first(kept, &number("1.5"))), "keep first needs a whole number");
}
