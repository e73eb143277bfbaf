//! The data directory as a user meets it: made by the first server, one server at a time, backed up and put back.

use std::path::Path;
use std::process::{Command, Output};

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

#[test]
fn a_backup_made_while_a_server_runs_can_be_put_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy.db"));
    let copy = copy.to_str().expect("UTF-8");
    let gateway = Gateway::start_in(&data, "");
    assert!(told(&data, &["db", "backup", copy]).contains("copy.db"));
    assert!(
        refused(&data, &["db", "backup", copy]).contains("exists already"),
        "a copy is never overwritten"
    );
    gateway.end();

    std::fs::write(data.join("tidegate.db"), "rubbish, and more than a head of it".repeat(9))
        .expect("written");
    let why = refused(&data, &["serve", "--port", "0"]);
    assert!(why.contains("is not a file that SQLite wrote"), "{why}");
    let put_back = told(&data, &["db", "restore", copy]);
    assert!(put_back.contains("tidegate.db.before"), "{put_back}");
    assert!(data.join("tidegate.db.before").exists(), "what was there is kept");
    drop(Gateway::start_in(&data, ""));
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
    assert_eq!(std::fs::read(data.join("tidegate.db")).expect("it is there"), before);
    assert!(!data.join("tidegate.db.new").exists(), "nothing stays behind");
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
