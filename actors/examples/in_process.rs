//! The engine inside a program of one's own, without HTTP: `cargo run -p tidegate-actors --example in_process`.
//!
//! A provider that takes half a second is asked by a hundred callers at once, and once more afterwards.

use std::{error::Error, sync::Arc, time::Duration};

use futures_util::future::join_all;
use prometheus_client::registry::Registry;
use tidegate_actors::call::Deadline;
use tidegate_actors::engine::{EngineConfig, Ports};
use tidegate_actors::ports::provider::{Answer, Fault, Finish, Order, Provider, ProviderFuture};
use tidegate_actors::route::{Route, Target};
use tidegate_actors::{Call, Engine, Upstream, UpstreamLimits};

struct Slow;

impl Provider for Slow {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let body = format!("the answer of {} to {}", order.model, order.call).into();
            Ok(Answer::Whole { body, finish: Finish { complete: true, ..Finish::default() } })
        })
    }
}

#[expect(clippy::print_stdout, reason = "an example shows what happened")]
#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::start(EngineConfig::default(), Ports::open(1), &mut Registry::default());
    engine.ready().await;
    let upstream = Upstream::new("slow", Arc::new(Slow), UpstreamLimits::default());
    let target = Target { name: "slow/small".into(), upstream, model: "small".into(), weight: 1 };
    let route = Arc::new(Route { model: "answers".into(), targets: vec![target] });
    let ask = || {
        let deadline = Deadline::within_ms(engine.clock().now(), 5_000);
        Call::chat(&route, r#"{"temperature":0,"messages":[]}"#.into(), deadline)
            .map(|call| engine.chat(call))
    };
    let together = (0..100).map(|_| ask()).collect::<Result<Vec<_>, _>>()?;
    let joined = join_all(together).await.into_iter().filter_map(Result::ok);
    println!("at once: {:?}", joined.map(|answer| answer.outcome).take(3).collect::<Vec<_>>());
    println!("afterwards: {:?}", ask()?.await?.outcome);
    println!("left behind at shutdown: {}", engine.drain(Duration::from_secs(1)).await);
    Ok(())
}
