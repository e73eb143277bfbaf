//! The completion a stream amounts to.
//!
//! Owns the rules of the chat deltas; the general ones are in `merge`. Fields nobody has heard of
//! are gathered too.

use bytes::Bytes;
use tidegate_actors::json::{Document, JsonFault, JsonLimits, Kind, Node};

use super::chunk::{error, finish_reason, is_done};
use super::finish_is_complete;
use crate::dialect::error::UpstreamError;
use crate::dialect::merge::{Members, Rule};
use crate::dialect::write::{Obj, array};

/// More choices than a request can ask for.
const MAX_CHOICES: u64 = 128;
/// More tool calls in one message than any model makes.
const MAX_TOOL_CALLS: u64 = 1024;

/// Why a stream does not amount to a completion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssembleFault {
    /// A payload is not JSON.
    #[error("chunk {chunk} of the stream is not valid JSON: {fault}")]
    Json {
        /// Counted from 0.
        chunk: usize,
        /// What is wrong in it.
        fault: JsonFault,
    },
    /// The stream carried an error.
    #[error("the upstream broke off with an error: {}", .0.message)]
    Upstream(UpstreamError),
    /// It ended without `[DONE]` and before every choice had finished.
    #[error("the stream ended before the answer did")]
    Cut,
    /// It has no choice at all.
    #[error("the stream held no choice")]
    Empty,
    /// An index that no answer has.
    #[error("index {0} in a stream is not one an answer can have")]
    Index(String),
}

/// Gathers the payloads of one stream.
#[derive(Debug, Default)]
pub struct Assembler {
    chunks: usize,
    done: bool,
    top: Members,
    usage: Members,
    choices: Vec<(u64, Choice)>,
}

#[derive(Debug, Default)]
struct Choice {
    fields: Members,
    message: Members,
    tools: Vec<(u64, Tool)>,
    /// The last one said.
    finish: Option<String>,
}

#[derive(Debug, Default)]
struct Tool {
    fields: Members,
    /// `function` or `custom`: name, and arguments that grow.
    called: Vec<(String, Members)>,
}

impl Assembler {
    /// An empty answer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next payload (`[DONE]` included).
    ///
    /// # Errors
    /// [`AssembleFault`] if it can be no part of an answer.
    pub fn push(&mut self, data: &Bytes) -> Result<(), AssembleFault> {
        if is_done(data) {
            self.done = true;
            return Ok(());
        }
        let chunk = self.chunks;
        self.chunks += 1;
        let doc = Document::parse(data.clone(), JsonLimits::default());
        let doc = doc.map_err(|fault| AssembleFault::Json { chunk, fault })?;
        self.chunk(doc.root())
    }

    /// The answer has ended: by `[DONE]`, or by the finish of every choice.
    pub fn has_ended(&self) -> bool {
        self.done
            || (!self.choices.is_empty() && self.choices.iter().all(|(_, choice)| choice.finish.is_some()))
    }

    /// The answer has ended and nothing cut it: it may be kept.
    pub fn is_complete(&self) -> bool {
        let complete = |choice: &Choice| choice.finish.as_deref().is_some_and(finish_is_complete);
        self.has_ended()
            && !self.choices.is_empty()
            && self.choices.iter().all(|(_, choice)| complete(choice))
    }

    /// The `chat.completion` as JSON.
    ///
    /// # Errors
    /// [`AssembleFault::Cut`] or [`AssembleFault::Empty`].
    pub fn finish(mut self) -> Result<Vec<u8>, AssembleFault> {
        if !self.has_ended() {
            return Err(AssembleFault::Cut);
        }
        if self.choices.is_empty() {
            return Err(AssembleFault::Empty);
        }
        let mut out = Obj::new();
        for name in ["id", "object", "created", "model"] {
            if let Some(value) = self.top.take(name) {
                out.put(name, &value);
            }
        }
        self.choices.sort_by_key(|(index, _)| *index);
        let choices = self.choices.into_iter().map(|(index, choice)| choice.write(index));
        out.put("choices", &array(choices));
        if let Some(usage) = self.usage.take("usage") {
            out.put("usage", &usage);
        }
        self.top.write_into(&mut out);
        Ok(out.finish())
    }

    fn chunk(&mut self, root: Node<'_>) -> Result<(), AssembleFault> {
        if let Some(error) = error(root) {
            return Err(AssembleFault::Upstream(error));
        }
        for member in root.members() {
            let name = member.key.as_str().unwrap_or_default();
            match &*name {
                "choices" => member.value.elements().try_for_each(|choice| self.choice(choice))?,
                "usage" if member.value.is_null() => {}
                "usage" => self.usage.add(&name, member.value, Rule::Last),
                // Random padding against traffic analysis: it belongs to the chunk.
                "obfuscation" => {}
                "object" => self.top.put(&name, b"\"chat.completion\"".to_vec()),
                "id" | "created" | "model" => self.top.add(&name, member.value, Rule::First),
                _ => self.top.add(&name, member.value, Rule::Last),
            }
        }
        Ok(())
    }

    fn choice(&mut self, node: Node<'_>) -> Result<(), AssembleFault> {
        let choice = indexed(&mut self.choices, node, MAX_CHOICES)?;
        choice.finish = finish_reason(node).or(choice.finish.take());
        for member in node.members() {
            let name = member.key.as_str().unwrap_or_default();
            match &*name {
                "index" => {}
                "delta" => choice.delta(member.value)?,
                "logprobs" => choice.fields.add(&name, member.value, Rule::Grow),
                _ => choice.fields.add(&name, member.value, Rule::Last),
            }
        }
        Ok(())
    }
}

impl Choice {
    fn delta(&mut self, delta: Node<'_>) -> Result<(), AssembleFault> {
        for member in delta.members() {
            let name = member.key.as_str().unwrap_or_default();
            match &*name {
                "role" => self.message.add(&name, member.value, Rule::First),
                "tool_calls" if member.value.kind() == Kind::Array && !member.value.is_empty() => {
                    self.message.put(&name, Vec::new()); // keeps its place among the members
                    member.value.elements().try_for_each(|call| self.tool_call(call))?;
                }
                "tool_calls" if !self.tools.is_empty() => {}
                _ => self.message.add(&name, member.value, Rule::Grow),
            }
        }
        Ok(())
    }

    fn tool_call(&mut self, call: Node<'_>) -> Result<(), AssembleFault> {
        let tool = indexed(&mut self.tools, call, MAX_TOOL_CALLS)?;
        for member in call.members() {
            let name = member.key.as_str().unwrap_or_default();
            match &*name {
                "index" => {}
                "function" | "custom" if member.value.kind() == Kind::Object => {
                    tool.call(&name, member.value)
                }
                "id" | "type" => tool.fields.add(&name, member.value, Rule::First),
                _ => tool.fields.add(&name, member.value, Rule::Grow),
            }
        }
        Ok(())
    }

    fn write(mut self, index: u64) -> Vec<u8> {
        if !self.tools.is_empty() {
            self.tools.sort_by_key(|(index, _)| *index);
            let calls = self.tools.into_iter().map(|(_, tool)| tool.write());
            self.message.put("tool_calls", array(calls));
        }
        if !self.message.has("content") {
            self.message.put("content", b"null".to_vec());
        }
        let mut out = Obj::new().num("index", index).raw("message", self.message.write());
        self.fields.write_into(&mut out);
        if !self.fields.has("finish_reason") {
            out.put("finish_reason", b"null");
        }
        out.finish()
    }
}

impl Tool {
    fn call(&mut self, name: &str, value: Node<'_>) {
        let at = self.called.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.called.push((name.to_owned(), Members::default()));
            self.called.len() - 1
        });
        self.called[at].1.gather(value, |member| if member == "name" { Rule::First } else { Rule::Grow });
    }

    fn write(self) -> Vec<u8> {
        let mut out = Obj::new();
        self.fields.write_into(&mut out);
        for (name, called) in &self.called {
            out.put(name, &called.write());
        }
        out.finish()
    }
}

/// The entry for the `index` of `node`; without one it is the first.
fn indexed<'a, T: Default>(
    list: &'a mut Vec<(u64, T)>,
    node: Node<'_>,
    limit: u64,
) -> Result<&'a mut T, AssembleFault> {
    let index = match node.get("index") {
        None => 0,
        Some(index) => match index.as_u64().filter(|index| *index < limit) {
            Some(index) => index,
            None => return Err(AssembleFault::Index(String::from_utf8_lossy(index.raw()).into_owned())),
        },
    };
    let at = list.iter().position(|(known, _)| *known == index).unwrap_or_else(|| {
        list.push((index, T::default()));
        list.len() - 1
    });
    Ok(&mut list[at].1)
}
