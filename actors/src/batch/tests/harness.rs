//! An engine of its own for each test, in front of an upstream whose vectors follow from the text alone.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use xxhash_rust::xxh3::xxh3_64;

use crate::cache::Kept;
use crate::call::{CacheWish, Call, CallId, Deadline, EmbedItem, EmbedWork, Form, Memory, WorkspaceId};
use crate::engine::{Engine, EngineConfig, Placement, Ports};
use crate::json::{Document, JsonLimits};
use crate::key::{BodyDigest, Deny, ItemKind};
use crate::pipeline::Embedded;
use crate::ports::provider::{
    Answer, Fault, FaultKind, Order, Provider, ProviderFuture, Rows, Task, Usage, Vector,
};
use crate::route::{Route, Target};
use crate::sites::Sites;
use crate::upstream::{RetryRules, Upstream, UpstreamLimits};

thread_local! {
    /// A test has a thread of its own, may make several worlds, and can stop its time only once.
    static FROZEN: Cell<bool> = const { Cell::new(false) };
}

/// How one answer differs from a good one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Twist {
    None,
    OneShort,
    NotFinite,
    Broken,
    Busy,
}

/// An upstream that keeps what it was asked, answers when let, and rejects any text with `poison` in it.
#[derive(Debug)]
pub(super) struct Scripted {
    pub(super) asks: Mutex<Vec<Vec<String>>>,
    /// Texts that were given a vector, in the order in which they were.
    pub(super) answered: Mutex<Vec<String>>,
    pub(super) twists: Mutex<VecDeque<Twist>>,
    pub(super) gate: Semaphore,
    pub(super) cancelled: AtomicUsize,
    /// Bills a word a token instead of two tokens a character.
    pub(super) counts_words: AtomicBool,
    /// Vectors of another model differ in every number.
    flavour: u64,
}

impl Scripted {
    fn new(flavour: u64) -> Arc<Self> {
        Arc::new(Self {
            asks: Mutex::default(),
            answered: Mutex::default(),
            twists: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS / 2),
            cancelled: AtomicUsize::new(0),
            counts_words: AtomicBool::new(false),
            flavour,
        })
    }

    /// Answers nothing until [`Self::release`].
    pub(super) fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(super) fn release(&self) {
        self.gate.add_permits(10_000);
    }

    pub(super) fn twist(&self, twists: &[Twist]) {
        self.twists.lock().extend(twists);
    }

    pub(super) fn asked(&self) -> Vec<Vec<String>> {
        self.asks.lock().clone()
    }

    fn answer(&self, items: &[EmbedItem], twist: Twist) -> Result<Answer, Fault> {
        if items.iter().any(|item| text_of(item).contains("poison")) {
            let body = Bytes::from_static(br#"{"error":{"message":"input[0] is not allowed"}}"#);
            return Err(Fault::new(FaultKind::Rejected { status: 400 }, "not allowed").with_body(body));
        }
        let mut vectors: Vec<Vector> =
            items.iter().map(|item| vector(&text_of(item), self.flavour)).collect();
        match twist {
            Twist::None => {}
            Twist::OneShort => drop(vectors.pop()),
            Twist::NotFinite => vectors[0].bits = Bytes::from(f32::NAN.to_le_bytes().repeat(4)),
            Twist::Broken => return Err(Fault::broken(Some(500), "it broke")),
            Twist::Busy => return Err(Fault::new(FaultKind::Busy { status: 429 }, "busy")),
        }
        self.answered.lock().extend(items.iter().map(text_of));
        let input = match self.counts_words.load(Ordering::SeqCst) {
            true => items.iter().map(|item| text_of(item).split(' ').count() as u64).sum(),
            false => items.iter().map(|item| u64::from(item.tokens)).sum::<u64>() * 2,
        };
        let usage = Some(Usage { input, ..Usage::default() });
        Ok(Answer::Rows(Rows { vectors, usage, model: "model-as-answered".into() }))
    }
}

/// Counts requests whose future was dropped.
struct Underway<'a>(&'a Scripted, bool);

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.cancelled.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The provider port in front of a shared script.
struct Door(Arc<Scripted>);

impl Provider for Door {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let script = Arc::clone(&self.0);
        Box::pin(async move {
            let Task::Embed { items, .. } = order.task else { panic!("only vectors are asked here") };
            let twist = script.twists.lock().pop_front().unwrap_or(Twist::None);
            script.asks.lock().push(items.iter().map(text_of).collect());
            let mut underway = Underway(&script, false);
            script.gate.acquire().await.expect("never closed").forget();
            underway.1 = true;
            script.answer(&items, twist)
        })
    }
}

fn text_of(item: &EmbedItem) -> String {
    let json = std::str::from_utf8(&item.json).expect("JSON is text");
    json.trim_matches('"').to_owned()
}

/// The vector of a text: four floats from its hash.
pub(super) fn vector(text: &str, flavour: u64) -> Vector {
    let hash = xxh3_64(text.as_bytes()) ^ flavour;
    let floats: Vec<f32> = (0..4).map(|place| f32::from((hash >> (16 * place)) as u16) / 65_536.0).collect();
    let bits: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
    Vector { text: Bytes::from(format!("{floats:?}")), bits: Bytes::from(bits) }
}

/// One engine, its upstreams, and the model they answer.
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) up: Arc<Scripted>,
    pub(super) spare: Arc<Scripted>,
    route: Arc<Route>,
}

impl World {
    pub(super) fn new(change: impl FnOnce(&mut EngineConfig)) -> Self {
        Self::with(change, Sites::default())
    }

    pub(super) fn with(change: impl FnOnce(&mut EngineConfig), sites: Sites) -> Self {
        let mut config = EngineConfig { placement: Placement::Current, ..EngineConfig::default() };
        config.supervise.backoff_ms = 1;
        change(&mut config);
        if config.placement == Placement::Current {
            FROZEN.with(|frozen| {
                if !frozen.replace(true) {
                    tokio::time::pause()
                }
            });
        }
        let engine = Engine::start_with(config, Ports::open(1), &mut Registry::default(), sites);
        let (up, spare) = (Scripted::new(0), Scripted::new(u64::MAX));
        let retry = RetryRules { retries: 0, ..RetryRules::default() };
        let limits = UpstreamLimits { retry, ..UpstreamLimits::default() };
        let target = |name: &str, script: &Arc<Scripted>, weight| Target {
            name: format!("{name}/m").into(),
            upstream: Upstream::new(name, Arc::new(Door(Arc::clone(script))), limits),
            model: "m".into(),
            weight,
        };
        let targets = vec![target("up", &up, 1_000_000_000), target("spare", &spare, 1)];
        let route = Arc::new(Route { model: "m".into(), targets });
        Self { engine, up, spare, route }
    }

    pub(super) fn call(&self, workspace: &str, texts: &[&str]) -> Call<EmbedWork> {
        let quoted: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
        let body = format!(r#"{{"model":"m","input":[{}]}}"#, quoted.join(","));
        let document = Document::parse(Bytes::from(body), JsonLimits::default()).expect("valid JSON");
        let others = BodyDigest::of(document.root(), Deny::EMBED);
        let input = document.root().get("input").expect("it is there");
        let item = |node: crate::json::Node<'_>| EmbedItem {
            json: node.raw_bytes(),
            input: ItemKind::Text,
            digest: others.item(ItemKind::Text, node),
            tokens: node.len() as u32,
        };
        let items = input.elements().map(item).collect();
        Call {
            id: CallId::fresh(),
            workspace: WorkspaceId::new(workspace),
            credential: 0,
            door: "openai.embeddings",
            model: "m".into(),
            route: Arc::clone(&self.route),
            work: EmbedWork { document: Arc::new(document), others, items },
            form: Form::Whole,
            memory: Memory::Use(CacheWish::default()),
            affecting: Default::default(),
            tags: Default::default(),
            deadline: Deadline::within_ms(self.engine.clock().now(), 86_400_000),
            client_attempt: None,
        }
    }

    /// Embeds in the background.
    pub(super) fn spawn(&self, call: Call<EmbedWork>) -> tokio::task::JoinHandle<Told> {
        let engine = self.engine.clone();
        tokio::task::spawn_local(async move { engine.embed(call).await })
    }

    pub(super) async fn embed(&self, texts: &[&str]) -> Told {
        self.engine.embed(self.call("default", texts)).await
    }

    /// Lets every task run until all of them wait.
    pub(super) async fn settle(&self) {
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
    }

    /// Everything came home: no row, no batch, no slot, no operation is left.
    pub(super) async fn assert_quiet(&self) {
        self.settle().await;
        let reading = self.engine.read();
        assert_eq!(reading.rows_waiting.0, 0, "rows wait");
        assert_eq!(reading.active_operations, 0, "operations are in progress");
        for lane in &reading.lanes {
            assert_eq!((lane.depth, lane.in_flight), (0, 0), "lane {:?}", lane.id);
        }
        for batcher in &reading.batchers {
            assert_eq!((batcher.waiting, batcher.in_air, batcher.batches), (0, 0, 0), "{batcher:?}");
        }
    }
}

pub(super) type Told = Result<Embedded, crate::error::CallError>;

/// Each row is the vector of its text.
pub(super) fn assert_vectors(embedded: &Embedded, texts: &[&str]) {
    assert_flavour(embedded, texts, 0);
}

pub(super) fn assert_flavour(embedded: &Embedded, texts: &[&str], flavour: u64) {
    assert_eq!(embedded.rows.len(), texts.len());
    for (row, text) in embedded.rows.iter().zip(texts) {
        let Kept::Row { vector: got, model } = &row.kept else { panic!("not a vector: {row:?}") };
        assert_eq!(*got, vector(text, flavour), "the vector of {text}");
        assert_eq!(&**model, "model-as-answered");
    }
}
