//! `POST /v1/embeddings`: the four forms of `input`, the rows of an answer, the answer written.
//!
//! Owns which vector belongs to which item on the wire. Rows are told apart by `index`, never by
//! their place. A row keeps the digits the upstream sent and the f32 bits they mean, so that the
//! form one caller asks for never changes what another one gets.

mod answer;
mod request;
mod row;
#[cfg(test)]
mod tests;

pub use answer::{AnswerFault, EmbedAnswer, write_answer};
pub use request::{EmbedLimits, EmbedRequest, Item, upstream_body};
pub use row::{Row, RowFault, Written};

/// How a caller wants its vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// An array of numbers.
    #[default]
    Float,
    /// Little-endian f32, base64.
    Base64,
}
