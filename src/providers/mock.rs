//! The built-in mock: answers made from the input alone, so that everything can be tried without a key.
//!
//! Owns how long an answer takes and which requests fail by script; the words, the vectors and the
//! vendors' forms are in `mock/`. The same input always gives the same bytes. Calls nobody.

mod chat;
mod made;
mod messages;
mod schema;
mod script;
mod text;
mod vectors;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tidegate_actors::Form;
use tidegate_actors::call::{EmbedItem, ForwardWork};
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::ports::clock::{ClockRef, Tick};
use tidegate_actors::ports::provider::{
    Answer, Events, Fault, FaultKind, Finish, Order, Piece, Provider, ProviderFuture, Rows, Task, Usage,
};

use crate::config;
use crate::dialect::error;
use made::{Frame, Made, Refused};
use script::{Script, Turn};

/// Numbers of a vector a request may ask for.
const MOST_DIMENSIONS: u64 = 65_536;

/// The provider of kind `mock`.
pub(super) struct Mock {
    inner: Arc<Inner>,
}

struct Inner {
    config: config::Mock,
    script: Script,
    clock: ClockRef,
}

impl Mock {
    pub(super) fn new(config: &config::Provider, clock: ClockRef) -> Self {
        let config = config.mock.clone();
        let script = Script::new(config.error_script.clone());
        Self { inner: Arc::new(Inner { config, script, clock }) }
    }
}

impl Provider for Mock {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.answer(order).await })
    }
}

impl Inner {
    async fn answer(self: Arc<Self>, order: Order) -> Result<Answer, Fault> {
        let turn = self.script.turn();
        let start = self.clock.now().plus_ms(self.config.delay_ms);
        if self.config.delay_ms > 0 {
            self.clock.sleep_until(start).await;
        }
        if let Turn::Fails { status, retry_after } = turn {
            return Err(scripted(&order.task, status, retry_after));
        }
        match &order.task {
            Task::Generate { door, document, form } => {
                let made = generate(door, document, &order.model, *form)?;
                self.told(made, turn, start).await
            }
            Task::Embed { .. } | Task::Forward(_) if turn != Turn::Succeeds => Err(broke_off()),
            Task::Embed { document, items } => self.embed(document, items, &order.model),
            Task::Forward(work) => Ok(forward(work)),
        }
    }

    /// The answer at the configured speed, cut where the script says so.
    async fn told(self: Arc<Self>, made: Made, turn: Turn, start: Tick) -> Result<Answer, Fault> {
        match made {
            Made::Whole { .. } if turn != Turn::Succeeds => Err(broke_off()),
            Made::Whole { body, finish } => {
                let tokens = finish.usage.map_or(0, |usage| usage.output);
                if let Some(until) = self.said_by(start, tokens) {
                    self.clock.sleep_until(until).await;
                }
                Ok(Answer::Whole { body, finish })
            }
            Made::Frames { frames, finish } => Ok(Answer::Events(self.events(frames, finish, turn, start))),
        }
    }

    fn events(self: Arc<Self>, frames: Vec<Frame>, finish: Finish, turn: Turn, start: Tick) -> Events {
        let cut = if let Turn::CutAfter(events) = turn { Some(events as usize) } else { None };
        let most = cut.unwrap_or(usize::MAX);
        let last = match cut {
            None => Ok(Piece::End(finish)),
            Some(_) => Err(Fault::new(
                FaultKind::Cut,
                "the stream broke off, as planned (error_script of the mock provider)",
            )),
        };
        let mut tokens = 0;
        let timed = frames.into_iter().take(most).map(move |frame| {
            tokens += u64::from(frame.tokens);
            (Ok(Piece::Data(frame.raw)), tokens)
        });
        let pieces = stream::iter(timed.chain([(last, 0)])).then(move |(piece, tokens)| {
            let inner = Arc::clone(&self);
            async move {
                if let Some(until) = inner.said_by(start, tokens) {
                    inner.clock.sleep_until(until).await;
                }
                piece
            }
        });
        Box::pin(pieces)
    }

    /// When so many tokens have been said; `None` for at once.
    fn said_by(&self, start: Tick, tokens: u64) -> Option<Tick> {
        let speed = self.config.tokens_per_s.filter(|_| tokens > 0)?;
        let taken = Duration::try_from_secs_f64(tokens as f64 / speed).ok()?;
        Some(start.plus(taken))
    }

    fn embed(&self, document: &Document, items: &[EmbedItem], model: &Arc<str>) -> Result<Answer, Fault> {
        let asked = document.root().get("dimensions").filter(|asked| !asked.is_null());
        let dimensions = match asked.map(|asked| asked.as_u64()) {
            None => self.config.dimensions,
            Some(Some(asked @ 1..=MOST_DIMENSIONS)) => asked as usize,
            Some(_) => {
                let refused = Refused::field("dimensions", "dimensions must be a number from 1 to 65536");
                return Err(refusal("openai", refused));
            }
        };
        let vectors = items.iter().map(|item| {
            let item = Document::parse(item.json.clone(), JsonLimits::default());
            let item = item.map_err(|fault| Fault::broken(None, format!("an item is not JSON: {fault}")))?;
            Ok(vectors::embed(item.root(), dimensions))
        });
        let vectors = vectors.collect::<Result<Vec<_>, Fault>>()?;
        let input = items.iter().map(|item| u64::from(item.tokens)).sum();
        let usage = Some(Usage { input, ..Usage::default() });
        Ok(Answer::Rows(Rows { vectors, usage, model: Arc::clone(model) }))
    }
}

fn generate(door: &str, document: &Document, model: &str, form: Form) -> Result<Made, Fault> {
    match door {
        "openai.chat" => chat::answer(document, model, form).map_err(|refused| refusal(door, refused)),
        "anthropic.messages" => {
            messages::answer(document, model, form).map_err(|refused| refusal(door, refused))
        }
        _ => Err(super::foreign_door("mock", door)),
    }
}

/// Answers what it can make up, and says of the rest that it does not exist.
fn forward(work: &ForwardWork) -> Answer {
    let path = work.path.split('?').next().unwrap_or_default();
    let (status, body) = match (&*work.method, path) {
        ("POST", "/messages/count_tokens") => match Document::parse(work.body.clone(), JsonLimits::default())
        {
            Ok(document) => match messages::count(&document) {
                Ok(body) => (200, body.into_bytes()),
                Err(refused) => (400, error::anthropic("invalid_request_error", refused.message, None)),
            },
            Err(fault) => (400, error::anthropic("invalid_request_error", &fault.to_string(), None)),
        },
        (method, path) => {
            let message = format!("the mock provider has no {method} {path}");
            (404, error::openai(&message, "not_found_error", None, Some("unknown_url")))
        }
    };
    let pieces = [Ok(Piece::Data(Bytes::from(body))), Ok(Piece::End(Finish::default()))];
    let fields = vec![("content-type".into(), "application/json".into())];
    Answer::Passed { status, fields, body: Box::pin(stream::iter(pieces)) }
}

fn refusal(door: &str, refused: Refused) -> Fault {
    let body = if door.starts_with("anthropic") {
        error::anthropic("invalid_request_error", refused.message, None)
    } else {
        error::openai(refused.message, "invalid_request_error", Some(refused.param), Some("invalid_value"))
    };
    Fault::new(FaultKind::Rejected { status: 400 }, format!("answered 400: {}", refused.message))
        .with_body(body.into())
}

/// The failure of a planned status, by the same table as a real one.
fn scripted(task: &Task, status: u16, wait: Option<Duration>) -> Fault {
    const SAID: &str = "this failure was planned (error_script of the mock provider)";
    let anthropic = matches!(task, Task::Generate { door, .. } if door.starts_with("anthropic"));
    let body = if anthropic {
        error::anthropic(error::anthropic_type(status), SAID, None)
    } else {
        error::openai(SAID, error::openai_type(status), None, Some("mock_error_script"))
    };
    super::verdict::fault_of_status(status, body.into(), wait)
}

fn broke_off() -> Fault {
    Fault::broken(None, "the answer broke off, as planned (error_script of the mock provider)")
}
