//! Times the books: rows told until the disk has them, rows folded into tables, and a page of calls with many rows behind it,
//! with tables in files of SQLite and on a PostgreSQL of its own that syncs what it commits.
//!
//! `make bench-records`; `ROWS=1000000` says how many rows the pages have behind them. Rates are of this machine and its disk;
//! what may be compared are the ratios of one run.

#![expect(clippy::print_stdout, reason = "a bench says what it measured")]

#[path = "../../tests/postgres/mod.rs"]
#[expect(
    dead_code,
    clippy::panic,
    reason = "tests use more of it, and a bench without a database has nothing to say"
)]
mod postgres;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use tidegate::config;
use tidegate::stores::ledger::{BookKeeper, Fittings, Prices};
use tidegate::stores::{Database, Io};
use tidegate_actors::key::Key;
use tidegate_actors::ports::books::{Books as _, Wanted};
use tidegate_actors::ports::clock::{ClockRef, SystemClock, Tick};
use tidegate_actors::ports::ledger::Ledger as _;
use tidegate_actors::ports::provider::Usage;
use tidegate_actors::record::{CallRecord, ItemCounts};
use tidegate_actors::{CallId, CallKind, Form, WorkspaceId};
use tokio::runtime::Runtime;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Rows behind the pages.
const ROWS: u64 = 1_000_000;
/// Rows told before they are folded: less than the journal may hold.
const FOLDED_AT_ONCE: u64 = 250_000;
/// Pages of each sort, of so many rows.
const PAGES: usize = 200;
const PAGE: usize = 50;

fn main() -> Outcome<()> {
    let rows = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(ROWS);
    println!("SQLite");
    let in_files = time_books(rows, None)?;
    println!("PostgreSQL");
    let on_a_server = time_books(rows, Some(&postgres::new_database_of(&[("DURABLE", "1")])))?;
    println!("folded, PostgreSQL over SQLite: {:.2}", in_files / on_a_server);
    Ok(())
}

/// Times books in a folder of their own, and their tables in the database of this URL; gives the seconds of folding.
fn time_books(rows: u64, url: Option<&str>) -> Outcome<f64> {
    let folder = tempfile::tempdir()?;
    let clock: ClockRef = Arc::new(SystemClock::new());
    let database = url.map(|url| open_database(folder.path(), &clock, url)).transpose()?;
    let books = open(folder.path(), &clock, database.as_ref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let reader = books.reader();
    let (mut written, mut folded, mut told) = (0.0, 0.0, 0);
    while told < rows {
        let some = FOLDED_AT_ONCE.min(rows - told);
        let first = Wanted { limit: 1, ..all() };
        written += seconds(&clock, || {
            tell(&books, &clock, some);
            // Who reads waits until everything that was told is written.
            assert!(runtime.block_on(reader.calls(first)).is_ok(), "the books can be read");
        });
        folded += seconds(&clock, || assert!(runtime.block_on(books.fold()), "the books fold"));
        told += some;
    }
    println!("told and written: {:.0} rows/s", rows as f64 / written);
    println!("folded into tables: {:.0} rows/s", rows as f64 / folded);
    println!("written over folded: {:.1}", folded / written);
    for (name, change) in PAGES_OF {
        let mut wanted = all();
        change(&mut wanted);
        pages(name, &books, &runtime, &clock, &wanted)?;
    }
    books.end();
    let bytes = size_of_folder(folder.path())?;
    println!("on the disk of the server: {:.0} bytes a row\n", bytes as f64 / rows as f64);
    Ok(folded)
}

type Change = fn(&mut Wanted);

const PAGES_OF: [(&str, Change); 4] = [
    ("newest calls", |_| {}),
    ("calls of a model", |wanted| wanted.model = Some("model-3".into())),
    ("failed calls", |wanted| wanted.status = Some("failed".into())),
    ("calls with a label", |wanted| wanted.tag = Some("team-1".into())),
];

/// Walks on from page to page and says how long one takes.
fn pages(
    name: &str,
    books: &BookKeeper,
    runtime: &Runtime,
    clock: &ClockRef,
    wanted: &Wanted,
) -> Outcome<()> {
    let reader = books.reader();
    let (mut took, mut wanted, mut seen) = (Vec::new(), wanted.clone(), 0);
    for _ in 0..PAGES {
        let mut page = None;
        took.push(seconds(clock, || page = Some(runtime.block_on(reader.calls(wanted.clone())))));
        let page = page.ok_or("a page was asked for")?.map_err(|error| error.0.to_string())?;
        seen += page.rows.len();
        wanted.after = page.next;
        if wanted.after.is_none() {
            break;
        }
    }
    took.sort_by(f64::total_cmp);
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)] * 1e3;
    println!("{name}: {} pages, {seen} rows, p50 {:.2} ms, p95 {:.2} ms", took.len(), at(50), at(95));
    Ok(())
}

fn open_database(folder: &Path, clock: &ClockRef, url: &str) -> Outcome<Database> {
    let settings = config::Database { url: Some(config::Secret::new(url.to_owned())), ..Default::default() };
    let mut registry = prometheus_client::registry::Registry::default();
    Ok(Database::open(folder, &settings, &Io::default(), clock, &mut registry)?)
}

fn open(folder: &Path, clock: &ClockRef, database: Option<&Database>) -> Outcome<BookKeeper> {
    let settings = config::Ledger::default();
    let fittings = Fittings {
        settings: &settings,
        attempts: 16,
        clock: Arc::clone(clock),
        prices: Arc::new(Prices::of(&config::Config::default())?),
        config: "v1".to_owned(),
        database,
    };
    Ok(BookKeeper::open(folder, fittings)?)
}

/// Tells so many calls, as fast as there are places, until the storage has them.
fn tell(books: &BookKeeper, clock: &ClockRef, rows: u64) {
    for at in 0..rows {
        let record = record(clock, at);
        while books.reserve(record.id).is_err() {
            std::thread::yield_now();
        }
        books.tell(&record);
    }
}

fn record(clock: &ClockRef, at: u64) -> CallRecord {
    let outcome = ["miss", "hit", "hit", "joined", "failed"][at as usize % 5];
    CallRecord {
        id: CallId::fresh(),
        workspace: WorkspaceId::default_workspace(),
        credential: at % 7,
        model: format!("model-{}", at % 10).into(),
        unix_us: clock.unix_us(),
        outcome,
        usage: Some(Usage { input: 120, output: 300, ..Usage::default() }),
        target: Some("openai/gpt-4o".into()),
        door: "openai.chat",
        kind: CallKind::Chat,
        form: Form::Whole,
        tags: if at.is_multiple_of(4) { vec!["team-1".into()].into() } else { Vec::new().into() },
        opened: Tick(1),
        marks: [1, 2_000, 9_000, 12_000, 15_000, 0, 90_000, 2_000_000, 2_010_000, 2_015_000, 2_030_000],
        reason: if outcome == "hit" { "" } else { "absent" },
        key: Some(Key { hash: at.into(), sha: [at as u8; 32] }),
        payer: None,
        attempts: u32::from(outcome == "miss"),
        items: ItemCounts::default(),
        estimated: false,
        batch: None,
        request_bytes: 1_200,
        bytes: 700,
        error: None,
        fields: None,
    }
}

/// Every call of the workspace, a page of them.
fn all() -> Wanted {
    Wanted::all(WorkspaceId::default_workspace(), PAGE)
}

fn seconds(clock: &ClockRef, work: impl FnOnce()) -> f64 {
    let begun = clock.now();
    work();
    clock.now().since(begun).as_secs_f64()
}

fn size_of_folder(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { size_of_folder(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}
