//! The first calls after a restart: answers of the process before, from the disk, against a server that knows nothing.
//!
//! Each key is asked once, so no answer comes from memory. The upstream answers at once here: what a real one takes is saved on
//! top. Must not let one call of the restarted server reach it.

use std::rc::Rc;

use super::{Bench, KEYS};
use crate::generator::{Ask, Closed, Keys, Proof, Source, Tally};
use crate::measure::{Contestant, Series, sample_of};
use crate::servers::{Child, Outcome, Tidegate, TidegateOptions};

/// Callers: as many as make a queue, not a flood.
const CALLERS: usize = 8;

/// Fills a server, starts it again, and asks both it and a new one for everything once.
pub(super) async fn run(bench: &mut Bench) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    if servers.tidegate.is_none() {
        return Ok(());
    }
    let (upstream, folder) = (servers.upstream.addr, bench.settings.folder.clone());
    let before = TidegateOptions { name: "tidegate, restarted", ..TidegateOptions::default() };
    let server = Tidegate::start(upstream, &folder, &before).await?;
    ask_all(&server.child).await?;
    server.child.stop().await?;
    let again = TidegateOptions { afresh: false, ..before };
    let cold = TidegateOptions { name: "tidegate, cold", ..TidegateOptions::default() };
    let mut all = Vec::new();
    for options in [again, cold] {
        let server = Tidegate::start(upstream, &folder, &options).await?;
        let (seen, probe) = (bench.seen().await?, server.child.probe()?);
        let tally = ask_all(&server.child).await?;
        let seen = bench.seen().await?.since(seen);
        let sample = sample_of(tally, server.child.used_since(probe)?, seen);
        let resident_mb = server.child.resident_kib() as f64 / 1024.0;
        all.push(Series { server: options.name.to_owned(), samples: vec![sample], resident_mb });
    }
    let [warm, cold] = &all[..] else { return Ok(()) };
    bench.report.rows.extend([warm.row("restart", false), cold.row("restart", false)]);
    let ratio = |percent| warm.ms(percent) / cold.ms(percent);
    println!("  restart: p50 {:.2}, p99 {:.2} of a cold server's", ratio(50.0), ratio(99.0));
    let hits = warm.total(|sample| sample.tally.from(Source::Hit));
    bench
        .report
        .check(hits == u64::from(KEYS), format!("restart: {hits} of {KEYS} answers outlived the process"));
    let misses = cold.total(|sample| sample.tally.from(Source::Miss));
    bench.report.check(misses == u64::from(KEYS), format!("restart: {misses} misses of a cold server"));
    Ok(())
}

async fn ask_all(child: &Child) -> Outcome<Tally> {
    let (ask, keys) = (Ask::chat(), Keys::cycle(KEYS.into()));
    let aim = Contestant::new(child, &ask, &keys, Proof::ChatId).aim;
    Ok(Closed::count(CALLERS, KEYS.into(), &aim).await?)
}
