//! The vendors' wire formats: parse, assemble, render, and the error bodies of each door.
//!
//! Pure: bytes in, bytes out, no clock, no network, no engine. A fact about a format is here and
//! nowhere else, so that the doors and the providers agree. Unknown fields are carried, never
//! dropped and never interpreted.

pub mod anthropic;
pub mod error;
mod merge;
pub mod openai_chat;
pub mod openai_embed;
mod request;
pub mod said;
pub mod sse;
pub mod tally;
mod write;

/// Tokens of one answer, as the upstream counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Prompt tokens, everything included: also what was read from or written to a prefix cache.
    pub input: u64,
    /// Of `input`, read from the vendor's prefix cache.
    pub cached_read: u64,
    /// Of `input`, written to the vendor's prefix cache.
    pub cached_write: u64,
    /// Answer tokens, reasoning included.
    pub output: u64,
    /// Of `output`, spent on reasoning that is not shown.
    pub reasoning: u64,
}
