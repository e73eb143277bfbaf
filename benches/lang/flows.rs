//! A thousand flows at once, each with one call of 50 ms, on eight slots: what is added to the least time they can take.
//!
//! On the real clock, so that lanes, timers and the machine's own work all count.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tidegate::app;
use tidegate::config::{Config, Performance};
use tidegate::lang::load;
use tidegate::lang::value::Value;
use tidegate::run::{Host, Kept, Question, Terms};

use super::{Gate, Outcome, clock};

pub(super) const NAME: &str = "1,000 flows at once with a call of 50 ms each on 8 slots, over the least time";

const FLOWS: u32 = 1_000;
const DELAY_MS: u32 = 50;
/// Half of `max_concurrency` is for interactive calls.
const SLOTS: u32 = 8;
const APP: &str = r#"spec is "1.0"

capabilities:
  performance

ai "helper":
  model is "m"

flow "asks":
  ask ai "helper" with input: input.q as answer
  return answer
"#;

/// One run of all of them.
pub(super) fn run() -> Outcome<Gate> {
    let took = actix_rt::System::new().block_on(all())?;
    let least = Duration::from_millis(u64::from(FLOWS / SLOTS * DELAY_MS));
    let from = format!("{:.0} ms / {:.0} ms", super::millis(took), super::millis(least));
    Ok(Gate { what: NAME, measured: took.as_secs_f64() / least.as_secs_f64(), target: 1.05, from })
}

async fn all() -> Outcome<Duration> {
    let mut config = Config::default();
    config.providers.get_mut("mock").ok_or("the mock is always configured")?.mock.delay_ms = DELAY_MS.into();
    let max_concurrency = usize::try_from(SLOTS)? * 2;
    let settings = Performance { async_runtime: true, max_concurrency, ..Performance::default() };
    let asker = app::asker(&config, &settings).map_err(|error| error.to_string())?;
    asker.engine().ready().await;
    let app = Arc::new(load(APP).map_err(|faults| format!("{faults:?}"))?);
    let terms = Terms { settings: &settings, observing: false, queue_runs: 1 };
    let host = Arc::new(Host::new(app, asker, &terms, Kept::default()));
    let begin = clock();
    let flows = (0..FLOWS).map(|n| one(&host, n));
    try_join_all(flows).await?;
    Ok(begin.elapsed())
}

/// A flow and its answer.
async fn one(host: &Arc<Host>, n: u32) -> Outcome<()> {
    let input = Value::fields([("q", Value::text(format!("question {n}")))]);
    let ran = host.run(Question { flow: "asks".to_owned(), input, identity: None, payer: None }).await?;
    let answer = ran.outcome.result.map_err(|fault| fault.to_string())?;
    let wanted = Value::text(format!("[m] question {n} | mem:st=0"));
    if answer.equals(&wanted) { Ok(()) } else { Err(format!("flow {n} answered {answer}").into()) }
}
