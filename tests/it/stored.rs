//! The data directory as a user meets it: made by the first server, one server at a time, backed up and put back.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::postgres;
use crate::server::Gateway;

fn tidegate(data: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(args).arg("--data").arg(data).env_clear().current_dir(data.parent().expect("a folder"));
    command.output().expect("the program can be started")
}

/// What a command prints that goes well.
fn told(data: &Path, args: &[&str]) -> String {
    let done = tidegate(data, args);
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("UTF-8")
}

/// Why a command is refused.
fn refused(data: &Path, args: &[&str]) -> String {
    let done = tidegate(data, args);
    assert_eq!(done.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&done.stdout));
    String::from_utf8(done.stderr).expect("UTF-8")
}

#[test]
fn the_first_server_makes_a_data_directory_and_has_it_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    assert!(told(&data, &["db", "status"]).contains("a server makes it"));

    let gateway = Gateway::start_in(&data, "");
    let status = told(&data, &["db", "status"]);
    assert!(status.contains("tidegate.db") && status.contains("rows in workspaces"), "{status}");
    assert!(status.contains("check") && status.contains("ok"), "{status}");
    for args in [&["serve", "--port", "0"][..], &["db", "migrate"], &["db", "restore", "copy.db"]] {
        let why = refused(&data, args);
        assert!(why.contains("is in use by process") && why.contains("(tidegate serve)"), "{args:?}: {why}");
    }
    gateway.end();
    assert!(told(&data, &["db", "migrate"]).contains("layout"), "it is free again");
}

#[tokio::test]
async fn a_backup_made_while_a_server_runs_can_be_put_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let copy = copy.to_str().expect("UTF-8");
    let gateway = Gateway::start_in(&data, "");
    let asked = calls(&gateway, 3).await;
    gateway.folded().await;
    let told_of_copy = told(&data, &["db", "backup", copy]);
    assert!(told_of_copy.contains("2") && told_of_copy.contains("holds in its journal"), "{told_of_copy}");
    assert!(
        refused(&data, &["db", "backup", copy]).contains("exists already"),
        "a copy is never overwritten"
    );
    gateway.end();

    std::fs::write(data.join("tidegate.db"), "rubbish, and more than a head of it".repeat(9))
        .expect("written");
    let why = refused(&data, &["serve", "--port", "0"]);
    assert!(why.contains("is not a file that SQLite wrote"), "{why}");
    std::fs::remove_dir_all(data.join("calls")).expect("the days are lost");
    let put_back = told(&data, &["db", "restore", copy]);
    assert!(put_back.contains("data/before"), "{put_back}");
    assert!(data.join("before/tidegate.db").exists(), "what was there is kept");
    let again = Gateway::start_in(&data, "");
    assert_eq!(listed(&again).await, asked);
}

/// Makes calls and gives their ids, the latest first.
async fn calls(gateway: &Gateway, count: usize) -> Vec<String> {
    for number in 0..count {
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": format!("{number}") }] });
        assert_eq!(gateway.post("/v1/chat/completions", body.to_string()).await.status, 200);
    }
    listed(gateway).await
}

async fn listed(gateway: &Gateway) -> Vec<String> {
    let page = gateway.get("/api/v1/calls").await.json();
    let calls = page["calls"].as_array().expect("a list");
    calls.iter().map(|call| call["id"].as_str().expect("an id").to_owned()).collect()
}

/// Without a server nothing is left out: what stood in its journal only is folded first.
#[tokio::test]
async fn a_backup_without_a_server_holds_every_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let [data, other, copy] = ["data", "other", "copy"].map(|name| folder.path().join(name));
    let copy = copy.to_str().expect("UTF-8");
    let gateway = Gateway::start_in(&data, "");
    let asked = calls(&gateway, 2).await;
    gateway.end();
    assert!(!told(&data, &["db", "backup", copy]).contains("journal"));
    told(&other, &["db", "restore", copy]);
    assert_eq!(listed(&Gateway::start_in(&other, "")).await, asked);
}

#[tokio::test]
async fn a_backup_of_a_server_can_be_put_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let copy = copy.to_str().expect("UTF-8");
    let url = postgres::new_database().replace("postgres@localhost", "postgres:hidden@localhost");
    std::fs::write(folder.path().join("tidegate.toml"), format!("database.url = \"{url}\""))
        .expect("written");
    let toml = format!("database.url = \"{url}\"");
    let gateway = Gateway::start_in(&data, &toml);
    let asked = calls(&gateway, 3).await;
    gateway.end();
    told(&data, &["workspace", "create", "kept"]);
    assert!(told(&data, &["db", "backup", copy]).contains("copy"));
    let count = || {
        postgres::ask(&url, "SELECT count(*), sum(calls) FROM calls, usage WHERE usage.model = calls.model")
    };
    assert_eq!(count(), "3|9", "what stood in the journal only is in it, and psql shows it");
    postgres::ask(&url, "DROP TABLE calls, usage");
    assert!(refused(&data, &["db", "backup", copy]).contains("exists already"));
    told(&data, &["workspace", "create", "made-later"]);
    let put_back = told(&data, &["db", "restore", copy]);
    assert!(put_back.contains("before.dump"), "{put_back}");
    let names = || postgres::ask(&url, "SELECT string_agg(name, ' ' ORDER BY name) FROM workspaces");
    assert_eq!((names().as_str(), count().as_str()), ("default kept", "3|9"));
    // Elsewhere, with nothing but the database.
    assert_eq!(listed(&Gateway::start(&toml)).await, asked);
    told(&data, &["db", "restore", data.join("before.dump").to_str().expect("UTF-8")]);
    assert_eq!(names(), "default kept made-later", "what was there can be put back too");

    std::fs::write(folder.path().join("text"), "text ".repeat(99)).expect("written");
    let why = refused(&data, &["db", "restore", folder.path().join("text").to_str().expect("UTF-8")]);
    assert!(why.contains("pg_restore says") && !why.contains("hidden"), "{why}");
    assert_eq!(names(), "default kept made-later");
}

#[test]
fn what_is_no_backup_is_not_put_in_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    told(&data, &["db", "migrate"]);
    let before = std::fs::read(data.join("tidegate.db")).expect("it is there");
    let cases = [
        ("empty", Vec::new(), "another program's"),
        ("text", b"text ".repeat(99), "not a file that SQLite wrote"),
    ];
    for (name, bytes, words) in cases {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).expect("written");
        let why = refused(&data, &["db", "restore", file.to_str().expect("UTF-8")]);
        assert!(why.contains(words) && why.contains(name), "{why}");
    }
    let why = refused(&data, &["db", "restore", "nowhere"]);
    assert!(why.contains("nowhere: it is not there; name what `tidegate db backup` made"), "{why}");
    assert_eq!(std::fs::read(data.join("tidegate.db")).expect("it is there"), before);
    assert!(!data.join("restored.new").exists(), "nothing stays behind");
    told(&data, &["db", "optimize"]);
    assert!(!told(&data, &["db", "status"]).contains("never"), "the last run is shown");
}

#[test]
fn a_server_that_keeps_nothing_makes_no_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    drop(Gateway::start_in(&data, "[data]\nkeep = false"));
    assert!(!data.exists());
}

#[test]
fn the_commands_say_which_database_it_is_and_never_how_to_get_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let url = postgres::new_database().replace("postgres@localhost", "postgres:hidden@localhost");
    std::fs::write(folder.path().join("db.url"), format!("{url}\n")).expect("written");
    let toml = "[database]\nurl_file = \"db.url\"";
    std::fs::write(folder.path().join("tidegate.toml"), toml).expect("written");

    let status = told(&data, &["db", "status"]);
    assert!(status.contains("none in PostgreSQL database test_"), "{status}");
    assert!(told(&data, &["db", "migrate"]).contains("layout"));
    told(&data, &["db", "optimize"]);
    let status = told(&data, &["db", "status"]);
    assert!(
        status.contains("PostgreSQL database test_") && status.contains("rows in workspaces"),
        "{status}"
    );
    assert!(!status.contains("hidden") && !status.contains("never"), "{status}");
    let settings = told(&data, &["config", "--json"]);
    assert!(!settings.contains("hidden") && settings.contains("db.url"), "{settings}");
    assert_eq!(postgres::ask(&url, "SELECT name FROM workspaces"), "default", "psql shows the same tables");

    let nobody = "[database]\nurl = \"postgres://me:hidden@127.0.0.1:1/books\"";
    std::fs::write(folder.path().join("tidegate.toml"), nobody).expect("written");
    for args in [&["db", "status"][..], &["serve", "--port", "0"], &["key", "list"]] {
        let why = refused(&data, args);
        assert!(
            why.contains("the PostgreSQL database books on 127.0.0.1:1: it cannot be reached"),
            "{args:?}: {why}"
        );
        assert!(!why.contains("hidden"), "{why}");
    }
}
