//! The main database as its adapters use it: a file per test, time by hand where something waits.

use std::sync::atomic::{AtomicU32, Ordering};

use prometheus_client::encoding::text::encode;
use tempfile::TempDir;
use tidegate_actors::ports::clock::SystemClock;
use tidegate_actors::sim::ManualClock;
use tokio::sync::Semaphore;

use super::*;
use crate::config::PoolName;

const COUNT: &str = "SELECT count(*) FROM workspaces";
const ADD: &str = "INSERT INTO workspaces (id, name, created_us) VALUES ($1, $1, 0)";

struct Place {
    folder: TempDir,
    registry: Registry,
    database: Database,
}

fn place(settings: &config::Database, clock: &ClockRef) -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let mut registry = Registry::default();
    let database = Database::open(folder.path(), settings, &Io::default(), clock, &mut registry);
    Place { database: database.expect("it can be made"), folder, registry }
}

fn system() -> ClockRef {
    Arc::new(SystemClock::new())
}

fn add(name: &'static str) -> impl Work<()> {
    move |on| Box::pin(async move { sqlx::query(ADD).bind(name).execute(on).await.map(drop) })
}

/// A closure as work: its lifetimes are not guessed from a `let`.
fn work<T, W: Work<T>>(work: W) -> W {
    work
}

fn count(on: &mut Connection) -> BoxFuture<'_, Result<i64, sqlx::Error>> {
    Box::pin(sqlx::query_scalar(COUNT).fetch_one(on))
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
    let Place { folder, database, .. } = place(&config::Database::default(), &system());
    database.write("add", add("one")).await.expect("written");
    assert_eq!(database.read("count", count).await, Ok(2), "beside the one that is always there");
    database.close().await;
    let again = Database::open(
        folder.path(),
        &config::Database::default(),
        &Io::default(),
        &system(),
        &mut Registry::default(),
    );
    assert_eq!(again.expect("opened").read("count", count).await, Ok(2));
}

#[tokio::test]
async fn a_write_that_fails_half_way_leaves_nothing() {
    let Place { folder: _folder, database, .. } = place(&config::Database::default(), &system());
    let both = work(|on| {
        Box::pin(async move {
            sqlx::query(ADD).bind("one").execute(&mut *on).await?;
            sqlx::query(ADD).bind("one").execute(on).await.map(drop)
        })
    });
    let refused = database.write("add", both).await.expect_err("the name is taken");
    assert!(matches!(&refused, Trouble::Conflict(what) if what.contains("workspaces.")), "{refused:?}");
    assert_eq!(database.read("count", count).await, Ok(1));
    assert_eq!(database.ailment(), None, "the store is well");
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_undo_what_it_ordered() {
    let Place { folder: _folder, database, .. } = place(&config::Database::default(), &system());
    drop(database.write("add", add("one")));
    // The writer takes one order after the other.
    database.write("add", add("two")).await.expect("written");
    assert_eq!(database.read("count", count).await, Ok(3));
}

/// Before, one thread waited for a connection for as long as it took.
#[tokio::test]
async fn who_waits_too_long_for_a_connection_is_told_how_many_there_are() {
    let clock = ManualClock::new();
    let shared: ClockRef = Arc::new(clock.clone());
    let settings =
        config::Database { pool: PoolName::Overflow, pool_size: Some(1), ..config::Database::default() };
    let place = place(&settings, &shared);
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
    let place = place(&config::Database::default(), &shared);
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

#[tokio::test]
async fn work_that_met_a_locked_file_is_tried_again_and_done_once() {
    let clock = ManualClock::new();
    let shared: ClockRef = Arc::new(clock.clone());
    let Place { folder, database, .. } = place(&config::Database::default(), &shared);
    let impatient = work(|on| {
        Box::pin(async move { sqlx::query("PRAGMA busy_timeout = 0").execute(on).await.map(drop) })
    });
    database.write("impatient", impatient).await.expect("written");
    let mut other = sqlite(folder.path()).open().await.expect("another process");
    let locked = other.begin_with(BEGIN_TO_WRITE).await.expect("it is free");

    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let counting = work(move |on| {
        counted.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { sqlx::query(ADD).bind("one").execute(on).await.map(drop) })
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
    let Place { folder: _folder, database, .. } = place(&config::Database::default(), &system());
    let no_more = "PRAGMA max_page_count = 1";
    let no_more = work(move |on| Box::pin(async move { sqlx::query(no_more).execute(on).await.map(drop) }));
    database.write("no more", no_more).await.expect("set");
    let large = work(|on| {
        Box::pin(async move {
            let name = "x".repeat(1 << 20);
            sqlx::query(ADD).bind(name).execute(on).await.map(drop)
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
