//! Tests of runs over the real path, on a virtual clock.

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
    let clock: ClockRef = Arc::new(SystemClock::new());
    let ports = Ports { clock: Arc::clone(&clock), ..Ports::open(1) };
    let engine = Engine::start(engine_config(settings, Placement::Current), ports, &mut Registry::default());
    let upstream = Upstream::new("mock", Arc::new(Mock::new(clock, delay_ms)), UpstreamLimits::default());
    let speakers = BTreeMap::from([("mock".to_owned(), Speaker { speech: Speech::Mock, upstream })]);
    let caching = settings.enabled() && settings.cache_size > 0;
    let asker = Asker::new(engine, speakers, caching, 600_000);
    let app = load(source).unwrap_or_else(|faults| panic!("{faults:?}"));
    Arc::new(Host::new(Arc::new(app), asker, settings, true))
}

fn question(flow: &str, input: Value) -> Question {
    Question { flow: flow.to_owned(), input, identity: None }
}

async fn result(host: &Arc<Host>, flow: &str, input: Value) -> String {
    let ran = host.run(question(flow, input)).await.expect("nothing was torn away");
    ran.outcome.result.expect("a result").to_json(JsonStyle::Compact)
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
async fn runs_that_change_the_state_follow_one_another() {
    let source = r#"spec is "1.0"
ai "helper":
  provider is "mock"
  model is "m"

flow "start":
  set state.count is 0

flow "count":
  let before is state.count
  ask ai "helper" with input: "x" as answer
  set state.count is before + 1
  return state.count
"#;
    let host = host(source, &Performance::default(), 10);
    result(&host, "start", Value::fields([])).await;
    let counts = (0..50).map(|_| {
        let host = Arc::clone(&host);
        async move { result(&host, "count", Value::fields([])).await }
    });
    let counts = join_all(counts).await;
    let wanted: Vec<String> = (1..=50).map(|n: u32| n.to_string()).collect();
    assert_eq!(counts, wanted, "no update is lost, and the order is that of the calls");
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
        store: Box::new(crate::lang::records::InMemoryStore::new()),
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

const COUNTS: &str = r#"spec is "1.0"

ai "helper":
  model is "m"

flow "counts":
  try:
    let n is state.n
  with catch e:
    let n is 0
  ask ai "helper" with input: "x" as answer
  set state.n is n + 1
  return state.n
"#;

/// A caller that leaves the line must not count, and one that leaves in the middle must.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn who_leaves_while_waiting_gives_up_the_place_and_who_leaves_in_the_middle_does_not_stop_the_run() {
    let host = host(COUNTS, &Performance::default(), 100);
    let run = || {
        let host = Arc::clone(&host);
        async move { result(&host, "counts", Value::fields([])).await }
    };
    {
        let (mut first, mut second) = (Box::pin(run()), Box::pin(run()));
        assert!(futures_util::poll!(&mut first).is_pending(), "it has the turn");
        assert!(futures_util::poll!(&mut second).is_pending(), "it waits");
        tokio::time::advance(Duration::from_millis(10)).await; // the first asks by now; then both leave
    }
    assert_eq!(run().await, "2", "the first ended unheard, the second never began");
    assert_eq!(host.look(|kept| kept.memory.clone()).await.map(|_| ()), Ok(()), "nothing is lost");
}

const WRITES: &str = r#"spec is "1.0"

record "Note":
  text is text

ai "helper":
  model is "m"

flow "writes": requires true
  save "Note" with:
    text is input.text
  set state.last is input.text
  yield "written"
  ask ai "helper" with input: input.text as answer
  return answer
"#;

/// State, texts of the records and what was said, as the next run finds them.
async fn seen(host: &Host) -> (String, Vec<String>, crate::lang::memory::Memory) {
    let record = &host.app().tree().records[0];
    let schema = crate::lang::records::Schema::new(record).expect("a usable record");
    let look = |kept: &Kept| {
        let rows = kept.store.rows(&schema).expect("rows");
        let texts = rows.iter().filter_map(|row| row.fields.get("text")?.as_text().map(ToString::to_string));
        (Value::Map(kept.state.clone()).to_json(JsonStyle::Compact), texts.collect(), kept.memory.clone())
    };
    host.look(look).await.expect("what is kept is there")
}

fn note(text: &str) -> Question {
    question("writes", Value::fields([("text", text.into())]))
}

/// After one panic every later request was answered 503 until the server was started again.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_run_that_panics_gives_back_what_it_had_as_it_was() {
    let host = host(WRITES, &Performance::default(), 10);
    host.run(note("kept")).await.expect("a run").outcome.result.expect("a result");
    let before = seen(&host).await;
    assert_eq!(
        (before.0.as_str(), before.1.as_slice()),
        (r#"{"last":"kept"}"#, ["kept".to_owned()].as_slice())
    );

    let torn = host.run_telling(note("torn"), Box::new(|_| panic!("planted"))).await;
    assert!(matches!(torn, Err(Lost)), "its caller is told");
    assert!(seen(&host).await == before, "state, records and memory are those of the run before");

    host.run(note("after")).await.expect("a run").outcome.result.expect("the next run is served");
    assert_eq!(seen(&host).await.1, ["kept", "after"]);
}

/// A worker that stops drops the tasks on its thread; other workers go on.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_run_whose_thread_stops_gives_back_what_it_had_as_it_was() {
    let host = host(WRITES, &Performance::default(), 10);
    host.run(note("kept")).await.expect("a run").outcome.result.expect("a result");
    let before = seen(&host).await;

    let thread = tokio::task::LocalSet::new();
    let (asking, asks) = tokio::sync::oneshot::channel();
    let mut asking = Some(asking);
    let tell: Tell = Box::new(move |_| {
        asking
            .take()
            .into_iter()
            .for_each(|asking: tokio::sync::oneshot::Sender<()>| asking.send(()).unwrap_or_default())
    });
    let run = {
        let host = Arc::clone(&host);
        async move { host.run_telling(note("torn"), tell).await }
    };
    thread.spawn_local(run);
    thread.run_until(asks).await.expect("it has written and asks");
    drop(thread);

    assert!(seen(&host).await == before, "state, records and memory are those of the run before");
}
