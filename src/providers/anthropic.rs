//! Anthropic's Messages, in their native form.
//!
//! Owns the vendor's fields and what its events mean for the end of an answer. Token counts and
//! everything else it offers are passed through.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tidegate_actors::Form;
use tidegate_actors::json::Document;
use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::ports::provider::{Answer, Fault, Finish, Order, Provider, ProviderFuture, Task, Usage};

use super::http::Reply;
use super::quirks::QuirkTable;
use super::remote::Remote;
use super::reply::{affecting, error_in, parse, stream, usage};
use super::sse_stream::{Reader, Seen};
use super::{forward, verdict};
use crate::config;
use crate::dialect::anthropic::{Event, Message, stop_is_complete};
use crate::dialect::sse::Frame;

/// The door whose form this vendor speaks.
const MESSAGES: &str = "anthropic.messages";
/// Fields of a caller that change the answer and mean something to this vendor.
const AFFECTING: [&str; 2] = ["anthropic-version", "anthropic-beta"];
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// The version of callers that name none.
const DEFAULT_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// A provider of kind `anthropic`.
pub(super) struct Anthropic {
    inner: Arc<Inner>,
}

struct Inner {
    remote: Remote,
    quirks: QuirkTable,
}

impl Anthropic {
    /// # Errors
    /// One line for people.
    pub(super) fn new(
        config: &config::Provider,
        quirks: QuirkTable,
        clock: ClockRef,
    ) -> Result<Self, String> {
        Ok(Self { inner: Arc::new(Inner { remote: Remote::new(config, clock)?, quirks }) })
    }
}

impl Provider for Anthropic {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let mut fields = affecting(&order.affecting, &AFFECTING)?;
            fields.entry(VERSION).or_insert(DEFAULT_VERSION);
            match &order.task {
                Task::Generate { door: MESSAGES, document, form } => {
                    inner.message(document, &order.model, *form, fields).await
                }
                Task::Generate { door, .. } => Err(super::foreign_door("anthropic", door)),
                Task::Embed { .. } => Err(super::foreign_door("anthropic", "openai.embed")),
                // Boxed: a message need not carry its state.
                Task::Forward(work) => {
                    Box::pin(forward::forward(&inner.remote, work, &order.model, fields)).await
                }
            }
        })
    }
}

impl Inner {
    async fn message(
        &self,
        document: &Document,
        model: &str,
        form: Form,
        more: HeaderMap,
    ) -> Result<Answer, Fault> {
        let streams = document.root().get("stream").is_some_and(|stream| stream.as_bool() == Some(true));
        let changes = self.quirks.edit(document, model);
        let changes = match (form, streams) {
            (Form::Whole, true) => changes.with(|edit| edit.set("stream", "false")),
            (Form::Stream, false) => changes.with(|edit| edit.set("stream", "true")),
            _ => changes,
        };
        let body = changes.apply(document);
        let reply = self.remote.post("/messages", model, (form, more), body).await?;
        match form {
            Form::Whole => whole(reply).await,
            Form::Stream => stream(reply, self.remote.max_line_bytes, MessageReader::default()).await,
        }
    }
}

async fn whole(reply: Reply) -> Result<Answer, Fault> {
    let status = reply.status;
    let body = reply.body.whole().await?;
    let parsed = parse(&body).ok_or_else(|| verdict::nonsense(status, &body, "JSON"))?;
    let Some(message) = Message::read(parsed.root()) else {
        return Err(match error_in(&parsed) {
            Some(error) => verdict::fault_in_band(&error, body),
            None => {
                Fault::broken(Some(status.as_u16()), format!("answered {} without content", status.as_u16()))
            }
        });
    };
    let finish = Finish {
        complete: message.complete && message.says_something,
        cut: !message.complete,
        usage: message.usage.map(usage),
    };
    Ok(Answer::Whole { body, finish })
}

/// Reads the events of one message.
#[derive(Default)]
struct MessageReader {
    says_something: bool,
    stopped: bool,
    cut: bool,
    usage: Option<Usage>,
}

impl MessageReader {
    fn finish(&self) -> Finish {
        Finish {
            complete: self.stopped && !self.cut && self.says_something,
            cut: self.cut,
            usage: self.usage,
        }
    }
}

impl Reader for MessageReader {
    fn read(&mut self, _: &Frame, data: &Bytes) -> Result<Seen, Fault> {
        match Event::read(data).map_err(|fault| super::reply::not_json(&fault))? {
            Event::Start(counted) => self.usage = counted.map(usage),
            Event::Content { says_something } => self.says_something |= says_something,
            Event::Delta { stop_reason, output } => {
                self.stopped |= stop_reason.is_some();
                self.cut |= stop_reason.is_some_and(|reason| !stop_is_complete(&reason));
                if let Some(output) = output {
                    self.usage = Some(Usage { output, ..self.usage.unwrap_or_default() });
                }
            }
            Event::Stop => return Ok(Seen::Last(self.finish())),
            Event::Error(error) => return Err(verdict::fault_in_band(&error, data.clone())),
            Event::Other => {}
        }
        Ok(Seen::Tell)
    }

    /// Clients wait for the last event: without it the answer was cut, whatever it had said.
    fn closed(&self) -> Option<Finish> {
        None
    }
}
