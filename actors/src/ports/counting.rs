//! The port to whoever counts tokens that no upstream counted.
//!
//! Owns what was asked and told as it is to be counted; must not know how a vendor writes it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::flight::Shape;
use crate::ports::provider::{Task, Usage};

/// What a request cost in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// How many there were.
    pub usage: Usage,
    /// At least one of these numbers is our own count.
    pub estimated: bool,
}

/// A request and what was told of its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// `provider/model` that was asked.
    pub target: Arc<str>,
    /// What it was asked.
    pub task: Task,
    /// The form in which its answer began, if it did.
    pub shape: Option<Shape>,
    /// The answer as far as it was told; of one too long to be held the end.
    pub told: Vec<Bytes>,
    /// Bytes of the answer that are not in `told` any more.
    pub forgotten_bytes: usize,
}

/// Counts.
pub trait Counter: Send + Sync + 'static {
    /// What it cost, as far as the answer says so and by our own count else; nothing for what costs no tokens.
    fn count(&self, exchange: Exchange) -> Pin<Box<dyn Future<Output = Option<Spent>> + Send>>;
}

/// Knows of no tokens but those upstreams count.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCounter;

impl Counter for NoCounter {
    fn count(&self, _: Exchange) -> Pin<Box<dyn Future<Output = Option<Spent>> + Send>> {
        Box::pin(std::future::ready(None))
    }
}
