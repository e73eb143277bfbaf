//! `POST /v1/messages`: the request, the answer as JSON and as a stream.
//!
//! Owns what the fields and events mean. Bodies are carried as they came; only what is named here
//! is read.

mod assemble;
mod event;
mod render;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use tidegate_actors::json::{Document, Edit, Kind, Node};

use super::Usage;
use super::error::BadRequest;
use super::request as read;

pub use assemble::{AssembleFault, Assembler};
pub use event::Event;
pub use render::{RenderFault, render};

/// True for a `stop_reason` after which the answer is all there is. `max_tokens`, `refusal` and
/// `pause_turn` cut it; a word we do not know is taken as a cut, so that it is never kept.
pub fn stop_is_complete(reason: &str) -> bool {
    matches!(reason, "end_turn" | "stop_sequence" | "tool_use")
}

/// A checked view of a messages request.
#[derive(Debug, Clone)]
pub struct MessagesRequest<'a> {
    /// The public model name.
    pub model: Cow<'a, str>,
    /// The caller wants events.
    pub stream: bool,
    /// Temperature 0: the caller says that equal requests may get equal answers.
    pub declared: bool,
    root: Node<'a>,
}

impl<'a> MessagesRequest<'a> {
    /// Reads and checks the body of `/v1/messages`.
    ///
    /// # Errors
    /// [`BadRequest`] naming the first field that cannot be taken.
    pub fn read(doc: &'a Document) -> Result<Self, BadRequest> {
        let request = Self::read_count(doc)?;
        match read::positive(request.root, "max_tokens")? {
            Some(_) => Ok(request),
            None => Err(BadRequest::missing("max_tokens")),
        }
    }

    /// Reads and checks the body of `/v1/messages/count_tokens`, which needs no `max_tokens`.
    ///
    /// # Errors
    /// As [`MessagesRequest::read`].
    pub fn read_count(doc: &'a Document) -> Result<Self, BadRequest> {
        let root = read::object(doc)?;
        let model = read::model(root)?;
        read::messages(root)?;
        let stream = read::flag(root, "stream", "stream")?;
        let declared = read::number(root, "temperature")?.is_some_and(read::is_zero);
        Ok(Self { model, stream, declared, root })
    }

    /// The body for an upstream that knows the model as `model`.
    pub fn upstream_body(&self, model: &str) -> Vec<u8> {
        let edit = if self.model == model { Edit::new() } else { Edit::new().set_str("model", model) };
        edit.apply(self.root)
    }
}

/// What a caller of the JSON form needs to know of a `message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// It has stopped, and nothing cut it.
    pub complete: bool,
    /// At least one block says something.
    pub says_something: bool,
    /// `None` if the upstream gave none.
    pub usage: Option<Usage>,
}

impl Message {
    /// Reads a message; `None` if it is not one (no `content` array).
    pub fn read(root: Node<'_>) -> Option<Self> {
        let content = root.get("content").filter(|content| content.kind() == Kind::Array)?;
        let reason = root.get("stop_reason").and_then(|reason| reason.as_str());
        Some(Self {
            complete: reason.is_some_and(|reason| stop_is_complete(&reason)),
            says_something: content
                .elements()
                .any(|block| block.get("text").is_none_or(|text| !text.is_empty())),
            usage: root.get("usage").and_then(usage),
        })
    }
}

/// The texts of a message, block by block.
pub fn texts(message: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    message
        .get("content")
        .into_iter()
        .flat_map(|content| content.elements())
        .filter_map(|block| block.get("text"))
}

/// What an event adds to the texts of a message.
pub fn text_delta(event: Node<'_>) -> Option<Node<'_>> {
    event.get("content_block").or_else(|| event.get("delta"))?.get("text")
}

/// A `usage` object. The vendor counts cached tokens beside `input_tokens`; here they are in it.
pub fn usage(usage: Node<'_>) -> Option<Usage> {
    let count = |name| usage.get(name).and_then(|count| count.as_u64());
    let cached_read = count("cache_read_input_tokens").unwrap_or(0);
    let cached_write = count("cache_creation_input_tokens").unwrap_or(0);
    let fresh = count("input_tokens")?;
    let input = fresh.saturating_add(cached_read).saturating_add(cached_write);
    Some(Usage {
        input,
        cached_read,
        cached_write,
        output: count("output_tokens").unwrap_or(0),
        reasoning: 0,
    })
}
