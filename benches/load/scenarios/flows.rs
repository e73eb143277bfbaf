//! A route whose flow asks a question that was asked before, against the gateway's own hit path: what a program around a
//! call costs.
//!
//! Must not let one miss into the figures.

use std::rc::Rc;

use super::{Bench, CONNECTIONS, KEYS, Ratio};
use crate::generator::{Ask, Keys, Proof, Source};
use crate::measure::{Contestant, Series};
use crate::report::Bound;
use crate::servers::{Outcome, Tidegate, TidegateOptions, app_hits};

const APP: &str = r#"spec is "1.0"

capabilities:
  performance

ai "helper":
  model is "m"

flow "answers":
  ask ai "helper" with input: input.q as answer
  return answer

route "answers":
  path is "/ask"
  method is "POST"
  request:
    q is text
  response:
    answer is text
  flow is "answers"
"#;

const SETTINGS: &str = "[performance]\nasync_runtime = true\nmax_concurrency = 64\ncache_size = 20000\n";

/// Bytes of a question, as of a chat.
const BYTES: usize = 1200;

/// Warms both, then compares.
pub(super) async fn run(bench: &mut Bench) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    let Some(gateway) = &servers.tidegate else { return Ok(()) };
    let options =
        TidegateOptions { name: "tidegate, app", app: Some((APP, SETTINGS)), ..TidegateOptions::default() };
    let app = Tidegate::start(servers.upstream.addr, &bench.settings.folder, &options).await?;
    let (chat, flow) = (Ask::chat(), Ask::Flow { bytes: BYTES });
    bench.warm("flow", &gateway.child, &chat, Proof::ChatId).await?;
    bench.warm("flow", &app.child, &flow, Proof::Echo).await?;
    let (keys, load) = (Keys::zipf(KEYS), bench.closed(CONNECTIONS));
    let contestants = [
        Contestant::new(&gateway.child, &chat, &keys, Proof::ChatId),
        Contestant::new(&app.child, &flow, &keys, Proof::Echo),
    ];
    let before = app_hits(app.child.addr).await?;
    let all = bench.duel("flow", load, &contestants).await?;
    let hits = app_hits(app.child.addr).await? - before;
    let [hit, ours] = &all[..] else { return Err("two contestants give two series".into()) };
    judge(bench, hit, ours, hits);
    Ok(())
}

fn judge(bench: &mut Bench, hit: &Series, ours: &Series, hits: u64) {
    let rate = Ratio {
        what: "flow: requests/s of the gateway's hit path",
        ours: ours.per_second(),
        theirs: hit.per_second(),
        unit: "1/s",
    };
    bench.gate(&rate, Bound::AtLeast, 0.5);
    let told = hit.total(|sample| sample.tally.from(Source::Hit));
    let answers = hit.total(|sample| sample.tally.answers);
    bench.report.check(told == answers, format!("flow: {told} hits of {answers} answers of the gateway"));
    let answers = ours.total(|sample| sample.tally.answers);
    bench.report.check(hits == answers, format!("flow: {hits} hits of {answers} answers of the app"));
}
