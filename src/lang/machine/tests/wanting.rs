//! Records that outlast the process: what a run wants of its archive, and what becomes of it when there is no answer.

use std::collections::BTreeMap;

use super::*;
use crate::lang::fault::{Fault, FaultKind};
use crate::lang::records::{Archive, Counters, Pending, Row, Session, Supply, TableChanges, Want};

/// Stands for an archive; the tests answer in its place.
struct Nowhere;

impl Archive for Nowhere {
    fn session(&self) -> Box<dyn Session> {
        unreachable!("a machine asks nobody")
    }

    fn close(&self) -> Pending<()> {
        unreachable!("a machine closes nothing")
    }
}

fn lasting() -> World {
    World { store: Store::lasting(Arc::new(Nowhere)), ..world() }
}

/// What lies in the archive, and the words of what was wanted of it.
#[derive(Default)]
struct Disk {
    tables: BTreeMap<Arc<str>, (Counters, BTreeMap<u64, Row>)>,
    wanted: Vec<String>,
    /// The want, counted from zero, that is not answered.
    fails_at: Option<usize>,
}

impl Disk {
    fn answer(&mut self, want: Want) -> Result<Supply, Fault> {
        let fails = self.fails_at == Some(self.wanted.len());
        self.wanted.push(match &want {
            Want::Begin { writes } => format!("begin {}", if *writes { "to write" } else { "to read" }),
            Want::Head(table) => format!("head {}", table.record),
            Want::Rows(table) => format!("rows {}", table.record),
            Want::Holder(_, value) => format!("holder {} {}", value.field, value.text),
            Want::Keep(_) => "keep".to_owned(),
        });
        if fails {
            return Err(Fault::run("the disk is gone", None).of_kind(FaultKind::Store).uncatchable());
        }
        Ok(match want {
            Want::Begin { .. } => Supply::Begun { epoch: 1 },
            Want::Head(table) => {
                let counters = self.tables.get(&table.record).map(|(counters, _)| *counters);
                Supply::Head(table, counters.unwrap_or_default())
            }
            Want::Rows(table) => {
                let (counters, rows) = self.tables.get(&table.record).cloned().unwrap_or_default();
                Supply::Rows(table, counters, rows.into_values().collect())
            }
            Want::Holder(table, value) => {
                let rows = self.tables.get(&table.record).into_iter().flat_map(|(_, rows)| rows.values());
                let holds = |row: &&Row| {
                    row.fields
                        .get(&value.field)
                        .is_some_and(|held| held.to_json(JsonStyle::Compact) == value.text)
                };
                let holder = rows.clone().find(holds).map(|row| row.key);
                Supply::Holder(table, value, holder)
            }
            Want::Keep(changes) => {
                for TableChanges { table, counters, added, changed, gone } in changes.tables {
                    let kept = self.tables.entry(table.record).or_default();
                    kept.0 = counters;
                    kept.1.extend(added.into_iter().chain(changed).map(|row| (row.key, row)));
                    gone.iter().for_each(|key| drop(kept.1.remove(key)));
                }
                Supply::Kept { epoch: 1 }
            }
        })
    }

    fn run_in(&mut self, source: &str, world: World) -> Outcome {
        let mut machine = machine(source, "{}", world);
        loop {
            match machine.advance(50) {
                Progress::Done(outcome) => return *outcome,
                Progress::Spent => {}
                Progress::Wants(want) => {
                    assert!(matches!(machine.advance(50), Progress::Blocked(_)), "it waits for its records");
                    let answer = self.answer(want);
                    machine.supply(answer);
                }
                Progress::Blocked(asks) => {
                    assert!(!asks.is_empty(), "the run waits for nothing");
                    asks.iter().for_each(|ask| machine.resolve(ask.id, Ok(mock_answer(ask))));
                }
            }
        }
    }

    fn run(&mut self, source: &str) -> Outcome {
        self.run_in(source, lasting())
    }
}

const RECORDS: &str = r#"
record "User":
  mail is text must be unique
  age is number
"#;

fn app(main: &str) -> String {
    format!("{RECORDS}\n{main}")
}

const EVERYTHING: &str = r#"
flow "main": requires true
  let user is map:
    "mail" is "a"
    "age" is 1.50
  create "User" with user as first
  set state.user with:
    mail is "b"
  save "User"
  save "User" with:
    mail is "c"
    age is 7
  attempt:
    save "User" with:
      mail is "a"
  otherwise:
    let x is 1
  update "User" where mail is "a" set:
    age is age + 1
  delete "User" where mail is "b"
  let newest is latest "User"
  save "User" with:
    mail is "b"
  find "User" where true
  return list: user_results, newest
"#;

#[test]
fn a_run_is_the_same_wherever_its_records_lie_and_however_often_it_waits() {
    let in_memory = run(&app(EVERYTHING));
    let mut disk = Disk::default();
    let on_disk = disk.run(&app(EVERYTHING));

    assert_eq!(came(&on_disk), came(&in_memory));
    assert!(came(&on_disk).contains(r#""age":"2.5""#), "{}", came(&on_disk));
    assert_eq!(on_disk.instructions, in_memory.instructions, "what comes again is counted once");
    assert_eq!(format!("{:?}", on_disk.steps), format!("{:?}", in_memory.steps));

    let find = app("flow \"main\":\n  find \"User\" where true\n  return user_results\n");
    let [from_memory, from_disk] =
        [run_in(&find, "{}", World { store: in_memory.store, ..world() }), disk.run(&find)]
            .map(|outcome| came(&outcome));
    assert_eq!(from_disk, from_memory);
    assert_eq!(disk.wanted.split_off(disk.wanted.len() - 2), ["begin to read", "rows User"]);
}

/// A run that begins to read and then writes could not be kept.
#[test]
fn a_run_begins_to_read_only_where_neither_it_nor_what_it_calls_or_starts_can_write() {
    let find = "  find \"User\" where true\n";
    let write = "flow \"other\": requires true\n  clear \"User\"\n  return map:\n    \"a\" is 1\n";
    let contract = "contract flow \"other\":\n  input:\n    a is number\n  output:\n    a is number\n";
    let call = "  let r is call flow \"other\":\n    input:\n      a is 1\n    output:\n      a\n";
    let job = "capabilities:\n  jobs\n\njob \"late\":\n  clear \"User\"\n";
    let trigger = "capabilities:\n  jobs\n\njob \"late\" when state.x is 1:\n  clear \"User\"\n";
    for (main, begins) in [
        (format!("flow \"main\":\n{find}"), "to read"),
        (format!("flow \"main\":\n{find}  set state.a is 1\n"), "to read"),
        (format!("{write}\n{contract}\nflow \"main\":\n{find}{call}"), "to write"),
        (format!("{job}\nflow \"main\": requires true\n{find}  enqueue job \"late\"\n"), "to write"),
        (format!("{trigger}\nflow \"main\":\n{find}"), "to write"),
    ] {
        let mut disk = Disk::default();
        let outcome = disk.run(&app(&main));
        assert!(outcome.result.is_ok(), "{main}: {}", came(&outcome));
        assert_eq!(disk.wanted.first().map(String::as_str), Some(&*format!("begin {begins}")), "{main}");
    }
}

#[test]
fn a_run_that_only_adds_wants_no_rows() {
    let add = app("flow \"main\": requires true\n  save \"User\" with:\n    mail is \"a\"\n");
    let mut disk = Disk::default();
    for expected in [r#"{"_id":1,"mail":"a"}"#, "Field 'mail' in record 'User' must be unique"] {
        assert!(came(&disk.run(&add)).contains(expected), "{expected}");
    }
    let asked = ["begin to write", "head User", "holder mail \"a\""];
    assert_eq!(disk.wanted, [&asked[..], &["keep"], &asked].concat());
}

#[test]
fn a_run_that_touches_no_records_wants_nothing_and_one_that_fails_before_keeps_nothing() {
    let mut disk = Disk::default();
    let apart = app("flow \"main\": requires true\n  if input.x is 1:\n    clear \"User\"\n  return 1\n");
    assert!(disk.run(&apart).result.is_err(), "x is missing");
    assert!(disk.wanted.is_empty(), "{:?}", disk.wanted);
    let fails = "flow \"main\": requires true\n  save \"User\" with:\n    mail is \"a\"\n  let x is 1 / 0\n";
    assert!(disk.run(&app(fails)).result.is_err());
    assert_eq!(disk.wanted.last().map(String::as_str), Some("holder mail \"a\""));
    assert!(disk.tables.is_empty());
}

/// Rows that stay in memory between two runs must not be asked for again, unless the archive has changed meanwhile.
#[test]
fn whole_tables_are_kept_from_run_to_run_and_parts_are_not() {
    let find = app("flow \"main\":\n  find \"User\" where true\n  return user_results\n");
    let add = app("flow \"main\": requires true\n  save \"User\" with:\n    mail is \"a\"\n");
    let mut disk = Disk::default();
    let mut store = lasting().store;
    for (source, wanted) in [
        (&add, vec!["begin to write", "head User", "holder mail \"a\"", "keep"]),
        (&find, vec!["begin to read", "rows User"]),
        (&find, vec!["begin to read"]),
    ] {
        disk.wanted.clear();
        store = disk.run_in(source, World { store, ..world() }).store;
        assert_eq!(disk.wanted, wanted);
    }
}

/// What the archive has undone cannot be gone on with: neither `try` nor a merge that keeps errors may swallow it.
#[test]
fn an_archive_that_fails_ends_the_run_whatever_would_catch_it() {
    let caught = r#"
contract flow "store":
  input:
    mail is text
  output:
    mail is text

flow "store": requires true
  save "User" with:
    mail is input.mail
  return map:
    "mail" is input.mail

flow "main": requires true
  set state.seen is true
  try:
    orchestration:
      branch "one":
        call flow "store":
          input:
            mail is "a"
          output:
            mail
    merge:
      policy is "collect"
    as results
  with catch e:
    return "caught"
  return "merged"
"#;
    let whole = Disk::default().run(&app(caught));
    assert_eq!(came(&whole), r#""merged""#);
    for fails_at in 0..4 {
        let mut disk = Disk { fails_at: Some(fails_at), ..Disk::default() };
        let outcome = disk.run(&app(caught));
        let fault = outcome.result.expect_err("the disk is gone");
        assert_eq!((fault.kind, disk.wanted.len()), (FaultKind::Store, fails_at + 1));
        assert!(outcome.state.is_empty() && disk.tables.is_empty());
        let place = fault.place.as_ref().expect("it says where the run was");
        assert_eq!((&*place.flow, place.index), ("main", 2 + u32::from(fails_at == 3)), "{fails_at}");
        assert!(fault.span.is_some());
    }
}

#[test]
fn a_store_that_was_not_kept_is_not_trusted_in_the_next_run() {
    let find = app("flow \"main\":\n  find \"User\" where true\n  return user_results\n");
    let clear =
        app("flow \"main\": requires true\n  clear \"User\"\n  save \"User\" with:\n    mail is \"a\"\n");
    let mut disk = Disk { fails_at: Some(2), ..Disk::default() };
    let failed = disk.run(&clear);
    assert_eq!(
        (failed.result.is_err(), disk.wanted.join(", ").as_str()),
        (true, "begin to write, rows User, keep")
    );
    let after = disk.run_in(&find, World { store: failed.store, ..world() });
    assert_eq!(came(&after), "[]");
    assert_eq!(disk.wanted.split_off(3), ["begin to read", "rows User"]);
}

#[test]
fn asks_are_handed_out_while_the_records_are_awaited() {
    let source = app(r#"
ai "m":
  model is "m"

flow "main":
  parallel:
    run "a":
      ask ai "m" with input: "hi" as said
    run "b":
      find "User" where true
  return said
"#);
    let mut machine = machine(&source, "{}", lasting());
    let mut disk = Disk::default();
    let Progress::Wants(want) = machine.advance(u64::MAX) else { panic!("task b wants its rows") };
    let Progress::Blocked(asks) = machine.advance(u64::MAX) else { panic!("task a asks meanwhile") };
    machine.resolve(asks[0].id, Ok("ho".into()));
    assert!(matches!(machine.advance(u64::MAX), Progress::Blocked(asks) if asks.is_empty()));
    let answer = disk.answer(want);
    machine.supply(answer);
    let Progress::Wants(want) = machine.advance(u64::MAX) else { panic!("after the transaction, the rows") };
    let answer = disk.answer(want);
    machine.supply(answer);
    let Progress::Done(outcome) = machine.advance(u64::MAX) else { panic!("nothing is left") };
    assert_eq!(came(&outcome), r#""ho""#);
}
