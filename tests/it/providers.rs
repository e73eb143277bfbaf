//! Providers against scripted upstreams: what every kind promises, and what each vendor's does.
//!
//! Owns the bench all of these tests stand on: a provider made from configuration, orders, a clock
//! moved by hand.

#![expect(clippy::panic, reason = "helpers of tests fail the way tests do")]

mod anthropic;
mod contract;
mod keys;
mod mock;
mod openai;
mod streams;
mod timeouts;
mod tls;
mod transport;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tidegate::config::{self, Model, ProviderKind, Secret};
use tidegate::providers;
use tidegate_actors::call::{Affecting, CallId, EmbedItem, Form, ForwardWork};
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::key::ItemKind;
use tidegate_actors::key::{BodyDigest, Deny};
use tidegate_actors::ports::clock::{Clock, ClockRef, Sleep, SystemClock, Tick};
use tidegate_actors::ports::provider::{Answer, Events, Fault, Finish, Order, Piece, Provider, Rows, Task};
use tokio::sync::watch;

use crate::upstream::Upstream;

/// Time that stands still until a test moves it.
#[derive(Debug)]
struct HandClock(watch::Sender<u64>);

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(0)))
    }

    fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += u64::try_from(by.as_nanos()).expect("a short test"));
    }
}

impl Clock for HandClock {
    fn now(&self) -> Tick {
        Tick(*self.0.borrow())
    }

    fn unix_us(&self) -> i64 {
        0
    }

    fn sleep_until(&self, at: Tick) -> Sleep {
        let mut now = self.0.subscribe();
        Box::pin(async move {
            if now.wait_for(|now| *now >= at.0).await.is_err() {
                std::future::pending().await
            }
        })
    }
}

fn system_clock() -> ClockRef {
    Arc::new(SystemClock::new())
}

/// The configuration of a provider of this kind at `url`, with one key.
fn config(kind: ProviderKind, url: &str) -> config::Provider {
    let mut config = config::Provider { kind, ..config::Provider::default() };
    if kind != ProviderKind::Mock {
        config.address.base_url = Some(url.to_owned());
        config.credentials.keys = vec![Secret::new("our-key")];
    }
    config
}

fn build(config: &config::Provider, clock: ClockRef) -> Arc<dyn Provider> {
    providers::build("up", config, &BTreeMap::<String, Model>::new(), clock).expect("a usable configuration")
}

/// An OpenAI provider at `upstream`.
fn openai(upstream: &Upstream) -> Arc<dyn Provider> {
    build(&config(ProviderKind::Openai, &format!("{}/v1", upstream.url())), system_clock())
}

fn document(json: &str) -> Arc<Document> {
    let document = Document::parse(Bytes::copy_from_slice(json.as_bytes()), JsonLimits::default());
    Arc::new(document.expect("the test's request is JSON"))
}

fn order(task: Task) -> Order {
    Order {
        call: CallId::fresh(),
        model: "up-model".into(),
        task,
        affecting: Affecting::default(),
        attempt: 1,
    }
}

fn chat(json: &str, form: Form) -> Order {
    order(Task::Generate { door: "openai.chat", document: document(json), form })
}

fn hello(form: Form) -> Order {
    let stream = if form == Form::Stream { r#","stream":true"# } else { "" };
    chat(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hello"}}]{stream}}}"#), form)
}

fn message(json: &str, form: Form) -> Order {
    order(Task::Generate { door: "anthropic.messages", document: document(json), form })
}

fn embed(request: &str, items: &[&str]) -> Order {
    let items = items.iter().map(|json| {
        let item = document(json);
        let tokens = json.starts_with('[');
        EmbedItem {
            json: Bytes::copy_from_slice(json.as_bytes()),
            input: if tokens { ItemKind::Tokens } else { ItemKind::Text },
            digest: BodyDigest::of(item.root(), Deny::NONE),
            tokens: 3,
        }
    });
    order(Task::Embed { document: document(request), items: items.collect() })
}

fn forward(method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Order {
    let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    order(Task::Forward(ForwardWork {
        method: method.into(),
        path: path.into(),
        fields: fields.collect(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }))
}

async fn whole(provider: &Arc<dyn Provider>, order: Order) -> (Bytes, Finish) {
    match provider.ask(order).await {
        Ok(Answer::Whole { body, finish }) => (body, finish),
        other => panic!("a whole answer was expected, not {other:?}"),
    }
}

async fn fault(provider: &Arc<dyn Provider>, order: Order) -> Fault {
    match provider.ask(order).await {
        Err(fault) => fault,
        Ok(answer) => panic!("a fault was expected, not {answer:?}"),
    }
}

async fn events(provider: &Arc<dyn Provider>, order: Order) -> Events {
    match provider.ask(order).await {
        Ok(Answer::Events(events)) => events,
        other => panic!("events were expected, not {other:?}"),
    }
}

async fn rows(provider: &Arc<dyn Provider>, order: Order) -> Rows {
    match provider.ask(order).await {
        Ok(Answer::Rows(rows)) => rows,
        other => panic!("rows were expected, not {other:?}"),
    }
}

async fn next_data(events: &mut Events) -> String {
    match events.next().await {
        Some(Ok(Piece::Data(bytes))) => {
            String::from_utf8(bytes.to_vec()).expect("events of these tests are text")
        }
        other => panic!("data was expected, not {other:?}"),
    }
}

/// Everything a stream tells, and how it ends.
async fn told(mut events: Events) -> (Vec<Bytes>, Result<Finish, Fault>) {
    let mut told = Vec::new();
    let end = loop {
        match events.next().await {
            Some(Ok(Piece::Data(bytes))) => told.push(bytes),
            Some(Ok(Piece::End(finish))) => break Ok(finish),
            Some(Err(fault)) => break Err(fault),
            None => panic!("a stream must say how it ends, after {told:?}"),
        }
    };
    assert!(events.next().await.is_none(), "nothing follows the end");
    (told, end)
}

/// The one row of text each in the form of the vendor, in the order of `order`.
fn embeddings(rows: &[(usize, &str)]) -> String {
    let rows = rows
        .iter()
        .map(|(index, vector)| format!(r#"{{"object":"embedding","index":{index},"embedding":{vector}}}"#));
    let rows = rows.collect::<Vec<_>>().join(",");
    format!(
        r#"{{"object":"list","data":[{rows}],"model":"em","usage":{{"prompt_tokens":7,"total_tokens":7}}}}"#
    )
}

const COMPLETION: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"real",  "choices":[{"index":0,"message":{"role":"assistant","content":"hi","reasoning_content":"\u00e4"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"x":1.10},"odd":[1,2.50,{"deep":null}]}"#;

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real\",\"obfuscation\":\"xx\",  \"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

const USAGE: &str = "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":3}}}\n\n";
const DONE: &str = "data: [DONE]\n\n";
