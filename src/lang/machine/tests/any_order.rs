//! Random programs with parts, answered in random orders: every run must leave the same behind.

use std::cell::RefCell;
use std::fmt::Write as _;

use super::*;

/// A small generator of numbers; the seed is in the message of a failed test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

const HEAD: &str = r#"
ai "plain":
  model is "m"

ai "pal":
  model is "p"
  memory:
    short_term is 3

agent "one":
  ai is "plain"

agent "friend":
  ai is "pal"

contract flow "loud":
  input:
    q is text
  output:
    a is text

flow "loud":
  ask ai "plain" with input: input.q as r
  set state.log is r
  ask ai "plain" with input: state.log as r2
  return map:
    "a" is r2

contract flow "quiet":
  input:
    q is text
  output:
    a is text

flow "quiet":
  ask ai "plain" with input: input.q as r
  yield r
  parallel:
    run "x":
      ask ai "plain" with input: input.q + "x" as rx
    run "y":
      ask ai "pal" with input: input.q + "y" as ry
  return map:
    "a" is ry

"#;

/// A statement of a task or flow, `indent` deep.
fn statement(dice: &mut Dice, out: &mut String, indent: usize, name: &str) {
    let pad = " ".repeat(indent);
    let word = if dice.below(8) == 0 { "FAIL" } else { "say" };
    let text = format!("\"{word} {name}\"");
    let line = match dice.below(7) {
        0 | 1 => format!("{pad}ask ai \"plain\" with input: {text} as r{name}\n"),
        2 => format!("{pad}ask ai \"pal\" with input: {text} as r{name}\n"),
        3 => format!("{pad}run agent \"one\" with input: {text} as r{name}\n"),
        4 => format!("{pad}yield {text}\n"),
        5 => format!(
            "{pad}try:\n{pad}  run agent \"friend\" with input: {text} as r{name}\n{pad}with catch e{name}:\n{pad}  log info e{name}.message\n"
        ),
        _ => format!("{pad}let v{name} is {text}\n"),
    };
    out.push_str(&line);
}

fn block(dice: &mut Dice, out: &mut String, at: u64) {
    match dice.below(5) {
        0 | 1 => {
            out.push_str("    parallel:\n");
            for task in 0..=dice.below(3) {
                let _ = writeln!(out, "      run \"t{}\":", 9 - task);
                for line in 0..=dice.below(3) {
                    statement(dice, out, 8, &format!("b{at}t{task}l{line}"));
                }
            }
        }
        4 => {
            let count = dice.below(4);
            for task in 0..=count {
                let word = if dice.below(6) == 0 { "FAIL" } else { "run" };
                let flow = if dice.below(2) == 0 { "loud" } else { "quiet" };
                let _ = writeln!(
                    out,
                    "    let f{at}{task} is async call flow \"{flow}\":\n      input:\n        q is \"{word} {at}{task}\"\n      output:\n        a"
                );
            }
            for task in 0..=count {
                let _ = writeln!(out, "    await f{at}{task}\n    yield f{at}{task}.a");
            }
        }
        2 => {
            out.push_str("    run agents in parallel:\n");
            for entry in 0..=dice.below(3) {
                let agent = if dice.below(3) == 0 { "friend" } else { "one" };
                let word = if dice.below(9) == 0 { "FAIL" } else { "hi" };
                let _ = writeln!(out, "      agent \"{agent}\" with input: \"{word} {at} {entry}\"");
            }
            let _ = writeln!(out, "    as views{at}");
        }
        _ => {
            out.push_str("    orchestration:\n");
            for branch in 0..=dice.below(3) {
                let word = if dice.below(5) == 0 { "FAIL" } else { "go" };
                let _ = writeln!(
                    out,
                    "      branch \"n{branch}\":\n        call flow \"quiet\":\n          input:\n            q is \"{word} {at}{branch}\"\n          output:\n            a"
                );
            }
            let _ =
                writeln!(out, "    merge:\n      policy is \"collect\"\n    as got{at}\n    yield got{at}");
        }
    }
}

fn program(seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut out = HEAD.to_owned();
    out.push_str("flow \"main\":\n  try:\n");
    for at in 0..=dice.below(3) {
        block(&mut dice, &mut out, at);
    }
    out.push_str("  with catch e:\n    log warn e.message\n  ask ai \"pal\" with input: \"last\" as last\n  return last\n");
    out
}

/// Everything a run leaves behind, as text, with answers in a random order.
fn left_behind(source: &str, order: u64) -> String {
    // Order 0 is the serial one: never more than one part under way, and always the oldest ask.
    let parts_at_once = if order == 0 { 1 } else { Limits::default().parts_at_once };
    let limits = Limits { parts_at_once, ..Limits::default() };
    let mut machine = machine(source, "{}", World { limits, ..world() });
    let dice = RefCell::new(Dice(order));
    let next = |open: usize| match order {
        0 => 0,
        _ => usize::try_from(dice.borrow_mut().below(open as u64)).unwrap_or(0),
    };
    told(&drive_by(&mut machine, next, || 1 + dice.borrow_mut().below(50)).0)
}

#[test]
fn the_order_of_answers_changes_nothing() {
    for seed in 0..300 {
        let source = program(seed);
        let serial = left_behind(&source, 0);
        for order in 1..4 {
            assert_eq!(left_behind(&source, order + seed * 7), serial, "seed {seed}\n{source}");
        }
    }
}
