//! The first token of a stream: what a proxy adds before it, against what nginx adds.
//!
//! Must not be served from memory: every prompt is new.

use super::Bench;
use super::latency::{RATES, compare};
use crate::generator::Ask;
use crate::servers::Outcome;

/// Each rate in turn: direct, nginx, Tidegate.
pub(super) async fn run(bench: &mut Bench) -> Outcome<()> {
    let ask = Ask::Stream { model: "bench-t8-g2".to_owned(), bytes: 1200 };
    for rate in RATES {
        compare(bench, &format!("stream {rate}/s"), &ask, rate).await?;
    }
    Ok(())
}
