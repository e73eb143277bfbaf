//! The binary under its second name: the commands users of `.ai` apps know. Each test has a folder of its own and kills
//! the server it starts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value as Json;

const APP: &str = r#"spec is "1.0"

capabilities:
  performance

ai "writer":
  model is "m"

flow "main":
  return map:
    "sum" is 1 + 0.5
    "tags" is list: "a", "b"

route "greet":
  path is "/api/greet"
  method is "POST"
  request:
    q is text
  response:
    answer is text
  flow is "greet"

flow "greet":
  ask ai "writer" with input: input.q as answer
  return answer
"#;

const PAGED: &str = r#"spec is "1.0"

flow "hello":
  return "hello " + input.name

page "lobby":
  button "Say hello":
    calls flow "hello"
"#;

fn folder(app: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("app.ai"), app).expect("the app can be written");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tidegate"), folder.path().join("n3")).expect("a link");
    folder
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(folder.join("n3"));
    command.args(args).current_dir(folder).env_clear();
    command
}

fn n3(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().expect("the program can be started")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program prints UTF-8")
}

/// A server that ends with its test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Served {
    fn start(mut command: Command) -> (Self, String) {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program can be started");
        let printed = child.stdout.take().expect("it is piped");
        let served = Self(child);
        let lines = BufReader::new(printed).lines().map_while(Result::ok);
        let line = lines.into_iter().find(|line| line.starts_with("App: ")).expect("it says where it is");
        let address = line.trim_start_matches("App: http://").trim_end_matches('/').to_owned();
        (served, address)
    }
}

fn post(address: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn the_command_of_the_manual_serves_the_app() {
    let folder = folder(APP);
    let written = [
        "run",
        "--async-runtime",
        "true",
        "--max-concurrency",
        "8",
        "--cache-size",
        "128",
        "--enable-batching",
        "true",
        "app.ai",
        "--port",
        "0",
    ];
    let (_served, address) = Served::start(command(folder.path(), &written));
    for _ in 0..2 {
        let answer = post(&address, "/api/greet", r#"{"q":"hi"}"#);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with(r#"{"answer":"[m] hi | mem:st=0"}"#), "{answer}");
    }
}

/// What a newcomer copies first has to work as it stands.
#[test]
fn every_command_of_the_readme_about_programs_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = folder(APP);
    let examples = folder.path().join("examples");
    std::fs::create_dir(&examples).expect("a folder");
    for entry in std::fs::read_dir(root.join("examples")).expect("the examples").flatten() {
        if entry.path().is_file() {
            std::fs::copy(entry.path(), examples.join(entry.file_name())).expect("a copy");
        }
    }
    let readme = std::fs::read_to_string(root.join("README.md")).expect("the README");
    let commands = readme.lines().map(|line| line.split('#').next().unwrap_or_default());
    let commands = commands.filter(|line| line.contains(" examples/"));
    let commands: Vec<Vec<&str>> = commands.map(|line| line.split_whitespace().collect()).collect();
    assert!(commands.len() >= 3, "{commands:?}");
    for words in commands {
        let (name, args) = words.split_first().expect("a command");
        if *name == "n3" && args.first() == Some(&"run") {
            let (_served, address) =
                Served::start(command(folder.path(), &[args, &["--port", "0"]].concat()));
            assert!(
                post(&address, "/api/notes", r#"{"body":"tea"}"#).starts_with("HTTP/1.1 200"),
                "{words:?}"
            );
            continue;
        }
        assert_eq!(*name, "tidegate", "{words:?}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        let output = command.args(args).current_dir(folder.path()).env_clear().output().expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_bad_setting_stops_before_anything_runs_whatever_it_came_from() {
    let cases = [
        ("cache_size = -1", "N3_CACHE_SIZE=-1", "--cache-size=-1", "must be >= 0"),
        ("max_concurrency = 0", "N3_MAX_CONCURRENCY=0", "--max-concurrency=0", "must be >= 1"),
        (
            "async_runtime = \"maybe\"",
            "N3_ASYNC_RUNTIME=maybe",
            "--async-runtime=maybe",
            "must be true or false",
        ),
    ];
    for (file, variable, flag, refusal) in cases {
        let in_file = folder(APP);
        std::fs::write(in_file.path().join("namel3ss.toml"), format!("[performance]\n{file}\n"))
            .expect("written");
        let in_variable = folder(APP);
        let (name, value) = variable.split_once('=').expect("a pair");
        let mut with_variable = command(in_variable.path(), &["run", "app.ai", "--json"]);
        let by_flag = folder(APP);
        let refused = [
            (file, n3(in_file.path(), &["run", "app.ai"])),
            (variable, with_variable.env(name, value).output().expect("the program can be started")),
            (flag, n3(by_flag.path(), &["run", "app.ai", flag])),
        ];
        for (from, output) in refused {
            assert_eq!(output.status.code(), Some(1), "{from}");
            assert!(text(&output.stderr).contains(refusal), "{from}: {}", text(&output.stderr));
            if output.stdout.is_empty() {
                continue; // nothing ran and nothing listens
            }
            let told: Json = serde_json::from_slice(&output.stdout).expect("what --json tells is JSON");
            assert_eq!((from, &told["errors"][0]["category"]), (variable, &Json::from("config")));
        }
    }
}

#[test]
fn a_flow_is_listed_line_by_line_or_told_as_sorted_json() {
    let folder = folder(APP);
    let listed = n3(folder.path(), &["app.ai", "flow", "main"]);
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
    for line in ["flow_name: main", "ok: true", "result.sum: 1.5", "result.tags.1: a", "result.tags.count: 2"]
    {
        assert!(text(&listed.stdout).lines().any(|listed| listed == line), "{line}");
    }
    let told = n3(folder.path(), &["app.ai", "flow", "main", "--json"]);
    let told: Json = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(told["result"], serde_json::json!({"sum": "1.5", "tags": ["a", "b"]}));
    assert_eq!(told["contract"]["status"], "ok");
}

#[test]
fn several_flows_need_a_name_and_an_unknown_one_is_refused() {
    let folder = folder(APP);
    let several = n3(folder.path(), &["run", "app.ai", "--json"]);
    assert_eq!(several.status.code(), Some(1));
    assert!(text(&several.stderr).contains("Multiple flows found."), "{}", text(&several.stderr));
    let unknown = n3(folder.path(), &["app.ai", "flow", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("Unknown flow 'nobody'."), "{}", text(&unknown.stderr));
}

#[test]
fn a_button_is_pressed_from_the_command_line() {
    let folder = folder(PAGED);
    let listed = n3(folder.path(), &["actions", "app.ai"]);
    assert_eq!(text(&listed.stdout), "page.lobby.button.say_hello\n");
    let pressed =
        n3(folder.path(), &["app.ai", "page.lobby.button.say_hello", r#"{"name": "Ann"}"#, "--json"]);
    let pressed: Json = serde_json::from_slice(&pressed.stdout).expect("JSON");
    assert_eq!(pressed["result"], "hello Ann");
    let unknown = n3(folder.path(), &["app.ai", "page.lobby.button.nothing"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("page.lobby.button.say_hello"), "it names what there is");
    let broken = n3(folder.path(), &["app.ai", "page.lobby.button.say_hello", "{name"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken.stderr).contains("the payload of the action is not JSON"), "{broken:?}");
}

#[test]
fn check_says_what_was_found_or_where_it_fails() {
    let good = folder(PAGED);
    let checked = n3(good.path(), &["check", "app.ai"]);
    assert_eq!(text(&checked.stdout), "Parse: OK\nLint: OK\nManifest: OK\nActions: 1 discovered\n");
    let bad = folder("spec is \"1.0\"\nflow \"main\":\n  return 1 +\n");
    let checked = n3(bad.path(), &["check", "app.ai"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked.stdout).starts_with("Parse: FAIL"));
    assert!(text(&checked.stderr).contains("line 3"), "{}", text(&checked.stderr));
}
