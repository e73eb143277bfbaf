//! The nouns of one call: who asks, what for, in which form, with how much patience.
//!
//! Owns plain values that move along the path; must not decide anything about them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::json::{Document, JsonFault, JsonLimits};
use crate::key::{BodyDigest, Deny, ItemKind, KnownKey};
use crate::ports::clock::Tick;
use crate::route::Route;

/// Identity of one call; ours, never the upstream's. Text form `call_<uuid v7>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(Uuid);

impl CallId {
    /// A fresh id; ids made later sort later (to the millisecond).
    pub fn fresh() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The id's sixteen bytes.
    pub const fn bytes(self) -> [u8; 16] {
        *self.0.as_bytes()
    }

    /// The text form, in ASCII.
    pub fn text(self) -> [u8; 41] {
        let mut text = *b"call_????????-????-????-????-????????????";
        self.0.as_hyphenated().encode_lower(&mut text[5..]);
        text
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text.strip_prefix("call_")?).ok().map(Self)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

/// The workspace a verified credential belongs to: the prefix of every key and stored row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspaceId(Arc<str>);

impl WorkspaceId {
    /// The workspace with this id.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The workspace of an instance without keys.
    pub fn default_workspace() -> Self {
        Self::new("default")
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What sort of work a call is; the table of kinds switches stages by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// A generated answer: chat completions, messages.
    Chat,
    /// Vectors for texts.
    Embed,
    /// Anything else a vendor offers, passed through as it is.
    Forward,
}

impl CallKind {
    /// The name in configuration, metrics and keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embed => "embed",
            Self::Forward => "forward",
        }
    }
}

/// How the answer is told: at once or as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// One body.
    Whole,
    /// Events in the vendor's stream format.
    Stream,
}

/// What the caller wants from the cache; the meaning of the `Cache-Control` request directives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheWish {
    /// A kept answer may be given.
    pub read: bool,
    /// The answer may be kept (and so shared while it is in the air).
    pub keep: bool,
    /// Only a kept answer will do.
    pub only_kept: bool,
    /// A kept answer must not be older, milliseconds.
    pub max_age_ms: Option<u64>,
}

impl Default for CacheWish {
    fn default() -> Self {
        Self { read: true, keep: true, only_kept: false, max_age_ms: None }
    }
}

/// Whether this call takes part in remembering and sharing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// It does, as the caller wishes.
    Use(CacheWish),
    /// It does not, for this reason (`not_declared`, `off`, `no_store`, `forward`).
    Bypass(&'static str),
}

/// When the caller stops waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When the caller came, on the engine's clock.
    pub since: Tick,
    /// How long it waits, milliseconds.
    pub patience_ms: u64,
}

/// One request to embed: the items and everything else of the document.
#[derive(Debug, Clone)]
pub struct EmbedWork {
    /// The whole request as it came; the provider takes every field but the input from it.
    pub document: Arc<Document>,
    /// Digest of every field except the input and the encoding.
    pub others: BodyDigest,
    /// The items, in input order.
    pub items: Vec<EmbedItem>,
}

/// One text or token list to embed.
#[derive(Debug, Clone)]
pub struct EmbedItem {
    /// The item as JSON, as it came.
    pub json: Bytes,
    /// Text or tokens: the two never share a key or a batch.
    pub input: ItemKind,
    /// Digest of the item's canonical form, kind included.
    pub digest: BodyDigest,
    /// Tokens, counted or estimated; cuts batches and splits usage.
    pub tokens: u32,
}

/// A request passed through as it is.
#[derive(Debug, Clone)]
pub struct ForwardWork {
    /// HTTP-like verb, upper case.
    pub method: Arc<str>,
    /// Path below the provider's base, with query.
    pub path: Arc<str>,
    /// Fields that travel on, names lower case.
    pub fields: Vec<(Arc<str>, Arc<str>)>,
    /// The body as it came.
    pub body: Bytes,
}

/// A shared list that is mostly empty. Empty it is nothing at all: neither memory nor a counter to touch when it is
/// cloned, which a hit does several times.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Few<T>(Option<Arc<[T]>>);

impl<T> Clone for Few<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(list: Vec<T>) -> Self {
        Self((!list.is_empty()).then(|| list.into()))
    }
}

impl<T, const N: usize> From<[T; N]> for Few<T> {
    fn from(list: [T; N]) -> Self {
        Vec::from(list).into()
    }
}

impl<T> std::ops::Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().unwrap_or(&[])
    }
}

/// Fields that change the answer without being in the body (`anthropic-version`, ..), names lower case.
pub type Affecting = Few<(Box<str>, Box<str>)>;

/// Cost and purge labels the caller put on the call.
pub type Tags = Few<Box<str>>;

/// A request for a generated answer.
#[derive(Debug, Clone)]
pub struct ChatWork {
    /// The request as it came.
    pub document: Arc<Document>,
    /// Digest of the canonical body.
    pub digest: BodyDigest,
    /// What the digest leaves out; `explain` leaves out the same.
    pub deny: Deny,
    /// The key this body had when it came before, if that is remembered.
    pub known: Option<Arc<KnownKey>>,
}

/// A leaf unit of work that may leave the process.
#[derive(Debug, Clone)]
pub struct Call<W> {
    /// Ours.
    pub id: CallId,
    /// From the verified credential.
    pub workspace: WorkspaceId,
    /// Tells one credential's retry from another's request; 0 is the instance without keys.
    pub credential: u64,
    /// The door it came in by, such as `openai.chat`; part of the key, as doors answer in their vendor's form.
    pub door: &'static str,
    /// The public model name asked for.
    pub model: Arc<str>,
    /// Where it may go.
    pub route: Arc<Route>,
    /// What is asked.
    pub work: W,
    /// How the answer is told.
    pub form: Form,
    /// What it may share.
    pub memory: Memory,
    /// Headers in the key.
    pub affecting: Affecting,
    /// Labels.
    pub tags: Tags,
    /// The caller's patience.
    pub deadline: Deadline,
    /// `Some(n)` when the client says which attempt this is; it may come back for its answer.
    pub client_attempt: Option<u32>,
}

impl Deadline {
    /// The moment `patience_ms` milliseconds after `now`.
    pub const fn within_ms(now: Tick, patience_ms: u64) -> Self {
        Self { since: now, patience_ms }
    }

    /// The moment after which nobody waits any more.
    pub const fn at(&self) -> Tick {
        self.since.plus_ms(self.patience_ms)
    }
}

impl Call<ChatWork> {
    /// An OpenAI chat call of the default workspace, answered as one body, that shares and keeps its answer.
    /// What differs is set in its fields.
    ///
    /// # Errors
    /// The flaw of a body that is not JSON, and where it is.
    pub fn chat(route: &Arc<Route>, body: Bytes, deadline: Deadline) -> Result<Self, JsonFault> {
        let document = Document::parse(body, JsonLimits::default())?;
        let deny = Deny::OPENAI_CHAT;
        let digest = BodyDigest::of(document.root(), deny);
        Ok(Self {
            id: CallId::fresh(),
            workspace: WorkspaceId::default_workspace(),
            credential: 0,
            door: "openai.chat",
            model: Arc::clone(&route.model),
            route: Arc::clone(route),
            work: ChatWork { document: Arc::new(document), digest, deny, known: None },
            form: Form::Whole,
            memory: Memory::Use(CacheWish::default()),
            affecting: Default::default(),
            tags: Default::default(),
            deadline,
            client_attempt: None,
        })
    }
}
