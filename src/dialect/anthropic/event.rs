//! One event of a stream: what it is.
//!
//! Owns the classification. It needs the data alone; the `event:` line, which clients need, only
//! repeats its `type`.

use bytes::Bytes;
use tidegate_actors::json::{Document, JsonFault, JsonLimits, Node};

use super::usage;
use crate::dialect::Usage;
use crate::dialect::error::UpstreamError;

/// What one payload of a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `message_start`, with the usage known by then.
    Start(Option<Usage>),
    /// A block, or a part of one. `says_something` is false for what carries no content.
    Content {
        /// The first such event is the first token.
        says_something: bool,
    },
    /// `message_delta`: why it stopped, and the output counted so far.
    Delta {
        /// The `stop_reason`, once known.
        stop_reason: Option<String>,
        /// Cumulative output tokens.
        output: Option<u64>,
    },
    /// `message_stop`: nothing follows.
    Stop,
    /// `error`: nothing follows.
    Error(UpstreamError),
    /// `ping`, and what we have not heard of.
    Other,
}

impl Event {
    /// Reads one payload.
    ///
    /// # Errors
    /// [`JsonFault`] if it is not JSON.
    pub fn read(data: &Bytes) -> Result<Self, JsonFault> {
        let doc = Document::parse(data.clone(), JsonLimits::default())?;
        Ok(Self::of(doc.root()))
    }

    fn of(root: Node<'_>) -> Self {
        let kind = root.get("type").and_then(|kind| kind.as_str()).unwrap_or_default();
        match &*kind {
            "message_start" => {
                Event::Start(root.get("message").and_then(|message| message.get("usage")).and_then(usage))
            }
            "content_block_start" => {
                let block = root.get("content_block");
                Event::Content { says_something: block.is_some_and(is_whole) }
            }
            "content_block_delta" => Event::Content { says_something: true },
            "content_block_stop" => Event::Content { says_something: false },
            "message_delta" => Event::Delta { stop_reason: stop_reason(root), output: output(root) },
            "message_stop" => Event::Stop,
            "error" => Event::Error(UpstreamError::in_json(root).unwrap_or_else(UpstreamError::silent)),
            _ => Event::Other,
        }
    }
}

/// True for a block that comes with its content, such as a tool's result.
fn is_whole(block: Node<'_>) -> bool {
    let grows = ["text", "thinking", "input"].iter().find_map(|name| block.get(name));
    grows.is_none_or(|content| !content.is_empty())
}

pub(super) fn stop_reason(delta: Node<'_>) -> Option<String> {
    let reason = delta.get("delta")?.get("stop_reason")?;
    reason.as_str().map(|reason| reason.into_owned())
}

fn output(delta: Node<'_>) -> Option<u64> {
    delta.get("usage")?.get("output_tokens")?.as_u64()
}
