//! The stream a message amounts to: the other direction of `assemble`.
//!
//! Owns the order of the events. Assembling what is rendered here gives the same message.

use bytes::Bytes;
use tidegate_actors::json::{Edit, Kind, Node, quote};

use crate::dialect::sse;
use crate::dialect::write::Obj;

/// Why a body cannot be sent as a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is no message: {0}")]
pub struct RenderFault(pub &'static str);

/// The frames of `message`, from `message_start` to `message_stop`.
///
/// # Errors
/// [`RenderFault`] if it has no content array of objects.
pub fn render(message: Node<'_>) -> Result<Vec<Bytes>, RenderFault> {
    let content = message.get("content").filter(|content| content.kind() == Kind::Array);
    let content = content.ok_or(RenderFault("it has no content array"))?;
    let mut frames = vec![start(message)];
    for (index, block) in content.elements().enumerate() {
        if block.kind() != Kind::Object {
            return Err(RenderFault("a content block is no object"));
        }
        Stream { index: index as u64, frames: &mut frames }.block(block);
    }
    frames.push(delta(message));
    frames.push(sse::event_frame("message_stop", br#"{"type":"message_stop"}"#));
    Ok(frames)
}

/// The message before its first block: nothing in it, not stopped.
fn start(message: Node<'_>) -> Bytes {
    let mut edit = Edit::new().set("content", "[]");
    for name in ["stop_reason", "stop_sequence"] {
        if message.get(name).is_some() {
            edit = edit.set(name, "null");
        }
    }
    event(Obj::new().str("type", "message_start").raw("message", edit.apply(message)), "message_start")
}

/// Why it stopped, and the output counted: cumulative, so equal to what the start said.
fn delta(message: Node<'_>) -> Bytes {
    let mut stop = Obj::new();
    for name in ["stop_reason", "stop_sequence"] {
        if let Some(value) = message.get(name) {
            stop.put(name, value.raw());
        }
    }
    let mut usage = Obj::new();
    if let Some(output) = message.get("usage").and_then(|usage| usage.get("output_tokens")) {
        usage.put("output_tokens", output.raw());
    }
    let out = Obj::new().str("type", "message_delta").raw("delta", stop.finish());
    event(out.raw("usage", usage.finish()), "message_delta")
}

struct Stream<'f> {
    index: u64,
    frames: &'f mut Vec<Bytes>,
}

impl Stream<'_> {
    fn block(&mut self, block: Node<'_>) {
        let kind = block.get("type").and_then(|kind| kind.as_str()).unwrap_or_default();
        match &*kind {
            "text" => self.text(block),
            "thinking" => self.thinking(block),
            _ if kind.ends_with("tool_use") => self.tool_use(block),
            // A tool's result, redacted thinking: given whole, as the vendor does.
            _ => self.open(block, Edit::new()),
        }
        let stop = Obj::new().str("type", "content_block_stop").num("index", self.index);
        self.frames.push(event(stop, "content_block_stop"));
    }

    fn text(&mut self, block: Node<'_>) {
        let citations = block.get("citations").filter(|citations| !citations.is_empty());
        let mut edit = Edit::new();
        if filled(block, "text").is_some() {
            edit = edit.set("text", "\"\"");
        }
        if citations.is_some() {
            edit = edit.set("citations", "[]");
        }
        self.open(block, edit);
        if let Some(text) = filled(block, "text") {
            self.delta("text_delta", "text", text.raw());
        }
        for citation in citations.iter().flat_map(|citations| citations.elements()) {
            self.delta("citations_delta", "citation", citation.raw());
        }
    }

    fn thinking(&mut self, block: Node<'_>) {
        let parts = [("thinking", "thinking_delta"), ("signature", "signature_delta")];
        let parts = parts.map(|(name, delta)| (name, delta, filled(block, name)));
        let mut edit = Edit::new();
        for (name, _, value) in parts {
            if value.is_some() {
                edit = edit.set(name, "\"\"");
            }
        }
        self.open(block, edit);
        for (name, delta, value) in parts {
            if let Some(value) = value {
                self.delta(delta, name, value.raw());
            }
        }
    }

    fn tool_use(&mut self, block: Node<'_>) {
        let input = block.get("input").filter(|input| input.kind() == Kind::Object && !input.is_empty());
        let edit = if input.is_some() { Edit::new().set("input", "{}") } else { Edit::new() };
        self.open(block, edit);
        if let Some(input) = input {
            let text = quote(&String::from_utf8_lossy(input.raw()));
            self.delta("input_json_delta", "partial_json", text.as_bytes());
        }
    }

    fn open(&mut self, block: Node<'_>, edit: Edit) {
        let out = Obj::new().str("type", "content_block_start").num("index", self.index);
        self.frames.push(event(out.raw("content_block", edit.apply(block)), "content_block_start"));
    }

    fn delta(&mut self, kind: &str, name: &str, value: &[u8]) {
        let delta = Obj::new().str("type", kind).raw(name, value).finish();
        let out = Obj::new().str("type", "content_block_delta").num("index", self.index);
        self.frames.push(event(out.raw("delta", delta), "content_block_delta"));
    }
}

/// A string member that has something in it.
fn filled<'a>(block: Node<'a>, name: &str) -> Option<Node<'a>> {
    block.get(name).filter(|value| value.kind() == Kind::String && !value.is_empty())
}

fn event(data: Obj, name: &str) -> Bytes {
    sse::event_frame(name, &data.finish())
}
