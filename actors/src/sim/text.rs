//! What a scripted provider says, and how a test hears it. Pure.
//!
//! Every answer is made from the request alone, so that equal requests have equal answers whoever asks and
//! whenever, and requests that differ in a field of the key have different ones.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::play::Play;
use crate::call::{CallId, EmbedItem};
use crate::flight::{Ending, Shape};
use crate::json::Document;
use crate::key::{BodyDigest, Deny, Key};
use crate::pipeline::Outcome;
use crate::ports::counting::{Counter, Exchange, Spent};
use crate::ports::provider::{Finish, Rows, Task, Usage, Vector};

/// An answer as its caller heard it, to the end.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The call's id.
    pub id: CallId,
    /// How it came.
    pub outcome: Outcome,
    /// Its key, where one was made.
    pub key: Option<Key>,
    /// Who answered.
    pub target: Arc<str>,
    /// In which form.
    pub shape: Shape,
    /// One body, or whole events.
    pub pieces: Vec<Bytes>,
    /// How it ended; a kept answer has no end of its own.
    pub ending: Option<Ending>,
}

impl Heard {
    /// Everything that was told, as text.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|piece| String::from_utf8_lossy(piece)).collect()
    }

    /// `hit`, `joined`, `miss` or the reason of a bypass.
    pub fn how(&self) -> &'static str {
        match self.outcome {
            Outcome::Bypass(reason) => reason,
            other => other.told().name(),
        }
    }
}

/// Counts letters: of the question, and of the answer as far as it was told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Letters;

impl Counter for Letters {
    fn count(&self, exchange: Exchange) -> Pin<Box<dyn Future<Output = Option<Spent>> + Send>> {
        let told: usize = exchange.told.iter().map(Bytes::len).sum();
        let usage = Usage {
            input: subject(&exchange.task).len() as u64,
            output: (told + exchange.forgotten_bytes) as u64,
            ..Usage::default()
        };
        Box::pin(std::future::ready(Some(Spent { usage, estimated: true })))
    }
}

/// What a task is about, to find its play by: the last message, the items, the body.
pub(super) fn subject(task: &Task) -> String {
    match task {
        Task::Generate { document, .. } => last_message(document),
        Task::Embed { items, .. } => {
            items.iter().map(|item| String::from_utf8_lossy(&item.json)).collect::<Vec<_>>().join(",")
        }
        Task::Forward(work) => String::from_utf8_lossy(&work.body).into_owned(),
    }
}

fn last_message(document: &Document) -> String {
    let last = document.root().get("messages").and_then(|messages| messages.elements().last());
    let content = last.and_then(|message| message.get("content").and_then(|content| content.as_str()));
    match content {
        Some(content) => content.into_owned(),
        None => String::from_utf8_lossy(document.raw()).into_owned(),
    }
}

/// Names the request a body answers: everything but what cannot change the answer.
fn name(model: &str, document: &Document) -> String {
    format!("{model}-{}", &BodyDigest::of(document.root(), Deny::OPENAI_CHAT).hex()[..16])
}

pub(super) fn body(model: &str, document: &Document) -> Bytes {
    let (id, text) = (name(model, document), crate::json::quote(&last_message(document)));
    Bytes::from(format!(r#"{{"id":"{id}","created":1,"model":"{model}","content":{text}}}"#))
}

pub(super) fn event(model: &str, document: &Document, at: usize) -> Bytes {
    let id = name(model, document);
    Bytes::from(format!("data: {{\"id\":\"{id}\",\"delta\":\"{at}\"}}\n\n"))
}

pub(super) fn finish(play: &Play) -> Finish {
    let usage = Usage { input: 10, output: 5, ..Usage::default() };
    let usage = Some(usage).filter(|_| !play.uncounted);
    Finish { complete: !play.stopped_short, cut: play.stopped_short, usage }
}

pub(super) fn rows(model: &Arc<str>, items: &[EmbedItem]) -> Rows {
    let vectors = items.iter().map(|item| vector(model, &item.json)).collect();
    let input = items.iter().map(|item| u64::from(item.tokens)).sum();
    Rows { vectors, usage: Some(Usage { input, ..Usage::default() }), model: Arc::clone(model) }
}

/// Four numbers that only this item at this model has, exact in f32.
pub(super) fn vector(model: &str, item: &[u8]) -> Vector {
    let seed = xxh3_64(&[model.as_bytes(), b"\0", item].concat());
    let numbers = seed.to_le_bytes().map(|byte| f32::from(byte) / 256.0);
    let text: Vec<String> = numbers.iter().map(f32::to_string).collect();
    let bits: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    Vector { text: Bytes::from(format!("[{}]", text.join(","))), bits: Bytes::from(bits) }
}
