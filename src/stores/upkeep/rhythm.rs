//! Owns when the statistics by which a database plans its queries are brought up to date beside a server. Must not know how.
//!
//! The moment of the last time stands in the database, whoever did it, so that restarts do not put it off and servers that
//! share a database do not all do it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate_actors::ports::clock::ClockRef;
use tokio::task::JoinHandle;

use super::{optimized, refresh};
use crate::stores::database::Database;

/// A start has other things to do.
const FIRST_AFTER: Duration = Duration::from_secs(60);

/// Does it until it is ended.
pub struct Rhythm(JoinHandle<()>);

impl Rhythm {
    /// Does it from now on, on the runtime of the stores: for `database`, and for the ledger's latest days, in `dir` where these
    /// are files.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        dir: &Path,
        database: &Database,
        every: Duration,
        clock: &ClockRef,
    ) -> std::io::Result<Self> {
        let handle = database.io().handle()?;
        let (dir, database, clock) = (dir.to_owned(), database.clone(), Arc::clone(clock));
        Ok(Self(handle.spawn(async move { keep(&dir, &database, every, &clock).await })))
    }

    /// Does it no more.
    pub async fn end(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await; // broken off, as wanted
    }
}

impl Drop for Rhythm {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep(dir: &Path, database: &Database, every: Duration, clock: &ClockRef) {
    let metrics = &database.metrics().statistics;
    let mut wait = every.min(FIRST_AFTER);
    loop {
        clock.sleep_until(clock.now().plus(wait)).await;
        // Who cannot read it need not try to write.
        let Ok(last_us) = database.read("optimized", |on| Box::pin(optimized(on))).await else {
            wait = every;
            continue;
        };
        last_us.into_iter().for_each(|last_us| metrics.updated(last_us));
        let now_us = clock.unix_us();
        wait = remaining(last_us, now_us, every);
        if wait.is_zero() {
            wait = every;
            let left = refresh(dir, database.target(), now_us).await;
            for (at, trouble) in &left {
                tracing::warn!(
                    at,
                    "statistics cannot be brought up to date (database.optimize_ms): {trouble}"
                );
            }
            match left.is_empty() {
                true => metrics.updated(now_us),
                false => metrics.failed(),
            }
        }
    }
}

/// How long until it is time again. A moment still to come was noted by another clock, and counts as now.
fn remaining(last_us: Option<i64>, now_us: i64, every: Duration) -> Duration {
    let Some(last_us) = last_us else { return Duration::ZERO };
    let since_us = u64::try_from(now_us.saturating_sub(last_us)).unwrap_or_default();
    every.saturating_sub(Duration::from_micros(since_us))
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use sqlx::Connection as _;
    use tidegate_actors::sim::ManualClock;

    use super::*;
    use crate::config::{self, Secret};
    use crate::stores::schema::CALLS;
    use crate::stores::sqlite::Sqlite;
    use crate::stores::{Io, cluster};

    const HOUR: Duration = Duration::from_secs(3_600);
    const DAYS: [&str; 3] = ["2026-01-29", "2026-01-30", "2026-01-31"];
    const TAG: &str = "INSERT INTO call_tags (workspace, tag, at_us, id) VALUES ('w', 't', $, 'c')";

    async fn file_of(day: &str, dir: &Path) -> sqlx::SqliteConnection {
        let path = Arc::from(dir.join("calls").join(format!("{day}.db")));
        Sqlite { path, schema: &CALLS, patience: HOUR }.open().await.expect("it can be made")
    }

    /// Three days of the ledger, with a line each.
    async fn make_days(dir: &Path, url: Option<&str>) {
        for (number, day) in DAYS.into_iter().enumerate() {
            let add = TAG.replace('$', &number.to_string());
            if let Some(url) = url {
                let name = format!("call_tags_{}", day.replace('-', "_"));
                let make = format!("CREATE TABLE {name} PARTITION OF call_tags FOR VALUES FROM ({number})");
                cluster::ask(url, &format!("{make} TO ({})", number + 1));
                cluster::ask(url, &add);
            } else {
                let mut on = file_of(day, dir).await;
                sqlx::query(sqlx::AssertSqlSafe(add)).execute(&mut on).await.expect("added");
                on.close().await.expect("closed");
            }
        }
    }

    /// The days that have statistics.
    async fn known_days(dir: &Path, url: Option<&str>) -> Vec<String> {
        if let Some(url) = url {
            let known = "SELECT replace(right(relname, 10), '_', '-') FROM pg_class WHERE relispartition \
                AND relkind = 'r' AND reltuples > 0 ORDER BY 1";
            return cluster::ask(url, known).lines().map(str::to_owned).collect();
        }
        let mut known = Vec::new();
        for day in DAYS {
            let mut on = file_of(day, dir).await;
            let is_known = "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_stat1'";
            if sqlx::query_scalar::<_, i64>(is_known).fetch_one(&mut on).await.expect("read") > 0 {
                known.push(day.to_owned());
            }
            on.close().await.expect("closed");
        }
        known
    }

    async fn noted(database: &Database) -> Option<i64> {
        database.read("optimized", |on| Box::pin(optimized(on))).await.expect("it can be read")
    }

    /// Lets time pass until it was done after `last`; says when.
    async fn next(database: &Database, clock: &ManualClock, last: Option<i64>) -> i64 {
        loop {
            clock.advance(Duration::from_secs(10));
            match noted(database).await {
                Some(at_us) if Some(at_us) != last => return at_us,
                _ => {}
            }
        }
    }

    async fn goes_on_in_its_rhythm(url: Option<String>) {
        let (folder, mut registry) = (tempfile::tempdir().expect("a folder"), Registry::default());
        let clock = ManualClock::new();
        let shared: ClockRef = Arc::new(clock.clone());
        let settings = config::Database { url: url.clone().map(Secret::new), ..config::Database::default() };
        let dir = folder.path();
        let database = Database::open(dir, &settings, &Io::default(), &shared, &mut registry);
        let database = database.expect("it can be made");
        make_days(dir, url.as_deref()).await;
        let started_us = shared.unix_us();
        let rhythm = Rhythm::start(dir, &database, HOUR, &shared).expect("it starts");
        let first_us = next(&database, &clock, None).await;
        assert!(first_us - started_us >= 60_000_000, "a start is left alone");
        assert_eq!(known_days(dir, url.as_deref()).await, DAYS[1..], "older days do not change");
        let second_us = next(&database, &clock, Some(first_us)).await;
        assert!(second_us - first_us >= 3_600_000_000, "an hour later, not before");
        rhythm.end().await;
        let mut shown = String::new();
        encode(&mut shown, &registry).expect("text");
        let name = "tidegate_statistics_updated_timestamp_seconds ";
        let shown = shown.lines().find_map(|line| line.strip_prefix(name)).and_then(|at| at.parse().ok());
        let seconds = |at_us: i64| Some(at_us as f64 / 1e6);
        assert!([seconds(first_us), seconds(second_us)].contains(&shown), "{shown:?}");
        super::super::optimize(dir, database.target(), shared.unix_us()).await;
        assert_eq!(known_days(dir, url.as_deref()).await, DAYS, "who orders it gets all");
    }

    #[tokio::test]
    async fn statistics_of_files_are_brought_up_to_date_in_a_rhythm() {
        goes_on_in_its_rhythm(None).await;
    }

    #[tokio::test]
    async fn statistics_of_a_server_are_brought_up_to_date_in_a_rhythm() {
        goes_on_in_its_rhythm(Some(cluster::new_database())).await;
    }

    #[test]
    fn it_is_time_when_it_never_was_done_or_long_enough_ago() {
        let wait = |last_us: Option<i64>| remaining(last_us, 10_000_000_000, HOUR).as_secs();
        assert_eq!(wait(None), 0);
        assert_eq!(wait(Some(10_000_000_000)), 3_600);
        assert_eq!(wait(Some(7_000_000_000)), 600);
        assert_eq!(wait(Some(6_400_000_000)), 0);
        assert_eq!(wait(Some(99_000_000_000)), 3_600, "as another clock has it");
    }
}
