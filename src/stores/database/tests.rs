//! The main database as its adapters use it: a new one per test, of each kind that there is; time by hand where something
//! waits.

use std::sync::atomic::{AtomicU32, Ordering};

use prometheus_client::encoding::text::encode;
use tempfile::TempDir;
use tidegate_actors::ports::clock::SystemClock;
use tidegate_actors::sim::ManualClock;
use tokio::sync::Semaphore;

use super::*;
use crate::config::{PoolName, Secret};
use crate::stores::cluster;
use crate::stores::schema::MAIN;
use crate::stores::target::sqlite;

const COUNT: &str = "SELECT count(*) FROM workspaces";
const ADD: &str = "INSERT INTO workspaces (id, name, created_us) VALUES ($1, $1, 0)";

struct Place {
    folder: TempDir,
    settings: config::Database,
    registry: Registry,
    database: Database,
}

/// A file.
fn file(settings: &config::Database, clock: &ClockRef) -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let (settings, mut registry) = (settings.clone(), Registry::default());
    let database = Database::open(folder.path(), &settings, &Io::default(), clock, &mut registry);
    Place { database: database.expect("it can be made"), folder, settings, registry }
}

/// A database of a server.
fn server(settings: &config::Database, clock: &ClockRef) -> Place {
    let url = Some(Secret::new(cluster::new_database()));
    file(&config::Database { url, ..settings.clone() }, clock)
}

/// One of each kind.
fn both(settings: &config::Database, clock: &ClockRef) -> [Place; 2] {
    [file(settings, clock), server(settings, clock)]
}

fn system() -> ClockRef {
    Arc::new(SystemClock::new())
}

fn add(name: &'static str) -> impl Work<()> {
    move |mut on| Box::pin(async move { on.query(ADD).bind(name).execute().await.map(drop) })
}

/// A closure as work: its lifetimes are not guessed from a `let`.
fn work<T, W: Work<T>>(work: W) -> W {
    work
}

fn count(mut on: Connection<'_>) -> BoxFuture<'_, Result<i64, sqlx::Error>> {
    Box::pin(async move { on.query(COUNT).fetch_one().await?.get(0) })
}

impl Place {
    fn shown(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("text");
        text
    }
}

#[tokio::test]
async fn what_was_written_is_read_by_others_and_outlives_the_handle() {
    for Place { folder, settings, database, .. } in both(&config::Database::default(), &system()) {
        database.write("add", add("one")).await.expect("written");
        assert_eq!(database.read("count", count).await, Ok(2), "beside the one that is always there");
        database.close().await;
        let (io, mut registry) = (Io::default(), Registry::default());
        let again = Database::open(folder.path(), &settings, &io, &system(), &mut registry);
        assert_eq!(again.expect("opened").read("count", count).await, Ok(2));
    }
}

#[tokio::test]
async fn a_write_that_fails_half_way_leaves_nothing() {
    for Place { folder: _folder, database, .. } in both(&config::Database::default(), &system()) {
        let both = work(|mut on| {
            Box::pin(async move {
                on.query(ADD).bind("one").execute().await?;
                on.query(ADD).bind("one").execute().await.map(drop)
            })
        });
        let refused = database.write("add", both).await.expect_err("the name is taken");
        assert!(matches!(&refused, Trouble::Conflict(what) if what.contains("workspaces")), "{refused:?}");
        assert_eq!(database.read("count", count).await, Ok(1));
        assert_eq!(database.ailment(), None, "the store is well");
    }
}

#[tokio::test]
async fn who_reads_cannot_write() {
    for Place { folder: _folder, database, .. } in both(&config::Database::default(), &system()) {
        assert_eq!(database.read("add", add("one")).await, Err(Trouble::ReadOnly));
        assert_eq!(database.read("count", count).await, Ok(1));
    }
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_undo_what_it_ordered() {
    for Place { folder: _folder, database, .. } in both(&config::Database::default(), &system()) {
        drop(database.write("add", add("one")));
        // The writer takes one order after the other.
        database.write("add", add("two")).await.expect("written");
        assert_eq!(database.read("count", count).await, Ok(3));
    }
}

/// Before, one thread waited for a connection for as long as it took.
#[tokio::test]
async fn who_waits_too_long_for_a_connection_is_told_how_many_there_are() {
    let clock = ManualClock::new();
    let shared: ClockRef = Arc::new(clock.clone());
    let settings =
        config::Database { pool: PoolName::Overflow, pool_size: Some(1), ..config::Database::default() };
    for place in both(&settings, &shared) {
        crowd(&place, &clock).await;
    }
}

async fn crowd(place: &Place, clock: &ManualClock) {
    let (open, entered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let holding: Vec<_> = (0..31)
        .map(|_| {
            let (open, entered) = (Arc::clone(&open), Arc::clone(&entered));
            place.database.read("hold", move |on| {
                let (open, entered) = (Arc::clone(&open), Arc::clone(&entered));
                Box::pin(async move {
                    entered.add_permits(1);
                    let _ = open.acquire().await.expect("open");
                    count(on).await
                })
            })
        })
        .collect();
    let _all = entered.acquire_many(31).await.expect("all 1 + 30 are in use");
    assert!(place.shown().contains("pool_in_use{pool=\"read\"} 31"), "{}", place.shown());
    let late = place.database.read("count", count);
    let late = tokio::spawn(late);
    while !late.is_finished() {
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    let refused = late.await.expect("it ends").expect_err("nobody gave one back");
    assert_eq!(refused, Trouble::Crowded { connections: 31, patience_ms: 30_000 });
    open.add_permits(31);
    for held in holding {
        assert_eq!(held.await, Ok(1));
    }
    place.database.read("count", count).await.expect("there is room again");
    let shown = place.shown();
    assert!(shown.contains("pool_in_use{pool=\"read\"} 0"), "{shown}");
    let open = shown.lines().find(|line| line.starts_with("active_database_connections{pool=\"read\"}"));
    assert_eq!(open, Some("active_database_connections{pool=\"read\"} 1"), "the overflow was closed");
}

#[tokio::test]
async fn a_slow_query_is_counted_by_name() {
    let clock = ManualClock::new();
    let shared: ClockRef = Arc::new(clock.clone());
    for place in both(&config::Database::default(), &shared) {
        let passing = clock.clone();
        let slow = work(move |on| {
            passing.advance(Duration::from_millis(101));
            count(on)
        });
        place.database.read("slow", slow).await.expect("read");
        place.database.read("quick", count).await.expect("read");
        let shown = place.shown();
        assert!(shown.contains("slow_queries_total 1"), "{shown}");
        assert!(shown.contains("db_query_time_seconds_count{query=\"slow\"} 1"), "{shown}");
    }
}

#[tokio::test]
async fn work_that_met_a_locked_file_is_tried_again_and_done_once() {
    let clock = ManualClock::new();
    let shared: ClockRef = Arc::new(clock.clone());
    let Place { folder, database, .. } = file(&config::Database::default(), &shared);
    let impatient =
        work(|mut on| Box::pin(async move { on.query("PRAGMA busy_timeout = 0").execute().await.map(drop) }));
    database.write("impatient", impatient).await.expect("written");
    let mut other = sqlite(folder.path()).open().await.expect("another process");
    let locked = other.begin_with(crate::stores::sqlite::BEGIN_TO_WRITE).await.expect("it is free");

    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let counting = work(move |mut on| {
        counted.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { on.query(ADD).bind("one").execute().await.map(drop) })
    });
    let done = tokio::spawn(database.write("add", counting.clone()));
    while !done.is_finished() {
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    let refused = done.await.expect("it ends").expect_err("three tries are all");
    assert_eq!(refused, Trouble::Busy { patience_ms: 5_000 });
    let done = tokio::spawn(database.write("add", counting));
    locked.rollback().await.expect("let go");
    while !done.is_finished() {
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    done.await.expect("it ends").expect("the file was let go in time");
    assert_eq!(tries.load(Ordering::Relaxed), 1, "what could not begin was not done");
    assert_eq!(database.read("count", count).await, Ok(2));
}

/// A full disk as SQLite reports it: no page more than the file has. Before, the connection that had met it could not begin
/// a transaction any more: SQLite had ended the one it was in.
#[tokio::test]
async fn a_full_store_is_an_ailment_until_something_can_be_written_again() {
    let Place { folder: _folder, database, .. } = file(&config::Database::default(), &system());
    let no_more = "PRAGMA max_page_count = 1";
    let no_more = work(move |mut on| Box::pin(async move { on.query(no_more).execute().await.map(drop) }));
    database.write("no more", no_more).await.expect("set");
    let large = work(|mut on| {
        Box::pin(async move {
            let name = "x".repeat(1 << 20);
            on.query(ADD).bind(name).execute().await.map(drop)
        })
    });
    assert_eq!(database.write("large", large).await, Err(Trouble::Full));
    assert_eq!(database.ailment(), Some(Trouble::Full));
    assert_eq!(database.read("count", count).await, Ok(1), "what is there can be read");
    assert_eq!(database.ailment(), Some(Trouble::Full), "reading mends nothing");
    database.probe().await;
    assert_eq!(database.ailment(), None, "writing does");
    database.write("large", large).await.expect("there is room");
}

/// Two servers that begin at once with an empty database, or with one of an earlier version, both find it made.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_make_the_tables_once() {
    let url = cluster::new_database();
    let settings = config::Database { url: Some(Secret::new(url.clone())), ..config::Database::default() };
    let start = |settings: config::Database| {
        move || {
            let folder = tempfile::tempdir().expect("a folder");
            let (io, mut registry) = (Io::default(), Registry::default());
            Database::open(folder.path(), &settings, &io, &system(), &mut registry).map(drop)
        }
    };
    let starting: Vec<_> = (0..8).map(|_| tokio::task::spawn_blocking(start(settings.clone()))).collect();
    for started in starting {
        started.await.expect("it ends").expect("it is made");
    }
    assert_eq!(cluster::ask(&url, "SELECT count(*), max(version) FROM _tidegate_main"), {
        let latest = MAIN.latest();
        format!("{latest}|{latest}")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_later_version_or_of_another_program_is_refused_and_not_changed() {
    let made = server(&config::Database::default(), &system());
    let url = made.settings.url.as_ref().expect("it is a server's").reveal().to_owned();
    let insert = "INSERT INTO _tidegate_main SELECT 999, description, installed_on, success, checksum, 0 \
        FROM _tidegate_main WHERE version = 1";
    cluster::ask(&url, insert);
    let open = |settings: &config::Database| {
        let folder = tempfile::tempdir().expect("a folder");
        Database::open(folder.path(), settings, &Io::default(), &system(), &mut Registry::default()).map(drop)
    };
    assert_eq!(open(&made.settings), Err(Trouble::Newer { version: 999 }));

    let url = cluster::new_database();
    cluster::ask(&url, "CREATE TABLE workspaces (id INT)");
    let settings = config::Database { url: Some(Secret::new(url.clone())), ..config::Database::default() };
    assert_eq!(open(&settings), Err(Trouble::Foreign));
    assert_eq!(
        cluster::ask(
            &url,
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE '%s' AND relnamespace = 'public'::regnamespace"
        ),
        "workspaces"
    );
}

/// A server that was restarted, or that ended connections nobody used: before it is handed out, each is tried.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_a_server_ended_are_replaced_before_anybody_notices() {
    let place = server(&config::Database::default(), &system());
    place.database.write("add", add("one")).await.expect("written");
    let url = place.settings.url.as_ref().expect("it is a server's").reveal();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'tidegate'";
    assert_eq!(cluster::ask(url, end), "2", "one that reads and one that writes");
    assert_eq!(place.database.read("count", count).await, Ok(2));
    place.database.write("add", add("two")).await.expect("written");
    assert_eq!(place.database.ailment(), None);
}
