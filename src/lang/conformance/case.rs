//! Owns the form of a conformance program: `NAME.ai` beside `NAME.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::lang::value::{Map, Value, parse_json};

/// One program and what it promises.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) flow: String,
    pub(super) input: Value,
    pub(super) identity: Option<Value>,
    /// Text of `namel3ss.toml`.
    pub(super) toml: Option<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) expect: Expect,
}

/// What a run must give.
#[derive(Debug)]
pub(super) struct Expect {
    pub(super) ok: bool,
    pub(super) result: Option<Value>,
    pub(super) state: Option<Value>,
    pub(super) yields: Option<Value>,
    pub(super) counters: Option<Value>,
    pub(super) error: Option<String>,
    pub(super) stage: Option<String>,
    pub(super) line: Option<i64>,
}

fn text(map: &Map, key: &str) -> Option<String> {
    map.get(key).and_then(Value::as_text).map(ToString::to_string)
}

/// All programs that need no server, by name.
pub(super) fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let entries = fs::read_dir(&folder).expect("the folder of programs is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let cases: Vec<_> = paths.iter().filter_map(|path| read(path)).collect();
    assert!(cases.len() >= 215, "only {} programs", cases.len());
    cases
}

fn read(path: &Path) -> Option<Case> {
    let json = fs::read_to_string(path).expect("the promise can be read");
    let json = parse_json(&json).expect("the promise is JSON");
    let map = json.as_map().expect("the promise is a map");
    if map.contains_key("http") {
        return None;
    }
    let env = map.get("env").and_then(Value::as_map).cloned().unwrap_or_default();
    let env = env.iter().map(|(key, value)| (key.to_string(), value.to_display())).collect();
    let expect = map.get("expect").and_then(Value::as_map).expect("an expectation");
    Some(Case {
        name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
        source: fs::read_to_string(path.with_extension("ai")).expect("the program can be read"),
        flow: text(map, "flow").expect("a flow"),
        input: map.get("input").cloned().unwrap_or_else(|| Value::fields([])),
        identity: map.get("identity").cloned(),
        toml: text(map, "toml"),
        env,
        expect: Expect {
            ok: expect.get("ok").and_then(Value::as_bool).expect("ok or not"),
            result: expect.get("result").cloned(),
            state: expect.get("state").cloned(),
            yields: expect.get("yields").cloned(),
            counters: expect.get("counters").cloned(),
            error: text(expect, "error_contains"),
            stage: text(expect, "stage"),
            line: expect.get("line").and_then(Value::as_number).and_then(|line| line.to_i64()),
        },
    })
}
