//! The stream a completion amounts to: the other direction of `assemble`.
//!
//! Owns the order of the chunks. Assembling what is rendered here gives the same completion.

use bytes::Bytes;
use tidegate_actors::json::{Kind, Member, Node};

use super::{DONE, usage};
use crate::dialect::sse;
use crate::dialect::write::{Obj, array};

/// Why a body cannot be sent as a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is no chat completion: {0}")]
pub struct RenderFault(pub &'static str);

/// The frames of `completion`, `[DONE]` included; with a usage frame if `include_usage`.
///
/// # Errors
/// [`RenderFault`] if it has no choices with messages.
pub fn render(completion: Node<'_>, include_usage: bool) -> Result<Vec<Bytes>, RenderFault> {
    let choices = completion.get("choices").filter(|choices| choices.kind() == Kind::Array);
    let choices = choices.filter(|choices| !choices.is_empty()).ok_or(RenderFault("it has no choices"))?;
    let mut stream = Stream { top: completion, include_usage, frames: Vec::new() };
    for choice in choices.elements() {
        stream.choice(choice)?;
    }
    if include_usage && usage(completion).is_some() {
        let usage = completion.get("usage").map(|usage| usage.raw());
        stream.chunk(&[], usage.unwrap_or(b"null"));
    }
    stream.frames.push(sse::data_frame(DONE));
    Ok(stream.frames)
}

struct Stream<'a> {
    top: Node<'a>,
    include_usage: bool,
    frames: Vec<Bytes>,
}

impl Stream<'_> {
    fn choice(&mut self, choice: Node<'_>) -> Result<(), RenderFault> {
        let message = choice.get("message").filter(|message| message.kind() == Kind::Object);
        let message = message.ok_or(RenderFault("a choice has no message"))?;
        self.delta(choice, opening(message), None);
        for member in message.members() {
            self.member(choice, member);
        }
        self.finish(choice);
        Ok(())
    }

    fn member(&mut self, choice: Node<'_>, member: Member<'_>) {
        let (key, value) = (member.key, member.value);
        let plain = || Obj::new().raw_key(key, value.raw());
        match value.kind() {
            _ if key.is_str("role") || value.is_null() => {}
            Kind::String if key.is_str("content") => {
                if !value.is_empty() || has_logprobs(choice) {
                    self.delta(choice, plain(), choice.get("logprobs"));
                }
            }
            Kind::Array if key.is_str("tool_calls") && !value.is_empty() => {
                for (index, call) in value.elements().enumerate() {
                    self.tool_call(choice, index as u64, call);
                }
            }
            _ => self.delta(choice, plain(), None),
        }
    }

    /// Two chunks, as the vendor sends them: who is called, then with what.
    fn tool_call(&mut self, choice: Node<'_>, index: u64, call: Node<'_>) {
        let mut head = Obj::new().num("index", index);
        let mut tail = Obj::new().num("index", index);
        let mut grows = false;
        for member in call.members().filter(|member| !member.key.is_str("index")) {
            let callee = ["function", "custom"].iter().any(|name| member.key.is_str(name));
            if !callee || member.value.kind() != Kind::Object {
                head = head.raw_key(member.key, member.value.raw());
                continue;
            }
            let (who, with) = split_call(member.value);
            head = head.raw_key(member.key, who);
            grows |= with.is_some();
            if let Some(with) = with {
                tail = tail.raw_key(member.key, with);
            }
        }
        self.delta(choice, Obj::new().raw("tool_calls", array([head.finish()])), None);
        if grows {
            self.delta(choice, Obj::new().raw("tool_calls", array([tail.finish()])), None);
        }
    }

    fn delta(&mut self, choice: Node<'_>, delta: Obj, logprobs: Option<Node<'_>>) {
        let mut out = Obj::new().raw("index", index(choice)).raw("delta", delta.finish());
        if choice.get("logprobs").is_some() {
            out.put("logprobs", logprobs.map_or(b"null", |logprobs| logprobs.raw()));
        }
        self.chunk(&out.raw("finish_reason", "null").finish(), b"null");
    }

    /// The last chunk of a choice carries its finish and whatever else it has.
    fn finish(&mut self, choice: Node<'_>) {
        let mut out = Obj::new().raw("index", index(choice)).raw("delta", "{}");
        let content = choice.get("message").and_then(|message| message.get("content"));
        let told = content.is_some_and(|content| content.kind() == Kind::String);
        for member in choice.members() {
            if ["index", "message"].iter().any(|name| member.key.is_str(name)) {
                continue;
            }
            let logprobs = member.key.is_str("logprobs");
            let value = if logprobs && told { b"null" } else { member.value.raw() };
            out = out.raw_key(member.key, value);
        }
        if choice.get("finish_reason").is_none() {
            out.put("finish_reason", b"null");
        }
        self.chunk(&out.finish(), b"null");
    }

    /// Frames one chunk; without a choice it is the usage frame.
    fn chunk(&mut self, choice: &[u8], usage: &[u8]) {
        let mut out = Obj::new();
        for member in self.top.members() {
            if ["choices", "usage"].iter().any(|name| member.key.is_str(name)) {
                continue;
            }
            let object = member.key.is_str("object");
            let value = if object { &b"\"chat.completion.chunk\""[..] } else { member.value.raw() };
            out = out.raw_key(member.key, value);
        }
        let choices = if choice.is_empty() { b"[]".to_vec() } else { array([choice]) };
        out.put("choices", &choices);
        if self.include_usage {
            out.put("usage", usage);
        }
        self.frames.push(sse::data_frame(&out.finish()));
    }
}

/// Role, an empty content to be added to, and every null.
fn opening(message: Node<'_>) -> Obj {
    let mut out = Obj::new();
    for member in message.members() {
        let content = member.key.is_str("content") && member.value.kind() == Kind::String;
        if content {
            out.put("content", b"\"\"");
        } else if member.key.is_str("role") || member.value.is_null() {
            out = out.raw_key(member.key, member.value.raw());
        }
    }
    out
}

fn has_logprobs(choice: Node<'_>) -> bool {
    choice.get("logprobs").is_some_and(|logprobs| !logprobs.is_null())
}

/// `{"name":"f","arguments":""}` and `{"arguments":"{..}"}`.
fn split_call(call: Node<'_>) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut who = Obj::new();
    let mut with = None;
    for member in call.members() {
        let grows = ["arguments", "input"].iter().any(|name| member.key.is_str(name));
        if grows && member.value.kind() == Kind::String && !member.value.is_empty() {
            who = who.raw_key(member.key, "\"\"");
            with = Some(Obj::new().raw_key(member.key, member.value.raw()).finish());
        } else {
            who = who.raw_key(member.key, member.value.raw());
        }
    }
    (who.finish(), with)
}

fn index(choice: Node<'_>) -> Vec<u8> {
    choice.get("index").map_or(b"0".to_vec(), |index| index.raw().to_vec())
}
