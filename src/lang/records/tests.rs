//! Behaviour of records: ids, constraints, uniqueness, tenants, lifetimes and rollback.

use std::sync::Arc;

use super::*;
use crate::lang::ast::{Constraint, Name, RecordDecl, RecordField, TypeKind, TypeRef};
use crate::lang::fault::Fault;
use crate::lang::span::Span;
use crate::lang::value::{Map, Number, Value};

fn span() -> Span {
    Span { line: 1, column: 1, len: 1 }
}

fn declared(fields: Vec<(&str, TypeKind, Option<Constraint>)>) -> RecordDecl {
    let field = |(name, kind, constraint): (&str, TypeKind, Option<Constraint>)| RecordField {
        name: Name::new(name, span()),
        ty: TypeRef { kind, written: "".into(), span: span() },
        constraint,
    };
    RecordDecl {
        name: Name::new("R", span()),
        fields: fields.into_iter().map(field).collect(),
        tenant_key: None,
        ttl_hours: None,
        version: None,
        shared: false,
        span: span(),
    }
}

fn schema(fields: Vec<(&str, TypeKind, Option<Constraint>)>) -> Schema {
    Schema::new(&declared(fields)).expect("a usable declaration")
}

fn number(text: &str) -> Value {
    Value::Number(Number::parse(text).expect("a number"))
}

fn values<const N: usize>(fields: [(&str, Value); N]) -> Map {
    match Value::fields(fields) {
        Value::Map(map) => map,
        _ => Map::default(),
    }
}

fn words(result: Result<impl std::fmt::Debug, Fault>) -> String {
    result.expect_err("must be refused").message()
}

fn stored(store: &Store, schema: &Schema) -> Vec<String> {
    let rows = visible(store, schema, &Scope::default());
    rows.into_iter()
        .map(|row| Value::Map(row.fields).to_json(crate::lang::value::JsonStyle::Canonical))
        .collect()
}

#[test]
fn ids_count_up_and_are_not_reused() {
    let schema = schema(vec![("n", TypeKind::Number, None)]);
    let (mut store, scope) = (Store::new(), Scope::default());
    let first = save(&mut store, &schema, &scope, values([("n", number("1"))])).expect("saved");
    assert_eq!(first.get("_id"), Some(&number("1")));
    let rows = visible(&store, &schema, &scope);
    delete(&mut store, &schema, &[rows[0].key]);
    save(&mut store, &schema, &scope, values([("n", number("2"))])).expect("saved");
    assert_eq!(stored(&store, &schema), [r#"{"_id":2,"n":2}"#]);
}

#[test]
fn a_declared_id_takes_the_counter_unless_given() {
    let schema = schema(vec![("id", TypeKind::Number, None)]);
    let (mut store, scope) = (Store::new(), Scope::default());
    for given in [values([]), values([("id", number("0"))]), values([])] {
        save(&mut store, &schema, &scope, given).expect("saved");
    }
    assert_eq!(stored(&store, &schema), [r#"{"id":0}"#, r#"{"id":1}"#, r#"{"id":3}"#]);
}

#[test]
fn types_are_judged_before_constraints_and_the_first_fault_is_reported() {
    let schema = schema(vec![
        ("a", TypeKind::Number, Some(Constraint::AtMost("3".into()))),
        ("b", TypeKind::Text, Some(Constraint::Present)),
        ("c", TypeKind::Boolean, None),
    ]);
    let refused = |values| schema.check(&values).expect_err("must be refused").message;
    let rule = refused(values([("a", number("10"))]));
    assert_eq!(rule, "Field 'a' in record 'R' must be at most 3");
    let ty = refused(values([("a", number("10")), ("c", "no".into())]));
    assert_eq!(ty, "Field 'c' in record 'R' must be a boolean");
    assert_eq!(schema.violations(&values([("a", number("10"))])).len(), 2);
}

#[test]
fn every_constraint_has_its_sentence() {
    let n = |text: &str| Arc::<str>::from(text);
    let cases = [
        (Constraint::Present, Value::Null, "be present", "present"),
        (Constraint::GreaterThan(n("0")), number("0"), "be greater than 0", "gt"),
        (Constraint::LessThan(n("5")), number("5.0"), "be less than 5", "lt"),
        (Constraint::AtLeast(n("10")), number("9.99"), "be at least 10", "gte"),
        (Constraint::AtMost(n("-1")), number("0"), "be at most -1", "lte"),
        (Constraint::Between(n("1"), n("5")), number("6"), "be between 1 and 5", "between"),
        (Constraint::Between(n("1"), n("5")), Value::Null, "be numeric", "type"),
        (Constraint::Integer, number("1.5"), "be an integer", "int"),
        (Constraint::LengthAtLeast(n("4")), "abc".into(), "have length at least 4", "min_length"),
        (Constraint::LengthAtMost(n("2")), "abc".into(), "have length at most 2", "max_length"),
        (Constraint::LengthAtMost(n("2")), Value::Null, "be present for length check", "present"),
        (Constraint::Pattern(n("[A-Z]+")), "ABc".into(), "match pattern [A-Z]+", "pattern"),
    ];
    for (constraint, value, demand, code) in cases {
        let schema = schema(vec![("f", TypeKind::Json, Some(constraint))]);
        let violation = schema.check(&values([("f", value)])).expect_err("must be refused");
        assert_eq!(violation.message, format!("Field 'f' in record 'R' must {demand}"));
        assert_eq!(violation.code, code);
    }
}

#[test]
fn a_text_field_stores_text_with_the_written_scale() {
    let schema = schema(vec![("t", TypeKind::Text, None)]);
    let (mut store, scope) = (Store::new(), Scope::default());
    for value in [number("12"), number("1.50"), true.into(), Value::Null] {
        save(&mut store, &schema, &scope, values([("t", value)])).expect("saved");
    }
    let expected = [r#"{"_id":1,"t":"12"}"#, r#"{"_id":2,"t":"1.50"}"#, r#"{"_id":3,"t":"true"}"#];
    assert_eq!(stored(&store, &schema)[..3], expected);
    assert_eq!(stored(&store, &schema)[3], r#"{"_id":4,"t":null}"#);
}

#[test]
fn a_unique_value_is_held_once_and_null_is_no_value() {
    let schema = schema(vec![("k", TypeKind::Json, Some(Constraint::Unique)), ("n", TypeKind::Number, None)]);
    let (mut store, scope) = (Store::new(), Scope::default());
    for value in [number("1"), "1".into(), Value::Null, Value::Null] {
        save(&mut store, &schema, &scope, values([("k", value)])).expect("saved");
    }
    let again = save(&mut store, &schema, &scope, values([("k", number("1.0"))]));
    assert_eq!(words(again), "Field 'k' in record 'R' must be unique");

    let rows = visible(&store, &schema, &scope);
    let change = |row: usize, value: Value| (rows[row].clone(), vec![(Arc::from("k"), value)]);
    let (row, own) = change(0, number("1"));
    update(&mut store, &schema, &scope, &row, own).expect("a row may keep its own value");
    let (row, others) = change(0, "1".into());
    let clash = update(&mut store, &schema, &scope, &row, others);
    assert_eq!(words(clash), "Record 'R' violates unique constraint on 'k'");
}

#[test]
fn a_rolled_back_run_leaves_no_trace() {
    let schema = schema(vec![("k", TypeKind::Number, Some(Constraint::Unique))]);
    let (mut store, scope) = (Store::new(), Scope::default());
    let put = |store: &mut Store, k: i64| save(store, &schema, &scope, values([("k", Value::int(k))]));
    store.begin(true);
    put(&mut store, 1).expect("saved");
    put(&mut store, 2).expect("saved");
    store.commit();
    let before = stored(&store, &schema);

    store.begin(true);
    put(&mut store, 3).expect("saved");
    let rows = visible(&store, &schema, &scope);
    update(&mut store, &schema, &scope, &rows[0], vec![("k".into(), Value::int(9))]).expect("updated");
    delete(&mut store, &schema, &[rows[1].key, rows[2].key]);
    put(&mut store, 2).expect("its value is free again");
    store.rollback();

    assert_eq!(stored(&store, &schema), before);
    assert!(put(&mut store, 1).is_err(), "the value is held again");
    let next = put(&mut store, 9).expect("the changed value is free again");
    assert_eq!(next.get("_id"), Some(&Value::int(3)), "the counter went back with the run");
}

#[test]
fn tenants_see_and_hold_only_their_own() {
    let mut record = declared(vec![("k", TypeKind::Number, Some(Constraint::Unique))]);
    record.tenant_key = Some(vec![Name::new("org", span())]);
    let schema = Schema::new(&record).expect("usable");
    let org = |name: &str| schema.scope(&Value::fields([("org", name.into())]), None).expect("a tenant");
    let mut store = Store::new();
    for tenant in ["acme", "zeta"] {
        save(&mut store, &schema, &org(tenant), values([("k", Value::int(1))])).expect("saved");
    }
    assert_eq!(visible(&store, &schema, &org("acme")).len(), 1);
    let nobody = schema.scope(&Value::fields([]), None);
    assert!(words(nobody).contains("Record 'R' requires a tenant identity."));
}

#[test]
fn rows_expire_by_the_callers_clock() {
    let mut record = declared(vec![("k", TypeKind::Number, None)]);
    record.ttl_hours = Some("0.5".into());
    let schema = Schema::new(&record).expect("usable");
    let at = |now_ms| Scope { tenant: None, now_ms: Some(now_ms) };
    let mut store = Store::new();
    save(&mut store, &schema, &at(0), values([])).expect("saved");
    assert_eq!(visible(&store, &schema, &at(1_799_999)).len(), 1);
    assert_eq!(visible(&store, &schema, &at(1_800_000)).len(), 0);
}
