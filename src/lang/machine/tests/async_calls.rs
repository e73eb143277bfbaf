//! Async calls: what they see, what they leave, when they fail.

use super::together::{MODELS, both_orders};
use super::*;

#[test]
fn an_async_flow_sees_a_copy_of_the_state_and_its_fault_waits_for_the_await() {
    let main = r#"
flow "main":
  set state.log is "before"
  let task is async call flow "loud":
    input:
      q is "hello"
    output:
      a
  let seen is state.log
  let broken is async call flow "loud":
    input:
      q is "FAIL"
    output:
      a
  await task
  try:
    await broken
  with catch e:
    return list: seen, task.a, e.message
"#;
    let (result, _) = both_orders(main);
    assert_eq!(result, r#"["before","[m] hello | mem:st=0","the model is down"]"#);
}

#[test]
fn an_async_local_must_be_awaited_before_it_is_read() {
    let source = r#"
define function "f":
  input:
    n is number
  return n

flow "main":
  let x is async call function "f":
    n is 1
  return x
"#;
    assert_eq!(fault(source), "12:10 Async variable 'x' must be awaited before it is used");
}

#[test]
fn an_async_call_sees_what_the_one_before_it_gave() {
    let source = r#"
define function "double":
  input:
    n is number
  return n * 2

flow "main":
  let a is async call function "double":
    n is 4
  let b is async call function "double":
    n is a
  await b
  return b
"#;
    assert_eq!(result(source), "16");
    let failing = source.replace("n is 4", "n is \"x\"");
    assert_eq!(fault(&failing), "10:18 Expected number but got text");
}

#[test]
fn async_flows_launched_one_after_the_other_are_under_way_together() {
    let main = r#"
flow "main":
  set state.log is "mine"
  let a is async call flow "loud":
    input:
      q is "1"
    output:
      a
  let b is async call flow "loud":
    input:
      q is "2"
    output:
      a
  let c is async call flow "quiet":
    input:
      q is "FAIL"
    output:
      a
  await a
  await b
  try:
    await c
  with catch e:
    return list: a.a, b.a, e.message, state.log
"#;
    let (result, most) = both_orders(main);
    assert_eq!(result, r#"["[m] 1 | mem:st=0","[m] 2 | mem:st=0","the model is down","mine"]"#);
    assert_eq!(most, 3);
    let source = format!("{MODELS}\n{}", main.replace("\"1\"", "\"FAIL\""));
    let fault = run(&source).result.expect_err("the second launch fails with the first");
    assert_eq!(fault.message(), "the model is down");
    assert_eq!(fault.place.map(|place| (place.statement, place.index)), Some(("let", 3)));
}

#[test]
fn an_async_flow_that_needs_another_waits_for_it() {
    let main = r#"
flow "main":
  let a is async call flow "quiet":
    input:
      q is "1"
    output:
      a
  let b is async call flow "quiet":
    input:
      q is a.a
    output:
      a
  await b
  return b.a
"#;
    let (result, most) = both_orders(main);
    assert_eq!(result, r#""[m] [m] 1 | mem:st=0 | mem:st=0""#);
    assert_eq!(most, 1);
}
