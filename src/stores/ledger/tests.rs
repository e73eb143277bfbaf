//! Behaviour of the books: every attempt has exactly one row whatever ends the process, and what was told can be read at once.

mod folding;
mod listening;
mod plans;

use std::sync::Arc;

use tempfile::TempDir;
use tidegate_actors::ports::books::{BookedAttempt, BookedCall, Books, Money, Unreadable, Wanted};
use tidegate_actors::ports::clock::{SystemClock, Tick};
use tidegate_actors::ports::ledger::Account;
use tidegate_actors::ports::provider::Usage;
use tidegate_actors::record::{Failure, ItemCounts};
use tidegate_actors::{Blame, CallId, CallKind, Form, Stage, WorkspaceId};

use super::*;
use crate::stores::journal::tests::shaky::Shaky;
use crate::stores::{Io, cluster};

/// Books on storage that shows what a kill or a power cut would leave.
struct Bed {
    storage: Arc<Shaky>,
    folder: Arc<TempDir>,
    /// Where tables are, if that is a server: its main database, and the URL of it.
    server: Option<(Database, String)>,
    books: BookKeeper,
}

fn keeper(storage: &Arc<Shaky>, folder: &TempDir, sync: config::LedgerSync) -> BookKeeper {
    keeper_on(storage, folder, sync, None)
}

fn keeper_on(
    storage: &Arc<Shaky>,
    folder: &TempDir,
    sync: config::LedgerSync,
    database: Option<&Database>,
) -> BookKeeper {
    let settings = config::Ledger { sync, ..settings() };
    keeper_with(storage, folder, &settings, database)
}

fn settings() -> config::Ledger {
    let [calls_days, attempts_days, sums_days] = [36_500; 3];
    let defaults = config::Ledger::default();
    config::Ledger { sync_ms: 3_600_000, calls_days, attempts_days, sums_days, ..defaults }
}

fn keeper_with(
    storage: &Arc<Shaky>,
    folder: &TempDir,
    settings: &config::Ledger,
    database: Option<&Database>,
) -> BookKeeper {
    let storage = Arc::clone(storage) as Arc<dyn Storage>;
    let clock: ClockRef = Arc::new(SystemClock::new());
    let prices = Arc::new(Prices::of(&config::Config::default()).expect("the table can be read"));
    let config = "v1".to_owned();
    let fittings = Fittings { settings, attempts: 16, clock, prices, config, database };
    let days = Days::new(folder.path().join("calls"), &CALLS);
    BookKeeper::on(storage, &folder.path().join("open"), days, fittings).expect("books")
}

impl Bed {
    fn new(sync: config::LedgerSync) -> Self {
        let (storage, folder) = (Arc::default(), Arc::new(tempfile::tempdir().expect("a folder")));
        Self { books: keeper(&storage, &folder, sync), storage, folder, server: None }
    }

    /// Books whose tables are a server's.
    fn on_a_server() -> Self {
        let (storage, folder) = (Arc::default(), Arc::new(tempfile::tempdir().expect("a folder")));
        let url = cluster::new_database();
        let settings =
            config::Database { url: Some(config::Secret::new(url.clone())), ..config::Database::default() };
        let clock: ClockRef = Arc::new(SystemClock::new());
        let mut registry = prometheus_client::registry::Registry::default();
        let database = Database::open(folder.path(), &settings, &Io::default(), &clock, &mut registry);
        let database = database.expect("it can be made");
        let books = keeper_on(&storage, &folder, config::LedgerSync::Group, Some(&database));
        Self { books, storage, folder, server: Some((database, url)) }
    }

    /// Books of each kind.
    fn both() -> [Self; 2] {
        [Self::new(config::LedgerSync::Group), Self::on_a_server()]
    }

    /// The days that have tables.
    fn days(&self) -> Vec<String> {
        let mut days: Vec<String> = match &self.server {
            None => {
                let files = std::fs::read_dir(self.folder.path().join("calls")).expect("a folder").flatten();
                let names = files.filter_map(|entry| entry.file_name().into_string().ok());
                names.filter_map(|name| Some(name.strip_suffix(".db")?.to_owned())).collect()
            }
            Some((_, url)) => {
                let named = "SELECT replace(substr(relname, 7), '_', '-') FROM pg_class \
                    WHERE relispartition AND relkind = 'r' AND relname LIKE 'calls\\_%'";
                cluster::ask(url, named).lines().map(str::to_owned).collect()
            }
        };
        days.sort();
        days
    }

    /// The same books after the process was killed.
    fn killed(&self) -> Self {
        let storage = Arc::new(self.storage.after_kill());
        let database = self.server.as_ref().map(|(database, _)| database);
        let books = keeper_on(&storage, &self.folder, config::LedgerSync::Group, database);
        Self { books, storage, folder: Arc::clone(&self.folder), server: self.server.clone() }
    }

    fn attempts(&self) -> Vec<BookedAttempt<'static>> {
        read(self.books.reader().attempts(all())).rows
    }

    fn end(&self, row: &AttemptRow, opening: &Opening) {
        let end = AttemptEnd { status: "ok", usage: None, closed: Tick(5_000_000) };
        self.books.close(row, opening.place, end);
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.books.end();
    }
}

fn read<T>(reading: impl Future<Output = Result<T, Unreadable>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    runtime.block_on(reading).expect("the books can be read")
}

fn all() -> Wanted {
    Wanted::all(WorkspaceId::default_workspace(), 100)
}

fn row(model: &str) -> AttemptRow {
    let account = Account {
        call: CallId::fresh(),
        workspace: Some(WorkspaceId::default_workspace()),
        credential: 7,
        kind: CallKind::Chat,
        model: model.into(),
        items: 0,
    };
    AttemptRow {
        id: AttemptId::fresh(),
        account,
        target: "openai/gpt-4o".into(),
        attempt: 1,
        unix_us: 1_000,
        opened: Tick(2_000_000),
    }
}

/// A call that hit, with a value in every field.
fn record() -> CallRecord {
    let mut marks = [0; 11];
    marks[Stage::Join as usize] = 4;
    marks[Stage::Lane as usize] = 1_000_004;
    marks[Stage::Act as usize] = 7_000_000;
    marks[Stage::Tell as usize] = 9_000_000;
    CallRecord {
        id: CallId::fresh(),
        workspace: WorkspaceId::default_workspace(),
        credential: 9,
        door: "openai.chat",
        kind: CallKind::Chat,
        model: "m".into(),
        form: Form::Stream,
        tags: vec!["team-a".into(), "b".into()].into(),
        unix_us: 1_700_000_000_000_000,
        opened: Tick(1),
        marks,
        outcome: "hit",
        reason: "",
        key: Some(tidegate_actors::key::Key { hash: 1, sha: [3; 32] }),
        target: Some("openai/gpt-4o".into()),
        payer: Some(CallId::fresh()),
        attempts: 2,
        items: ItemCounts { hit: 1, joined: 2, miss: 3 },
        usage: Some(Usage { input: 1_000, cached_read: 0, cached_write: 0, output: 100, reasoning: 5 }),
        estimated: true,
        batch: Some(AttemptId::from_bytes([7; 16])),
        request_bytes: 70,
        bytes: 300,
        error: Some(Failure { stage: Stage::Act, code: "cut", blame: Blame::Upstream }),
        fields: None,
    }
}

fn tell(books: &BookKeeper, record: &CallRecord) {
    books.reserve(record.id).expect("a place");
    books.tell(record);
}

#[test]
fn a_call_can_be_read_as_soon_as_it_is_told_with_all_that_was_told() {
    let bed = Bed::new(config::LedgerSync::Group);
    let record = record();
    tell(&bed.books, &record);
    let row = read(bed.books.reader().call(record.id)).expect("it is there");
    let (payer, cost, saved): (_, Money, Money) = (record.payer, Some(0), Some(2_500_000 + 1_000_000));
    let expected = BookedCall {
        id: record.id,
        at_us: 1_700_000_000_000_000,
        workspace: "default".into(),
        credential: 9,
        tags: "team-a,b".into(),
        door: "openai.chat".into(),
        kind: "chat".into(),
        form: "stream".into(),
        model: "m".into(),
        target: "openai/gpt-4o".into(),
        outcome: "hit".into(),
        reason: "".into(),
        payer,
        key: Some([3; 32]),
        attempts: 2,
        items: record.items,
        marks: record.marks,
        usage: record.usage,
        cost,
        saved,
        estimated: true,
        batch: record.batch,
        request_bytes: 70,
        bytes: 300,
        failure: ["act".into(), "cut".into(), "upstream".into()],
        config: "v1".into(),
    };
    assert_eq!(row, expected);
    assert_eq!((row.lane_wait_ns(), row.first_ns(), row.took_ns()), (1_000_000, 7_000_000, 9_000_000));
    assert_eq!(read(bed.books.reader().call(CallId::fresh())), None);
}

#[test]
fn who_paid_has_the_cost_and_who_joined_saved_it() {
    let bed = Bed::new(config::LedgerSync::Group);
    for (outcome, cost, saved) in [("miss", 3_500_000, 0), ("bypass", 3_500_000, 0), ("joined", 0, 3_500_000)]
    {
        let told = CallRecord { outcome, ..record() };
        tell(&bed.books, &told);
        let row = read(bed.books.reader().call(told.id)).expect("it is there");
        assert_eq!((row.cost, row.saved), (Some(cost), Some(saved)), "{outcome}");
        let unpriced = CallRecord { outcome, target: Some("openai/m".into()), ..record() };
        tell(&bed.books, &unpriced);
        let row = read(bed.books.reader().call(unpriced.id)).expect("it is there");
        assert_eq!((row.cost, row.saved), (None, None), "{outcome}");
    }
}

#[test]
fn an_attempt_that_was_dispatched_has_one_row_whenever_the_process_is_killed() {
    let bed = Bed::new(config::LedgerSync::Group);
    let ended = row("ended");
    let opening = bed.books.open(&ended).expect("it is opened");
    assert!(opening.durable.is_none(), "nothing to wait for: the row is with the operating system");
    bed.end(&ended, &opening);
    assert_eq!(bed.attempts().len(), 1);
    let open = row("open");
    bed.books.open(&open).expect("it is opened");

    let bed = bed.killed();
    let told = |bed: &Bed| -> Vec<(String, String)> {
        bed.attempts().into_iter().map(|row| (row.model.into(), row.status.into())).collect()
    };
    let mut statuses = told(&bed);
    statuses.sort();
    let expected = [("ended", "ok"), ("open", "interrupted")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(statuses, expected);

    let again = bed.killed();
    let mut statuses = told(&again);
    statuses.sort();
    assert_eq!(statuses, expected, "another kill changes nothing");
}

#[test]
fn an_attempt_whose_end_a_kill_took_is_interrupted() {
    let bed = Bed::new(config::LedgerSync::Group);
    let row = row("m");
    let opening = bed.books.open(&row).expect("it is opened");
    bed.storage.hold(true);
    bed.end(&row, &opening);
    let storage = Arc::new(bed.storage.after_kill());
    bed.storage.hold(false);
    let after = keeper(&storage, &copy_of(&bed.folder), config::LedgerSync::Group);
    let rows = read(after.reader().attempts(all())).rows;
    assert_eq!(rows.len(), 1);
    assert_eq!((&*rows[0].status, rows[0].took_ns, rows[0].id), ("interrupted", 0, row.id));
    after.end();
}

/// The file of openings at this moment, in a folder of its own.
fn copy_of(folder: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    std::fs::copy(folder.path().join("open"), copy.path().join("open")).expect("a copy");
    copy
}

#[test]
fn with_sync_always_a_request_waits_until_its_row_survives_a_power_cut() {
    let bed = Bed::new(config::LedgerSync::Always);
    tell(&bed.books, &record());
    let opening = bed.books.open(&row("m")).expect("it is opened");
    opening.durable.expect("it waits").blocking_recv().expect("it was synced");
    assert!(bed.storage.after_power_cut().last().expect("read").is_some(), "what was told before is too");

    bed.storage.fail(Some(std::io::ErrorKind::StorageFull));
    let opening = bed.books.open(&row("m"));
    let told = opening.expect("a berth needs no room").durable.expect("it waits").blocking_recv();
    assert!(told.is_err(), "a disk that cannot sync says so");
    bed.storage.fail(None);
}

#[test]
fn names_too_long_for_a_berth_are_cut_and_the_row_is_there_all_the_same() {
    let bed = Bed::new(config::LedgerSync::Group);
    let long = AttemptRow { target: "t".repeat(900).into(), ..row(&"m".repeat(900)) };
    bed.books.open(&long).expect("it is opened");
    let rows = bed.killed().attempts();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].id, long.id);
    assert!(rows[0].model.ends_with("m.."), "{}", rows[0].model);
}

#[test]
fn every_page_walks_each_row_once_and_filters_agree_with_all() {
    for bed in Bed::both() {
        pages(&bed);
    }
}

fn pages(bed: &Bed) {
    for at in 0..25 {
        let outcome = if at % 5 == 0 { "failed" } else { "miss" };
        tell(&bed.books, &CallRecord { unix_us: at / 2, outcome, ..record() });
    }
    let mut wanted = Wanted { limit: 4, ..all() };
    let mut seen = Vec::new();
    loop {
        let page = read(bed.books.reader().calls(wanted.clone()));
        seen.extend(page.rows.iter().map(BookedCall::cursor));
        match page.next {
            Some(next) => wanted.after = Some(next),
            None => break,
        }
    }
    assert!(seen.is_sorted_by(|one, other| one > other), "the latest first, each once");
    assert_eq!(seen.len(), 25);

    let count = |wanted: Wanted| read(bed.books.reader().calls(wanted)).rows.len();
    let some = |text: &str| Some(text.into());
    assert_eq!(count(Wanted { status: some("failed"), ..all() }), 5);
    assert_eq!(count(Wanted { status: some("ok"), outcome: some("miss"), ..all() }), 20);
    assert_eq!(count(Wanted { tag: some("b"), ..all() }), 25);
    assert_eq!(count(Wanted { tag: some("team"), ..all() }), 0);
    assert_eq!(
        count(Wanted { provider: some("openai"), model: some("m"), credential: Some(9), ..all() }),
        25
    );
    assert_eq!(count(Wanted { since_us: 3, until_us: 5, ..all() }), 4);
    assert_eq!(count(Wanted { workspace: WorkspaceId::new("other"), ..all() }), 0);
}

#[test]
fn bytes_that_nobody_wrote_are_read_as_nothing_and_never_panic() {
    let mut group = Vec::new();
    let prices = Arc::<Prices>::default();
    Scribe { prices, config: "v".into() }.call(&record(), &mut group);
    for end in 0..group.len() {
        assert_eq!(rows::rows(&group[..end]).count(), 0, "cut off at {end}");
    }
    for at in 0..group.len() {
        let mut broken = group.clone();
        broken[at] ^= 0xff;
        rows::rows(&broken).for_each(drop);
    }
    let mut later = vec![99, 2, 0, 0, 0, 1, 2];
    later.extend(&group);
    assert_eq!(rows::rows(&later).count(), 1, "rows of a later version are left out");
}
