//! Parts that are under way together: whatever the order of answers, a run is as if its parts had run one by one.

use super::*;

pub(super) const MODELS: &str = r#"
ai "plain":
  model is "m"

ai "pal":
  model is "p"
  memory:
    short_term is 4

agent "one":
  ai is "plain"

agent "two":
  ai is "plain"
  system_prompt is "Q"

agent "friend":
  ai is "pal"

contract flow "quiet":
  input:
    q is text
  output:
    a is text

flow "quiet":
  ask ai "plain" with input: input.q as r
  return map:
    "a" is r

contract flow "loud":
  input:
    q is text
  output:
    a is text

flow "loud":
  ask ai "plain" with input: input.q as r
  set state.log is r
  return map:
    "a" is r
"#;

/// Result, memory and trace for both orders of answers, which must be equal, and the most asks open at once.
pub(super) fn both_orders(main: &str) -> (String, usize) {
    let source = format!("{MODELS}\n{main}");
    let seen = [Order::Oldest, Order::Newest].map(|order| {
        let (outcome, most) = drive(&mut machine(&source, "{}", world()), order, 1_000);
        ((came(&outcome), told(&outcome)), most)
    });
    let [(first, most), (second, _)] = seen;
    assert_eq!(first, second);
    (first.0, most)
}

#[test]
fn tasks_without_memory_ask_at_the_same_time() {
    let main = r#"
flow "main":
  parallel:
    run "b":
      ask ai "plain" with input: "from b" as rb
    run "a":
      ask ai "plain" with input: "from a" as ra
  return list: ra, rb
"#;
    let (result, most) = both_orders(main);
    assert_eq!(result, r#"["[m] from a | mem:st=0","[m] from b | mem:st=0"]"#);
    assert_eq!(most, 2);
}

#[test]
fn a_task_that_remembers_waits_for_the_tasks_before_it() {
    let main = r#"
flow "main":
  parallel:
    run "b":
      ask ai "pal" with input: "from b" as rb
    run "a":
      ask ai "plain" with input: "from a" as ra
  return list: ra, rb
"#;
    let (result, most) = both_orders(main);
    assert_eq!(result, r#"["[m] from a | mem:st=0","[p] from b | mem:st=2"]"#);
    assert_eq!(most, 1);
}

#[test]
fn a_task_ahead_keeps_what_it_says_until_its_turn() {
    let main = r#"
flow "main":
  parallel:
    run "c":
      ask ai "plain" with input: "c1" as c1
      ask ai "pal" with input: "c2" as c2
    run "a":
      ask ai "pal" with input: "a1" as a1
      ask ai "pal" with input: "a2" as a2
    run "b":
      ask ai "plain" with input: "b1" as b1
  return list: a1, a2, b1, c1, c2
"#;
    let (result, most) = both_orders(main);
    let wanted = r#"["[p] a1 | mem:st=0","[p] a2 | mem:st=2","[m] b1 | mem:st=0","[m] c1 | mem:st=0","[p] c2 | mem:st=4"]"#;
    assert_eq!(result, wanted);
    assert_eq!(most, 3);
}

#[test]
fn agents_in_parallel_answer_in_written_order() {
    let main = r#"
flow "main":
  run agents in parallel:
    agent "two" with input: "x"
    agent "one" with input: "y"
    agent "one" with input: "z"
  as views
  return map views with item as v:
    v.text
"#;
    let (result, most) = both_orders(main);
    assert_eq!(result, r#"["[m] Q :: x | mem:st=0","[m] y | mem:st=0","[m] z | mem:st=0"]"#);
    assert_eq!(most, 3);
}

#[test]
fn an_agent_that_fails_ends_the_block_and_those_behind_it_never_were() {
    let main = r#"
flow "main":
  try:
    run agents in parallel:
      agent "one" with input: "fine"
      agent "two" with input: "FAIL now"
      agent "one" with input: "late"
    as views
  with catch e:
    ask ai "pal" with input: "count" as n
    return list: e.message, n
"#;
    let (result, _) = both_orders(main);
    assert_eq!(
        result,
        r#"["Agent 'two' failed: [line 50, col 13] the model is down","[p] count | mem:st=2"]"#
    );
}

#[test]
fn quiet_branches_run_together_and_loud_ones_in_turn() {
    let branches = |flow: &str| {
        format!(
            r#"
flow "main":
  orchestration:
    branch "first":
      call flow "{flow}":
        input:
          q is "1"
        output:
          a
    branch "second":
      call flow "{flow}":
        input:
          q is "FAIL"
        output:
          a
    branch "third":
      call flow "{flow}":
        input:
          q is "3"
        output:
          a
  merge:
    policy is "collect"
  as parts
  return map parts with item as p:
    p.status
"#
        )
    };
    let (result, most) = both_orders(&branches("quiet"));
    assert_eq!((result.as_str(), most), (r#"["ok","error","ok"]"#, 3));
    let (result, most) = both_orders(&branches("loud"));
    assert_eq!((result.as_str(), most), (r#"["ok","error","ok"]"#, 1));
}

#[test]
fn too_many_agents_fail_where_a_serial_run_fails() {
    let main = r#"
flow "main":
  parallel:
    run "a":
      run agent "one" with input: "1" as a1
      run agent "one" with input: "2" as a2
      run agent "one" with input: "3" as a3
    run "b":
      try:
        run agent "one" with input: "4" as b1
        run agent "one" with input: "5" as b2
        run agent "one" with input: "6" as b3
      with catch e:
        let why is e.message
  return list: a1.text, b2.text, why
"#;
    let (result, _) = both_orders(main);
    assert_eq!(result, r#"["[m] 1 | mem:st=0","[m] 5 | mem:st=0","Agent call limit exceeded in flow"]"#);
}

#[test]
fn the_first_task_by_name_that_fails_is_the_fault() {
    let main = r#"
flow "main":
  parallel:
    run "b":
      ask ai "plain" with input: "FAIL b" as rb
    run "a":
      ask ai "plain" with input: "slow" as ra
      let x is 1 / 0
  return 1
"#;
    let (result, _) = both_orders(main);
    assert!(result.starts_with("[line 52, col 18] What happened: Division by zero."), "{result}");
}

#[test]
fn asks_of_tasks_behind_a_failed_one_are_cancelled() {
    let main = r#"
flow "main":
  try:
    parallel:
      run "a":
        let x is 1 / 0
      run "b":
        ask ai "plain" with input: "never mind" as rb
  with catch e:
    return "caught"
"#;
    let source = format!("{MODELS}\n{main}");
    let mut machine = machine(&source, "{}", world());
    let (outcome, _) = drive(&mut machine, Order::Oldest, u64::MAX);
    assert_eq!(json(&outcome.result.expect("it is caught")), r#""caught""#);
    assert_eq!(json(&outcome.memory.to_value()), "{}");
}

#[test]
fn yields_and_logs_of_tasks_stand_in_order_of_their_names() {
    let main = r#"
flow "main":
  yield "first"
  parallel:
    run "b":
      log info "lb"
      yield "b"
    run "a":
      ask ai "plain" with input: "wait" as ra
      log info "la"
      yield "a"
  yield "last"
  return "done"
"#;
    for order in [Order::Oldest, Order::Newest] {
        let source = format!("{MODELS}\n{main}");
        let (outcome, _) = drive(&mut machine(&source, "{}", world()), order, u64::MAX);
        let yields: Vec<String> =
            outcome.yields.iter().map(|message| format!("{} {}", message.sequence, message.output)).collect();
        assert_eq!(yields, ["1 first", "2 a", "3 b", "4 last"]);
        let logs: Vec<String> = outcome.logs.iter().map(|line| line.message.to_string()).collect();
        assert_eq!(logs, ["la", "lb"]);
    }
}

#[test]
fn merge_policies_of_tasks_keep_the_first_or_the_last_by_name() {
    let source = |policy: &str| {
        format!(
            "flow \"main\":\n  parallel:\n    run \"b\":\n      let who is \"b\"\n    run \"a\":\n      let who is \"a\"\n{policy}  return who\n"
        )
    };
    assert_eq!(result(&source("    merge:\n      policy is \"precedence\"\n")), r#""a""#);
    assert_eq!(result(&source("    merge:\n      policy is \"override\"\n")), r#""b""#);
    assert_eq!(fault(&source("")), "5:5 Parallel tasks cannot write the same local: who");
}

#[test]
fn a_task_may_write_what_another_leaves_alone() {
    let source = r#"
flow "main":
  let base is 10
  parallel:
    run "a":
      let base is 10
      let mine is base + 1
    run "b":
      set base is base + 5
  return list: base, mine
"#;
    assert_eq!(result(source), "[15,11]");
}

#[test]
fn what_may_not_stand_in_a_task_is_found_when_the_task_begins() {
    let cases = [
        ("set state.x is 1", "7:7 Parallel tasks cannot change state"),
        ("save \"R\"", "7:7 Parallel tasks cannot write records"),
        ("notice \"hm\"", "7:7 Parallel tasks cannot change state"),
    ];
    for (statement, wanted) in cases {
        let source = format!(
            "record \"R\":\n  n is number\nflow \"main\":\n  parallel:\n    {statement}\n  return 1\n"
        );
        assert_eq!(fault(&source).replacen("7:5", "7:7", 1), wanted);
    }
}

#[test]
fn two_tasks_of_one_name_are_refused_before_either_runs() {
    let source = "flow \"main\":\n  parallel:\n    run \"a\":\n      let x is 1 / 0\n    run \"a\":\n      let y is 1\n";
    let said = fault(source);
    assert!(said.contains("Parallel task names must be unique"), "{said}");
}
