//! The program itself: exit codes, what goes where, and that a refused setting never serves a request.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread::JoinHandle;

use serde_json::Value as Json;
use tidegate::cli::{Up, banner};
use tidegate::config::{LoadArgs, load};

/// Runs the program in an empty folder without any of our variables.
fn tidegate(args: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    in_folder(folder.path(), args).output().expect("the program can be started")
}

fn in_folder(folder: &std::path::Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(args).current_dir(folder).env_clear();
    command
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the program prints UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("the program prints UTF-8")
}

#[test]
fn the_version_and_help_are_answers() {
    let version = tidegate(&["--version"]);
    assert_eq!(out(&version), format!("tidegate {}\n", env!("CARGO_PKG_VERSION")));
    for command in [&["--help"][..], &["serve", "--help"], &["config", "--help"]] {
        let help = tidegate(command);
        assert!(help.status.success() && out(&help).contains("Examples:"), "{command:?}");
    }
}

#[test]
fn the_banner_says_where_who_and_what_is_off() {
    let load = |env: &[(&str, &str)]| {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        load(&LoadArgs { folder: std::env::temp_dir().join("no such folder"), env, ..LoadArgs::default() })
            .unwrap()
    };

    let plain = banner(&load(&[]), Up { url: "http://127.0.0.1:8080", guarded: false });
    for wanted in [
        "at http://127.0.0.1:8080\n",
        "base URL http://127.0.0.1:8080/v1",
        "workspace  default",
        "mock-chat, mock-claude, mock-embed; any other name goes to mock",
        "mock: answers are made up",
        "off        nothing",
    ] {
        assert!(plain.contains(wanted), "{wanted:?} in {plain}");
    }
    let off = [("TIDEGATE_GATEWAY_CACHE", "off"), ("TIDEGATE_GATEWAY_BATCH", "false")];
    assert!(banner(&load(&off), Up { url: "", guarded: true }).contains("off        cache, batching\n"));
}

#[test]
fn what_is_not_understood_exits_with_2() {
    assert_eq!(tidegate(&["sreve"]).status.code(), Some(2));
    assert_eq!(tidegate(&[]).status.code(), Some(2));
}

/// Flags a command has, without `--help`.
fn flags(command: &str) -> Vec<String> {
    let help = out(&tidegate(&[command, "--help"]));
    let flags = help.lines().filter_map(|line| line.trim_start().strip_prefix("--")?.split(' ').next());
    flags.map(str::to_owned).collect()
}

/// Every command took every setting, and most did nothing with them.
#[test]
fn a_command_has_the_flags_it_uses_and_says_whose_the_others_are() {
    let performance = ["async-runtime", "max-concurrency", "cache-size", "enable-batching"];
    let has = |command: &str, wanted: &[&str]| {
        let flags = flags(command);
        let all = ["config", "port", "host", "data"].iter().chain(&performance);
        let of_settings: Vec<_> = all.filter(|name| flags.iter().any(|flag| flag == *name)).collect();
        assert!(of_settings.iter().copied().eq(wanted), "{command}: {of_settings:?}");
    };
    let listening = [&["config", "port", "host", "data"][..], &performance].concat();
    let running = [&["config"][..], &performance].concat();
    ["serve", "config"].into_iter().for_each(|command| has(command, &listening));
    ["run", "explain", "ingest", "check"].into_iter().for_each(|command| has(command, &running));
    ["prove", "search"].into_iter().for_each(|command| has(command, &["config"]));
    has("health", &["config", "port", "host"]);
    has("fmt", &[]);
    for (args, words) in [
        (
            &["run", "app.ai", "--port", "9000"][..],
            "--port is a flag of `tidegate serve`, `tidegate config`, `tidegate health`",
        ),
        (
            &["health", "--data=x"],
            "--data is a flag of `tidegate serve`, `tidegate config`, `tidegate key`, `tidegate limit`, `tidegate user`, `tidegate workspace`, `tidegate db`",
        ),
        (&["fmt", "app.ai", "--nonsense"], "unexpected argument '--nonsense' found"),
    ] {
        let refused = tidegate(args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(err(&refused).contains(words), "{args:?}: {}", err(&refused));
    }
}

#[test]
fn config_as_json_is_a_list_of_path_value_and_source() {
    let folder = tempfile::tempdir().unwrap();
    let shown = in_folder(folder.path(), &["config", "--json", "--port", "9000", "--cache-size", "64"])
        .env("N3_MAX_CONCURRENCY", "4")
        .output()
        .unwrap();

    let json: Json = serde_json::from_slice(&shown.stdout).unwrap();
    let source = |path: &str| {
        let values = json["values"].as_array().unwrap();
        let value = values.iter().find(|value| value["path"] == path).unwrap();
        (value["value"].clone(), value["source"].as_str().unwrap().to_owned())
    };
    assert_eq!(source("listen.port"), (9000.into(), "flag --port".to_owned()));
    assert_eq!(source("performance.cache_size"), (64.into(), "flag --cache-size".to_owned()));
    assert_eq!(source("performance.max_concurrency"), (4.into(), "env N3_MAX_CONCURRENCY".to_owned()));
    assert_eq!(source("lanes.queue_jobs"), (4096.into(), "default".to_owned()));
}

#[test]
fn config_as_a_table_has_a_line_per_setting() {
    let table = out(&tidegate(&["config"]));

    let line = table.lines().find(|line| line.starts_with("listen.port ")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["listen.port", "8080", "default"]);
}

#[test]
fn config_check_says_ok_or_lists_every_fault_and_fails() {
    let fine = tidegate(&["config", "--check"]);
    assert!(fine.status.success());
    assert_eq!(out(&fine), "defaults: ok\n");

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.toml"), "[listen]\nprot = 1\nbacklog = 0\n").unwrap();
    let bad = in_folder(folder.path(), &["config", "--check"]).output().unwrap();
    assert_eq!(bad.status.code(), Some(1));
    let text = err(&bad);
    assert!(text.starts_with("tidegate: 2 faults in the configuration\n"), "{text}");
    assert!(text.contains("tidegate.toml:2: listen.prot: is not a setting; did you mean port?"), "{text}");
    assert!(text.contains("tidegate.toml:3: listen.backlog: must be between 1 and 1000000, got 0"), "{text}");
    assert!(out(&bad).is_empty());
}

#[test]
fn serve_refuses_bad_settings_before_it_serves() {
    for (args, words) in [
        (&["--cache-size", "-1"][..], "--cache-size must be >= 0"),
        (&["--cache-size=-1"], "--cache-size must be >= 0"),
        (&["--max-concurrency", "0"], "--max-concurrency must be >= 1"),
        (&["--async-runtime", "maybe"], "--async-runtime must be true or false"),
        (&["--enable-batching", "2"], "--enable-batching must be true or false"),
        (&["--cache-size"], "--cache-size flag is missing a value."),
        (&["--cache-size", "--max-concurrency", "2"], "--cache-size flag is missing a value."),
        (&["--port", "-1"], "flag --port: listen.port: must be an integer from 0 to 65535, got \"-1\""),
        (
            &["--host", "0.0.0.0"],
            "listen.host = 0.0.0.0 can be reached from other machines and there is no key",
        ),
        (&["--config", "gone.toml"], "gone.toml: there is no such file"),
    ] {
        let refused = tidegate(&[&["serve"][..], args].concat());
        assert_eq!(refused.status.code(), Some(1), "{args:?}");
        let text = err(&refused);
        assert!(text.starts_with(&format!("tidegate: {words}")), "{words:?} in {text:?}");
    }
}

/// A server that answers one request with `answer`, and the URL to ask; gives the request it saw.
fn answering(answer: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
    let seen = std::thread::spawn(move || serve_once(&listener, answer).expect("the program asks once"));
    (url, seen)
}

fn serve_once(listener: &TcpListener, answer: &str) -> std::io::Result<String> {
    let (mut stream, _) = listener.accept()?;
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        request.push(byte[0]);
    }
    stream.write_all(answer.as_bytes())?;
    Ok(String::from_utf8_lossy(&request).into_owned())
}

#[test]
fn health_is_the_exit_code() {
    for (answer, code) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 0),
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", 1),
        ("SSH-2.0-x and more\r\n", 1),
        ("HT", 1),
    ] {
        let (url, seen) = answering(answer);
        let asked = tidegate(&["health", "--url", &url]);
        assert_eq!(asked.status.code(), Some(code), "{answer:?}: {}", err(&asked));
        assert!(seen.join().unwrap().starts_with("GET /health HTTP/1.1\r\nhost: 127.0.0.1:"));
    }
}

#[test]
fn health_asks_the_configured_address() {
    let (url, seen) = answering("HTTP/1.1 200 OK\r\n\r\n");
    let port = url.rsplit(':').next().unwrap();

    assert!(tidegate(&["health", "--port", port]).status.success());
    assert!(seen.join().unwrap().starts_with("GET /health "));
}

#[test]
fn health_of_nothing_says_why() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let asked = tidegate(&["health", "--url", &format!("http://{free}/health")]);
    assert_eq!(asked.status.code(), Some(1));
    assert!(err(&asked).contains("refused"), "{}", err(&asked));
    assert!(err(&tidegate(&["health", "--url", "https://x"])).contains("must start with http://"));
    assert!(err(&tidegate(&["health", "--port", "0"])).contains("give it with --url"));
}
