//! Owns the form of small programs with their promises, many to a file: `tests/programs/FAMILY.txt`, see the README there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::case::{Case, Expect};
use crate::lang::value::{Value, parse_json};

/// The flow a program without one of its own consists of.
const FLOW: &str = "flow \"main\": requires true\n";

/// All programs of all files, named `FAMILY/NAME`.
pub(super) fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let entries = fs::read_dir(&folder).expect("the folder of tables is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.iter().flat_map(|path| read(path)).collect()
}

fn read(path: &Path) -> Vec<Case> {
    let family = path.file_stem().expect("a name").to_string_lossy().into_owned();
    let text = fs::read_to_string(path).expect("the table can be read");
    let mut pieces = text.split("\n=== ").map(|piece| piece.trim_end_matches('\n'));
    assert!(pieces.next().is_some_and(|head| head.starts_with('#')), "{family}: says what it holds");
    pieces.map(|piece| case(&family, piece)).collect()
}

/// A name, lines `@key JSON`, the program, and behind `--- ` what it comes to.
fn case(family: &str, piece: &str) -> Case {
    let (name, rest) = piece.split_once('\n').unwrap_or((piece, ""));
    let name = format!("{family}/{name}");
    let (program, promise) = rest.rsplit_once("--- ").unwrap_or_else(|| panic!("{name}: no promise"));
    let mut settings = BTreeMap::new();
    let mut body = Vec::new();
    for line in program.lines() {
        match line.strip_prefix('@').and_then(|setting| setting.split_once(' ')) {
            Some((key, value)) => {
                settings
                    .insert(key, parse_json(value).unwrap_or_else(|fault| panic!("{name}: {key}: {fault}")));
            }
            None => body.push(line),
        }
    }
    Case {
        flow: settings.get("flow").map_or_else(|| "main".to_owned(), Value::to_display),
        input: settings.remove("input").unwrap_or_else(|| Value::fields([])),
        identity: settings.remove("identity"),
        toml: settings.get("toml").and_then(Value::as_text).map(ToString::to_string),
        env: variables(settings.get("env")),
        expect: expected(&name, promise),
        source: source(&body),
        name,
    }
}

fn variables(env: Option<&Value>) -> BTreeMap<String, String> {
    let env = env.and_then(Value::as_map).cloned().unwrap_or_default();
    env.iter().map(|(key, value)| (key.to_string(), value.to_display())).collect()
}

/// The whole program: with its `spec` line, and inside a flow if it declares nothing.
fn source(body: &[&str]) -> String {
    let lines = |indent: &str| {
        let line = |line: &&str| if line.is_empty() { "\n".to_owned() } else { format!("{indent}{line}\n") };
        body.iter().map(line).collect::<String>()
    };
    let declares = |line: &&&str| line.starts_with("flow ") || line.starts_with("llm_call ");
    if body.iter().any(|line| line.starts_with("spec ")) {
        lines("")
    } else if body.iter().find(declares).is_some() {
        format!("spec is \"1.0\"\n\n{}", lines(""))
    } else {
        format!("spec is \"1.0\"\n\n{FLOW}{}", lines("  "))
    }
}

/// `JSON` of the result and `state JSON`, `yields JSON`, `counters JSON` behind it; or `STAGE LINE words`, with `-` where no line counts.
fn expected(name: &str, promise: &str) -> Expect {
    let json = |text: &str| parse_json(text).unwrap_or_else(|fault| panic!("{name}: {fault}: {text}"));
    let mut lines = promise.lines();
    let first = lines.next().unwrap_or_default();
    let mut expect = Expect {
        ok: true,
        result: None,
        state: None,
        yields: None,
        counters: None,
        error: None,
        stage: None,
        line: None,
    };
    if let Some((stage @ ("load" | "run"), fault)) = first.split_once(' ') {
        let (line, words) = fault.split_once(' ').unwrap_or((fault, ""));
        expect.ok = false;
        expect.stage = Some(stage.to_owned());
        expect.line = line.parse().ok();
        expect.error = Some(words.to_owned());
        return expect;
    }
    expect.result = Some(json(first));
    for line in lines {
        match line.split_once(' ') {
            Some(("state", value)) => expect.state = Some(json(value)),
            Some(("yields", value)) => expect.yields = Some(json(value)),
            Some(("counters", value)) => expect.counters = Some(json(value)),
            _ => panic!("{name}: not a promise: {line}"),
        }
    }
    expect
}
