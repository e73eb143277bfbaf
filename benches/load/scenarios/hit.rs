//! The hit path: answers from memory against the floor that parses, hashes and looks up.
//!
//! Keys are Zipf over 10,000, all of them warm before the first round. Must not let one miss into the
//! figures.

use std::rc::Rc;

use super::{Bench, CONNECTIONS, KEYS, Ratio};
use crate::generator::{Ask, Keys, Proof, Source};
use crate::measure::{Contestant, Series};
use crate::report::Bound;
use crate::servers::{Outcome, Tidegate, TidegateOptions};

/// Warms everybody, then compares.
pub(super) async fn run(bench: &mut Bench) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    let (ask, keys, load) = (Ask::chat(), Keys::zipf(KEYS), bench.closed(CONNECTIONS));
    bench.warm("hit", &servers.lookup, &ask, Proof::ChatId).await?;
    let mut contestants = vec![
        Contestant::new(&servers.bare, &ask, &keys, Proof::None),
        Contestant::new(&servers.lookup, &ask, &keys, Proof::ChatId),
    ];
    let Some(tidegate) = &servers.tidegate else {
        bench.duel("hit", load, &contestants).await?;
        return Ok(());
    };
    let unbooked = TidegateOptions::without_books();
    let unbooked = Tidegate::start(servers.upstream.addr, &bench.settings.folder, &unbooked).await?;
    for child in [&tidegate.child, &unbooked.child] {
        contestants.push(Contestant::new(child, &ask, &keys, Proof::ChatId));
    }
    let before = tidegate.counters().await?;
    bench.warm("hit", &tidegate.child, &ask, Proof::ChatId).await?;
    bench.warm("hit", &unbooked.child, &ask, Proof::ChatId).await?;
    let all = bench.duel("hit", load, &contestants).await?;
    let [_, lookup, ours, unbooked] = &all[..] else { return Err("four contestants, four series".into()) };
    judge(bench, lookup, ours);
    bench.beside("hit: requests/s without ledger and answers on the disk", unbooked, ours);
    let hits = ours.total(|sample| sample.tally.from(Source::Hit));
    check_counters(bench, tidegate, before, hits).await
}

fn judge(bench: &mut Bench, lookup: &Series, ours: &Series) {
    let rate = Ratio {
        what: "hit: requests/s of the look-up floor",
        ours: ours.per_second(),
        theirs: lookup.per_second(),
        unit: "1/s",
    };
    bench.gate(&rate, Bound::AtLeast, 0.85);
    let tail = Ratio {
        what: "hit: p99 of the look-up floor",
        ours: ours.ms(99.0),
        theirs: lookup.ms(99.0),
        unit: "ms",
    };
    bench.gate(&tail, Bound::AtMost, 1.3);
    bench.check_chat_counts("hit", ours);
    let hits = ours.total(|sample| sample.tally.from(Source::Hit));
    let answers = ours.total(|sample| sample.tally.answers);
    bench.report.check(hits == answers, format!("hit: {hits} hits of {answers} answers, all keys were warm"));
}

/// What clients were told and what the server counted must be the same.
async fn check_counters(
    bench: &mut Bench,
    tidegate: &Tidegate,
    before: crate::servers::Counters,
    told: u64,
) -> Outcome<()> {
    let after = tidegate.counters().await?;
    let (hits, misses) = (after.hits - before.hits, after.misses - before.misses);
    bench.report.check(
        hits == told,
        format!("hit: performance_ai_cache_hit rose by {hits}, clients were told {told} hits"),
    );
    let warmed = u64::from(KEYS);
    bench.report.check(
        misses == warmed,
        format!("hit: performance_ai_cache_miss rose by {misses}, {warmed} keys were warmed"),
    );
    Ok(())
}
