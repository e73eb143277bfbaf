//! Joining: 1,000 callers with the same question at the same moment, over connections that are already open.
//!
//! Must check that the upstream was asked once.

use std::rc::Rc;

use super::{Bench, Ratio};
use crate::generator::{Ask, Burst, Proof, Source, Tally};
use crate::measure::Contestant;
use crate::report::{Bound, Row};
use crate::servers::Outcome;

/// Callers in a burst.
const CALLERS: usize = 1000;
/// The upstream takes 50 ms.
const MODEL: &str = "bench-d50";

/// Single calls and bursts in turn.
pub(super) async fn run(bench: &mut Bench) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    let Some(tidegate) = &servers.tidegate else { return Ok(()) };
    let ask = Ask::Chat { model: MODEL.to_owned(), bytes: 1200 };
    let keys = bench.unique_keys();
    let aim = Contestant::new(&tidegate.child, &ask, &keys, Proof::ChatId).aim;
    let (mut single, mut burst) = (Burst::open(1, &aim).await?, Burst::open(CALLERS, &aim).await?);
    let (mut singles, mut bursts) = (Vec::new(), Vec::new());
    for _ in 0..bench.settings.rounds.max(5) {
        singles.push(single.fire(keys.next()).await);
        let before = bench.seen().await?;
        let fired = burst.fire(keys.next()).await;
        let asked = bench.seen().await?.chats - before.chats;
        check(bench, &fired, asked);
        bursts.push(fired);
    }
    let (one, all) = (median_ms(&singles), median_ms(&bursts));
    let resident_mb = tidegate.child.resident_kib() as f64 / 1024.0;
    for (name, ms, callers) in [("join: 1 caller", one, 1.0), ("join: 1,000 callers", all, CALLERS as f64)] {
        bench.report.rows.push(row(name, ms, callers, resident_mb));
    }
    let what = "join: 1,000 identical calls over open connections, time of one call";
    bench.gate(&Ratio { what, ours: all, theirs: one, unit: "ms" }, Bound::AtMost, 2.0);
    Ok(())
}

fn check(bench: &mut Bench, fired: &Tally, asked: u64) {
    let fault = fired.fault();
    let told = fault.as_deref().unwrap_or("all 200, all of their own question");
    bench.report.check(fault.is_none(), format!("join: {CALLERS} callers: {told}"));
    let (misses, joined, hits) =
        (fired.from(Source::Miss), fired.from(Source::Joined), fired.from(Source::Hit));
    let whole = asked == 1 && misses == 1 && misses + joined + hits == CALLERS as u64;
    bench.report.check(
        whole,
        format!("join: the upstream was asked {asked} times; {misses} miss, {joined} joined, {hits} hit"),
    );
}

fn median_ms(tallies: &[Tally]) -> f64 {
    let mut all: Vec<f64> = tallies.iter().map(|tally| tally.window.as_secs_f64() * 1000.0).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn row(scenario: &str, ms: f64, callers: f64, resident_mb: f64) -> Row {
    Row {
        scenario: scenario.to_owned(),
        server: "tidegate".to_owned(),
        per_second: callers * 1000.0 / ms,
        p50_ms: ms,
        p99_ms: ms,
        p999_ms: ms,
        cpu_us: f64::NAN,
        busy: f64::NAN,
        resident_mb,
        note: "time to the last answer, upstream 50 ms".to_owned(),
    }
}
