//! What is in tables is what was told: each row once, after a kill too, found by id and by page, added up exactly.

use tidegate_actors::ports::books::Usages;
use tidegate_actors::ports::clock::Clock;

use super::super::days::Day;
use super::*;

/// Folds all there is and waits until the journal has forgotten it.
fn fold(bed: &Bed) {
    read(async { bed.books.folder.folded().await.map_err(|_| Unreadable("it cannot".into())) });
    assert!(bed.books.journal.written().blocking_recv().is_ok());
    assert_eq!(bed.books.journal.kept().0, 0, "what is in tables is forgotten");
}

#[test]
fn what_is_folded_reads_as_it_did_before_and_each_day_has_tables_of_its_own() {
    for bed in Bed::both() {
        folded_days(&bed);
    }
}

fn folded_days(bed: &Bed) {
    const DAY_US: i64 = 86_400_000_000;
    let mut told = Vec::new();
    for at in 0..30 {
        let outcome = ["miss", "hit", "failed"][at as usize % 3];
        let record = CallRecord { unix_us: 10 * DAY_US + at * DAY_US / 10, outcome, ..record() };
        tell(&bed.books, &record);
        told.push(record.id);
    }
    let row = row("m");
    bed.end(&row, &bed.books.open(&row).expect("it is opened"));
    let reader = bed.books.reader();
    let all_calls = || read(reader.calls(all())).rows;
    let before = (all_calls(), bed.attempts());
    fold(bed);
    assert_eq!((all_calls(), bed.attempts()), before);
    assert_eq!(bed.days(), ["1970-01-01", "1970-01-11", "1970-01-12", "1970-01-13"]);

    let wanted = |change: &dyn Fn(&mut Wanted)| {
        let mut wanted = all();
        change(&mut wanted);
        wanted
    };
    for (count, wanted) in [
        (10, wanted(&|wanted| wanted.outcome = Some("hit".into()))),
        (10, wanted(&|wanted| wanted.status = Some("failed".into()))),
        (20, wanted(&|wanted| wanted.status = Some("ok".into()))),
        (30, wanted(&|wanted| wanted.tag = Some("team-a".into()))),
        (0, wanted(&|wanted| wanted.tag = Some("team".into()))),
        (30, wanted(&|wanted| wanted.provider = Some("openai".into()))),
        (30, wanted(&|wanted| wanted.credential = Some(9))),
        (0, wanted(&|wanted| wanted.model = Some("n".into()))),
        (10, wanted(&|wanted| (wanted.since_us, wanted.until_us) = (11 * DAY_US, 12 * DAY_US))),
        (0, wanted(&|wanted| wanted.workspace = WorkspaceId::new("other"))),
    ] {
        assert_eq!(read(reader.calls(wanted.clone())).rows.len(), count, "{wanted:?}");
    }
    let mut wanted = Wanted { limit: 7, ..all() };
    let mut seen = Vec::new();
    loop {
        let page = read(reader.calls(wanted.clone()));
        assert!(page.scanned <= 8, "a page, and one that shows there is more");
        seen.extend(page.rows.iter().map(|row| row.id));
        match page.next {
            Some(next) => wanted.after = Some(next),
            None => break,
        }
    }
    told.reverse();
    assert_eq!(seen, told, "the latest first, each once, over three days");
}

#[test]
fn a_day_an_earlier_version_wrote_is_read_as_it_is() {
    let bed = Bed::new(config::LedgerSync::Group);
    tell(&bed.books, &record());
    fold(&bed);
    let days = Days::new(bed.folder.path().join("calls"), &CALLS);
    let file = days.file(Day::of(record().unix_us));
    read(async {
        let mut day = file.open().await.expect("it opens");
        for column in ["decision", "batch", "tokens_estimated", "request_bytes"] {
            let drop = sqlx::AssertSqlSafe(format!("ALTER TABLE calls DROP COLUMN {column}"));
            sqlx::query(drop).execute(&mut day).await.expect("as it was before");
        }
        let forget = sqlx::query("DELETE FROM _sqlx_migrations WHERE version > 1");
        forget.execute(&mut day).await.expect("as it was before");
        Ok(())
    });
    let rows = read(bed.books.reader().calls(all())).rows;
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.batch, row.estimated, row.request_bytes, row.bytes), (None, false, 0, 300));
}

#[test]
fn a_row_of_the_journal_that_an_earlier_version_wrote_is_read_as_it_is() {
    let mut group = Vec::new();
    Scribe { prices: Prices::default().into(), config: "v".into() }.call(&record(), &mut group);
    let whole = group.len();
    group.truncate(whole - 18); // two numbers and an id came after it
    let length = u32::try_from(group.len() - 5).expect("small").to_le_bytes();
    group[1..5].copy_from_slice(&length);
    let Some(Booked::Call(row)) = rows::rows(&group).next() else { panic!("it is left out") };
    assert_eq!((row.batch, row.estimated, row.request_bytes, row.bytes), (None, false, 0, 300));
}

#[test]
fn a_look_up_by_id_finds_what_is_folded() {
    for bed in Bed::both() {
        looked_up(&bed);
    }
}

fn looked_up(bed: &Bed) {
    let told = CallRecord { unix_us: SystemClock::new().unix_us(), ..record() };
    tell(&bed.books, &told);
    let attempt = AttemptRow { unix_us: told.unix_us, ..row("m") };
    let attempt = AttemptRow { account: Account { call: told.id, ..attempt.account.clone() }, ..attempt };
    bed.end(&attempt, &bed.books.open(&attempt).expect("it is opened"));
    let reader = bed.books.reader();
    let look = || (read(reader.call(told.id)), read(reader.attempts_of(told.id, None)));
    let before = look();
    assert!(before.0.is_some() && before.1.len() == 1);
    fold(bed);
    assert_eq!(look(), before);
}

#[test]
fn groups_folded_twice_are_in_the_tables_once_and_the_sums_agree_with_the_rows() {
    for bed in Bed::both() {
        folded_twice(&bed);
    }
}

fn folded_twice(bed: &Bed) {
    const HOUR_US: i64 = 3_600_000_000;
    for at in 0..40 {
        let outcome = ["miss", "hit", "joined", "failed", "bypass"][at as usize % 5];
        tell(&bed.books, &CallRecord { unix_us: at * HOUR_US / 10, outcome, ..record() });
    }
    assert!(bed.books.journal.written().blocking_recv().is_ok());
    let before_folding = bed.storage.after_kill();
    fold(bed);
    let reader = bed.books.reader();
    let sums = |reader: &Reader| read(reader.usage(WorkspaceId::default_workspace(), 0, i64::MAX));
    let once = (read(reader.calls(all())).rows, sums(&reader));

    // The process is killed after the tables were written and before the journal forgot.
    let again = Arc::new(before_folding);
    let database = bed.server.as_ref().map(|(database, _)| database);
    let books = keeper_on(&again, &bed.folder, config::LedgerSync::Group, database);
    let reader = books.reader();
    assert_eq!((sums(&reader), read(reader.calls(all())).rows), (once.1.clone(), once.0.clone()));
    books.end();

    let (rows, sums) = once;
    assert_eq!((rows.len(), sums.len()), (40, 4), "one sum for each hour");
    let mut all = Usages::default();
    sums.iter().for_each(|sum| all.add(sum));
    let count = |outcome: &str| rows.iter().filter(|row| row.outcome == outcome).count() as u64;
    assert_eq!(
        (all.calls, all.misses, all.hits, all.joined, all.failed, all.bypassed),
        (40, count("miss"), count("hit"), count("joined"), count("failed"), count("bypass"))
    );
    let money = |of: &dyn Fn(&BookedCall<'_>) -> Money| rows.iter().filter_map(of).sum::<i64>();
    assert_eq!((all.cost_nano, all.saved_nano), (money(&|row| row.cost), money(&|row| row.saved)));
    assert_eq!(all.tokens_in, rows.iter().filter_map(|row| row.usage).map(|usage| usage.input).sum::<u64>());
    assert_eq!(all.free_ns, 16 * 9_000_000);
    assert_eq!(all.saved_ns(), 0, "those that hit took as long");
}

/// The journal holds more rows than a page keeps of it.
#[test]
fn pages_of_a_long_journal_are_those_of_all_its_rows() {
    const ROWS: i64 = 2_600;
    let bed = Bed::new(config::LedgerSync::Group);
    let mut ids: Vec<_> = (0..ROWS)
        .map(|at| {
            // Not in the order in which they are told.
            let record = CallRecord { unix_us: at * 7 % ROWS * 1_000_000, ..record() };
            tell(&bed.books, &record);
            (record.unix_us, record.id)
        })
        .collect();
    ids.sort_unstable_by_key(|(at_us, _)| std::cmp::Reverse(*at_us));
    let ids: Vec<_> = ids.into_iter().map(|(_, id)| id).collect();
    let mut wanted = Wanted { limit: 250, ..all() };
    let mut seen = Vec::new();
    loop {
        let page = read(bed.books.reader().calls(wanted.clone()));
        seen.extend(page.rows.iter().map(|row| row.id));
        match page.next {
            Some(next) => wanted.after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, ids, "each once, the latest first");
}

#[test]
fn sums_hold_what_is_in_tables_and_what_is_in_none_yet() {
    for bed in Bed::both() {
        let sums = || read(bed.books.reader().usage(WorkspaceId::default_workspace(), 0, i64::MAX));
        (0..5).for_each(|_| tell(&bed.books, &record()));
        fold(&bed);
        (0..5).for_each(|_| tell(&bed.books, &record()));
        let sums = sums();
        assert_eq!(sums.iter().map(|sum| sum.calls).collect::<Vec<_>>(), [10], "one hour, key and model");
        assert_eq!(sums[0].tokens_in, 10 * record().usage.map_or(0, |usage| usage.input));
    }
}

#[test]
fn a_journal_that_is_half_full_is_folded_at_another_pace_and_whoever_waits_is_told_all_the_same() {
    let (storage, folder) = (Arc::default(), Arc::new(tempfile::tempdir().expect("a folder")));
    let settings = config::Ledger { max_unfolded_bytes: 16 << 10, ..settings() };
    let books = keeper_with(&storage, &folder, &settings, None);
    let bed = Bed { storage, folder, server: None, books };
    let mut told = 0;
    while bed.books.journal.kept().0 < 12 << 10 {
        tell(&bed.books, &record());
        told += 1;
        assert!(bed.books.journal.written().blocking_recv().is_ok());
    }
    fold(&bed);
    assert_eq!(read(bed.books.reader().calls(all())).rows.len(), told);
    tell(&bed.books, &record());
    fold(&bed);
    assert_eq!(read(bed.books.reader().calls(all())).rows.len(), told + 1);
}

#[test]
fn days_older_than_those_kept_are_dropped_whole() {
    for bed in Bed::both() {
        let now_us = SystemClock::new().unix_us();
        for unix_us in [-2_209_075_200_000_000, now_us] {
            tell(&bed.books, &CallRecord { unix_us, ..record() });
        }
        let calls = bed.folder.path().join("calls");
        std::fs::create_dir_all(&calls).expect("a folder");
        std::fs::write(calls.join("notes.txt"), "").expect("a file");
        fold(&bed);
        bed.books.end();
        // It is looked once a day, and at every start.
        let bed = bed.killed();
        fold(&bed);
        bed.books.folder.end();
        assert_eq!(bed.days(), [days::Day::of(now_us).name()], "1899 is long ago");
        assert!(calls.join("notes.txt").exists(), "what is not ours stays");
    }
}

/// PostgreSQL has no text with a NUL in it: such a line must not keep others from being folded.
#[test]
fn a_name_that_a_database_cannot_hold_is_folded_all_the_same() {
    for bed in Bed::both() {
        let told = CallRecord { model: "a\0b".into(), tags: vec!["t\0".into()].into(), ..record() };
        tell(&bed.books, &told);
        fold(&bed);
        let rows = read(bed.books.reader().calls(all())).rows;
        assert_eq!(rows.iter().map(|row| &*row.model).collect::<Vec<_>>(), ["a\u{fffd}b"]);
    }
}

/// Before, a page that took seconds was in no log: only queries of the main database were.
#[test]
fn queries_of_the_ledger_are_timed_and_the_slow_ones_told_beside_those_of_the_main_database() {
    for url in [None, Some(cluster::new_database())] {
        let (storage, folder) = (Arc::default(), Arc::new(tempfile::tempdir().expect("a folder")));
        let url = url.map(config::Secret::new);
        let settings = config::Database { url, slow_query_ms: 0, ..config::Database::default() };
        let clock: ClockRef = Arc::new(SystemClock::new());
        let mut registry = prometheus_client::registry::Registry::default();
        let database = Database::open(folder.path(), &settings, &Io::default(), &clock, &mut registry);
        let database = database.expect("it can be made");
        let books = keeper_on(&storage, &folder, config::LedgerSync::Group, Some(&database));
        let bed = Bed { books, storage, folder, server: None };
        let record = record();
        tell(&bed.books, &record);
        fold(&bed);
        let shown = |name: &str| {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
            let count = text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            count.map_or(0, |count| count.parse::<u64>().expect("a number"))
        };
        let slow = shown("slow_queries_total");
        let reader = bed.books.reader();
        read(reader.calls(all()));
        read(reader.attempts(all()));
        read(reader.call(record.id));
        read(reader.attempts_of(record.id, None));
        read(reader.usage(WorkspaceId::default_workspace(), 0, i64::MAX));
        for query in ["calls", "attempts", "usage"] {
            let name = format!("db_query_time_seconds_count{{query=\"ledger.{query}\"}}");
            assert_eq!(shown(&name), 1, "{name}");
        }
        assert!(shown("slow_queries_total") >= slow + 3, "each took longer than nothing");
    }
}
