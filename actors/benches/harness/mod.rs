//! An engine with nothing configured, before a provider that costs next to nothing.
//!
//! Owns the set-up of the engine's benches; must not measure.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream;
use prometheus_client::registry::Registry;
use tidegate_actors::call::{ChatWork, Deadline, Memory};
use tidegate_actors::engine::{Placement, Ports, RunOn};
use tidegate_actors::ports::provider::{Answer, Fault, Finish, Order, Piece, Provider, ProviderFuture, Task};
use tidegate_actors::route::{Route, Target};
use tidegate_actors::{
    Answered, Body, Call, Engine, EngineConfig, Form, Step, Upstream, UpstreamLimits, WorkspaceId,
};

const FINISH: Finish = Finish { complete: true, cut: false, usage: None };

/// Answers with 1.2 KB, or with 64 events; after 50 ms if the request says `slow`.
#[derive(Default)]
struct Stub {
    asks: AtomicUsize,
}

impl Provider for Stub {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        self.asks.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let Task::Generate { document, form, .. } = order.task else {
                return Err(Fault::broken(None, "only chat is measured here"));
            };
            if document.root().get("slow").is_some() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok(match form {
                Form::Whole => Answer::Whole { body: Bytes::from(vec![b'x'; 1_200]), finish: FINISH },
                Form::Stream => {
                    let event = Bytes::from_static(b"data: {\"delta\":\"a word or two\"}\n\n");
                    let events = (0..64).map(move |_| Ok(Piece::Data(event.clone())));
                    Answer::Events(Box::pin(stream::iter(events.chain([Ok(Piece::End(FINISH))]))))
                }
            })
        })
    }
}

/// An engine to be measured.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    route: Arc<Route>,
    stub: Arc<Stub>,
    next: AtomicUsize,
}

impl Bench {
    pub(crate) async fn start(placement: Placement, run_on: RunOn) -> Self {
        let config = EngineConfig { placement, run_on, ..EngineConfig::default() };
        let engine = Engine::start(config, Ports::open(7), &mut Registry::default());
        engine.ready().await;
        let stub = Arc::new(Stub::default());
        let upstream = Upstream::new("stub", Arc::clone(&stub) as _, UpstreamLimits::default());
        let target = Target { name: "stub/m".into(), upstream, model: "m".into(), weight: 1 };
        let route = Arc::new(Route { model: "m".into(), targets: vec![target] });
        Self { engine, route, stub, next: AtomicUsize::new(0) }
    }

    pub(crate) fn call(&self, text: &str) -> Call<ChatWork> {
        let body =
            format!(r#"{{"temperature":0,"{text}":1,"messages":[{{"role":"user","content":"{text}"}}]}}"#);
        let deadline = Deadline::within_ms(self.engine.clock().now(), 60_000);
        Call::chat(&self.route, body.into(), deadline).expect("the body is JSON")
    }

    pub(crate) async fn ask(&self, text: &str) -> Answered {
        self.engine.chat(self.call(text)).await.expect("the stub answers")
    }

    /// Neither looked up nor joined nor kept: lane and flight alone.
    pub(crate) async fn ask_alone(&self, text: &str) -> bool {
        let call = Call { memory: Memory::Bypass("off"), ..self.call(text) };
        self.engine.chat(call).await.is_ok()
    }

    /// The same, by this workspace, at an upstream that takes 50 ms.
    pub(crate) async fn ask_slowly(&self, workspace: &str) -> bool {
        let slow = self.fresh_slow(1).into_iter().map(|call| {
            self.engine.chat(Call {
                workspace: WorkspaceId::new(workspace),
                memory: Memory::Bypass("off"),
                ..call
            })
        });
        join_all(slow).await.iter().all(Result::is_ok)
    }

    /// Calls that all ask the same, which nobody asked before.
    pub(crate) fn fresh_streams(&self, callers: usize) -> Vec<Call<ChatWork>> {
        let text = format!("stream {}", self.next.fetch_add(1, Ordering::Relaxed));
        (0..callers).map(|_| Call { form: Form::Stream, ..self.call(&text) }).collect()
    }

    /// The same, at an upstream that takes 50 ms.
    pub(crate) fn fresh_slow(&self, callers: usize) -> Vec<Call<ChatWork>> {
        let seed = self.next.fetch_add(1, Ordering::Relaxed);
        let body = Bytes::from(format!(r#"{{"temperature":0,"seed":{seed},"slow":true,"messages":[]}}"#));
        let deadline = Deadline::within_ms(self.engine.clock().now(), 60_000);
        let call = || Call::chat(&self.route, body.clone(), deadline).expect("the body is JSON");
        (0..callers).map(|_| call()).collect()
    }

    pub(crate) fn asks(&self) -> usize {
        self.stub.asks.load(Ordering::Relaxed)
    }
}

/// Hears an answer to its end; gives the pieces heard.
pub(crate) async fn hear(engine: &Engine, call: Call<ChatWork>) -> usize {
    let answered = engine.chat(call).await.expect("the stub answers");
    let Body::Live { mut telling, .. } = answered.body else { return 1 };
    let mut pieces = 0;
    while let Step::Piece(_) = telling.step().await {
        pieces += 1;
    }
    pieces
}
