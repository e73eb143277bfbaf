//! What is refused before a program runs, where and with which words.

use crate::lang::read;

#[track_caller]
fn refused(source: &str, line: u32, words: &str) {
    let faults = read(&format!("spec is \"1.0\"\n{source}\n")).expect_err(source);
    let fault = &faults[0];
    assert!(fault.message().contains(words), "{source}\n{fault}");
    assert_eq!(fault.span.map(|span| span.line), Some(line), "{source}\n{fault}");
    assert_eq!(faults.len(), 1, "{source}\n{faults:?}");
}

#[test]
fn names_that_mean_nothing_are_refused_where_they_are_used() {
    for (body, words) in [
        ("save \"R\"", "Unknown record 'R'."),
        ("find \"R\" where true", "Unknown record 'R'."),
        ("let x is latest \"R\"", "Unknown record 'R'."),
        ("clear \"R\"", "Unknown record 'R'."),
        ("require latest \"R\" as x otherwise \"none\"", "Unknown record 'R'."),
        ("ask ai \"p\" with input: \"x\" as r", "Unknown AI profile 'p'."),
        ("run agent \"a\" with input: \"x\" as r", "Unknown agent 'a'."),
        ("planner drafts \"x\" as r", "Unknown agent 'planner'."),
        ("let x is call function \"f\":\n    n is 1", "Unknown function 'f'."),
        ("let x is call flow \"g\":\n    input:\n      n is 1\n    output:\n      n", "Unknown flow \"g\"."),
        ("let x is look up price:\n    code is 1", "Unknown tool 'look up price'."),
        ("enqueue job \"j\"", "Unknown job 'j'."),
    ] {
        refused(&format!("flow \"main\":\n  {body}"), 3, words);
    }
    refused("agent \"a\":\n  ai is \"p\"", 2, "Unknown AI profile 'p'.");
    refused("page \"p\":\n  form is \"R\"", 3, "Unknown record 'R'.");
    refused("page \"p\":\n  row:\n    button \"B\":\n      calls flow \"f\"", 4, "Unknown flow 'f'.");
    refused("ai \"p\":\n  model is \"m\"\n  tools:\n    expose \"t\"", 2, "Unknown tool 't'.");
}

#[test]
fn a_close_name_is_suggested() {
    let source = "spec is \"1.0\"\nrecord \"Ticket\":\n  name is text\nflow \"main\":\n  save \"Tickt\"\n";
    let faults = read(source).expect_err("unknown");
    assert!(faults[0].message().contains("Did you mean 'Ticket'?"), "{}", faults[0]);
}

const G: &str = "contract flow \"g\":\n  input:\n    a is text\n    b is optional text\n  output:\n    o is text\nflow \"g\":\n  return 1\nflow \"main\":\n  let r is call flow \"g\":\n    input:\n";

#[test]
fn a_flow_call_must_fit_the_contract() {
    refused(&format!("{G}      b is 1\n    output:\n      o"), 11, "Missing required inputs: a.");
    refused(&format!("{G}      a is 1\n      c is 1\n    output:\n      o"), 11, "Unknown input \"c\".");
    refused(&format!("{G}      a is 1\n    output:\n      p"), 11, "Unknown output \"p\".");
    assert!(read(&format!("spec is \"1.0\"\n{G}      a is 1\n    output:\n      o\n")).is_ok());
    let swapped = format!("{G}      b is 1\n      a is 1\n    output:\n      o");
    refused(&swapped, 11, "Flow inputs are out of order.");
    refused(&format!("{G}      a is 1\n    output:\n"), 11, "Flow call is missing outputs.");
    let bare = "flow \"g\":\n  return 1\nflow \"main\":\n  let r is call flow \"g\":\n    input:\n      a is 1\n    output:\n      o";
    refused(bare, 5, "Flow \"g\" is missing a contract.");
}

#[test]
fn functions_only_compute() {
    for (body, words) in [
        ("let x is state.a", "Functions cannot read state"),
        ("set state.a is 1", "Functions cannot change state"),
        ("let x is identity.role", "Functions cannot access identity"),
        ("let x is has_role(\"a\")", "Functions cannot call builtins"),
        ("parallel:\n    let a is 1", "Functions cannot use parallel blocks"),
    ] {
        refused(
            &format!("define function \"f\":\n  input:\n    n is number\n  {body}\n  return 1"),
            5,
            words,
        );
    }
    let endless = "define function \"f\":\n  input:\n    n is number\n  let x is n";
    refused(endless, 2, "Function \"f\" must return a value");
    let own = "define function \"f\":\n  input:\n    n is number\n  return call function \"f\":\n    n is n";
    refused(own, 2, "Function recursion is not allowed");
}

#[test]
fn capabilities_are_known_given_once_and_enough() {
    refused("capabilities:\n  jobs\n  jobs", 4, "Duplicate capability 'jobs'.");
    refused("capabilities:\n  jobs\n  magic", 4, "Unknown capability 'magic'.");
    refused("job \"j\":\n  return 1", 2, "Missing capabilities: jobs.");
    let many = "job \"j\":\n  return 1\ntool \"t\":\n  implemented using http\n  input:\n    a is text\n  output:\n    b is text\n";
    refused(many, 2, "Missing capabilities: http, jobs.");
    let stream =
        "ai \"p\":\n  model is \"m\"\nflow \"main\":\n  ask ai \"p\" with stream: true and input: \"x\" as r";
    refused(stream, 5, "Missing capabilities: streaming.");
    assert!(read("spec is \"1.0\"\ncapabilities: [jobs, ui.charts]\njob \"j\":\n  return 1\n").is_ok());
}

#[test]
fn names_are_given_once_but_the_last_record_counts() {
    refused("flow \"a\":\n  return 1\nflow \"a\":\n  return 2", 4, "Duplicate flow name 'a'.");
    refused("page \"a\":\n  divider\npage \"a\":\n  divider", 4, "Page 'a' is declared more than once.");
    let twice = "ai \"a\":\n  model is \"m\"\nai \"a\":\n  model is \"m\"";
    refused(twice, 4, "Duplicate AI declaration 'a'");
    assert!(read("spec is \"1.0\"\nrecord \"R\":\n  a is text\nrecord \"R\":\n  b is text\n").is_ok());
}
