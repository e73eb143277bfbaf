//! Embeddings of many clients, one text each, against an upstream that takes 5 ms and 0.1 ms an item.
//!
//! Must compare equal numbers of upstream requests in flight: two batches against two single requests.

use std::rc::Rc;

use super::{Bench, Ratio};
use crate::generator::{Ask, Proof};
use crate::measure::{Contestant, Series};
use crate::report::Bound;
use crate::servers::{Outcome, Tidegate, TidegateOptions};

/// `in_flight_batches` of a batcher, and so the callers of the unbatched run.
const SLOTS: usize = 2;
/// Callers that saturate the batcher.
const CALLERS: usize = 512;
/// Arrivals a second of the open loop.
const RATE: u32 = 1000;

/// Batched against unbatched at saturation, then the open loop against a single caller.
pub(super) async fn run(bench: &mut Bench) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    let Some(batched) = &servers.tidegate else { return Ok(()) };
    let options = TidegateOptions { name: "tidegate, no batch", batch: false, ..TidegateOptions::default() };
    let unbatched = Tidegate::start(servers.upstream.addr, &bench.settings.folder, &options).await?;
    let (ask, keys) = (Ask::Embedding { model: "embed".to_owned() }, bench.unique_keys());
    let on = [Contestant::new(&batched.child, &ask, &keys, Proof::Vector)];
    let off = [Contestant::new(&unbatched.child, &ask, &keys, Proof::Vector)];
    let many = one(bench.duel("embed, 512 callers", bench.closed(CALLERS), &on).await?)?;
    let few = one(bench.duel("embed, 2 callers", bench.closed(SLOTS), &off).await?)?;
    let single = one(bench.duel("embed, 1 caller", bench.closed(1), &on).await?)?;
    let open = one(bench.duel("embed, open 1000/s", bench.open(RATE), &on).await?)?;
    let rate = Ratio {
        what: "embed: items/s of the same two slots unbatched",
        ours: many.per_second(),
        theirs: few.per_second(),
        unit: "1/s",
    };
    bench.gate(&rate, Bound::AtLeast, 20.0);
    let what = "embed: p50 at 1,000 items/s, time of a single call";
    bench.gate(&Ratio { what, ours: open.ms(50.0), theirs: single.ms(50.0), unit: "ms" }, Bound::AtMost, 2.0);
    for series in [&many, &few, &single, &open] {
        check(bench, series);
    }
    Ok(())
}

fn one(series: Vec<Series>) -> Outcome<Series> {
    series.into_iter().next().ok_or_else(|| "one contestant gives one series".into())
}

/// Every item reached the upstream once, in how many requests is told.
fn check(bench: &mut Bench, series: &Series) {
    let answers = series.total(|sample| sample.tally.answers);
    let (items, requests) =
        (series.total(|sample| sample.upstream.items), series.total(|sample| sample.upstream.embeddings));
    let text = format!("{}: {answers} answers, {items} items upstream in {requests} requests", series.server);
    println!("  {text}");
    bench.report.check(items == answers, text);
}
