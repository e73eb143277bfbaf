//! People from the command line, with and without a server, on each kind of database.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use super::commands::{Home, homes, refused, tidegate, told};
use super::*;

async fn login(gateway: &Gateway, name: &str, password: &str) -> Answer {
    gateway.post("/api/v1/auth/login", json!({ "username": name, "password": password }).to_string()).await
}

fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().expect("a token").to_owned()
}

async fn called(gateway: &Gateway, token: &str) -> u16 {
    send(gateway.posting(CHAT, ask("x").to_string()).bearer_auth(token)).await.status
}

const PASSWORD: &str = "ebb and flow";

/// The command with the password in a file.
fn with_password<'a>(data: &Path, args: &[&'a str]) -> Vec<&'a str> {
    password(data, PASSWORD);
    [args, &["--password-file", "password"]].concat()
}

/// The first line of a file is the password.
fn password(data: &Path, text: &str) {
    std::fs::write(data.join("password"), format!("{text}\nnot this line\n")).expect("written");
}

#[tokio::test]
async fn what_a_command_changes_of_a_person_is_in_force_when_it_returns() {
    for Home { folder, toml } in homes() {
        beside_a_server(folder.path(), &toml).await;
    }
}

async fn beside_a_server(data: &Path, toml: &str) {
    let gateway = Gateway::start_in(data, toml);
    told(data, &["workspace", "create", "team-a"]);
    let id = told(data, &with_password(data, &["user", "create", "anna", "--email", "a@tide.example"]));
    assert!(id.starts_with("person_"), "{id}");
    assert_eq!(
        gateway.post(CHAT, ask("x").to_string()).await.status,
        401,
        "from now on somebody must be known"
    );
    let first = token(&login(&gateway, "a@tide.example", PASSWORD).await);
    assert_eq!(called(&gateway, &first).await, 200);
    what_she_may(&gateway, data, &first).await;
    let last = whether_she_may_come_in(&gateway, data, &first).await;
    gateway.end();
    let again = Gateway::start_in(data, &format!("{toml}listen.host = \"0.0.0.0\""));
    assert_eq!(called(&again, &last).await, 200, "and somebody who signs in is somebody, so others may come");
}

async fn what_she_may(gateway: &Gateway, data: &Path, token: &str) {
    let steps: [(&[&str], u16); 5] = [
        (&["--role", "read"], 403),
        (&["--operator", "true"], 200),
        (&["--operator", "false"], 403),
        (&["--role", "none"], 401),
        (&["--role", "write"], 200),
    ];
    for (grant, status) in steps {
        told(data, &[&["user", "grant", "anna"], grant].concat());
        assert_eq!(called(gateway, token).await, status, "{grant:?}");
    }
    told(data, &["user", "grant", "anna", "--workspace", "team-a", "--role", "admin"]);
    let list = told(data, &["user", "list"]);
    assert!(list.contains("write in default, admin in team-a") && !list.contains("argon2"), "{list}");
}

/// A token of the last session.
async fn whether_she_may_come_in(gateway: &Gateway, data: &Path, first: &str) -> String {
    told(data, &with_password(data, &["user", "passwd", "anna"]));
    assert_eq!(called(gateway, first).await, 401, "all sessions have ended, though the password is the same");
    let second = token(&login(gateway, "anna", PASSWORD).await);
    told(data, &["user", "disable", "a@tide.example"]);
    assert_eq!(called(gateway, &second).await, 401);
    assert_eq!(login(gateway, "anna", PASSWORD).await.status, 401);
    told(data, &["user", "enable", "anna"]);
    assert_eq!(called(gateway, &second).await, 401, "what had ended stays so");
    let json: Json = serde_json::from_str(&told(data, &["user", "list", "--json"])).expect("JSON");
    assert_eq!(
        (&json["users"][0]["username"], &json["users"][0]["disabled_at"]),
        (&"anna".into(), &Json::Null)
    );
    token(&login(gateway, "anna", PASSWORD).await)
}

#[test]
fn a_password_comes_by_standard_input_or_a_file_and_never_as_an_argument() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["user", "create", "anna", "--data"]).arg(data).env_clear().current_dir(data);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().expect("the program can be started");
    running.stdin.take().expect("a pipe").write_all(b"ebb and flow\n").expect("read");
    let done = running.wait_with_output().expect("it ends");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    password(data, "short");
    let with = ["user", "create", "bert", "--password-file", "password"];
    let why = refused(data, &with);
    assert!(why.contains("8 to 1024 bytes") && !why.contains("short"), "{why}");
    assert!(refused(data, &["user", "create", "bert", "--password-file", "none"]).contains("cannot read"));
    assert_eq!(
        tidegate(data, &["user", "create", "bert", "--password", "ebb and flow"]).status.code(),
        Some(2)
    );
    password(data, "ebb and flow");
    for (args, words) in [
        (vec!["user", "create", "anna", "--password-file", "password"], "there is a person \"anna\" already"),
        (vec!["user", "create", "b@c", "--password-file", "password"], "has no @"),
        (vec!["user", "disable", "nobody"], "there is no person \"nobody\""),
        (vec!["user", "grant", "anna", "--role", "king"], "read, write, admin, none"),
        (vec!["user", "grant", "anna", "--role", "operator"], "--operator true"),
        (vec!["user", "grant", "anna", "--workspace", "none", "--role", "read"], "there is no workspace"),
        (vec!["user", "grant", "anna"], "--role"),
    ] {
        assert!(refused(data, &args).contains(words), "{args:?}: {}", refused(data, &args));
    }
}
