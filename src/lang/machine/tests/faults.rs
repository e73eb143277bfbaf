//! Where faults stand, what they say and which statement they are counted at.

use super::*;

#[test]
fn an_operator_fails_at_its_token_and_a_name_at_its_own() {
    let place = |body: &str| fault(&format!("flow \"main\":\n  let n is 4\n{body}\n"));
    assert_eq!(place("  let x is n + 2 * (n / (n - 4))"), "5:23 What happened: Division by zero.");
    assert_eq!(place("  return 1 + ghost"), "5:14 Unknown variable 'ghost'");
    assert_eq!(place("  return ghost + spook"), "5:10 Unknown variable 'ghost'");
    assert_eq!(place("  return n + (1 / 0) + ghost"), "5:17 What happened: Division by zero.");
    assert_eq!(
        place("  if n is greater than \"a\":\n    return 1"),
        "5:8 What happened: Comparison requires numbers."
    );
    assert_eq!(place("  if ghost is 1:\n    return 1"), "5:6 Unknown variable 'ghost'");
    assert_eq!(place("  set n is \"a\" + 1"), "5:16 What happened: Cannot apply '+' to text and number.");
    assert_eq!(place("  set ghost is n + 1"), "5:3 Cannot set undeclared variable 'ghost'");
}

#[test]
fn operands_fail_in_the_order_in_which_they_stand() {
    let source = "flow \"main\":\n  if false:\n    let maybe is 1\n  return maybe + (1 / 0)\n";
    assert_eq!(fault(source), "6:10 Unknown variable 'maybe'");
    let source = "flow \"main\":\n  return ghost is (1 / 0)\n";
    assert_eq!(fault(source), "4:10 Unknown variable 'ghost'");
}

#[test]
fn the_reported_place_is_the_top_statement_of_the_flow() {
    let outcome = run("flow \"main\":\n  let a is 1\n  if true:\n    let b is a / 0\n");
    let fault = outcome.result.expect_err("it divides by zero");
    let place = fault.place.clone().expect("a run fault has a place");
    assert_eq!((place.statement, place.index), ("if", 2));
    assert_eq!(fault.span.map(|span| (span.line, span.column)), Some((6, 16)));
}

#[test]
fn lines_of_blocks_count_as_statements_of_their_own() {
    let place = |source: &str| {
        let fault = run(source).result.expect_err("it fails");
        fault.place.map(|place| (place.statement, place.index)).expect("a run fault has a place")
    };
    assert_eq!(place("flow \"main\":\n  let:\n    a is 1\n    b is 2\n  return ghost\n"), ("return", 3));
    let save = "record \"R\":\n  n is number\nflow \"main\": requires true\n  save \"R\" with:\n    n is \"x\"\n    m is 2\n";
    assert_eq!(place(save), ("create", 3));
    assert_eq!(place(&save.replace("m is 2", "m is ghost")), ("set", 2));
    assert_eq!(place("flow \"main\": requires 1\n  return 1\n"), ("none", 0));
}

#[test]
fn a_fault_in_a_called_flow_is_placed_at_the_callers_statement() {
    let source = r#"
contract flow "g":
  input:
    n is number
  output:
    n is number

flow "g":
  let a is 1
  let b is 1 / input.n
  return map:
    "n" is b

flow "main":
  let x is 1
  let r is call flow "g":
    input:
      n is 0
    output:
      n
"#;
    let fault = run(source).result.expect_err("it divides by zero");
    let place = fault.place.clone().expect("a run fault has a place");
    assert_eq!((&*place.flow, place.statement, place.index), ("main", "let", 2));
    assert_eq!(fault.span.map(|span| span.line), Some(12));
}

#[test]
fn the_loop_limit_fails_at_its_number_even_if_the_condition_just_turned_false() {
    let source =
        "flow \"main\":\n  let n is 0\n  repeat while n is less than 4 limit 4:\n    set n is n + 1\n";
    assert_eq!(fault(source), "5:39 Loop limit hit");
    let source = source.replace("limit 4", "limit 5");
    assert_eq!(result(&source), "4");
}

#[test]
fn a_power_without_a_result_is_caught_by_nothing_and_stands_at_its_statement() {
    let source = "flow \"main\":\n  try:\n    let x is 0 ** 0\n  with catch e:\n    return 1\n";
    assert_eq!(fault(source), "4:3 Runtime error");
}

#[test]
fn a_function_checks_what_goes_in_and_comes_out() {
    let source = |inputs: &str, outputs: &str, body: &str, args: &str| {
        format!(
            "define function \"f\":\n  input:\n{inputs}{outputs}{body}flow \"main\":\n  let r is call function \"f\":\n{args}  return r\n"
        )
    };
    let plain = |args: &str| source("    a is number\n", "", "  return a\n", args);
    assert_eq!(result(&plain("    a is 2\n")), "2");
    assert!(fault(&plain("    b is 2\n")).ends_with("Missing function input 'a'"));
    assert!(fault(&plain("    a is 2\n    b is 2\n")).ends_with("Unknown function input 'b'"));
    assert!(fault(&plain("    a is \"2\"\n")).ends_with("Expected number but got text"));
    let out = "  output:\n    x is number\n    y is optional text\n";
    let with = |body: &str| source("    a is number\n", out, body, "    a is 2\n");
    assert_eq!(result(&with("  return map:\n    \"x\" is a\n")), r#"{"x":2}"#);
    assert!(fault(&with("  return a\n")).ends_with("Function return must be a map"));
    assert!(fault(&with("  return map:\n    \"y\" is \"t\"\n")).ends_with("Missing function output 'x'"));
    assert!(
        fault(&with("  return map:\n    \"x\" is 1\n    \"z\" is 1\n"))
            .ends_with("Unknown function output 'z'")
    );
    let generic = source("    a is list<number>\n", "", "  return a\n", "    a is list: 1\n");
    assert!(fault(&generic).ends_with("Expected list<number> but got list"));
}

#[test]
fn what_fails_inside_an_ask_is_an_ai_fault() {
    use crate::lang::fault::FaultKind;
    let kind = |input: &str| {
        let source = format!(
            "ai \"bot\":\n  model is \"m\"\nflow \"main\":\n  ask ai \"bot\" with input: {input} as r\n"
        );
        run(&source).result.expect_err("it fails").kind
    };
    assert_eq!(kind("42"), FaultKind::AiFailed);
    assert_eq!(kind("1 / 0"), FaultKind::AiFailed);
    assert_eq!(kind("\"FAIL\""), FaultKind::AiFailed);
    assert_eq!(kind("provider_name"), FaultKind::AiProvider);
}

#[test]
fn unknown_flows_and_versions_are_run_faults() {
    let app = |source: &str| Arc::new(crate::lang::load(source).expect("it loads"));
    let first = |app, flow: &str| {
        let mut machine = Machine::start(app, flow, Value::Map(Map::default()), world());
        drive(&mut machine, Order::Oldest, 10).0.result.expect_err("it cannot run").message()
    };
    let source = "spec is \"1.0\"\nflow \"main\":\n  return 1\n";
    assert_eq!(first(app(source), "absent"), "Unknown flow 'absent'.");
    assert_eq!(first(app(&source.replace("1.0", "9.9")), "main"), "Spec version \"9.9\" is not supported.");
}
