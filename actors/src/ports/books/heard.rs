//! What somebody hears who listens to calls as they are told. Plain values.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;

use super::BookedCall;

/// What is heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A call was told.
    Call(Arc<BookedCall<'static>>),
    /// So many calls were told and are not heard any more: the listener was too slow for them.
    Lost(u64),
    /// Of so many calls of one second only some are heard.
    Sampled {
        /// How many there were.
        told: u64,
        /// How many of them are heard.
        heard: u64,
    },
}

/// What is heard, one after the other; ends when nothing is told any more. Dropped, nobody listens.
pub type Listening = Pin<Box<dyn Stream<Item = Heard> + Send>>;

/// As many listen as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowded {
    /// How many may.
    pub limit: usize,
}
