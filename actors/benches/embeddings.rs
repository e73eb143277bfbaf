//! What batching gains and costs against an upstream that takes 5 ms and 0.1 ms an item, in process.
//!
//! Saturated: items/s with the same upstream slots, batched and not. Open loop: one new text each millisecond,
//! whether or not earlier ones are answered, against a call that is alone. Ratios of one run; the floor of
//! each is printed beside it and decides how the program ends.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::registry::Registry;
use tidegate_actors::call::{CacheWish, Deadline, EmbedItem, EmbedWork, Memory};
use tidegate_actors::engine::Ports;
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::key::{BodyDigest, Deny, ItemKind};
use tidegate_actors::ports::clock::{Clock, SystemClock};
use tidegate_actors::ports::provider::{
    Answer, Fault, Order, Provider, ProviderFuture, Rows, Task, Usage, Vector,
};
use tidegate_actors::route::{Route, Target};
use tidegate_actors::{Call, CallId, Engine, EngineConfig, Form, Upstream, UpstreamLimits, WorkspaceId};

const SLOTS: usize = 2;
const CLIENTS: usize = 512;
const SATURATED: Duration = Duration::from_secs(3);
const OPEN_LOOP_ITEMS: u64 = 3_000;

/// Takes 5 ms and 0.1 ms an item.
struct Slow;

impl Provider for Slow {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        Box::pin(async move {
            let Task::Embed { items, .. } = order.task else {
                return Err(Fault::broken(None, "only vectors are asked here"));
            };
            tokio::time::sleep(Duration::from_micros(5_000 + 100 * items.len() as u64)).await;
            let bits = Bytes::from(0.5_f32.to_le_bytes().repeat(8));
            let vector = Vector { text: Bytes::from_static(b"[0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5]"), bits };
            let usage = Some(Usage { input: items.len() as u64, ..Usage::default() });
            Ok(Answer::Rows(Rows { vectors: vec![vector; items.len()], usage, model: "m".into() }))
        })
    }
}

/// An engine in front of [`Slow`], and a source of texts nobody asked before.
struct Bench {
    engine: Engine,
    clock: SystemClock,
    route: Arc<Route>,
    texts: AtomicU64,
}

impl Bench {
    fn new(mix_calls: bool) -> Arc<Self> {
        let mut config = EngineConfig { max_concurrency: 2 * SLOTS, ..EngineConfig::default() };
        config.batch.mix_calls = mix_calls;
        config.batch.in_flight_batches = SLOTS;
        let engine = Engine::start(config, Ports::open(1), &mut Registry::default());
        let upstream = Upstream::new("slow", Arc::new(Slow), UpstreamLimits::default());
        let target = Target { name: "slow/m".into(), upstream, model: "m".into(), weight: 1 };
        let route = Arc::new(Route { model: "m".into(), targets: vec![target] });
        Arc::new(Self { engine, clock: SystemClock::new(), route, texts: AtomicU64::new(0) })
    }

    fn call(&self) -> Call<EmbedWork> {
        let text = self.texts.fetch_add(1, Ordering::Relaxed);
        let body = format!(r#"{{"model":"m","input":"text {text}"}}"#);
        let document = Document::parse(Bytes::from(body), JsonLimits::default()).expect("valid JSON");
        let others = BodyDigest::of(document.root(), Deny::EMBED);
        let node = document.root().get("input").expect("it is there");
        let digest = others.item(ItemKind::Text, node);
        let item = EmbedItem { json: node.raw_bytes(), input: ItemKind::Text, digest, tokens: 2 };
        Call {
            id: CallId::fresh(),
            workspace: WorkspaceId::default_workspace(),
            credential: 0,
            door: "openai.embeddings",
            model: "m".into(),
            route: Arc::clone(&self.route),
            work: EmbedWork { document: Arc::new(document), others, items: vec![item] },
            form: Form::Whole,
            memory: Memory::Use(CacheWish::default()),
            affecting: Default::default(),
            tags: Default::default(),
            deadline: Deadline::within_ms(self.engine.clock().now(), 600_000),
            client_attempt: None,
        }
    }

    /// How long one call takes.
    async fn timed(&self) -> Duration {
        let start = self.clock.now();
        let told = self.engine.embed(self.call()).await;
        told.expect("the upstream answers everything");
        self.clock.now().since(start)
    }

    /// Items a second, as fast as closed-loop clients can ask.
    async fn saturated(self: &Arc<Self>) -> f64 {
        let start = self.clock.now();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let bench = Arc::clone(self);
                actix_rt::spawn(async move {
                    let mut answered = 0_u64;
                    while bench.clock.now().since(start) < SATURATED {
                        bench.timed().await;
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        let mut items = 0;
        for client in clients {
            items += client.await.expect("no panic");
        }
        items as f64 / self.clock.now().since(start).as_secs_f64()
    }

    /// Sorted latencies of a new text each millisecond, counted from the moment it was due.
    async fn open_loop(self: &Arc<Self>) -> Vec<Duration> {
        let start = self.clock.now();
        let mut calls = Vec::new();
        for item in 0..OPEN_LOOP_ITEMS {
            let due = start.plus_ms(item);
            self.clock.sleep_until(due).await;
            let bench = Arc::clone(self);
            calls.push(actix_rt::spawn(async move {
                bench.timed().await;
                bench.clock.now().since(due)
            }));
        }
        let mut took = Vec::new();
        for call in calls {
            took.push(call.await.expect("no panic"));
        }
        took.sort_unstable();
        took
    }

    /// Sorted latencies of calls one after the other.
    async fn alone(&self) -> Vec<Duration> {
        let mut took = Vec::new();
        for _ in 0..100 {
            took.push(self.timed().await);
        }
        took.sort_unstable();
        took
    }
}

fn at(sorted: &[Duration], per_mille: usize) -> f64 {
    sorted[(sorted.len() - 1) * per_mille / 1_000].as_secs_f64() * 1e3
}

#[expect(clippy::print_stdout, reason = "a bench prints its table")]
async fn run() -> bool {
    let (batched, unbatched) = (Bench::new(true), Bench::new(false));
    let (fast, slow) = (batched.saturated().await, unbatched.saturated().await);
    let (alone, open) = (batched.alone().await, batched.open_loop().await);
    let (gain, cost) = (fast / slow, at(&open, 500) / at(&alone, 500));
    println!("upstream: 5 ms + 0.1 ms an item, {SLOTS} requests at once, {CLIENTS} clients");
    println!("saturated, unbatched   {slow:>9.0} items/s");
    println!("saturated, batched     {fast:>9.0} items/s   {gain:.1}x (floor 20x)");
    println!("one call alone         p50 {:.2} ms, p99 {:.2} ms", at(&alone, 500), at(&alone, 990));
    println!(
        "open loop, 1,000/s     p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms   p50 {cost:.2}x of alone (ceiling 2x)",
        at(&open, 500),
        at(&open, 990),
        at(&open, 999)
    );
    gain >= 20.0 && cost <= 2.0
}

fn main() -> ExitCode {
    // Built as a test it measures nothing: `cargo bench` says so by this word.
    if !std::env::args().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    if actix_rt::System::new().block_on(run()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
