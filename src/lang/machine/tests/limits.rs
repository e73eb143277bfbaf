//! Hostile programs end with a clear fault, soon, and no `try` goes on after it.

use super::*;
use crate::lang::fault::FaultKind;

/// The text of the limit that ends a program.
fn limit(limits: Limits, source: &str) -> String {
    let fault = run_in(source, "{}", World { limits, ..world() }).result.expect_err("the program is stopped");
    assert_eq!(fault.kind, FaultKind::Limit, "{fault}");
    fault.message().lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_loop_without_end_runs_out_of_steps() {
    let source = "flow \"main\":\n  try:\n    repeat up to 999999999999 times:\n      let x is 1\n  with catch e:\n    return 1\n";
    let limits = Limits { steps: 10_000, ..Limits::default() };
    assert_eq!(limit(limits, source), "The run took more than 10000 steps.");
}

#[test]
fn a_task_that_runs_ahead_runs_out_of_steps_in_its_turn() {
    let source = r#"
ai "bot":
  model is "m"

flow "main":
  parallel:
    run "a":
      ask ai "bot" with input: "x" as r
    run "b":
      repeat up to 999999999999 times:
        let x is 1
  return 1
"#;
    let limits = Limits { steps: 10_000, ..Limits::default() };
    assert_eq!(limit(limits, source), "The run took more than 10000 steps.");
}

#[test]
fn a_text_that_doubles_is_stopped_at_its_size() {
    let source = "flow \"main\":\n  let s is \"0123456789\"\n  repeat up to 100 times:\n    set s is s + s\n";
    let limits = Limits { text_bytes: 1_000, ..Limits::default() };
    assert_eq!(limit(limits, source), "A text may be at most 1000 bytes long.");
}

#[test]
fn a_list_that_grows_is_stopped_at_its_length() {
    let grow = |statement: &str| {
        format!(
            "flow \"main\":\n  set state.xs is list:\n  let xs is list:\n  let m is map:\n    \"k\" is 1\n  repeat up to 1000 times:\n    {statement}\n"
        )
    };
    let limits = Limits { items: 100, ..Limits::default() };
    let wanted = "A list or map may hold at most 100 items.";
    for statement in [
        "set xs is list append xs with 1",
        "let xs is list append xs with 1",
        "let ys is list append xs with 1\n    let xs is ys",
        "set state.xs is list append state.xs with 1",
    ] {
        assert_eq!(limit(limits.clone(), &grow(statement)), wanted, "{statement}");
    }
}

#[test]
fn a_value_that_contains_itself_again_and_again_is_stopped() {
    let nest = "flow \"main\":\n  let x is list:\n  repeat up to 1000 times:\n    let x is list: x\n";
    assert!(limit(Limits::default(), nest).ends_with("Lists and maps are nested more than 256 deep."));
    let double = "flow \"main\":\n  let x is list: \"some text\"\n  repeat up to 1000 times:\n    let x is list: x, x\n";
    let text = limit(Limits::default(), double);
    assert!(text.contains("large") || text.contains("bytes"), "{text}");
    let state = "flow \"main\":\n  set state.x is list:\n  repeat up to 1000 times:\n    set state.x is list: state.x\n";
    limit(Limits::default(), state);
}

#[test]
fn a_run_that_hoards_is_stopped_before_the_machine_is_full() {
    let limits = Limits { memory_bytes: 1 << 20, ..Limits::default() };
    let wanted = "The run holds more than 1048576 bytes.";
    let texts = "flow \"main\":\n  let s is \"0123456789\"\n  let xs is list:\n  repeat up to 10 times:\n    set s is s + s\n  repeat up to 100000 times:\n    set xs is list append xs with s + \"x\"\n";
    assert_eq!(limit(limits.clone(), texts), wanted);
    let copies = "flow \"main\":\n  let xs is list:\n  let all is list:\n  repeat up to 100000 times:\n    set xs is list append xs with 1\n    set all is list append all with xs\n";
    assert_eq!(limit(limits.clone(), copies), wanted);
    let caught = "flow \"main\":\n  let s is \"0123456789\"\n  let m is map:\n    \"k\" is 1\n  let xs is list:\n  repeat up to 10 times:\n    set s is s + s\n  repeat up to 100000 times:\n    try:\n      let x is map get m key s\n    with catch e:\n      set xs is list append xs with e.message\n";
    assert_eq!(limit(limits, caught), wanted);
}

#[test]
fn shared_parts_count_once() {
    let limits = Limits { memory_bytes: 1 << 20, ..Limits::default() };
    let source = "flow \"main\":\n  let s is \"0123456789\"\n  repeat up to 12 times:\n    set s is s + s\n  let xs is list:\n  repeat up to 1000 times:\n    set xs is list append xs with s\n  return list length of xs\n";
    let outcome = run_in(source, "{}", World { limits, ..world() });
    assert_eq!(json(&outcome.result.expect("it fits")), "1000");
}

#[test]
fn messages_and_jobs_are_counted() {
    let limits = Limits { messages: 10, jobs: 10, ..Limits::default() };
    let yields = "flow \"main\":\n  repeat up to 100 times:\n    yield 1\n";
    assert_eq!(
        limit(limits.clone(), yields),
        "A run may have at most 10 yields, log lines and metric points."
    );
    let jobs = "capabilities:\n  jobs\njob \"j\":\n  return 1\nflow \"main\":\n  repeat up to 100 times:\n    enqueue job \"j\"\n";
    assert_eq!(limit(limits, jobs), "At most 10 jobs may wait at once.");
}

#[test]
fn jobs_that_enqueue_themselves_run_out_of_steps() {
    let source =
        "capabilities:\n  jobs\njob \"j\":\n  enqueue job \"j\"\nflow \"main\":\n  enqueue job \"j\"\n";
    let limits = Limits { steps: 10_000, ..Limits::default() };
    assert_eq!(limit(limits, source), "The run took more than 10000 steps.");
}

#[test]
fn the_deepest_programs_that_can_be_read_are_run_on_a_small_stack() {
    let chain = format!("flow \"main\":\n  return 0{}\n", " + 1".repeat(990));
    let nested = format!("flow \"main\":\n  return {}1{}\n", "(".repeat(90), ")".repeat(90));
    let mut blocks = "flow \"main\":\n".to_owned();
    for depth in 1..60 {
        blocks.push_str(&format!("{}if true:\n", "  ".repeat(depth)));
    }
    blocks.push_str(&format!("{}return 1\n", "  ".repeat(60)));
    for (source, wanted) in [(chain, "990"), (nested, "1"), (blocks, "1")] {
        assert_eq!(result(&source), wanted);
    }
}

#[test]
fn functions_may_call_functions_as_deep_as_the_limit_says() {
    let mut source = String::new();
    for at in 0..40 {
        let call = format!("  let r is call function \"f{}\":\n    n is n + 1\n  return r\n", at + 1);
        let body = if at == 39 { "  return n\n".to_owned() } else { call };
        source.push_str(&format!("define function \"f{at}\":\n  input:\n    n is number\n{body}"));
    }
    source.push_str("flow \"main\":\n  let r is call function \"f0\":\n    n is 0\n  return r\n");
    assert_eq!(result(&source), "39");
    let limits = Limits { depth: 20, ..Limits::default() };
    assert_eq!(limit(limits, &source), "Calls are nested more than 20 deep.");
}

#[test]
fn a_block_of_too_many_parts_is_refused_and_the_most_allowed_runs_soon() {
    let source = |tasks: usize| {
        let mut source = "flow \"main\":\n  parallel:\n".to_owned();
        (0..tasks).for_each(|at| source.push_str(&format!("    let a{at} is {at}\n")));
        source + "  return a0\n"
    };
    assert_eq!(limit(Limits::default(), &source(1_001)), "A block may have at most 1000 parts.");
    assert_eq!(result(&source(1_000)), "0");
}

#[test]
fn instructions_that_copy_or_compare_much_count_as_many() {
    let source = "flow \"main\":\n  let s is \"0123456789\"\n  repeat up to 20 times:\n    set s is s + s\n  let n is 0\n  repeat up to 10 times:\n    if s + \"a\" is s + \"b\":\n      set n is n + 1\n  return n\n";
    let outcome = run(source);
    assert!(outcome.instructions > 3 * 10 * (10 << 20) / 1024, "{}", outcome.instructions);
    assert_eq!(json(&outcome.result.expect("it compares")), "0");
    let mut machine = machine(source, "{}", world());
    let mut slices = 0;
    while matches!(machine.advance(1_000), Progress::Spent) {
        slices += 1;
    }
    assert!(slices > 30, "a slice ends after a bounded amount of work: {slices}");
}
