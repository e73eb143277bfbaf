//! The miss path: every body is new, everything is on, against nginx in front of the same upstream.
//!
//! Must not send a body twice.

use std::rc::Rc;

use super::{Bench, CONNECTIONS, Ratio};
use crate::generator::{Ask, Proof, Source};
use crate::measure::{Contestant, Series};
use crate::report::Bound;
use crate::servers::Outcome;

/// Compares direct, nginx, a proxy that does nothing else and Tidegate at saturation.
pub(super) async fn run(bench: &mut Bench) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    let (ask, keys, load) = (Ask::chat(), bench.unique_keys(), bench.closed(CONNECTIONS));
    let own = servers.tidegate.as_ref().map(|tidegate| &tidegate.child);
    let children = [Some(&servers.upstream), Some(&servers.nginx), Some(&servers.proxy), own];
    let contestants: Vec<_> = children
        .into_iter()
        .flatten()
        .map(|child| Contestant::new(child, &ask, &keys, Proof::ChatId))
        .collect();
    let all = bench.duel("miss", load, &contestants).await?;
    if let [_, nginx, _, ours] = &all[..] {
        judge(bench, nginx, ours);
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
    bench.check_chat_counts("miss", ours);
    let misses = ours.total(|sample| sample.tally.from(Source::Miss));
    let answers = ours.total(|sample| sample.tally.answers);
    bench.report.check(
        misses == answers,
        format!("miss: {misses} misses of {answers} answers, no body was sent twice"),
    );
}
