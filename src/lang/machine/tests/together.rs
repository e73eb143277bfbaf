//! Parts that are under way together.

use super::*;

const TWO_TASKS: &str = "ai \"bot\":\n  model is \"m\"\n\nflow \"main\":\n  parallel:\n    run \"b\":\n      ask ai \"bot\" with input: \"from b\" as rb\n    run \"a\":\n      ask ai \"bot\" with input: \"from a\" as ra\n  return list: ra, rb\n";

#[test]
fn tasks_without_memory_ask_at_the_same_time() {
    for order in [Order::Oldest, Order::Newest] {
        let (outcome, most) = drive(&mut machine(TWO_TASKS, "{}", world()), order, u64::MAX);
        assert_eq!(most, 2);
        let answers = json(&outcome.result.expect("both answer"));
        assert_eq!(answers, r#"["[m] from a | mem:st=0","[m] from b | mem:st=0"]"#);
    }
}

#[test]
fn two_tasks_of_one_name_are_refused_before_either_runs() {
    let source = "flow \"main\":\n  parallel:\n    run \"a\":\n      let x is 1 / 0\n    run \"a\":\n      let y is 1\n";
    let said = fault(source);
    assert!(said.contains("Parallel task names must be unique"), "{said}");
}
