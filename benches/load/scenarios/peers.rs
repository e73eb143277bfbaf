//! Other gateways on the miss path and at a fixed rate, beside nginx and Tidegate in the same run.
//!
//! Must leave their settings as their documentation has them; a peer that is not installed is said so.

use std::rc::Rc;
use std::time::Duration;

use super::{Bench, CONNECTIONS};
use crate::generator::{Ask, Closed, Keys, Open, Proof};
use crate::measure::{Contestant, Load};
use crate::servers::{Outcome, Peer, start_litellm, start_portkey};

/// Distinct questions when a peer answers from its own cache.
const CACHED_KEYS: u64 = 100;

/// Each peer alone after the others, so that none takes memory or CPU from the next.
pub(super) async fn run(bench: &mut Bench) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    let (addr, folder) = (servers.upstream.addr, bench.settings.folder.clone());
    let miss = bench.unique_keys();
    let portkey = start_portkey(addr).await;
    one(bench, portkey, &miss, 200).await;
    for workers in [1, 2] {
        let plain = start_litellm(addr, &folder, workers, false).await;
        one(bench, plain, &miss, 50 * u32::from(workers)).await;
        let caching = start_litellm(addr, &folder, workers, true).await;
        one(bench, caching, &Keys::cycle(CACHED_KEYS), 0).await;
    }
    Ok(())
}

/// Saturation, then `rate` arrivals a second unless it is 0.
async fn one(bench: &mut Bench, started: Outcome<Peer>, keys: &Keys, rate: u32) {
    let outcome = async {
        let peer = started?;
        println!("  {} gave its first 200 after {:.1} s", peer.child.name(), peer.ready_after.as_secs_f64());
        let contestant =
            [Contestant::with_headers(&peer.child, &Ask::chat(), keys, Proof::ChatId, &peer.headers)];
        let warm_up = Duration::from_secs(3);
        let window = bench.settings.window.max(Duration::from_secs(5));
        let closed = Load::Closed(Closed { connections: CONNECTIONS, warm_up, window });
        bench.duel("peers, 64 connections", closed, &contestant).await?;
        if rate > 0 {
            let open = Load::Open(Open { per_second: rate, warm_up, window });
            bench.duel(&format!("peers, open {rate}/s"), open, &contestant).await?;
        }
        Ok(())
    };
    let outcome: Outcome<()> = outcome.await;
    if let Err(error) = outcome {
        println!("  {error}");
        bench.report.check(false, format!("peers: {error}"));
    }
}
