//! Keys from the command line, with and without a server.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::*;
use crate::postgres;

pub(super) fn tidegate(data: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(args).arg("--data").arg(data).env_clear().current_dir(data);
    command.output().expect("the program can be started")
}

/// What a command that goes well prints, without its line end.
pub(super) fn told(data: &Path, args: &[&str]) -> String {
    let done = tidegate(data, args);
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("UTF-8").trim_end().to_owned()
}

pub(super) fn refused(data: &Path, args: &[&str]) -> String {
    let done = tidegate(data, args);
    assert!(!done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stdout));
    String::from_utf8(done.stderr).expect("UTF-8")
}

async fn called(gateway: &Gateway, key: &str) -> u16 {
    send(gateway.posting(CHAT, ask("x").to_string()).bearer_auth(key)).await.status
}

/// A data directory with a configuration in it, and what a server is told of the database.
pub(super) struct Home {
    pub(super) folder: TempDir,
    pub(super) toml: String,
}

/// One with a database of its own, and one that uses a server's.
pub(super) fn homes() -> [Home; 2] {
    let home = |toml: String| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("tidegate.toml"), &toml).expect("written");
        Home { folder, toml }
    };
    [home(String::new()), home(on(&postgres::new_database()))]
}

fn on(url: &str) -> String {
    format!("database.url = \"{url}\"\n")
}

#[tokio::test]
async fn a_key_made_beside_a_running_server_counts_when_the_command_returns() {
    for Home { folder, toml } in homes() {
        key_beside_a_server(folder.path(), &toml).await;
    }
}

async fn key_beside_a_server(data: &Path, toml: &str) {
    let gateway = Gateway::start_in(data, toml);
    assert_eq!(gateway.post(CHAT, ask("x").to_string()).await.status, 200);
    let workspace = told(data, &["workspace", "create", "team-a"]);
    assert!(workspace.starts_with("ws_"), "{workspace}");
    let key = told(data, &["key", "create", "--workspace", "team-a", "--name", "app"]);
    assert_eq!(gateway.post(CHAT, ask("x").to_string()).await.status, 401, "from now on a key is needed");
    assert_eq!(called(&gateway, &key).await, 200);
    let list = told(data, &["key", "list"]);
    assert!(list.contains("app") && list.contains("team-a") && !list.contains(&key[12..]), "{list}");

    let new = told(data, &["key", "rotate", &key[3..11], "--overlap", "0s"]);
    assert_eq!((called(&gateway, &key).await, called(&gateway, &new).await), (401, 200));
    told(data, &["key", "revoke", &new[3..11]]);
    assert_eq!(called(&gateway, &new).await, 401, "in the very moment the command returns");
    gateway.end();
    let again = Gateway::start_in(data, toml);
    assert_eq!(called(&again, &new).await, 401);
    let none = again.post(CHAT, ask("x").to_string()).await;
    assert_eq!(none.status, 401, "that all keys ended does not open the doors again");
}

/// The servers and the command have nothing in common but the database.
#[tokio::test]
async fn a_key_that_is_revoked_from_elsewhere_is_refused_by_every_server_of_a_database_when_the_command_returns()
 {
    let toml = on(&postgres::new_database());
    let [one, two] = [0, 1].map(|_| Gateway::start(&toml));
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("tidegate.toml"), &toml).expect("written");
    for _ in 0..5 {
        let key = told(folder.path(), &["key", "create"]);
        assert_eq!((called(&one, &key).await, called(&two, &key).await), (200, 200));
        told(folder.path(), &["key", "revoke", &key[3..11]]);
        assert_eq!((called(&one, &key).await, called(&two, &key).await), (401, 401));
    }
    let why = refused(folder.path(), &["db", "migrate"]);
    assert!(why.contains("PostgreSQL database test_") && why.contains("is in use by a server"), "{why}");
    one.end();
    two.end();
    told(folder.path(), &["db", "migrate"]);
}

#[test]
fn commands_say_what_is_not_there_and_what_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    told(data, &["workspace", "create", "team-a"]);
    assert!(
        refused(data, &["workspace", "create", "team-a"]).contains("there is a workspace \"team-a\" already")
    );
    assert!(refused(data, &["key", "create", "--workspace", "b"]).contains("there is no workspace \"b\""));
    assert!(refused(data, &["key", "revoke", "nobody"]).contains("there is no key \"nobody\""));
    assert!(refused(data, &["key", "create", "--role", "king"]).contains("read, write, admin, operator"));
    assert!(refused(data, &["key", "create", "--expires", "soon"]).contains("s, m, h or d"));
    let list = told(data, &["workspace", "list"]);
    assert!(list.contains("default") && list.contains("team-a"), "{list}");
}

#[tokio::test]
async fn other_machines_may_come_only_where_somebody_has_a_key() {
    for Home { folder, toml } in homes() {
        other_machines(folder.path(), &toml).await;
    }
}

async fn other_machines(data: &Path, toml: &str) {
    let why = refused(data, &["serve", "--host", "0.0.0.0", "--port", "0"]);
    assert!(why.contains("tidegate key create --name ops --role operator --data"), "{why}");
    assert!(why.contains("tidegate user create NAME --role operator --data"), "{why}");
    let why = refused(data, &["serve", "--host", "0.0.0.0", "--port", "0", "--demo"]);
    assert!(why.contains("is for this machine alone"), "{why}");
    let key = told(data, &["key", "create"]);
    let gateway = Gateway::start_in(data, &format!("{toml}listen.host = \"0.0.0.0\""));
    assert_eq!(gateway.post(CHAT, ask("x").to_string()).await.status, 401);
    let request =
        gateway.posting(CHAT, ask("x").to_string()).bearer_auth(&key).header("host", "gateway.example");
    assert_eq!(send(request).await.status, 200, "by whatever name it is called");
    gateway.end();
    told(data, &["key", "revoke", &key[3..11]]);
    let why = refused(data, &["serve", "--host", "0.0.0.0", "--port", "0"]);
    assert!(why.contains("there is no key"), "{why}");
}
