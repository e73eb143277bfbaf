//! Files that cannot be used: each is refused with what, where and what to do, and left as it was.

use super::*;

/// The fault of a run that adds a note.
fn refused(folder: &Folder) -> String {
    let mut process = folder.process();
    let mut run = process.begin(true);
    let fault = match run.save(&notes(), note("new")) {
        Err(fault) => fault,
        Ok(_) => run.keep().expect_err("it must be refused"),
    };
    assert_eq!((fault.kind, fault.catchable), (FaultKind::Store, false), "{fault}");
    fault.message()
}

fn says(told: &str, parts: &[&str]) {
    for part in parts.iter().chain(&["What happened:", "Why:", "Fix:", "data.db"]) {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
}

/// A folder with a file of one note.
fn used() -> Folder {
    let folder = Folder::new();
    let mut process = folder.process();
    process.run(|run| run.save(&notes(), note("old")).expect("saved"));
    wait(process.file.close()).expect("closed");
    folder
}

fn written(bytes: &[u8]) -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().parent().expect("a folder")).expect("it can be made");
    std::fs::write(folder.path(), bytes).expect("it can be written");
    folder
}

#[test]
fn what_is_no_database_is_left_alone() {
    let text = "a diary, longer than the head of a database would be: ".repeat(20);
    let folder = written(text.as_bytes());
    says(&refused(&folder), &["not a database", "not a file that SQLite wrote", "Move the file away"]);
    assert_eq!(std::fs::read_to_string(folder.path()).expect("it is there"), text);
    let checked = folder.process().file.check().expect_err("nor does a server start with it");
    assert!(checked.message().contains("not a database"), "{checked}");
}

#[test]
fn another_programs_database_is_left_alone() {
    let folder = written(b"");
    folder.tamper("DROP TABLE records; PRAGMA application_id = 0");
    let before = std::fs::read(folder.path()).expect("it is there");
    says(&refused(&folder), &["another program's database", "tables that were not made here"]);
    assert_eq!(std::fs::read(folder.path()).expect("it is there"), before);
}

#[test]
fn a_later_versions_file_is_left_alone() {
    let folder = used();
    folder.tamper(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (2, 'x', 1, x'00', 0)",
    );
    says(&refused(&folder), &["later version", "has layout 2", "Use the later version"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = Folder::new();
    std::fs::write(folder.path().parent().expect("a folder"), "in the way").expect("it can be written");
    says(&refused(&folder), &["cannot be opened", "File exists", "Make the path one that can be written"]);
}

/// The run is undone; with room again the next one succeeds.
#[test]
fn a_full_disk_and_a_file_that_may_only_be_read_undo_the_run() {
    for (limit, relief, parts) in [
        (
            "PRAGMA max_page_count = 1",
            "PRAGMA max_page_count = 1000000",
            ["no room for the records", "is full", "Make room"],
        ),
        (
            "PRAGMA query_only = on",
            "PRAGMA query_only = off",
            ["can only be read", "may not be written", "Allow writing"],
        ),
    ] {
        let folder = used();
        let mut process = folder.process();
        let tamper = |process: &Process, statement| {
            wait(async { process.file.desk.lock().await.tamper(statement).await });
        };
        tamper(&process, limit);
        let mut run = process.begin(true);
        let many: Vec<Map> = (0..400).map(|n| note(&format!("{n} {}", "x".repeat(100)))).collect();
        let saved = many.iter().try_for_each(|note| run.save(&notes(), note.clone()).map(drop));
        let fault = saved.and_then(|()| run.keep()).expect_err("it cannot be kept");
        says(&fault.message(), &parts);
        assert_eq!(process.rows(&notes()).expect("rows").len(), 1);
        tamper(&process, relief);
        process
            .run(|run| many.iter().for_each(|note| drop(run.save(&notes(), note.clone()).expect("saved"))));
        assert_eq!(process.rows(&notes()).expect("rows").len(), 401);
    }
}

#[test]
fn a_line_that_was_spoilt_by_hand_is_named() {
    let folder = used();
    folder.tamper("UPDATE records SET fields = '{\"body\": tea}'");
    let fault = folder.process().rows(&notes()).expect_err("it cannot be read");
    says(
        &fault.message(),
        &["records are damaged", "fields of Note 1 cannot be read", "no value starts like this"],
    );
}

#[test]
fn a_new_file_is_read_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = used();
    let mode = std::fs::metadata(folder.path()).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
