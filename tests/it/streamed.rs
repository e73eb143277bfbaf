//! `tidegate run --stream`: answers are printed while the provider still speaks, and the rest is what it always is.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::upstream::{Gate, Script, Upstream};

const APP: &str = r#"spec is "1.0"

capabilities:
  streaming

ai "desk":
  provider is "openai"
  model is "m"

flow "main":
  ask ai "desk" with stream: true and input: "tide" as reply
  return reply

flow "measured":
  ask ai "desk" with stream: true and input: "tide" as reply
  return list: reply
"#;

/// The app before an upstream.
fn folder(upstream: &Upstream) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let settings = format!("[providers.openai]\nkind = \"openai\"\nbase_url = \"{}/v1\"\n", upstream.url());
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("app.ai", APP);
    write("tidegate.toml", &(settings + "api_key = \"k\"\nretries = 0\n"));
    folder
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["run", "app.ai"]).args(args).current_dir(folder).env_clear();
    command
}

async fn output(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().await.expect("the program can be started")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program prints UTF-8")
}

fn chunk(text: &str, finish: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": finish});
    format!("data: {}\n\n", json!({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}))
}

fn speaking(gate: &Gate) -> Script {
    let end = chunk("", Some("stop")) + "data: [DONE]\n\n";
    Script::events().send(chunk("Hi", None)).wait(gate).send(chunk(" there", None)).send(end)
}

#[tokio::test]
async fn an_answer_is_printed_while_the_provider_still_speaks_and_its_result_once() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_| speaking(&held)).await;
    let folder = folder(&upstream);
    let mut running = command(folder.path(), &["--flow", "main", "--stream"]);
    let mut child = running.stdout(Stdio::piped()).spawn().expect("the program can be started");
    let mut out = child.stdout.take().expect("a pipe");
    let mut first = [0; 2];
    out.read_exact(&mut first).await.expect("the first token");
    assert_eq!(&first, b"Hi", "the provider still holds the rest");
    gate.open();
    let mut rest = String::new();
    out.read_to_string(&mut rest).await.expect("the rest");
    assert_eq!(rest, " there\n");
    assert!(child.wait().await.expect("it ended").success());
}

#[tokio::test]
async fn a_result_that_is_not_the_answer_is_printed_after_it() {
    let gate = Gate::closed();
    gate.open();
    let upstream = Upstream::answering(move |_| speaking(&gate)).await;
    let folder = folder(&upstream);
    let ran = output(folder.path(), &["--flow", "measured", "--stream"]).await;
    assert_eq!(text(&ran.stdout), "Hi there\n[\n  \"Hi there\"\n]\n");
}

#[tokio::test]
async fn a_pipe_gets_the_result_alone_and_json_takes_no_tokens() {
    let body = json!({"id": "c", "object": "chat.completion", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi there"}, "finish_reason": "stop"}]});
    let upstream = Upstream::always(Script::json(200, body.to_string())).await;
    let folder = folder(&upstream);
    let ran = output(folder.path(), &["--flow", "main"]).await;
    assert_eq!(text(&ran.stdout), "Hi there\n", "{}", text(&ran.stderr));
    assert!(!upstream.only().text().contains("stream"), "nobody listens: {}", upstream.only().text());
    let refused = output(folder.path(), &["--flow", "main", "--stream", "--json"]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("cannot be used with"), "{}", text(&refused.stderr));
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_its_line_before_the_fault_is_told() {
    let gate = Gate::closed();
    gate.open();
    let upstream =
        Upstream::answering(move |_| Script::events().send(chunk("Hi", None)).wait(&gate).cut()).await;
    let folder = folder(&upstream);
    let ran = output(folder.path(), &["--flow", "main", "--stream"]).await;
    assert_eq!((text(&ran.stdout), ran.status.code()), ("Hi\n", Some(1)));
    assert!(text(&ran.stderr).contains("AI provider error."), "{}", text(&ran.stderr));
}
