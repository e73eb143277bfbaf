//! Tests of runs over the real path, on a virtual clock.

mod together;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use prometheus_client::registry::Registry;
use tidegate_actors::engine::{Placement, Ports};
use tidegate_actors::ports::clock::{ClockRef, SystemClock};
use tidegate_actors::{Engine, Upstream, UpstreamLimits};

use super::*;
use crate::config::Performance;
use crate::lang::load;
use crate::lang::value::{JsonStyle, Value};

const MANY: Performance = Performance {
    async_runtime: true,
    max_concurrency: 16,
    cache_size: 128,
    enable_batching: false,
    metrics_endpoint: None,
    by_flag: false,
};

fn host(source: &str, settings: &Performance, delay_ms: u64) -> Arc<Host> {
    host_with(source, settings, delay_ms, 4096, 600_000)
}

fn host_with(
    source: &str,
    settings: &Performance,
    delay_ms: u64,
    queue_runs: usize,
    patience_ms: u64,
) -> Arc<Host> {
    let clock: ClockRef = Arc::new(SystemClock::new());
    let ports = Ports { clock: Arc::clone(&clock), ..Ports::open(1) };
    let engine = Engine::start(engine_config(settings, Placement::Current), ports, &mut Registry::default());
    let upstream = Upstream::new("mock", Arc::new(Mock::new(clock, delay_ms)), UpstreamLimits::default());
    let speakers = BTreeMap::from([("mock".to_owned(), Speaker { speech: Speech::Mock, upstream })]);
    let caching = settings.enabled() && settings.cache_size > 0;
    let asker = Asker::new(engine, speakers, caching, patience_ms);
    let app = load(source).unwrap_or_else(|faults| panic!("{faults:?}"));
    let terms = Terms { settings, observing: true, queue_runs };
    Arc::new(Host::new(Arc::new(app), asker, &terms, Kept::default()))
}

fn question(flow: &str, input: Value) -> Question {
    Question { flow: flow.to_owned(), input, identity: None, payer: None }
}

async fn result(host: &Arc<Host>, flow: &str, input: Value) -> String {
    let ran = host.run(question(flow, input)).await.expect("it was not refused");
    ran.outcome.result.expect("a result").to_json(JsonStyle::Compact)
}

/// Lets everything run that can without time going on.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

const ASKS: &str = r#"spec is "1.0"
capabilities:
  performance

ai "helper":
  provider is "mock"
  model is "m"

flow "answers":
  ask ai "helper" with input: input.q as answer
  return answer
"#;

/// 8 of 16 slots are interactive: 1,000 calls of 500 ms take 125 turns.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_thousand_flows_share_eight_slots_and_none_waits_longer_than_it_must() {
    let host = host(ASKS, &MANY, 500);
    let began = tokio::time::Instant::now();
    let runs = (0..1_000).map(|n| {
        let host = Arc::clone(&host);
        async move {
            let answer = result(&host, "answers", Value::fields([("q", Value::text(format!("q{n}")))])).await;
            (n, answer)
        }
    });
    for (n, answer) in join_all(runs).await {
        assert_eq!(answer, format!(r#""[m] q{n} | mem:st=0""#));
    }
    assert_eq!(began.elapsed(), Duration::from_millis(62_500));
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn equal_asks_cost_one_call_and_are_counted_by_flow() {
    let host = host(ASKS, &MANY, 10);
    for _ in 0..3 {
        result(&host, "answers", Value::fields([("q", "same".into())])).await;
    }
    let counts: Vec<_> = host
        .counters()
        .read()
        .into_iter()
        .map(|(name, flow, count)| (name, flow.to_string(), count))
        .collect();
    let flow = || "answers".to_owned();
    assert_eq!(
        counts[..2],
        [("performance_ai_cache_hit", flow(), 2), ("performance_ai_cache_miss", flow(), 1),]
    );
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_provider_nobody_configured_is_an_error_that_says_what_to_do() {
    let source = ASKS.replace("\"mock\"", "\"openai\"");
    let host = host(&source, &MANY, 0);
    let ran = host.run(question("answers", Value::fields([("q", "x".into())]))).await.expect("a run");
    let fault = ran.outcome.result.expect_err("nobody can answer");
    assert!(fault.message().contains("[providers.openai]"), "{}", fault.message());
}

#[test]
fn a_flow_that_asks_nobody_needs_no_runtime() {
    let source = "spec is \"1.0\"\nflow \"main\":\n  return 1 + 2\n";
    let world = crate::lang::machine::World {
        identity: None,
        state: Default::default(),
        store: crate::lang::records::Store::new(),
        memory: Default::default(),
        limits: Default::default(),
        observing: false,
        now_ms: None,
    };
    let app = Arc::new(load(source).expect("an app"));
    assert!(actix_rt::System::try_current().is_none());
    let begun = begin(crate::lang::Machine::start(app, "main", Value::fields([]), world));
    let Begun::Done(outcome) = begun else { panic!("it waits for somebody") };
    assert_eq!(outcome.result.expect("a result"), Value::int(3));
    assert!(actix_rt::System::try_current().is_none());
}
