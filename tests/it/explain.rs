//! `tidegate explain`: how each AI call of a run came by its answer, as a table, as JSON and as a picture.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

const APP: &str = r#"spec is "1.0"

capabilities:
  performance

ai "writer":
  model is "m"
  system_prompt is "Be <short>"

ai "away":
  provider is "openai"
  model is "gone"

agent "poet":
  ai is "writer"

flow "main":
  ask ai "writer" with input: "sea" as a
  ask ai "writer" with input: "sea" as b
  run agent "poet" with input: "sand" as c
  return c

flow "lost":
  ask ai "away" with input: "who?" as a
  return a

flow "silent":
  return 1
"#;

fn explain(folder: &Path, args: &[&str]) -> Output {
    std::fs::write(folder.join("app.ai"), APP).expect("the app can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["explain", "app.ai"]).args(args).current_dir(folder).env_clear();
    command.output().expect("the program can be started")
}

fn json(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout).expect("standard output is JSON")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program prints UTF-8")
}

#[test]
fn each_call_is_told_with_its_key_its_way_and_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let told = json(&explain(folder.path(), &["--flow", "main", "--cache-size", "8", "--json"]));
    let calls = told["calls"].as_array().unwrap();

    let came: Vec<_> = calls.iter().map(|call| call["outcome"].as_str().unwrap()).collect();
    assert_eq!(came, ["miss", "hit", "miss"]);
    assert_eq!(calls[0]["because"], "not kept");
    assert_eq!(
        (&calls[1]["payer"], &calls[1]["because"]),
        (&1.into(), &"call 1 was answered with the same key".into())
    );
    assert_eq!(calls[2]["because"], "not kept; call 1 is nearest and differs in user_input");
    assert_eq!((&calls[2]["agent"], &calls[2]["profile"]), (&"poet".into(), &"writer".into()));
    assert_eq!(calls[0]["cache_key"], calls[1]["cache_key"]);
    assert_ne!(calls[0]["cache_key"], calls[2]["cache_key"]);
    assert_eq!(calls[0]["key_fields"]["user_input"], "sea");
    assert_eq!(calls[0]["key_fields"]["system_prompt"], "Be <short>");
    assert!(calls.iter().all(|call| call["took_ms"].as_f64() >= call["waited_ms"].as_f64()), "{calls:?}");
    let stages: Vec<_> = calls[0]["stages"].as_array().unwrap().iter().map(|stage| &stage["stage"]).collect();
    assert_eq!(stages, ["admit", "authorise", "key", "lookup", "join", "lane", "act", "tell"]);
}

#[test]
fn without_a_cache_every_call_says_that_settings_are_why() {
    let folder = tempfile::tempdir().unwrap();
    let output = explain(folder.path(), &["--flow", "main"]);

    let table = text(&output.stdout);
    assert!(table.starts_with("flow \"main\" of app.ai: 3 AI calls (3 bypass)\n"), "{table}");
    assert_eq!(table.matches("bypass: answers are not kept: the settings leave the cache off").count(), 3);
    assert!(table.contains("agent poet (writer)") && table.contains("input \"sand\""), "{table}");
}

#[test]
fn a_failed_call_says_what_failed_and_the_exit_code_too() {
    let folder = tempfile::tempdir().unwrap();
    let output = explain(folder.path(), &["--flow", "lost", "--json"]);

    assert_eq!(output.status.code(), Some(1));
    let told = json(&output);
    assert_eq!((&told["ok"], &told["calls"][0]["outcome"]), (&false.into(), &"not_asked".into()));
    assert!(told["calls"][0]["because"].as_str().unwrap().contains("'openai' is not configured"), "{told}");
    assert!(text(&output.stderr).contains("AI provider error."), "{}", text(&output.stderr));
}

#[test]
fn a_flow_without_calls_has_nothing_to_explain() {
    let folder = tempfile::tempdir().unwrap();
    let output = explain(folder.path(), &["--flow", "silent"]);
    assert!(output.status.success());
    assert_eq!(text(&output.stdout), "flow \"silent\" of app.ai: no AI call\n");
}

#[test]
fn the_picture_has_a_bar_for_each_call() {
    let folder = tempfile::tempdir().unwrap();
    let output = explain(folder.path(), &["--flow", "main", "--cache-size", "8", "--svg", "out.svg"]);

    assert!(output.status.success(), "{}", text(&output.stderr));
    let picture = std::fs::read_to_string(folder.path().join("out.svg")).unwrap();
    for label in [">1  writer<", ">2  writer<", ">3  poet<", ">waiting<", ">answering<"] {
        assert!(picture.contains(label), "{label} in {picture}");
    }
    let nowhere = explain(folder.path(), &["--flow", "silent", "--svg", "no/such/folder.svg"]);
    assert!(!nowhere.status.success() && text(&nowhere.stderr).contains("cannot write no/such/folder.svg"));
}
