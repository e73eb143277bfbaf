//! What must hold for reading, checking, formatting and running any text: over the programs of the contract, over
//! programs that were damaged, and over plain noise.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value as Json;

use super::format::format;
use super::parse::MAX_NESTING;
use super::trial::{reads, trial};
use super::value::{Value, parse_json};
use super::{load, read};

/// The folder of the contract, from this file's own place.
fn folder() -> PathBuf {
    Path::new(file!()).ancestors().nth(3).expect("the file is three levels deep").join("tests/conformance")
}

/// Name, source and expectation of every program, by name.
fn programs() -> Vec<(String, String, Json)> {
    let mut found: Vec<_> = fs::read_dir(folder())
        .expect("the programs are here")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ai"))
        .map(|path| {
            let name = path.file_stem().expect("named").to_string_lossy().into_owned();
            let source = fs::read_to_string(&path).expect("text");
            let json =
                fs::read_to_string(path.with_extension("json")).expect("each program says what it does");
            (name, source, serde_json::from_str(&json).expect("valid JSON"))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() >= 219, "only {} programs", found.len());
    found
}

/// Whatever `source` is, it is read and laid out as it must be.
fn holds(source: &str) {
    if let Err(why) = reads(source) {
        panic!("{why}\n{source}");
    }
}

#[test]
fn every_program_of_the_contract_loads_or_is_refused_as_written() {
    for (name, source, json) in programs() {
        let expect = &json["expect"];
        match read(&source) {
            Ok(_) => assert_ne!(expect["stage"], "load", "{name} loads"),
            Err(faults) => {
                assert_eq!(expect["stage"], "load", "{name}: {faults:?}");
                let words = expect["error_contains"].as_str().expect("a refusal has words");
                assert!(faults[0].message().contains(words), "{name}: {}", faults[0]);
                if let Some(line) = expect["line"].as_u64() {
                    assert_eq!(faults[0].span.map(|span| u64::from(span.line)), Some(line), "{name}");
                }
                assert_eq!(faults.len(), 1, "{name}: one slip is one fault: {faults:?}");
            }
        }
    }
}

#[test]
fn the_layout_of_every_program_means_the_same_and_is_final() {
    for (_, source, _) in programs() {
        holds(&source);
    }
}

#[test]
fn every_construct_is_read_and_laid_out_as_written() {
    let source = include_str!("../../tests/language/everything.ai");
    if let Err(faults) = load(source) {
        panic!("{faults:?}");
    }
    assert_eq!(format(source).expect("readable"), source);
    holds(source);
}

#[test]
fn every_prefix_of_a_program_ends_in_faults_or_a_tree() {
    for (_, source, _) in programs().into_iter().step_by(7) {
        for (at, _) in source.char_indices().step_by(5) {
            holds(&source[..at]);
        }
    }
}

#[test]
fn nesting_beyond_the_limit_is_a_fault_and_no_overflow() {
    let deep = 100_000;
    let wrap = |line: String| format!("spec is \"1.0\"\nflow \"main\":\n  return {line}\n");
    let mut hostile = vec![
        wrap("(".repeat(deep)),
        wrap("not ".repeat(deep)),
        wrap("-".repeat(deep)),
        wrap("2 ** ".repeat(deep)),
        wrap("list: ".repeat(deep)),
        wrap("x[".repeat(deep)),
        wrap("sum(".repeat(deep)),
        wrap("list length of ".repeat(deep)),
        wrap("map ".repeat(deep)),
        wrap(format!("1{}", " + 1".repeat(deep))),
        wrap(format!("true{}", " and true".repeat(deep))),
        wrap(format!("x{}", "[0]".repeat(deep))),
        format!("spec is \"1.0\"\nrecord \"R\":\n  a is {}", "list<".repeat(deep)),
        format!("spec is \"1.0\"\nflow \"main\":\n  {}", "let a is 1 ".repeat(deep)),
    ];
    for head in ["if true:", "match 1:", "parallel:", "try:", "page \"p\":", "section \"s\":", "run \"x\":"] {
        let mut source = "spec is \"1.0\"\nflow \"main\":\n".to_owned();
        (1..1_000).for_each(|level| source.push_str(&format!("{}{head}\n", " ".repeat(level))));
        hostile.push(source);
    }
    for source in &hostile {
        assert!(source.contains("let a is 1") || read(source).is_err(), "{}", &source[..60]);
        holds(source);
    }
}

#[test]
fn nesting_up_to_the_limit_is_read() {
    let depth = MAX_NESTING as usize - 8;
    let source =
        format!("spec is \"1.0\"\nflow \"main\":\n  return {}1{}\n", "(".repeat(depth), ")".repeat(depth));
    assert!(read(&source).is_ok());
}

const WORDS: [&str; 96] = [
    "let",
    "set",
    "x",
    "is",
    "1",
    "2.5",
    "\"a\"",
    "'b'",
    "true",
    "null",
    "state",
    "input",
    ".",
    "+",
    "-",
    "*",
    "/",
    "**",
    "%",
    "=",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "|",
    "!",
    ":",
    ",",
    "if",
    "else",
    "repeat",
    "up",
    "to",
    "times",
    "while",
    "limit",
    "for",
    "each",
    "in",
    "match",
    "with",
    "when",
    "otherwise",
    "try",
    "catch",
    "attempt",
    "return",
    "list",
    "map",
    "filter",
    "reduce",
    "item",
    "as",
    "acc",
    "starting",
    "length",
    "of",
    "append",
    "get",
    "at",
    "key",
    "keys",
    "value",
    "sum",
    "call",
    "function",
    "flow",
    "output",
    "parallel",
    "run",
    "merge",
    "policy",
    "orchestration",
    "branch",
    "ask",
    "ai",
    "agent",
    "record",
    "must",
    "be",
    "between",
    "and",
    "or",
    "not",
    "one",
    "greater",
    "than",
    "`page`",
    "async",
    "find",
    "save",
    "where",
];

/// Words, line ends with any indentation, and characters that belong nowhere.
fn noise() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(&WORDS[..]).prop_map(|word| format!("{word} ")),
        2 => (0usize..8).prop_map(|width| format!("\n{}", " ".repeat(width))),
        1 => prop::sample::select(&["\t", "^", "\"", "\"\"\"", "#", "\\", "\r\n", "\u{feff}", "\u{df}"][..])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
}

/// One wound of a program: where, how much, and what.
#[derive(Debug, Clone, Copy)]
struct Wound {
    at: usize,
    other: usize,
    kind: u8,
    word: &'static str,
}

fn wound() -> impl Strategy<Value = Wound> {
    (any::<usize>(), any::<usize>(), 0u8..10, prop::sample::select(&WORDS[..]))
        .prop_map(|(at, other, kind, word)| Wound { at, other, kind, word })
}

impl Wound {
    /// Wounds between words and lines leave more that still loads than wounds between characters.
    fn apply(self, source: &str) -> String {
        match self.kind {
            0..=2 => self.of_characters(source),
            3..=5 => self.of_lines(source),
            _ => self.of_words(source),
        }
    }

    fn of_characters(self, source: &str) -> String {
        let mut chars: Vec<char> = source.chars().collect();
        let at = self.at % (chars.len() + 1);
        let end = (at + self.other % 40).min(chars.len());
        match self.kind {
            0 => drop(chars.drain(at..end)),
            1 => drop(chars.splice(at..at, self.word.chars())),
            _ => drop(chars.splice(at..at, format!("\n{}", " ".repeat(self.other % 9)).chars())),
        }
        chars.into_iter().collect()
    }

    fn of_lines(self, source: &str) -> String {
        let mut lines: Vec<&str> = source.lines().collect();
        let Some(last) = lines.len().checked_sub(1) else { return String::new() };
        let (at, other) = (self.at % lines.len(), self.other % lines.len());
        match self.kind {
            3 => drop(lines.remove(at.min(last))),
            4 => lines.insert(other, lines[at]),
            _ => lines.swap(at, other),
        }
        lines.join("\n")
    }

    /// Puts another word of the program, or one of the language, in the place of a word.
    fn of_words(self, source: &str) -> String {
        let mut words: Vec<&str> = source.split(' ').collect();
        let (at, other) = (self.at % words.len(), self.other % words.len());
        match self.kind {
            6 => words[at] = self.word,
            7 => words.swap(at, other),
            _ => words[at] = words[other],
        }
        words.join(" ")
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn noise_is_read_to_its_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        holds(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn words_in_any_order_are_read_to_their_end(body in noise()) {
        holds(&body);
        holds(&format!("spec is \"1.0\"\nflow \"main\":\n  {body}"));
        holds(&format!("spec is \"1.0\"\nflow \"main\":\n  let x is {body}"));
    }
}

#[test]
fn damaged_programs_are_read_and_run_to_their_end() {
    let programs = programs();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let damaged = (0..programs.len(), prop::collection::vec(wound(), 1..4));
    let result = proptest::test_runner::TestRunner::new(config).run(&damaged, |(which, wounds)| {
        let (_, source, json) = &programs[which];
        let source = wounds.iter().fold(source.clone(), |source, wound| wound.apply(&source));
        let input = parse_json(&json["input"].to_string()).unwrap_or(Value::Null);
        trial(&source, &input).map_err(|why| TestCaseError::fail(format!("{why}\n{source}")))
    });
    assert!(result.is_ok(), "{}", result.expect_err("just seen"));
}
