//! What runs see of each other, in one process and in several.

use super::*;

#[test]
fn every_value_comes_back_exactly_in_another_process() {
    let anything = schema("record \"Any\":\n  v is json\n  tenant is text");
    let number = |text: &str| Value::Number(Number::parse(text).expect("a number"));
    let digits = "9".repeat(900);
    let all = [
        number("0.3333333333333333333333333333"),
        number("1.50"),
        number("-0.00"),
        number("1E+400"),
        number(&digits),
        Value::Float(19.99),
        Value::Float(-0.0),
        Value::Float(1e300),
        Value::Null,
        true.into(),
        "".into(),
        "nul \u{0}, quote \" and \u{1f30a}".into(),
        Value::list(vec![
            number("1.0"),
            Value::fields([("deep \u{0}", Value::list(Vec::new()))]),
            Value::Null,
        ]),
    ];
    let folder = Folder::new();
    let mut first = folder.process();
    first.run(|run| {
        for value in &all {
            run.save(&anything, values([("v", value.clone())])).expect("saved");
        }
    });
    let written = first.rows(&anything).expect("rows");
    assert_eq!(written.len(), all.len());
    assert_eq!(written[0], r#"None None {"_id":1,"v":0.3333333333333333333333333333}"#);
    assert_eq!(written[5], r#"None None {"_id":6,"v":19.99e0}"#);
    assert_eq!(folder.process().rows(&anything).expect("rows"), written);
}

#[test]
fn tenants_lifetimes_and_ids_come_back_too() {
    let mut owned = crate::lang::load(
        "spec is \"1.0\"\n\nrecord \"Own\":\n  k is number must be unique\n  tenant_key is identity.org\n  persisted:\n    ttl_hours is 1\n",
    );
    let app = owned.as_mut().expect("an app");
    let own = Schema::new(&app.tree().records[0]).expect("usable");
    let of = |org: &str| own.scope(&Value::fields([("org", org.into())]), Some(5)).expect("a tenant");
    let folder = Folder::new();
    let one = || values([("k", Value::int(1))]);
    folder.process().run(|run| {
        for org in ["acme", "zeta"] {
            run.save_as(&own, &of(org), one()).expect("each tenant has its own");
        }
    });
    let mut later = folder.process();
    let refused = later.begin(true).save_as(&own, &of("acme"), one()).expect_err("acme has it");
    assert!(refused.message().contains("must be unique"), "{refused}");
    let third = later.run(|run| run.save_as(&own, &of("third"), one()).expect("third has not"));
    assert_eq!(third.get("_id"), Some(&Value::int(3)));
    let mut run = later.begin(false);
    run.rows(&own).expect("fetched");
    let seen = |now_ms| visible(run.store, &own, &Scope { now_ms: Some(now_ms), ..of("zeta") });
    assert_eq!((seen(3_600_004).len(), seen(3_600_005).len()), (1, 0));
}

#[test]
fn a_run_that_is_dropped_leaves_nothing_and_its_ids_are_given_again() {
    let (notes, folder) = (notes(), Folder::new());
    let mut process = folder.process();
    process.run(|run| run.save(&notes, note("kept")).expect("saved"));
    {
        let mut dropped = process.begin(true);
        dropped.save(&notes, note("dropped")).expect("saved, for now");
        dropped.store.rollback();
    }
    let next = process.run(|run| run.save(&notes, note("dropped")).expect("the value is free again"));
    assert_eq!(next.get("_id"), Some(&Value::int(2)));
    assert_eq!(
        process.rows(&notes).expect("rows").iter().map(|row| body(row)).collect::<Vec<_>>(),
        ["kept", "dropped"]
    );
}

#[test]
fn one_process_writes_at_a_time_and_readers_see_what_was_there_when_they_began() {
    let (notes, folder) = (notes(), Folder::new());
    let [mut writer, mut reader] = [folder.process(), folder.process()];
    let mut other = folder.impatient();
    writer.run(|run| run.save(&notes, note("first")).expect("saved"));

    let mut writing = writer.begin(true);
    writing.save(&notes, note("second")).expect("saved, for now");
    let refused = other.begin(true).save(&notes, note("third")).expect_err("another process writes");
    assert_eq!((refused.kind, refused.catchable), (FaultKind::Store, false));
    for part in ["in use by another process", "data.db was locked for 0 ms", "Wait for the other run"] {
        assert!(refused.message().contains(part), "{}", refused.message());
    }
    let mut reading = reader.begin(false);
    reading.fetch(Want::Begin { writes: false }).expect("a reader waits for nobody");
    writing.keep().expect("nor is it in the way");
    assert_eq!(reading.rows(&notes).expect("rows").len(), 1, "as it was at the beginning");
    drop(reading);

    assert_eq!(reader.rows(&notes).expect("rows").len(), 2);
    other.run(|run| run.save(&notes, note("third")).expect("now it may"));
    assert_eq!(writer.rows(&notes).expect("rows").len(), 3, "what was in memory is out of date");
}

/// Two increments at once: with a snapshot each and no order both would write 1.
#[test]
fn no_update_is_lost_between_processes() {
    let (notes, folder) = (notes(), Folder::new());
    folder
        .process()
        .run(|run| run.save(&notes, values([("body", "c".into()), ("n", Value::int(0))])).expect("saved"));
    let workers = (0..4).map(|_| {
        let (path, notes) = (folder.path(), self::notes());
        std::thread::spawn(move || {
            let mut process = Process::of(RecordFile::at(&path, Io::default()));
            for _ in 0..5 {
                process.run(|run| {
                    let row = run.rows(&notes).expect("rows").remove(0);
                    let n = row.fields.get("n").and_then(Value::as_number).expect("a number");
                    let more = Value::Number(n.add(&Number::from(1)).expect("a sum"));
                    crate::lang::records::update(
                        run.store,
                        &notes,
                        &Scope::default(),
                        &row,
                        vec![("n".into(), more)],
                    )
                    .expect("updated");
                });
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.join().expect("it worked");
    }
    assert_eq!(folder.process().rows(&notes).expect("rows"), [r#"None None {"_id":1,"body":"c","n":20}"#]);
}

#[test]
fn the_index_of_unique_values_follows_the_declaration() {
    let folder = Folder::new();
    let free = schema("record \"Note\":\n  body is text\n  n is number must be unique");
    let held = |n: i64, body: &str| values([("n", Value::int(n)), ("body", body.into())]);
    folder.process().run(|run| {
        run.save(&free, held(1, "tea")).expect("saved");
        run.save(&free, held(2, "tea")).expect("bodies are free");
    });
    let mut process = folder.process();
    let refused = process.begin(true).save(&notes(), held(1, "tea")).expect_err("bodies are unique now");
    assert!(refused.message().contains("'body'"), "{refused}");
    process.run(|run| run.save(&notes(), held(1, "milk")).expect("numbers are free now"));
    let refused = process.begin(true).save(&free, held(1, "milk")).expect_err("numbers are unique again");
    assert!(refused.message().contains("'n'"), "{refused}");
}

#[test]
fn nothing_is_opened_before_it_is_wanted_and_a_closed_file_is_opened_again() {
    let (notes, folder) = (notes(), Folder::new());
    let mut process = folder.process();
    drop(process.begin(true));
    wait(process.file.close()).expect("there is nothing to close");
    assert!(!folder.path().exists());
    for name in ["one", "two"] {
        process.run(|run| run.save(&notes, note(name)).expect("saved"));
        wait(process.file.close()).expect("closed");
        let beside =
            std::fs::read_dir(folder.path().parent().expect("a folder")).expect("it is there").count();
        assert_eq!(beside, 1, "the log is in the file");
    }
    assert_eq!(process.rows(&notes).expect("rows").len(), 2);
}
