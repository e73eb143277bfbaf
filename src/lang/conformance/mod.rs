//! The conformance programs, each read, checked and run with the mock: the contract of the language. Programs that
//! talk HTTP need a server and run elsewhere.

mod case;
mod compare;
mod driver;
mod table;

use std::collections::BTreeMap;

use case::{Case, cases};
use compare::differences;

use crate::lang::fault::{Fault, FaultText};
use crate::lang::value::{JsonStyle, Value};

/// Whether `faults` hold the promised one: its words, its stage, its line.
fn promised(case: &Case, faults: &[Fault]) -> Result<(), String> {
    let found = |fault: &&Fault| {
        case.expect.error.as_ref().is_some_and(|text| fault.message().contains(text.as_str()))
            && case.expect.stage.as_deref().is_none_or(|stage| stage == fault.stage.name())
            && case.expect.line.is_none_or(|line| fault.span.map(|span| i64::from(span.line)) == Some(line))
    };
    match faults.iter().find(found) {
        Some(_) => Ok(()),
        None => Err(faults.iter().map(shown).collect::<Vec<_>>().join("; ")),
    }
}

fn shown(fault: &Fault) -> String {
    let text = match &fault.text {
        FaultText::Plain(text) => text,
        FaultText::Guided(guide) => &guide.what,
    };
    format!("{} {:?}: {text}", fault.stage.name(), fault.span.map(|span| span.line))
}

/// The programs of `tests/conformance` and those of the tables.
fn programs() -> impl Iterator<Item = Case> {
    cases().into_iter().chain(table::cases())
}

#[test]
fn programs_that_load_are_told_from_programs_that_do_not() {
    let mut wrong = Vec::new();
    for case in programs() {
        let read = crate::lang::read(&case.source);
        let verdict = match (case.expect.stage.as_deref(), &read) {
            (Some("load"), Ok(_)) => Err("loads".to_owned()),
            (Some("load"), Err(faults)) => promised(&case, faults),
            (_, Err(faults)) => Err(faults.iter().map(shown).collect::<Vec<_>>().join("; ")),
            (_, Ok(_)) => Ok(()),
        };
        if let Err(why) = verdict {
            wrong.push(format!("{}: {why}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} programs:\n{}", wrong.len(), wrong.join("\n"));
}

/// What is wrong with a run, or nothing.
fn verdict(case: &Case) -> Result<(), String> {
    let ran = match driver::run(case) {
        Ok(ran) => ran,
        Err(faults) if !case.expect.ok => return promised(case, &faults),
        Err(faults) => return Err(faults.iter().map(shown).collect::<Vec<_>>().join("; ")),
    };
    let result = match ran.outcome.result {
        Ok(result) if case.expect.ok => result,
        Ok(result) => return Err(format!("ends well with {}", result.to_json(JsonStyle::Compact))),
        Err(fault) if !case.expect.ok => return promised(case, &[*fault]),
        Err(fault) => return Err(shown(&fault)),
    };
    let yields = ran.outcome.yields.into_iter().map(|yielded| yielded.output).collect();
    let parts = [
        ("result", &case.expect.result, result),
        ("state", &case.expect.state, ran.outcome.shown_state),
        ("yields", &case.expect.yields, Value::list(yields)),
        ("counters", &case.expect.counters, ran.counters),
    ];
    let differ =
        parts.iter().filter_map(|(what, expected, actual)| differences(what, expected.as_ref()?, actual));
    let differ: Vec<String> = differ.collect();
    if differ.is_empty() { Ok(()) } else { Err(differ.join("; ")) }
}

#[test]
fn every_program_does_what_it_promises() {
    let mut table: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    // What is wrong with settings stops before the language is asked, and is tested where settings are read.
    let cases = programs().filter(|case| case.expect.stage.as_deref() != Some("config"));
    for case in cases {
        let family = case.name.split(['_', '/']).next().unwrap_or_default().to_owned();
        let (passed, all) = table.entry(family).or_default();
        *all += 1;
        match verdict(&case) {
            Ok(()) => *passed += 1,
            Err(why) => wrong.push(format!("{}: {why}", case.name)),
        }
    }
    let lines = table.iter().map(|(family, (passed, all))| format!("{family:<12} {passed:>3} of {all:>3}\n"));
    println!("{}", lines.collect::<String>());
    assert!(wrong.is_empty(), "{} programs:\n{}", wrong.len(), wrong.join("\n"));
}
