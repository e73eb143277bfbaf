//! Locals, state, loops, faults and what a run reports.

use super::*;

#[test]
fn a_flow_without_return_gives_its_last_value() {
    assert_eq!(result("flow \"main\":\n  let a is 5\n  set state.copy is a * 2\n"), "10");
    assert_eq!(result("flow \"main\":\n"), "null");
}

#[test]
fn the_last_value_outlives_a_local_that_a_loop_reuses() {
    let source = "flow \"main\":\n  let x is 1\n  let xs is list: 7, 8\n  let x is 5\n  for each x in xs:\n    if x is 9:\n      let y is 1\n";
    assert_eq!(result(source), "5");
}

#[test]
fn a_list_built_in_a_loop_is_never_copied() {
    let source = "flow \"main\":\n  let xs is list:\n  let i is 0\n  repeat up to 200000 times:\n    set xs is list append xs with i\n    set i is i + 1\n  return list length of xs\n";
    assert_eq!(result(source), "200000");
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
fn a_budget_slices_a_run_without_changing_it() {
    let source = "flow \"main\":\n  let n is 0\n  repeat up to 100 times:\n    set n is n + 1\n  return n\n";
    let (outcome, _) = drive(&mut machine(source, "{}", world()), Order::Oldest, 7);
    assert_eq!(json(&outcome.result.expect("it counts")), "100");
}

#[test]
fn an_operator_fails_at_its_token_and_a_name_at_its_own() {
    assert_eq!(
        fault("flow \"main\":\n  let n is 4\n  let x is n + 2 * (n / (n - 4))\n"),
        "5:23 Division by zero.".replace("Division", "What happened: Division")
    );
    assert_eq!(fault("flow \"main\":\n  return 1 + ghost\n"), "4:14 Unknown variable 'ghost'");
}
