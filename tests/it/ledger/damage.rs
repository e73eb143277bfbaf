//! Files of the ledger that are damaged or taken away under a whole server: who asks is told which and what to do, `/ready` says
//! so, calls go on, and nothing is lost that is still whole.
//!
//! Owns what becomes of the files. The database is one here whatever the suite runs on.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::*;

/// A server that was asked these things; each is folded into the file of its day.
async fn asked(data: &Path, contents: &[&str]) -> Gateway {
    let gateway = Gateway::start_in(data, "");
    call(&gateway, contents).await;
    assert_eq!(calls_counted(&gateway).await, contents.len() as u64);
    gateway
}

async fn call(gateway: &Gateway, contents: &[&str]) {
    for content in contents {
        assert_eq!(gateway.post(CHAT, ask("m", content)).await.status, 200, "calls go on");
    }
}

/// The sum of all calls that are in tables, after all were folded.
async fn calls_counted(gateway: &Gateway) -> u64 {
    gateway.folded().await;
    let usage = gateway.get("/api/v1/usage").await.json();
    let groups = usage["usage"].as_array().unwrap_or_else(|| panic!("{usage}"));
    groups.iter().map(|group| group["calls"].as_u64().expect("a count")).sum()
}

async fn listed(gateway: &Gateway, query: &str) -> usize {
    let page = gateway.get(&format!("/api/v1/calls{query}")).await.json();
    page["calls"].as_array().unwrap_or_else(|| panic!("{page}")).len()
}

/// The file of today, the only day there is.
fn today(data: &Path) -> PathBuf {
    let mut days =
        fs::read_dir(data.join("calls")).expect("a folder").map(|entry| entry.expect("read").path());
    days.find(|path| path.extension().is_some_and(|end| end == "db")).expect("a day")
}

/// The day of a file.
fn named(path: &Path) -> String {
    path.file_stem().and_then(|name| name.to_str()).expect("a day").to_owned()
}

/// The file of the day before.
fn before(path: &Path) -> PathBuf {
    let day = named(path);
    let parts: Vec<u16> = day.split('-').map(|part| part.parse().expect("a number")).collect();
    let small = |at: usize| u8::try_from(parts[at]).expect("a month or a day");
    let month = time::Month::try_from(small(1)).expect("a month");
    let day = time::Date::from_calendar_date(parts[0].into(), month, small(2)).expect("a day");
    path.with_file_name(format!("{}.db", day.previous_day().expect("there is one")))
}

/// Whether the server is ready, and what is wrong with its ledger.
fn health(ready: &Json) -> (bool, String) {
    let mut parts = ready["parts"].as_array().into_iter().flatten();
    let why =
        parts.find(|part| part["part"] == "ledger").map(|part| part["why"].as_str().unwrap_or_default());
    (ready["ready"] == true, why.unwrap_or_default().to_owned())
}

/// Noise from the second page on.
fn garble(path: &Path) {
    let file = OpenOptions::new().write(true).open(path).expect("it is there");
    let bytes = usize::try_from(file.metadata().expect("facts").len()).expect("it is small");
    file.write_all_at(&vec![0x5a; bytes - 4_096], 4_096).expect("written");
}

/// Half of it is gone.
fn cut(path: &Path) {
    let file = OpenOptions::new().write(true).open(path).expect("it is there");
    file.set_len(file.metadata().expect("facts").len() / 2).expect("cut");
}

#[tokio::test]
async fn a_damaged_day_is_named_and_the_other_days_stay_readable() {
    for damage in [garble, cut] {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        asked(&data, &["one", "two"]).await.end();
        let day = today(&data);
        let (old, name) = (before(&day), named(&before(&day)));
        let (of_today, all) =
            (format!("?since={}T00:00:00Z", named(&day)), format!("?since={name}T00:00:00Z"));
        fs::copy(&day, &old).expect("an old day");
        damage(&old);

        let gateway = Gateway::start_in(&data, "");
        assert_eq!(listed(&gateway, &of_today).await, 2);
        assert_eq!(gateway.get("/ready").await.status, 200, "nobody has met it");
        let refused = gateway.get(&format!("/api/v1/calls{all}")).await;
        let (status, error) = (refused.status, refused.json());
        let (message, code) = (&error["error"]["message"], &error["error"]["code"]);
        assert_eq!((status, code), (503, &json!("ledger_unreadable")), "{error}");
        let said = message.as_str().expect("text");
        assert!(
            said.contains(&format!("calls/{name}.db is damaged")) && said.contains("move it away"),
            "{said}"
        );
        assert!(
            !said.contains(folder.path().to_str().expect("UTF-8")),
            "callers need not know where: {said}"
        );
        let ready = gateway.get("/ready").await;
        let (is_ready, why) = health(&ready.json());
        assert!(!is_ready && ready.status == 503 && why.contains(&format!("{name}.db is damaged")), "{why}");
        assert_eq!(listed(&gateway, &of_today).await, 2, "the others stay");
        call(&gateway, &["three"]).await;

        fs::rename(&old, folder.path().join("kept.db")).expect("moved away");
        assert_eq!(health(&gateway.get("/ready").await.json()), (true, String::new()));
        assert_eq!(listed(&gateway, &all).await, 3);
    }
}

#[tokio::test]
async fn calls_go_on_while_the_day_is_damaged_and_are_in_its_next_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    asked(&data, &["one", "two"]).await.end();
    let day = today(&data);
    garble(&day);

    let gateway = Gateway::start_in(&data, "");
    call(&gateway, &["three"]).await;
    let why = until_ready(&gateway, false).await;
    assert!(why.contains("db is damaged") && why.contains("move it away"), "{why}");
    let refused = gateway.get("/api/v1/usage").await;
    assert!(refused.status == 503 && refused.text().contains("db is damaged"), "{}", refused.text());
    call(&gateway, &["four"]).await;

    fs::rename(&day, folder.path().join("kept.db")).expect("moved away");
    until_ready(&gateway, true).await;
    assert_eq!((calls_counted(&gateway).await, listed(&gateway, "").await), (2, 2), "what came meanwhile");
}

/// Waits until the ledger is as `is_ready` says; says why, if it is not.
async fn until_ready(gateway: &Gateway, is_ready: bool) -> String {
    health(&gateway.until("/ready", |ready| ready["ready"] == is_ready).await).1
}

#[tokio::test]
async fn a_journal_that_is_damaged_stops_the_start_and_one_that_was_moved_away_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    asked(&data, &["one", "two"]).await.end();
    let rows = data.join("ledger/rows");
    fs::write(rows.join("version"), "noise").expect("written");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let done =
        serve.args(["serve", "--port", "0", "--data"]).arg(&data).env_clear().output().expect("started");
    let said = String::from_utf8(done.stderr).expect("text");
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("ledger/rows is damaged") && said.contains("move it away, and keep it"), "{said}");

    fs::rename(&rows, folder.path().join("kept")).expect("moved away");
    let gateway = Gateway::start_in(&data, "");
    call(&gateway, &["three"]).await;
    assert_eq!((calls_counted(&gateway).await, listed(&gateway, "").await), (3, 3), "tables stay");
}

#[tokio::test]
async fn a_journal_that_is_taken_away_under_the_server_is_written_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let gateway = asked(&data, &["one"]).await;
    fs::rename(data.join("ledger/rows"), folder.path().join("kept")).expect("moved away");
    call(&gateway, &["two", "three"]).await;
    assert_eq!(gateway.get("/ready").await.status, 200);
    gateway.end();
    let again = Gateway::start_in(&data, "");
    assert_eq!((calls_counted(&again).await, listed(&again, "").await), (3, 3));
}

/// What is written before a request leaves would not be found again: without that nothing leaves.
#[tokio::test]
async fn without_the_file_of_openings_calls_are_refused_until_it_is_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let gateway = asked(&data, &["one"]).await;
    let (open, kept) = (data.join("ledger/open"), folder.path().join("kept"));
    fs::rename(&open, &kept).expect("moved away");
    // The server may have noticed before.
    let answered = 2 + u64::from(gateway.post(CHAT, ask("m", "two")).await.status == 200);
    let why = until_ready(&gateway, false).await;
    assert!(why.contains("ledger/open was taken away; put it back"), "{why}");
    let refused = gateway.post(CHAT, ask("m", "three")).await;
    assert!(refused.status == 503 && refused.text().contains("ledger_failing"), "{}", refused.text());
    fs::rename(&kept, &open).expect("put back");
    until_ready(&gateway, true).await;
    call(&gateway, &["three"]).await;
    assert_eq!(calls_counted(&gateway).await, answered, "each that was answered, and no other");
}

/// Before, what was folded from then on went with the file, which was open, and the journal forgot it.
#[tokio::test]
async fn what_comes_after_a_day_was_taken_away_is_not_lost_with_it() {
    for keeps in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let gateway = asked(&data, &["one", "two"]).await;
        let day = today(&data);
        let kept = folder.path().join("kept.db");
        match keeps {
            true => fs::rename(&day, &kept).expect("moved away"),
            false => {
                for end in ["", "-wal", "-shm"] {
                    fs::remove_file(format!("{}{end}", day.display())).expect("removed");
                }
            }
        }
        call(&gateway, &["three"]).await;
        assert_eq!((calls_counted(&gateway).await, listed(&gateway, "").await), (1, 1));
        assert_eq!(gateway.get("/ready").await.status, 200);
        gateway.end();
        let again = Gateway::start_in(&data, "");
        assert_eq!((calls_counted(&again).await, listed(&again, "").await), (1, 1));
    }
}
