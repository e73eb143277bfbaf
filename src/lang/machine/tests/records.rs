//! Record statements and the rules around them.

use super::*;

#[test]
fn a_fault_that_gets_out_rolls_records_and_state_back() {
    let source = "record \"R\":\n  n is number\n\nflow \"main\": requires true\n  set state.a is 1\n  save \"R\" with:\n    n is 1\n  let x is 1 / 0\n";
    let outcome = run(source);
    assert!(outcome.result.is_err());
    assert!(outcome.state.is_empty());
}
