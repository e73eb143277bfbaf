//! What a hit costs: no allocation, no message, nothing left behind.
//!
//! A binary of its own, because it brings its own allocator: one that counts, per thread.

use std::sync::Arc;

use allocation_counter::measure;
use crossbeam::queue::ArrayQueue;
use futures_util::FutureExt;
use prometheus_client::registry::Registry;
use tidegate_actors::engine::{Placement, Ports};
use tidegate_actors::ports::ledger::{AttemptEnd, AttemptRow, Ledger, Opening, Refusal};
use tidegate_actors::record::CallRecord;
use tidegate_actors::route::{Route, Target};
use tidegate_actors::sim::{Ask, Script};
use tidegate_actors::{Body, CallId, Engine, EngineConfig, Outcome, Upstream, UpstreamLimits};

/// Copies rows out into a bounded queue, as the ledger of the server does.
struct Queue(ArrayQueue<CallRecord>);

impl Ledger for Queue {
    fn reserve(&self, _: CallId) -> Result<(), Refusal> {
        Ok(())
    }

    fn reserve_spare(&self) -> Result<(), Refusal> {
        Ok(())
    }

    fn open(&self, _: &AttemptRow) -> Result<Opening, Refusal> {
        Ok(Opening { place: 0, durable: None })
    }

    fn close(&self, _: &AttemptRow, _: u32, _: AttemptEnd) {}

    fn tell(&self, record: &CallRecord) {
        assert!(self.0.push(record.clone()).is_ok(), "there is a place for each call");
    }
}

/// An engine with the adapters of an instance that has nothing configured, and one scripted provider.
fn engine() -> (Engine, Script, Arc<Route>) {
    let ports = Ports { ledger: Arc::new(Queue(ArrayQueue::new(256))), ..Ports::open(7) };
    let script = Script::new(Arc::clone(&ports.clock));
    let upstream = Upstream::new("up", Arc::new(script.clone()), UpstreamLimits::default());
    let config = EngineConfig { placement: Placement::Current, ..EngineConfig::default() };
    let engine = Engine::start(config, ports, &mut Registry::default());
    let target = Target { name: "up/m".into(), upstream, model: "m".into(), weight: 1 };
    (engine, script, Arc::new(Route { model: "test-model".into(), targets: vec![target] }))
}

/// The caller's task reads the index itself: the answer is there at the first poll, and nothing was allocated on
/// the whole way from the call to its reply, telling it included.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_hit_allocates_nothing_and_waits_for_nobody() {
    let (engine, script, route) = engine();
    engine.ready().await;
    let ask = Ask::new("asked often").tag("team-a").header("openai-beta", "x");
    let call = || ask.clone().call(Arc::clone(&route), engine.clock().now());
    engine.chat(call()).await.expect("answered by the provider");

    for _ in 0..100 {
        let call = call();
        let mut answer = None;
        let cost = measure(|| answer = engine.chat(call).now_or_never());

        let answered = answer.expect("a hit is ready at once").expect("a hit is an answer");
        assert_eq!(answered.outcome, Outcome::Hit);
        assert!(matches!(answered.body, Body::Kept(_)));
        assert_eq!((cost.count_total, cost.bytes_total), (0, 0), "allocations on the way of a hit");
    }
    assert_eq!(script.asks(), 1);
}

/// The measure itself works: the same way with nothing kept allocates.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_miss_is_seen_by_the_counter() {
    let (engine, _, route) = engine();
    let call = Ask::new("never asked").call(route, engine.clock().now());
    let cost = measure(|| drop(engine.chat(call).now_or_never()));
    assert!(cost.count_total > 0);
}
