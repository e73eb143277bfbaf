//! The message a stream amounts to.
//!
//! Owns the rules of the deltas. A delta it has not heard of is a fault and not a guess: the stream
//! can still be replayed as it came, only not given as JSON.

use bytes::Bytes;
use tidegate_actors::json::{Document, JsonFault, JsonLimits, Kind, Node};

use super::event::stop_reason;
use super::stop_is_complete;
use crate::dialect::error::UpstreamError;
use crate::dialect::merge::{Members, Rule};
use crate::dialect::write::{Obj, array};

/// More blocks than any message has.
const MAX_BLOCKS: u64 = 4096;

/// Why a stream does not amount to a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssembleFault {
    /// A payload is not JSON.
    #[error("event {event} of the stream is not valid JSON: {fault}")]
    Json {
        /// Counted from 0.
        event: usize,
        /// What is wrong in it.
        fault: JsonFault,
    },
    /// The stream carried an error.
    #[error("the upstream broke off with an error: {}", .0.message)]
    Upstream(UpstreamError),
    /// It ended without `message_stop`.
    #[error("the stream ended before the message did")]
    Cut,
    /// An event that cannot stand where it stands.
    #[error("a {0} event stands where it cannot")]
    Order(String),
    /// A delta we do not know how to apply.
    #[error("a delta of the unknown type {0:?}")]
    UnknownDelta(String),
    /// The pieces of a tool's input are no JSON together.
    #[error("the input of block {block} is not valid JSON: {fault}")]
    Input {
        /// Index of the block.
        block: u64,
        /// What is wrong in it.
        fault: JsonFault,
    },
}

/// Gathers the payloads of one stream.
#[derive(Debug, Default)]
pub struct Assembler {
    events: usize,
    message: Option<Members>,
    usage: Members,
    blocks: Vec<(u64, Block)>,
    stop_reason: Option<String>,
    stopped: bool,
}

#[derive(Debug, Default)]
struct Block {
    fields: Members,
    /// Pieces of a tool's input, unescaped.
    input: Vec<u8>,
    /// Whole values, as JSON texts.
    citations: Vec<Vec<u8>>,
}

impl Assembler {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next payload.
    ///
    /// # Errors
    /// [`AssembleFault`] if it can be no part of a message.
    pub fn push(&mut self, data: &Bytes) -> Result<(), AssembleFault> {
        let event = self.events;
        self.events += 1;
        let doc = Document::parse(data.clone(), JsonLimits::default());
        let doc = doc.map_err(|fault| AssembleFault::Json { event, fault })?;
        self.event(doc.root())
    }

    /// `message_stop` was seen.
    pub fn has_ended(&self) -> bool {
        self.stopped
    }

    /// The message has ended and nothing cut it: it may be kept.
    pub fn is_complete(&self) -> bool {
        self.stopped && self.stop_reason.as_deref().is_some_and(stop_is_complete)
    }

    /// The `message` as JSON.
    ///
    /// # Errors
    /// [`AssembleFault::Cut`], or [`AssembleFault::Input`] for a tool input that is no JSON.
    pub fn finish(mut self) -> Result<Vec<u8>, AssembleFault> {
        let message = self.message.as_mut().filter(|_| self.stopped).ok_or(AssembleFault::Cut)?;
        self.blocks.sort_by_key(|(index, _)| *index);
        let blocks = self.blocks.into_iter().map(|(index, block)| block.write(index));
        message.put("content", array(blocks.collect::<Result<Vec<_>, _>>()?));
        if !self.usage.is_empty() {
            message.put("usage", self.usage.write());
        }
        Ok(message.write())
    }

    fn event(&mut self, root: Node<'_>) -> Result<(), AssembleFault> {
        let kind = root.get("type").and_then(|kind| kind.as_str()).unwrap_or_default();
        let started = self.message.is_some() && !self.stopped;
        match &*kind {
            "message_start" if self.message.is_none() => self.start(root),
            "content_block_start" if started => self.block_start(root),
            "content_block_delta" if started => self.block_delta(root),
            "content_block_stop" if started => Ok(()),
            "message_delta" if started => self.message_delta(root),
            "message_stop" if started => {
                self.stopped = true;
                Ok(())
            }
            "error" => {
                let error = UpstreamError::in_json(root).unwrap_or_else(UpstreamError::silent);
                Err(AssembleFault::Upstream(error))
            }
            "message_start"
            | "content_block_start"
            | "content_block_delta"
            | "content_block_stop"
            | "message_delta"
            | "message_stop" => Err(AssembleFault::Order(kind.into_owned())),
            // `ping`, and events of tomorrow, which clients ignore too.
            _ => Ok(()),
        }
    }

    fn start(&mut self, root: Node<'_>) -> Result<(), AssembleFault> {
        let message = root.get("message").filter(|message| message.kind() == Kind::Object);
        let message = message.ok_or_else(|| AssembleFault::Order("message_start without message".into()))?;
        let mut fields = Members::default();
        fields.gather(message, |_| Rule::Last);
        if let Some(usage) = message.get("usage") {
            self.usage.gather(usage, |_| Rule::Last);
        }
        self.message = Some(fields);
        Ok(())
    }

    fn block_start(&mut self, root: Node<'_>) -> Result<(), AssembleFault> {
        let index = index(root)?;
        let block = root.get("content_block").filter(|block| block.kind() == Kind::Object);
        let block = block.filter(|_| !self.blocks.iter().any(|(known, _)| *known == index));
        let block = block.ok_or_else(|| AssembleFault::Order(format!("content_block_start {index}")))?;
        let mut fields = Members::default();
        fields.gather(block, |_| Rule::Last);
        self.blocks.push((index, Block { fields, ..Block::default() }));
        Ok(())
    }

    fn block_delta(&mut self, root: Node<'_>) -> Result<(), AssembleFault> {
        let index = index(root)?;
        let block = self.blocks.iter_mut().find(|(known, _)| *known == index);
        let (Some((_, block)), Some(delta)) = (block, root.get("delta")) else {
            return Err(AssembleFault::Order(format!("content_block_delta {index}")));
        };
        block.delta(delta)
    }

    fn message_delta(&mut self, root: Node<'_>) -> Result<(), AssembleFault> {
        self.stop_reason = stop_reason(root).or(self.stop_reason.take());
        if let (Some(message), Some(delta)) = (&mut self.message, root.get("delta")) {
            message.gather(delta, |_| Rule::Last);
        }
        for member in root.members() {
            let name = member.key.as_str().unwrap_or_default();
            match &*name {
                "type" | "delta" => {}
                // Cumulative: what is said later replaces what was said before.
                "usage" => self.usage.gather(member.value, |_| Rule::Last),
                _ => self.message.iter_mut().for_each(|message| message.add(&name, member.value, Rule::Last)),
            }
        }
        Ok(())
    }
}

impl Block {
    fn delta(&mut self, delta: Node<'_>) -> Result<(), AssembleFault> {
        let kind = delta.get("type").and_then(|kind| kind.as_str()).unwrap_or_default();
        let (name, rule) = match &*kind {
            "text_delta" => ("text", Rule::Grow),
            "thinking_delta" => ("thinking", Rule::Grow),
            // Given once and whole; the SDKs take the last one.
            "signature_delta" => ("signature", Rule::Last),
            "input_json_delta" => {
                let piece = delta.get("partial_json");
                piece.iter().for_each(|piece| _ = piece.unescape(|run| self.input.extend_from_slice(run)));
                return Ok(());
            }
            "citations_delta" => {
                self.citations.extend(delta.get("citation").map(|citation| citation.raw().to_vec()));
                return Ok(());
            }
            _ => return Err(AssembleFault::UnknownDelta(kind.chars().take(64).collect())),
        };
        if let Some(value) = delta.get(name) {
            self.fields.add(name, value, rule);
        }
        Ok(())
    }

    fn write(mut self, block: u64) -> Result<Vec<u8>, AssembleFault> {
        if !self.input.is_empty() {
            let limits = JsonLimits::default();
            Document::parse(Bytes::copy_from_slice(&self.input), limits)
                .map_err(|fault| AssembleFault::Input { block, fault })?;
            self.fields.put("input", self.input);
        }
        if !self.citations.is_empty() {
            self.fields.extend_list("citations", self.citations);
        }
        let mut out = Obj::new();
        self.fields.write_into(&mut out);
        Ok(out.finish())
    }
}

fn index(root: Node<'_>) -> Result<u64, AssembleFault> {
    let index = root.get("index").and_then(|index| index.as_u64()).filter(|index| *index < MAX_BLOCKS);
    index.ok_or_else(|| AssembleFault::Order("content block without a usable index".into()))
}
