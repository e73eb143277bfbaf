//! Records that outlast the process, from outside: the binary run again and again on one file, killed, and run beside
//! itself; a server that is started anew.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::server::Gateway;

const SQLITE: (&str, &str) = ("N3_PERSIST_TARGET", "sqlite");

const NOTES: &str = r#"spec is "1.0"

ai "slow":
  provider is "openai"
  model is "m"

record "Note":
  body is text must be unique
  price is number

record "Counter":
  n is number

flow "add": requires true
  save "Note" with:
    body is input.body
    price is input.price
  return latest "Note"

flow "list":
  find "Note" where true
  return note_results

flow "consult": requires true
  save "Note" with:
    body is "before"
  ask ai "slow" with input: "?" as answer
  save "Note" with:
    body is answer

flow "fail": requires true
  save "Note" with:
    body is "gone"
  return 1 / 0

flow "bump": requires true
  find "Counter" where true
  let known is list length of counter_results
  if known is 0:
    save "Counter" with:
      n is 1
  else:
    update "Counter" where true set:
      n is n + 1
  let counter is latest "Counter"
  return counter.n

flow "plain":
  return 1

route "add":
  path is "/api/notes"
  method is "POST"
  request:
    body is text
  response:
    body is text
  flow is "add"

route "consult":
  path is "/api/consult"
  method is "POST"
  request:
    body is text
  response:
    body is text
  flow is "consult"
"#;

fn folder(app: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(folder.path().join("app.ai"), app).expect("the app can be written");
    folder
}

fn file(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join(".namel3ss/data.db")
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(args).current_dir(folder).env_clear().env(SQLITE.0, SQLITE.1);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The result of a flow that succeeds.
fn run(folder: &TempDir, flow: &str, input: &str) -> Json {
    let output = command(folder.path(), &["run", "app.ai", "--flow", flow, "--input", input]).output();
    let output = output.expect("the program can be started");
    assert!(output.status.success(), "{flow}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the result is JSON")
}

#[test]
fn records_of_one_run_are_found_by_the_next_and_those_of_a_failed_one_are_not() {
    let folder = folder(NOTES);
    assert_eq!(run(&folder, "plain", "{}"), 1);
    assert!(!file(&folder).exists(), "a flow without records opens no file");
    let added = run(&folder, "add", r#"{"body": "tea", "price": 19.99}"#);
    assert_eq!(added, json!({"_id": 1, "body": "tea", "price": 19.99}));
    let failed = command(folder.path(), &["run", "app.ai", "--flow", "fail"]).output().expect("it starts");
    assert!(text(&failed.stderr).contains("Division by zero."), "{}", text(&failed.stderr));
    let twice = command(
        folder.path(),
        &["run", "app.ai", "--flow", "add", "--input", r#"{"body": "tea", "price": 1}"#],
    );
    let twice = { twice }.output().expect("it starts");
    assert!(text(&twice.stderr).contains("must be unique"), "{}", text(&twice.stderr));
    let added = run(&folder, "add", r#"{"body": "milk", "price": 100000000000000000000000000}"#);
    assert_eq!(added["_id"], 2, "ids go on, and those of failed runs are not lost");
    let listed = command(folder.path(), &["run", "app.ai", "--flow", "list"]).output().expect("it starts");
    let listed = text(&listed.stdout);
    let prices: Vec<&str> =
        listed.lines().filter_map(|line| line.trim().strip_prefix("\"price\": ")).collect();
    assert_eq!(prices, ["19.99", "100000000000000000000000000"]);
    let beside = std::fs::read_dir(folder.path().join(".namel3ss")).expect("a folder").count();
    assert_eq!(beside, 1, "nothing is left beside the file");
}

#[test]
fn the_settings_of_the_folder_say_where_and_the_environment_is_stronger() {
    let folder = folder(NOTES);
    let toml = "[persistence]\ntarget = \"sqlite\"\ndb_path = \"kept/notes.db\"\n";
    std::fs::write(folder.path().join("namel3ss.toml"), toml).expect("it can be written");
    let path = folder.path().join("app.ai");
    let add =
        ["run", path.to_str().expect("UTF-8"), "--flow", "add", "--input", r#"{"body": "x", "price": 1}"#];
    // From another working directory: the path counts from the app's folder.
    let elsewhere = tempfile::tempdir().expect("a temporary folder can be made");
    let run = |target: Option<&str>| {
        let mut command = command(elsewhere.path(), &add);
        command.env_remove(SQLITE.0);
        if let Some(target) = target {
            command.env(SQLITE.0, target);
        }
        command.output().expect("the program can be started")
    };
    assert!(run(Some("memory")).status.success());
    assert!(!folder.path().join("kept").exists(), "the environment said memory");
    assert!(run(None).status.success());
    assert!(folder.path().join("kept/notes.db").exists());
    assert!(text(&run(None).stderr).contains("must be unique"), "it is there already");
}

/// What a program says, all of it: the payload, what it complains of, how it exits.
fn said(folder: &Path, promise: &Json, target: &str) -> Output {
    let folder = folder.join(target);
    std::fs::create_dir(&folder).expect("a folder can be made");
    std::fs::copy(folder.with_file_name("app.ai"), folder.join("app.ai")).expect("the app can be copied");
    std::fs::write(folder.join("in.json"), promise["input"].to_string()).expect("it can be written");
    if let Some(toml) = promise["toml"].as_str() {
        std::fs::write(folder.join("namel3ss.toml"), toml).expect("it can be written");
    }
    let flow = promise["flow"].as_str().expect("a flow");
    let mut command = command(&folder, &["run", "app.ai", "--flow", flow, "--input", "@in.json", "--json"]);
    for (name, value) in promise["env"].as_object().into_iter().flatten() {
        command.env(name, value.as_str().expect("text"));
    }
    if let Some(identity) = promise.get("identity").filter(|identity| !identity.is_null()) {
        command.env("N3_IDENTITY_JSON", identity.to_string());
    }
    command.env(SQLITE.0, target).output().expect("the program can be started")
}

#[test]
fn every_conformance_program_with_records_gives_the_same_as_in_memory() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut kept = 0;
    for entry in std::fs::read_dir(&programs).expect("the folder of programs is there").flatten() {
        let path = entry.path();
        let source = std::fs::read_to_string(&path).expect("it can be read");
        if path.extension().is_none_or(|ending| ending != "ai") || !source.contains("\nrecord \"") {
            continue;
        }
        let promise =
            std::fs::read_to_string(path.with_extension("json")).expect("a promise stands beside it");
        let promise: Json = serde_json::from_str(&promise).expect("the promise is JSON");
        if promise.get("http").is_some() {
            continue; // `apps` runs those on both
        }
        let folder = folder(&source);
        let [memory, sqlite] = ["memory", "sqlite"].map(|target| said(folder.path(), &promise, target));
        assert_eq!(text(&sqlite.stdout), text(&memory.stdout), "{}", path.display());
        assert_eq!(text(&sqlite.stderr), text(&memory.stderr), "{}", path.display());
        assert_eq!(sqlite.status, memory.status, "{}", path.display());
        kept += u32::from(folder.path().join("sqlite/.namel3ss/data.db").exists());
    }
    assert!(kept >= 20, "only {kept} programs came to keep anything");
}

/// A model of ours, and a folder whose programs ask it.
fn upstream(folder: &TempDir) -> TcpListener {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = upstream.local_addr().expect("it has one");
    let toml = format!(
        "[providers.openai]\nkind = \"openai\"\nbase_url = \"http://{address}/v1\"\napi_key = \"k\"\n"
    );
    std::fs::write(folder.path().join("tidegate.toml"), toml).expect("it can be written");
    upstream.set_nonblocking(true).expect("it can be looked at");
    upstream
}

/// A run that asks a model of ours.
fn consulting(folder: &TempDir) -> (TcpListener, Child) {
    let upstream = upstream(folder);
    let mut asking = command(folder.path(), &["run", "app.ai", "--flow", "consult"]);
    (upstream, asking.stderr(Stdio::piped()).spawn().expect("the program can be started"))
}

/// The connection on which it asks: its first record is stored then, as far as the run can tell.
fn asked(upstream: &TcpListener, mut ended: impl FnMut() -> bool) -> TcpStream {
    loop {
        match upstream.accept() {
            Ok((question, _)) => return question,
            Err(_) => assert!(!ended(), "it ended without asking"),
        }
        std::thread::yield_now();
    }
}

/// Reads the question and answers it.
fn answer(mut question: TcpStream, content: &str) {
    question.set_nonblocking(false).expect("it can be waited for");
    let mut lines = BufReader::new(question.try_clone().expect("it can be read"));
    let mut length = 0;
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).expect("it can be read");
        match line.trim().to_lowercase().strip_prefix("content-length: ") {
            Some(bytes) => length = bytes.parse().expect("a number"),
            None if line.trim().is_empty() => break,
            None => {}
        }
    }
    lines.read_exact(&mut vec![0; length]).expect("the body can be read");
    let message = json!({"role": "assistant", "content": content});
    let body = json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    })
    .to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    question.write_all((head + &body).as_bytes()).expect("it reads");
}

/// Reads are answered while another run is at work, and a run that is killed has never been.
#[test]
fn a_run_that_is_killed_in_the_middle_leaves_nothing() {
    let folder = folder(NOTES);
    let (upstream, mut asking) = consulting(&folder);
    let _question = asked(&upstream, || asking.try_wait().expect("it can be asked").is_some());
    assert_eq!(run(&folder, "list", "{}"), json!([]));
    asking.kill().expect("it can be killed");
    asking.wait().expect("it ends");

    assert_eq!(run(&folder, "list", "{}"), json!([]));
    assert_eq!(run(&folder, "add", r#"{"body": "before", "price": 1}"#)["_id"], 1);
}

/// A model that thinks for a minute must not keep every other process from its records for so long.
#[test]
fn a_run_lets_go_of_the_file_while_a_model_answers_and_goes_on_with_what_it_then_finds() {
    let folder = folder(NOTES);
    let (upstream, mut asking) = consulting(&folder);
    let question = asked(&upstream, || asking.try_wait().expect("it can be asked").is_some());
    assert_eq!(run(&folder, "add", r#"{"body": "between", "price": 1}"#)["_id"], 1);
    answer(question, "after");
    assert!(asking.wait().expect("it ends").success());

    let notes = run(&folder, "list", "{}");
    let bodies: Vec<_> = notes.as_array().expect("a list").iter().map(|note| note["body"].clone()).collect();
    assert_eq!(bodies, ["between", "before", "after"]);
    assert!(upstream.accept().is_err(), "the question was put once");
}

/// All of them make the file, and all of them count: two that read the same number would write it twice.
#[test]
fn runs_at_the_same_time_lose_no_update() {
    let folder = folder(NOTES);
    let begin = |_| {
        let mut command = command(folder.path(), &["run", "app.ai", "--flow", "bump"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started")
    };
    let running: Vec<_> = (0..8).map(begin).collect();
    let outputs = running.into_iter().map(|child| child.wait_with_output().expect("it ends"));
    let mut counted: Vec<u32> = outputs
        .map(|output| {
            text(&output.stdout).trim().parse().unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
        })
        .collect();
    counted.sort_unstable();
    assert_eq!(counted, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[actix_rt::test]
async fn a_server_that_is_started_anew_has_its_records() {
    let folder = folder(NOTES);
    let note = |body: &str| json!({"body": body, "price": 1.5}).to_string();
    let gateway = Gateway::serving(folder.path(), &[SQLITE]);
    assert_eq!(gateway.post("/api/notes", note("tea")).await.status, 200);
    // Another process adds one while the server has the table in memory.
    assert_eq!(gateway.get("/api/state").await.json()["records"][1]["count"], 1);
    assert_eq!(run(&folder, "add", &note("milk"))["_id"], 2);
    assert_eq!(gateway.get("/api/state").await.json()["records"][1]["count"], 2);
    gateway.end();

    let gateway = Gateway::serving(folder.path(), &[SQLITE]);
    let again = gateway.post("/api/notes", note("milk")).await;
    assert_eq!(again.status, 400, "{}", again.text());
    let third = gateway.post("/api/notes", note("bread")).await.json();
    assert_eq!(third, json!({"_id": 3, "body": "bread", "price": 1.5}));
    let rows = gateway.get("/api/state").await.json()["records"][1]["rows"].clone();
    let bodies: Vec<_> = rows.as_array().expect("rows").iter().map(|row| row["body"].clone()).collect();
    assert_eq!(bodies, ["tea", "milk", "bread"]);
    gateway.end();
    let beside = std::fs::read_dir(folder.path().join(".namel3ss")).expect("a folder").count();
    assert_eq!(beside, 1, "the server closed the file");
}

#[actix_rt::test]
async fn a_server_lets_go_of_the_file_while_a_model_answers() {
    let folder = folder(NOTES);
    let upstream = upstream(&folder);
    let gateway = Gateway::serving(folder.path(), &[SQLITE]);
    let served = std::thread::scope(|scope| {
        let request = "POST /api/consult HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                       content-length: 0\r\n\r\n";
        let asking = scope.spawn(|| gateway.raw(request.as_bytes()));
        let question = asked(&upstream, || asking.is_finished());
        assert_eq!(run(&folder, "add", r#"{"body": "between", "price": 1}"#)["_id"], 1);
        answer(question, "after");
        asking.join().expect("it is answered")
    });
    assert!(served.starts_with("HTTP/1.1 200") && served.contains(r#""_id":3,"body":"after""#), "{served}");
    assert!(upstream.accept().is_err(), "the question was put once");
}

#[test]
fn a_server_does_not_start_with_a_file_it_cannot_use() {
    let folder = folder(NOTES);
    std::fs::create_dir(folder.path().join(".namel3ss")).expect("a folder can be made");
    std::fs::write(file(&folder), "a diary".repeat(200)).expect("it can be written");
    let mut serving = command(folder.path(), &["serve", "app.ai", "--port", "0"]);
    let mut serving = serving.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let banner = serving.stdout.take().expect("it is piped").read(&mut [0]).expect("it can be read");
    if banner > 0 {
        serving.kill().expect("it can be killed");
    }
    let served = serving.wait_with_output().expect("it ends");
    let told = text(&served.stderr);
    assert_eq!((banner, served.status.code()), (0, Some(1)), "nothing listens: {told}");
    assert!(told.contains("not a database") && told.contains(".namel3ss/data.db"), "{told}");
}

#[test]
fn a_proof_sees_the_records_and_changes_none() {
    let folder = folder(NOTES);
    run(&folder, "bump", "{}");
    let before = std::fs::read(file(&folder)).expect("the file is there");
    let proved = command(folder.path(), &["prove", "app.ai", "--flow", "bump", "--json"]).output();
    let proved = proved.expect("the program can be started");
    assert!(proved.status.success(), "{}{}", text(&proved.stdout), text(&proved.stderr));
    assert_eq!(std::fs::read(file(&folder)).expect("the file is there"), before);
    assert_eq!(run(&folder, "bump", "{}"), 2);
}
