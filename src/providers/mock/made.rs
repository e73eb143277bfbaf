//! An answer of the mock before any time has passed, and what both vendors' forms of it share.
//!
//! Owns plain values; how long an answer takes is decided in `mock.rs`.

use bytes::Bytes;
use tidegate_actors::json::Node;
use tidegate_actors::key::{BodyDigest, Deny};
use tidegate_actors::ports::provider::Finish;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::dialect::sse;

/// A finished answer.
pub(super) enum Made {
    /// One body.
    Whole { body: Bytes, finish: Finish },
    /// Events to be told one after the other.
    Frames { frames: Vec<Frame>, finish: Finish },
}

/// One event and the tokens it tells.
pub(super) struct Frame {
    pub(super) raw: Bytes,
    pub(super) tokens: u32,
}

/// A request the vendor would refuse with 400.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused {
    /// The field at fault.
    pub(super) param: &'static str,
    /// What is wrong with it.
    pub(super) message: &'static str,
}

impl Refused {
    pub(super) const fn field(param: &'static str, message: &'static str) -> Self {
        Self { param, message }
    }
}

/// An event with this data; named events are Anthropic's.
pub(super) fn frame(name: Option<&str>, json: &str, tokens: u32) -> Frame {
    let raw = match name {
        Some(name) => sse::event_frame(name, json.as_bytes()),
        None => sse::data_frame(json.as_bytes()),
    };
    Frame { raw, tokens }
}

/// What the words are made from: what was said, and whatever else makes another conversation of it.
pub(super) fn seed(messages: Node<'_>, more: &[&[u8]]) -> u64 {
    let start = seed_of(&BodyDigest::of(messages, Deny::NONE));
    more.iter().fold(start, |seed, part| xxh3_64_with_seed(part, seed))
}

/// A number from a digest.
pub(super) fn seed_of(digest: &BodyDigest) -> u64 {
    digest.0.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
