//! The port to whoever really answers: a vendor's API, a local model, the built-in mock.
//!
//! Owns the order, the answer and the fault; must not know any vendor.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;

use crate::call::{Affecting, CallId, EmbedItem, Form, ForwardWork};
use crate::json::Document;

/// A boxed future a provider returns.
pub type ProviderFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One who answers. Adapters are stateless towards calls: everything a call needs is in its [`Order`].
///
/// # Cancellation
/// Dropping the returned future, or the event stream in its answer, must stop the upstream request.
pub trait Provider: Send + Sync + 'static {
    /// Asks once. Retries, breakers and failover belong to the engine.
    ///
    /// # Errors
    /// A [`Fault`] that says whether the upstream may have begun to work.
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>>;
}

/// One attempt at one target.
#[derive(Debug, Clone)]
pub struct Order {
    /// The call, or the first call of a batch, this attempt serves.
    pub call: CallId,
    /// The model's name at the provider.
    pub model: Arc<str>,
    /// What to do.
    pub task: Task,
    /// Vendor headers that change the answer.
    pub affecting: Affecting,
    /// 1 for the first attempt.
    pub attempt: u32,
}

/// What a provider can be asked for.
#[derive(Debug, Clone)]
pub enum Task {
    /// A generated answer. `door` tells the vendor form the request is in, such as `openai.chat`.
    Generate {
        /// Vendor form of the request.
        door: &'static str,
        /// The request as the caller sent it; the adapter sets the model and its own fields.
        document: Arc<Document>,
        /// Form wanted from the upstream.
        form: Form,
    },
    /// Vectors for items, in order.
    Embed {
        /// A request that carries every field but the input.
        document: Arc<Document>,
        /// The items of this batch.
        items: Vec<EmbedItem>,
    },
    /// A request passed through as it is.
    Forward(ForwardWork),
}

/// What came back.
pub enum Answer {
    /// A whole body; `finish` says if it may be kept.
    Whole {
        /// The body as the upstream sent it.
        body: Bytes,
        /// How it ended.
        finish: Finish,
    },
    /// A stream of whole events.
    Events(Events),
    /// A row per item, in the order of the items.
    Rows(Rows),
    /// A passed-through answer of any status: its head, then its body in pieces.
    Passed {
        /// Status code.
        status: u16,
        /// Fields that travel back, names lower case.
        fields: Vec<(Arc<str>, Arc<str>)>,
        /// The body.
        body: Events,
    },
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { body, finish } => {
                f.debug_struct("Whole").field("bytes", &body.len()).field("finish", finish).finish()
            }
            Self::Events(_) => f.write_str("Events"),
            Self::Rows(rows) => f.debug_tuple("Rows").field(&rows.vectors.len()).finish(),
            Self::Passed { status, .. } => f.debug_struct("Passed").field("status", status).finish(),
        }
    }
}

/// Events as they come. A stream that ends without [`Piece::End`] was cut.
pub type Events = Pin<Box<dyn Stream<Item = Result<Piece, Fault>> + Send>>;

/// One step of a streamed answer.
#[derive(Debug, Clone)]
pub enum Piece {
    /// A whole event in the vendor's framing, terminator included.
    Data(Bytes),
    /// The upstream said that it is done.
    End(Finish),
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Finish {
    /// Complete and not empty: neither cut for length nor filtered. Only such an answer may be kept.
    pub complete: bool,
    /// Stopped for length or by a filter: whole as the vendor sees it, kept only if configuration says so.
    pub cut: bool,
    /// What the upstream counted, if it said so.
    pub usage: Option<Usage>,
}

/// Tokens as the upstream counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input: u64,
    /// Of these, read from the vendor's cache.
    pub cached_read: u64,
    /// Of these, written to the vendor's cache.
    pub cached_write: u64,
    /// Tokens written, reasoning included.
    pub output: u64,
    /// Of these, reasoning.
    pub reasoning: u64,
}

/// Vectors of one batch.
#[derive(Debug, Clone)]
pub struct Rows {
    /// `vectors[i]` belongs to `items[i]` of the task.
    pub vectors: Vec<Vector>,
    /// Tokens of the whole batch, if the upstream said so.
    pub usage: Option<Usage>,
    /// The model as the upstream named it.
    pub model: Arc<str>,
}

/// One embedding in both of its identities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector {
    /// The float array exactly as the upstream wrote it: `[0.1,-2e-3]`.
    pub text: Bytes,
    /// The same as little-endian f32.
    pub bits: Bytes,
}

/// Where an attempt's patience ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No connection.
    Connect,
    /// No first byte of an answer.
    FirstToken,
    /// Silence inside a stream.
    Idle,
    /// The whole took too long.
    Total,
}

impl Phase {
    /// The name of the limit in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect_timeout_ms",
            Self::FirstToken => "first_token_timeout_ms",
            Self::Idle => "idle_timeout_ms",
            Self::Total => "total_timeout_ms",
        }
    }
}

/// Kinds of failure of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The upstream says the request is wrong; asking again or elsewhere gives the same.
    Rejected {
        /// Its status.
        status: u16,
    },
    /// The upstream refuses our credential or account: ours to mend, not the caller's.
    Credential {
        /// Its status.
        status: u16,
    },
    /// The upstream is busy (429, 529).
    Busy {
        /// Its status.
        status: u16,
    },
    /// No connection, a 5xx, or an answer that makes no sense.
    Broken {
        /// Its status, where there was one.
        status: Option<u16>,
    },
    /// It answered in a way that asking again or elsewhere does not mend: larger than we take, or with a redirect.
    Unusable,
    /// It took too long.
    Timeout {
        /// Which patience ran out.
        phase: Phase,
    },
    /// The stream ended before it was done.
    Cut,
}

impl FaultKind {
    /// Stable name for error codes and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected { .. } => "upstream_rejected",
            Self::Credential { .. } => "upstream_credential",
            Self::Busy { .. } => "upstream_busy",
            Self::Broken { .. } => "upstream_broken",
            Self::Unusable => "upstream_unusable",
            Self::Timeout { .. } => "upstream_timeout",
            Self::Cut => "upstream_cut",
        }
    }

    /// True when neither another attempt nor another target would fare better.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Rejected { .. } | Self::Unusable)
    }
}

/// Why an attempt has no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct Fault {
    /// Of which kind.
    pub kind: FaultKind,
    /// One line for people: what was seen, never a secret.
    pub what: String,
    /// The upstream's own error body, when it is JSON and may be shown to the caller.
    pub body: Option<Bytes>,
    /// How long the upstream asked us to wait.
    pub retry_after: Option<Duration>,
    /// Place of the embedding item that is to blame, in the caller's own request; the engine finds it out.
    pub item: Option<usize>,
}

impl Fault {
    /// A fault of this kind.
    pub fn new(kind: FaultKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), body: None, retry_after: None, item: None }
    }

    /// No connection, a 5xx, or nonsense.
    pub fn broken(status: Option<u16>, what: impl Into<String>) -> Self {
        Self::new(FaultKind::Broken { status }, what)
    }

    /// With the upstream's own error body.
    #[must_use]
    pub fn with_body(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self
    }

    /// With the upstream's wish for a pause.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }
}
