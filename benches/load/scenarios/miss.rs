//! The miss path: every body is new, everything is on, against nginx in front of the same upstream.
//!
//! What is judged is a server whose memory of answers is full, as that of any server that has run for a while: each miss
//! takes the place of an older answer. Beside it stands one whose memory still grows, which pays the system for fresh pages
//! as well. Must not send a body twice.

use std::rc::Rc;

use super::{Bench, CONNECTIONS, Ratio};
use crate::generator::{Ask, Closed, Proof, Source};
use crate::measure::{Contestant, Series};
use crate::report::Bound;
use crate::servers::{Outcome, Tidegate, TidegateOptions};

/// Bytes of answers the judged server remembers, of a little over 1 KB each: full before the first round is measured.
const MEMORY: &str = "\n[cache]\nmax_bytes = 33554432\n";

/// Misses that fill it.
const FILL: u64 = 40_000;

/// Compares direct, nginx, a proxy that does nothing else and Tidegate at saturation.
pub(super) async fn run(bench: &mut Bench) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    let (ask, keys, load) = (Ask::chat(), bench.unique_keys(), bench.closed(CONNECTIONS));
    let mut children = vec![&servers.upstream, &servers.nginx, &servers.proxy];
    let (full, unbooked);
    if let Some(filling) = &servers.tidegate {
        let options =
            TidegateOptions { name: "tidegate, full", tables: MEMORY, ..TidegateOptions::default() };
        full = Tidegate::start(servers.upstream.addr, &bench.settings.folder, &options).await?;
        let options = TidegateOptions { tables: MEMORY, ..TidegateOptions::without_books() };
        unbooked = Tidegate::start(servers.upstream.addr, &bench.settings.folder, &options).await?;
        for filled in [&full, &unbooked] {
            let fill = Contestant::new(&filled.child, &ask, &keys, Proof::ChatId);
            Closed::count(CONNECTIONS, FILL, &fill.aim).await?;
        }
        children.extend([&full.child, &filling.child, &unbooked.child]);
    }
    let contestants: Vec<_> =
        children.into_iter().map(|child| Contestant::new(child, &ask, &keys, Proof::ChatId)).collect();
    let all = bench.duel("miss", load, &contestants).await?;
    if let [_, nginx, _, full, filling, unbooked] = &all[..] {
        judge(bench, nginx, full);
        count(bench, filling);
        bench.beside("miss: requests/s without ledger and answers on the disk", unbooked, full);
    }
    Ok(())
}

fn judge(bench: &mut Bench, nginx: &Series, ours: &Series) {
    let rate = Ratio {
        what: "miss: requests/s of nginx",
        ours: ours.per_second(),
        theirs: nginx.per_second(),
        unit: "1/s",
    };
    bench.gate(&rate, Bound::AtLeast, 0.6);
    count(bench, ours);
}

fn count(bench: &mut Bench, ours: &Series) {
    bench.check_chat_counts("miss", ours);
    let misses = ours.total(|sample| sample.tally.from(Source::Miss));
    let answers = ours.total(|sample| sample.tally.answers);
    bench.report.check(
        misses == answers,
        format!("miss: {misses} misses of {answers} answers, no body was sent twice"),
    );
}
