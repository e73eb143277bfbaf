//! OpenAI, and everything that speaks its wire format.
//!
//! Owns the three ways to ask: a completion, vectors, a request passed through. What the fields of
//! the format mean is in `dialect/`; addresses and credentials are in `remote.rs`.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::HeaderMap;
use tidegate_actors::Form;
use tidegate_actors::call::EmbedItem;
use tidegate_actors::json::{Document, Edit, Node};
use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::ports::provider::{
    Answer, Fault, Finish, Order, Provider, ProviderFuture, Rows, Task, Usage, Vector,
};

use super::http::Reply;
use super::quirks::QuirkTable;
use super::remote::Remote;
use super::reply::{affecting, error_in, not_json, parse, stream, usage};
use super::sse_stream::{Reader, Seen};
use super::{forward, verdict};
use crate::config;
use crate::dialect::openai_chat::{Chunk, Completion, finish_is_complete};
use crate::dialect::openai_embed::{AnswerFault, EmbedAnswer, Row};
use crate::dialect::sse::Frame;

/// The door whose form this vendor speaks.
const CHAT: &str = "openai.chat";
/// Fields of a caller that change the answer and mean something to this vendor.
const AFFECTING: [&str; 1] = ["openai-beta"];

/// A provider of kind `openai`.
pub(super) struct OpenAi {
    inner: Arc<Inner>,
}

struct Inner {
    remote: Remote,
    quirks: QuirkTable,
}

impl OpenAi {
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

impl Provider for OpenAi {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let fields = affecting(&order.affecting, &AFFECTING)?;
            match &order.task {
                Task::Generate { door: CHAT, document, form } => {
                    inner.chat(document, &order.model, *form, fields).await
                }
                Task::Generate { door, .. } => Err(super::foreign_door("openai", door)),
                // Boxed: a completion need not carry their state.
                Task::Embed { document, items } => Box::pin(inner.embed(document, items, &order.model)).await,
                Task::Forward(work) => {
                    Box::pin(forward::forward(&inner.remote, work, &order.model, fields)).await
                }
            }
        })
    }
}

impl Inner {
    async fn chat(
        &self,
        document: &Document,
        model: &str,
        form: Form,
        more: HeaderMap,
    ) -> Result<Answer, Fault> {
        let root = document.root();
        let asked_stream = root.get("stream").is_some_and(|stream| stream.as_bool() == Some(true));
        let changes = self.quirks.edit(document, model);
        let usage = || Edit::new().set("include_usage", "true");
        let changes = match (form, asked_stream) {
            (Form::Whole, false) => changes,
            (Form::Whole, true) => changes.with(|edit| edit.set("stream", "false").remove("stream_options")),
            (Form::Stream, true) => {
                changes.unless_dropped("stream_options", |edit| edit.inside("stream_options", usage()))
            }
            (Form::Stream, false) => changes
                .with(|edit| edit.set("stream", "true"))
                .unless_dropped("stream_options", |edit| edit.inside("stream_options", usage())),
        };
        let body = changes.apply(document);
        let reply = self.remote.post("/chat/completions", model, (form, more), body).await?;
        match form {
            Form::Whole => whole(reply).await,
            Form::Stream => stream(reply, self.remote.max_line_bytes, ChatReader::new(root)).await,
        }
    }

    async fn embed(&self, document: &Document, items: &[EmbedItem], model: &str) -> Result<Answer, Fault> {
        let changes = self.quirks.edit(document, model).with(|edit| edit.set("input", input(items)));
        // Not every vendor heeds it, and base64 is read as well; but only text keeps every digit.
        let changes =
            changes.unless_dropped("encoding_format", |edit| edit.set_str("encoding_format", "float"));
        let body = changes.apply(document);
        let reply = self.remote.post("/embeddings", model, (Form::Whole, HeaderMap::new()), body).await?;
        let status = reply.status;
        let body = reply.body.whole().await?;
        let dimensions = document.root().get("dimensions").and_then(|dimensions| dimensions.as_u64());
        match EmbedAnswer::read(&body, items.len(), dimensions) {
            Ok(answer) => Ok(Answer::Rows(rows(answer, model))),
            Err(AnswerFault::Json(_)) => Err(verdict::nonsense(status, &body, "JSON")),
            Err(fault) => Err(match parse(&body).as_ref().and_then(error_in) {
                Some(error) => verdict::fault_in_band(&error, body),
                None => Fault::broken(Some(status.as_u16()), fault.to_string()),
            }),
        }
    }
}

fn rows(answer: EmbedAnswer, model: &str) -> Rows {
    let vector = |row: Row| {
        let (text, bits) = row.into_parts();
        Vector { text, bits }
    };
    Rows {
        vectors: answer.rows.into_iter().map(vector).collect(),
        usage: answer.usage.map(usage),
        model: answer.model.map_or_else(|| model.into(), Into::into),
    }
}

/// `[a,b,..]` of the items as they came.
fn input(items: &[EmbedItem]) -> Vec<u8> {
    let mut input = Vec::with_capacity(2 + items.iter().map(|item| item.json.len() + 1).sum::<usize>());
    input.push(b'[');
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            input.push(b',');
        }
        input.extend_from_slice(&item.json);
    }
    input.push(b']');
    input
}

async fn whole(reply: Reply) -> Result<Answer, Fault> {
    let status = reply.status;
    let body = reply.body.whole().await?;
    let parsed = parse(&body).ok_or_else(|| verdict::nonsense(status, &body, "JSON"))?;
    let Some(completion) = Completion::read(parsed.root()) else {
        return Err(match error_in(&parsed) {
            Some(error) => verdict::fault_in_band(&error, body),
            None => {
                Fault::broken(Some(status.as_u16()), format!("answered {} without choices", status.as_u16()))
            }
        });
    };
    let finish = Finish {
        complete: completion.complete && completion.says_something,
        cut: !completion.complete,
        usage: completion.usage.map(usage),
    };
    Ok(Answer::Whole { body, finish })
}

/// Reads the events of one completion.
struct ChatReader {
    /// Choices asked for.
    choices: u64,
    finished: u64,
    says_something: bool,
    cut: bool,
    usage: Option<Usage>,
}

impl ChatReader {
    fn new(request: Node<'_>) -> Self {
        let choices = request.get("n").and_then(|n| n.as_u64()).unwrap_or(1);
        Self { choices, finished: 0, says_something: false, cut: false, usage: None }
    }

    /// Every choice said how it ended.
    fn has_finished(&self) -> bool {
        self.finished >= self.choices.max(1)
    }

    fn finish(&self) -> Finish {
        let complete = self.has_finished() && !self.cut && self.says_something;
        Finish { complete, cut: self.cut, usage: self.usage }
    }
}

impl Reader for ChatReader {
    fn read(&mut self, _: &Frame, data: &Bytes) -> Result<Seen, Fault> {
        let chunk = Chunk::read(data).map_err(|fault| not_json(&fault))?;
        match chunk {
            Chunk::Done => return Ok(Seen::Done(self.finish())),
            Chunk::Error(error) => return Err(verdict::fault_in_band(&error, data.clone())),
            Chunk::Usage(counted) => self.usage = Some(usage(counted)),
            Chunk::Delta { says_something, finished, usage: counted } => {
                self.says_something |= says_something;
                self.finished += finished.len() as u64;
                self.cut |= finished.iter().any(|reason| !finish_is_complete(reason));
                self.usage = counted.map(usage).or(self.usage);
            }
        }
        Ok(Seen::Tell)
    }

    fn closed(&self) -> Option<Finish> {
        self.has_finished().then(|| self.finish())
    }
}
