//! Latency at a rate well below saturation: what a proxy adds to the upstream's own time, against what nginx
//! adds.
//!
//! Open loop, counted from the intended send time. Must not compare absolute times.

use std::rc::Rc;

use super::{Bench, Ratio};
use crate::generator::{Ask, Proof};
use crate::measure::{Contestant, Series};
use crate::report::Bound;
use crate::servers::Outcome;

/// Arrivals a second.
pub(super) const RATES: [u32; 2] = [200, 1000];
/// Below this many milliseconds what nginx adds is noise, and the ratio would be too.
const LEAST_ADDED_MS: f64 = 0.01;

/// Each rate in turn: direct, nginx, Tidegate.
pub(super) async fn run(bench: &mut Bench) -> Outcome<()> {
    for rate in RATES {
        compare(bench, &format!("open {rate}/s"), &Ask::chat(), rate).await?;
    }
    Ok(())
}

/// Compares what is added at `rate`; a scenario named "stream ..." counts to the first event.
pub(super) async fn compare(bench: &mut Bench, scenario: &str, ask: &Ask, rate: u32) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    let (keys, load) = (bench.unique_keys(), bench.open(rate));
    let children =
        [Some(&servers.upstream), Some(&servers.nginx), servers.tidegate.as_ref().map(|t| &t.child)];
    let contestants: Vec<_> = children
        .into_iter()
        .flatten()
        .map(|child| Contestant::new(child, ask, &keys, Proof::ChatId))
        .collect();
    let all = bench.duel(scenario, load, &contestants).await?;
    if let [direct, nginx, ours] = &all[..] {
        judge(bench, scenario, [direct, nginx, ours]);
    }
    Ok(())
}

fn judge(bench: &mut Bench, scenario: &str, [direct, nginx, ours]: [&Series; 3]) {
    let first = scenario.starts_with("stream");
    let ms = |series: &Series, percent| if first { series.first_ms(percent) } else { series.ms(percent) };
    let what = if first { "first token" } else { "answer" };
    for percent in [50.0, 99.0] {
        let base = ms(direct, percent);
        let ratio = Ratio {
            what: &format!("{scenario}: p{percent:.0} of the {what} added, over what nginx adds"),
            ours: (ms(ours, percent) - base).max(0.0),
            theirs: (ms(nginx, percent) - base).max(LEAST_ADDED_MS),
            unit: "ms",
        };
        bench.gate(&ratio, Bound::AtMost, 2.0);
    }
    bench.check_chat_counts(scenario, ours);
}
