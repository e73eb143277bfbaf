//! One chunk of a stream: what it is, and what a caller gets to see of it.
//!
//! Owns the usage frame (asked of the upstream always, shown only to who asked). Every other chunk
//! passes as the bytes it came as.

use bytes::Bytes;
use tidegate_actors::json::{Document, Edit, JsonFault, JsonLimits, Kind, Node};

use super::{DONE, says_something, usage};
use crate::dialect::Usage;
use crate::dialect::error::UpstreamError;
use crate::dialect::sse::{self, Frame};

/// True for the payload that ends a stream.
pub fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == DONE
}

/// What one payload of a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// `[DONE]`.
    Done,
    /// An error object in place of a chunk; nothing follows.
    Error(UpstreamError),
    /// `choices: []` with the usage of the whole answer.
    Usage(Usage),
    /// Part of the answer.
    Delta {
        /// Some choice says something in it: the first such chunk is the first token.
        says_something: bool,
        /// The `finish_reason` of every choice that ends in it.
        finished: Vec<String>,
        /// Usage, where a vendor sends it with the last chunk.
        usage: Option<Usage>,
    },
}

impl Chunk {
    /// Reads one payload.
    ///
    /// # Errors
    /// [`JsonFault`] if it is neither `[DONE]` nor JSON.
    pub fn read(data: &Bytes) -> Result<Self, JsonFault> {
        if is_done(data) {
            return Ok(Chunk::Done);
        }
        let doc = Document::parse(data.clone(), JsonLimits::default())?;
        Ok(Self::of(doc.root()))
    }

    fn of(root: Node<'_>) -> Self {
        let choices = root.get("choices");
        if let Some(error) = error(root) {
            return Chunk::Error(error);
        }
        let choices = || choices.into_iter().flat_map(|choices| choices.elements());
        let usage = usage(root);
        match usage {
            Some(usage) if choices().next().is_none() => Chunk::Usage(usage),
            usage => Chunk::Delta {
                says_something: choices().any(|choice| choice.get("delta").is_some_and(says_something)),
                finished: choices().filter_map(finish_reason).collect(),
                usage,
            },
        }
    }
}

/// The error a payload stands for, if it has one. Some vendors send choices beside it.
pub(super) fn error(root: Node<'_>) -> Option<UpstreamError> {
    let held = root.get("error").is_some_and(|error| !error.is_null());
    let typed = root.get("object").is_some_and(|object| object.is_str("error"));
    (held || typed).then(|| UpstreamError::in_json(root).unwrap_or_else(UpstreamError::silent))
}

pub(super) fn finish_reason(choice: Node<'_>) -> Option<String> {
    choice.get("finish_reason")?.as_str().map(|reason| reason.into_owned())
}

/// Shapes a recorded stream for one caller: with or without usage.
#[derive(Debug, Clone, Copy)]
pub struct Shaper {
    include_usage: bool,
}

impl Shaper {
    /// For a caller who did or did not ask for `stream_options.include_usage`.
    pub fn new(include_usage: bool) -> Self {
        Self { include_usage }
    }

    /// The bytes to send for `frame`; `None` if this caller is not to see it. A frame that needs no
    /// change is passed as it is, whether or not it can be read.
    pub fn shape(&self, frame: &Frame) -> Option<Bytes> {
        let Some(data) = frame.data() else { return Some(frame.raw.clone()) };
        let untouched = || Some(frame.raw.clone());
        // The usual chunk of a caller who did not ask cannot be a usage frame: do not parse it.
        if !self.include_usage && memchr::memmem::find(data, b"\"usage\"").is_none() {
            return untouched();
        }
        let Ok(doc) = Document::parse(data.clone(), JsonLimits::default()) else { return untouched() };
        let root = doc.root();
        if root.kind() != Kind::Object {
            return untouched();
        }
        if self.include_usage {
            let fits = root.get("usage").is_some() || root.get("choices").is_none();
            return if fits { untouched() } else { Some(with_null_usage(root)) };
        }
        let usage_only =
            root.get("choices").is_some_and(|choices| choices.is_empty()) && usage(root).is_some();
        if usage_only { None } else { untouched() }
    }
}

/// Callers who asked for usage expect the member in every chunk.
fn with_null_usage(root: Node<'_>) -> Bytes {
    sse::data_frame(&Edit::new().set("usage", "null").apply(root))
}
