//! Record statements and the rules around them.

use super::*;

const TASKS: &str = r#"
record "Task":
  name is text must be present
  effort is number
"#;

fn tasks(main: &str) -> String {
    format!("{TASKS}\n{main}")
}

fn as_caller(source: &str, identity: &str) -> Outcome {
    let identity = match parse_json(identity).expect("the identity is JSON") {
        Value::Map(map) => Some(map),
        _ => None,
    };
    run_in(source, "{}", World { identity, ..world() })
}

#[test]
fn a_fault_that_gets_out_rolls_records_and_state_back() {
    let source = tasks(
        "flow \"main\": requires true\n  set state.a is 1\n  save \"Task\" with:\n    name is \"n\"\n  let x is 1 / 0\n",
    );
    let outcome = run(&source);
    assert!(outcome.result.is_err());
    assert!(outcome.state.is_empty());
    let again = tasks("flow \"main\":\n  find \"Task\" where true\n  return task_results\n");
    let after = run_in(&again, "{}", World { store: outcome.store, ..world() });
    assert_eq!(json(&after.result.expect("it finds nothing")), "[]");
}

#[test]
fn records_of_one_run_are_found_by_the_next() {
    let source =
        tasks("flow \"main\": requires true\n  save \"Task\" with:\n    name is \"n\"\n    effort is 2\n");
    let outcome = run(&source);
    assert_eq!(json(&outcome.result.expect("it saves")), r#"{"_id":1,"effort":2,"name":"n"}"#);
    let again =
        tasks("flow \"main\":\n  let limit is 1\n  find \"Task\" where effort is greater than limit\n");
    let after = run_in(&again, "{}", World { store: outcome.store, ..world() });
    assert_eq!(json(&after.result.expect("it finds it")), r#"[{"_id":1,"effort":2,"name":"n"}]"#);
}

#[test]
fn a_field_stands_before_a_local_and_a_binder_before_both() {
    let source = tasks(
        r#"
flow "main": requires true
  let effort is 100
  let xs is list: 1, 5
  save "Task" with:
    name is "n"
    effort is 5
  find "Task" where (list get xs at 1) is effort
  let field is list length of task_results
  delete "Task" where xs is filter xs with item as effort:
    effort is 1
  find "Task" where true
  return list: field, list length of task_results, effort
"#,
    );
    assert_eq!(result(&source), "[1,1,100]");
}

#[test]
fn a_predicate_that_fails_leaves_no_record_in_the_way_of_locals() {
    let source = tasks(
        r#"
flow "main": requires true
  let name is "local"
  save "Task" with:
    name is "field"
  try:
    find "Task" where ghost is 1
  with catch e:
    return list: name, e.message
"#,
    );
    assert_eq!(result(&source), r#"["local","Unknown variable 'ghost'"]"#);
}

#[test]
fn an_update_sees_each_record_and_gives_their_number() {
    let source = tasks(
        r#"
flow "main": requires true
  save "Task" with:
    name is "a"
    effort is 1
  save "Task" with:
    name is "b"
    effort is 2
  let more is 10
  update "Task" where effort is at least 1 set:
    effort is effort + more
    name is name + "!"
"#,
    );
    assert_eq!(result(&source), "2");
    let found = format!("{source}  find \"Task\" where effort is 12\n  return task_results\n");
    assert_eq!(result(&found), r#"[{"_id":2,"effort":12,"name":"b!"}]"#);
    let deleted = format!("{source}  delete \"Task\" where effort is 11\n");
    assert_eq!(result(&deleted), "1");
    let cleared = format!("{source}  clear \"Task\"\n  find \"Task\" where true\n  return task_results\n");
    assert_eq!(result(&cleared), "[]");
}

#[test]
fn a_rule_that_looks_at_the_mutation_is_asked_per_write() {
    let rule = r#"requires mutation.action is not "delete" and mutation.record is "Task""#;
    let source = tasks(&format!(
        "flow \"main\": {rule}\n  save \"Task\" with:\n    name is \"a\"\n  try:\n    delete \"Task\" where true\n  with catch e:\n    find \"Task\" where true\n    return list: e.line, list length of task_results\n"
    ));
    assert_eq!(result(&source), "[12,1]");
    let outcome = run(&source.replace("  try:\n    delete", "  if true:\n    delete").replace(
        "  with catch e:\n    find \"Task\" where true\n    return list: e.line, list length of task_results\n",
        "",
    ));
    let text = outcome.result.expect_err("the rule says no").message();
    assert!(text.contains("flow \"main\" access is not permitted."), "{text}");
}

#[test]
fn what_fails_in_a_rule_fails_where_the_write_stands() {
    let source = tasks(
        "flow \"main\": requires mutation.action is \"create\" and identity.level is 1\n  let a is 1\n  save \"Task\" with:\n    name is \"a\"\n",
    );
    assert_eq!(fault(&source), "10:3 What happened: Identity is missing 'level'.");
}

#[test]
fn a_flow_is_entered_only_with_permission() {
    let source = "flow \"main\": requires identity.role is \"admin\"\n  return 1\n";
    let text = |outcome: Outcome| outcome.result.map(|value| json(&value)).map_err(|fault| fault.message());
    assert_eq!(text(as_caller(source, r#"{"role": "admin"}"#)), Ok("1".to_owned()));
    let refused = text(as_caller(source, r#"{"role": "guest"}"#)).expect_err("a guest is no admin");
    assert!(refused.contains("access is not permitted."));
    let missing = text(as_caller(source, "null")).expect_err("nobody is known");
    assert!(missing.contains("Identity is missing 'role'."));
    let source = "flow \"main\": requires has_role(\"admin\")\n  return 1\n";
    let unknown = text(as_caller(source, "null")).expect_err("nobody is known");
    assert!(unknown.contains("flow \"main\" requires authentication."));
    for identity in [r#"{"roles": ["x", "admin"]}"#, r#"{"role": "admin"}"#] {
        assert_eq!(text(as_caller(source, identity)), Ok("1".to_owned()));
    }
}

#[test]
fn a_called_flow_has_a_rule_of_its_own() {
    let source = r#"
contract flow "g":
  input:
    n is number
  output:
    n is number

flow "g": requires identity.role is "admin"
  return map:
    "n" is input.n

flow "main":
  let r is call flow "g":
    input:
      n is 1
    output:
      n
  return r.n
"#;
    let outcome = as_caller(source, r#"{"role": "admin"}"#);
    assert_eq!(json(&outcome.result.expect("an admin may")), "1");
    let fault = as_caller(source, r#"{"role": "x"}"#).result.expect_err("others may not");
    assert!(fault.message().contains("flow \"g\" access is not permitted."));
    assert_eq!(fault.span.map(|span| span.line), Some(10));
}

#[test]
fn an_identity_must_be_what_the_app_declares() {
    let source = "identity \"user\":\n  email is text must be present\n  trust_level is one of \"low\", \"high\"\nflow \"main\":\n  return identity.email\n";
    let text = |identity: &str| match as_caller(source, identity).result {
        Ok(value) => json(&value),
        Err(fault) => fault.message(),
    };
    assert_eq!(text(r#"{"email": "a@b.c", "trust_level": "low"}"#), r#""a@b.c""#);
    assert!(text(r#"{"trust_level": "low"}"#).contains("must be present"));
    assert!(text(r#"{"email": "a@b.c", "trust_level": "odd"}"#).contains("trust_level"));
}

#[test]
fn tenants_do_not_see_each_other() {
    let record = "record \"Memo\":\n  body is text\n  tenant_key is identity.org\n";
    let save = format!("{record}flow \"main\": requires true\n  save \"Memo\" with:\n    body is \"ours\"\n");
    let find =
        format!("{record}flow \"main\":\n  find \"Memo\" where true\n  return list length of memo_results\n");
    let saved = as_caller(&save, r#"{"org": "acme"}"#);
    let identity = parse_json(r#"{"org": "other"}"#).expect("it is JSON").as_map().cloned();
    let outcome = run_in(&find, "{}", World { identity, store: saved.store, ..world() });
    assert_eq!(json(&outcome.result.expect("it finds none")), "0");
    let fault = as_caller(&find, "{}").result.expect_err("a tenant is needed");
    assert!(fault.message().contains("Record 'Memo' requires a tenant identity."));
    assert_eq!(fault.span.map(|span| span.line), Some(7));
}

#[test]
fn a_missing_record_ends_the_flow_with_a_word() {
    let source = "record \"Shift.Plan\":\n  who is text\nflow \"main\": requires true\n  require latest \"Shift.Plan\" as current otherwise \"nobody\"\n  return current.who\n";
    let outcome = run(source);
    assert_eq!(json(&outcome.result.expect("it ends early")), r#""missing_shift_plan""#);
    assert_eq!(json(&outcome.shown_state), r#"{"status":{"message":"nobody"}}"#);
}

#[test]
fn order_and_keep_work_on_locals_and_state() {
    let source = r#"
flow "main":
  let xs is list:
    map:
      "n" is 1
    map:
      "n" is 3
    map:
      "n" is 2
  set state.xs is xs
  order xs by n from highest to lowest
  keep first 2 items
  let a is map xs with item as x:
    x.n
  order state.xs by n from lowest to highest
  keep first 1 items
  return list: a, state.xs
"#;
    assert_eq!(result(source), r#"[[3,2],[{"n":1}]]"#);
}

#[test]
fn a_tool_without_a_binding_says_so_and_what_is_built_in_looks_at_its_input_first() {
    let source = |runner: &str, value: &str| {
        format!(
            "capabilities:\n  http\ntool \"look up\":\n  implemented using {runner}\n  input:\n    item code is text\n  output:\n    price is number\nflow \"main\":\n  let r is look up:\n    item code is {value}\n  return r\n"
        )
    };
    assert_eq!(
        fault(&source("python", "1")),
        "12:12 What happened: Tool \"look up\" is not bound to a python entry."
    );
    assert_eq!(fault(&source("http", "1")), "12:12 Tool input field \"item code\" must be text.");
}

#[test]
fn a_gate_keeps_the_steps_behind_it_back_only_while_its_path_holds_nothing() {
    let source = "record \"Member\":\n  name is text\nflow \"main\" requires true\n  input\n    name is text\n  require \"state.open\"\n  create \"Member\"\n    name is input.name\n";
    let created = |state: &str| {
        let state = parse_json(state).expect("the state is JSON").as_map().cloned().unwrap_or_default();
        let outcome = run_in(source, r#"{"name": "Al"}"#, World { state, ..world() });
        json(&outcome.result.expect("it runs"))
    };
    assert_eq!(created(r#"{"open": true}"#), r#"{"_id":1,"name":"Al"}"#);
    assert_eq!(created("{}"), r#"{"_id":1,"name":"Al"}"#);
    assert_eq!(created(r#"{"open": 0}"#), "null");
    let missing = run(source).result.expect_err("the name is missing").message();
    assert!(missing.contains("Flow input is missing 'name'."));
}
