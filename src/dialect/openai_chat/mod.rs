//! `POST /v1/chat/completions`: the request, the answer as JSON and as a stream.
//!
//! Owns what the fields mean. Bodies are carried as they came; only what is named here is read.

mod assemble;
mod chunk;
mod render;
mod request;
#[cfg(test)]
mod tests;

use tidegate_actors::json::Node;

use super::Usage;

pub use assemble::{AssembleFault, Assembler};
pub use chunk::{Chunk, Shaper, is_done};
pub use render::{RenderFault, render};
pub use request::ChatRequest;

/// The payload that ends a stream.
pub const DONE: &[u8] = b"[DONE]";

/// True for a `finish_reason` after which the answer is all there is. `length` and
/// `content_filter` cut it; a word we do not know is taken as a cut, so that it is never kept.
pub fn finish_is_complete(reason: &str) -> bool {
    matches!(reason, "stop" | "tool_calls" | "function_call")
}

/// What a caller of the JSON form needs to know of a `chat.completion`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Every choice has finished, and none was cut.
    pub complete: bool,
    /// At least one choice says something: text, a refusal or a tool call.
    pub says_something: bool,
    /// `None` if the upstream gave none.
    pub usage: Option<Usage>,
}

impl Completion {
    /// Reads a completion; `None` if it is not one (no `choices`).
    pub fn read(root: Node<'_>) -> Option<Self> {
        let choices = root.get("choices")?;
        let finished = |choice: Node<'_>| {
            choice
                .get("finish_reason")
                .and_then(|reason| reason.as_str())
                .is_some_and(|r| finish_is_complete(&r))
        };
        Some(Self {
            complete: !choices.is_empty() && choices.elements().all(finished),
            says_something: choices
                .elements()
                .any(|choice| choice.get("message").is_some_and(says_something)),
            usage: usage(root),
        })
    }
}

/// True if a message or delta holds a non-empty string or list besides its role.
fn says_something(message: Node<'_>) -> bool {
    message.members().any(|member| !member.key.is_str("role") && !member.value.is_empty())
}

/// The text of a completion: what its first choice says.
pub fn content(completion: Node<'_>) -> Option<Node<'_>> {
    completion.get("choices")?.elements().next()?.get("message")?.get("content")
}

/// What a chunk adds to the text of the first choice.
pub fn content_delta(chunk: Node<'_>) -> Option<Node<'_>> {
    let first = |choice: &Node<'_>| choice.get("index").is_none_or(|index| index.as_u64() == Some(0));
    chunk.get("choices")?.elements().find(first)?.get("delta")?.get("content")
}

/// The `usage` member of a completion or chunk; `None` if it is absent or null.
pub fn usage(root: Node<'_>) -> Option<Usage> {
    root.get("usage").and_then(counted)
}

/// A `usage` object.
pub fn counted(usage: Node<'_>) -> Option<Usage> {
    let count = |node: Node<'_>, name| node.get(name).and_then(|count| count.as_u64());
    let detail = |group, name| usage.get(group).and_then(|group| count(group, name)).unwrap_or(0);
    Some(Usage {
        input: count(usage, "prompt_tokens")?,
        cached_read: detail("prompt_tokens_details", "cached_tokens"),
        cached_write: 0,
        output: count(usage, "completion_tokens").unwrap_or(0),
        reasoning: detail("completion_tokens_details", "reasoning_tokens"),
    })
}
