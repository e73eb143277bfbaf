//! What a door takes from a request: its body within limits, and the headers that mean something.
//!
//! Owns reading; what a field means is the dialect's or the engine's business.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tidegate_actors::call::{Affecting, CacheWish, Deadline, Memory, Tags};
use tidegate_actors::json::{Document, JsonLimits};

use super::Doors;
use super::budget::ByteShare;
use super::error::DoorError;
use crate::config::CacheMode;
use crate::dialect::error::BadRequest;

// Names as the header map wants them: a text would be parsed anew at each look.
static X_TAGS: HeaderName = HeaderName::from_static("x-tidegate-tags");
static X_RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");
static X_PATIENCE: [HeaderName; 2] =
    [HeaderName::from_static("x-stainless-read-timeout"), HeaderName::from_static("x-stainless-timeout")];

/// Longest tag, bytes.
const MAX_TAG_BYTES: usize = 64;
/// Values in one JSON body; arrays of numbers count once.
const MAX_NODES: usize = 1 << 20;

/// A body and what it holds of the budget.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) bytes: Bytes,
    /// Kept until the call has ended.
    pub(crate) share: ByteShare,
}

/// Reads the body.
///
/// # Errors
/// 413 over the limit, 429 when all bodies together are over theirs, 408 when the client stops sending.
pub(crate) async fn body(
    doors: &Doors,
    request: &HttpRequest,
    payload: &mut web::Payload,
) -> Result<Taken, DoorError> {
    let limit = doors.config.limits.body_bytes;
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(DoorError::too_large(limit));
    }
    let mut taken = Taken { bytes: Bytes::new(), share: doors.bodies.share() };
    let mut many = BytesMut::new();
    while let Some(chunk) = next_chunk(doors, payload).await? {
        if taken.bytes.len() + many.len() + chunk.len() > limit {
            return Err(DoorError::too_large(limit));
        }
        if !taken.share.grow(chunk.len()) {
            return Err(DoorError::bodies_full(doors.bodies.limit()));
        }
        // Most bodies come in one piece, which is then used as it is.
        if taken.bytes.is_empty() && many.is_empty() {
            taken.bytes = chunk;
            continue;
        }
        if many.is_empty() {
            many.reserve(declared.unwrap_or(0).max(taken.bytes.len() + chunk.len()));
            many.extend_from_slice(&std::mem::take(&mut taken.bytes));
        }
        many.extend_from_slice(&chunk);
    }
    if !many.is_empty() {
        taken.bytes = many.freeze();
    }
    Ok(taken)
}

async fn next_chunk(doors: &Doors, payload: &mut web::Payload) -> Result<Option<Bytes>, DoorError> {
    let mut next = payload.next();
    // A body mostly lies in the same packet as its head, and is fed right after this first look: only one that
    // has to be waited for is worth a timer.
    let mut chunk = futures_util::poll!(&mut next);
    if chunk.is_pending() {
        tokio::task::yield_now().await;
        chunk = futures_util::poll!(&mut next);
    }
    let chunk = match chunk {
        std::task::Poll::Ready(chunk) => chunk,
        std::task::Poll::Pending => {
            let patience = doors.config.listen.keep_alive_ms;
            let waited = tokio::time::timeout(Duration::from_millis(patience), next).await;
            waited.map_err(|_| DoorError::body_slow(patience))?
        }
    };
    chunk.transpose().map_err(|error| DoorError::body_broken(&error.to_string()))
}

/// Parses a body as the doors accept JSON: strict, bounded, without duplicate keys.
pub(crate) fn document(doors: &Doors, bytes: Bytes) -> Result<Document, DoorError> {
    let limits = JsonLimits { max_depth: doors.config.limits.json_depth, max_nodes: MAX_NODES };
    Document::parse(bytes, limits).map_err(|fault| BadRequest::json(&fault).into())
}

/// A body of one of Tidegate's own paths; an empty one is an empty object.
pub(crate) async fn fields<T: DeserializeOwned>(
    doors: &Doors,
    request: &HttpRequest,
    payload: &mut web::Payload,
) -> Result<T, DoorError> {
    let taken = body(doors, request, payload).await?;
    let text: &[u8] = if taken.bytes.is_empty() { b"{}" } else { &taken.bytes };
    serde_json::from_slice(text).map_err(|fault| DoorError::bad_field("body", fault.to_string()))
}

/// Whether this call takes part in the cache.
pub(crate) fn memory(doors: &Doors, headers: &HeaderMap, declared: bool) -> Result<Memory, DoorError> {
    let wish = match cache_control(headers) {
        Directives { no_store: true, .. } => None,
        Directives { wish, .. } => Some(wish),
    };
    let bypass = match (doors.config.gateway.cache, wish) {
        (_, None) => Some("no_store"),
        (CacheMode::Off, _) => Some("off"),
        (CacheMode::Declared, _) if !declared => Some("not_declared"),
        _ => None,
    };
    match (bypass, wish) {
        (Some(_), Some(wish)) if wish.only_kept => Err(DoorError::not_cached()),
        (Some(reason), _) => Ok(Memory::Bypass(reason)),
        (None, wish) => Ok(Memory::Use(wish.unwrap_or_default())),
    }
}

#[derive(Default)]
struct Directives {
    no_store: bool,
    wish: CacheWish,
}

fn cache_control(headers: &HeaderMap) -> Directives {
    let mut found = Directives::default();
    for value in headers.get_all(header::CACHE_CONTROL).filter_map(|value| value.to_str().ok()) {
        for directive in value.split(',').map(str::trim) {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            match name.to_ascii_lowercase().as_str() {
                "no-store" => found.no_store = true,
                "no-cache" => found.wish.read = false,
                "only-if-cached" => found.wish.only_kept = true,
                "max-age" => {
                    let seconds = argument.trim_matches('"').parse::<u64>().ok();
                    found.wish.max_age_ms = seconds.map(|seconds| seconds.saturating_mul(1_000));
                    // Not even one made this moment is new enough.
                    found.wish.read &= seconds != Some(0);
                }
                _ => {}
            }
        }
    }
    found
}

/// The labels in `x-tidegate-tags`, separated by commas.
pub(crate) fn tags(doors: &Doors, headers: &HeaderMap) -> Result<Tags, DoorError> {
    const NAME: &str = "x-tidegate-tags";
    let Some(value) = headers.get(&X_TAGS) else { return Ok(Tags::default()) };
    let text =
        value.to_str().map_err(|_| DoorError::bad_field(NAME, format!("{NAME} must be ASCII text")))?;
    let tags: Vec<Box<str>> =
        text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(Box::from).collect();
    let limit = doors.config.limits.tags;
    if tags.len() > limit {
        let message = format!("{NAME} names {} tags, the limit is {limit} (limits.tags)", tags.len());
        return Err(DoorError::bad_field(NAME, message));
    }
    if let Some(long) = tags.iter().find(|tag| tag.len() > MAX_TAG_BYTES) {
        let message = format!("{NAME}: a tag of {} bytes is longer than {MAX_TAG_BYTES}", long.len());
        return Err(DoorError::bad_field(NAME, message));
    }
    Ok(tags.into())
}

/// Headers of `names` that the request carries.
pub(crate) fn affecting(headers: &HeaderMap, names: &[HeaderName]) -> Affecting {
    let found = names.iter().filter_map(|name| {
        let value = headers.get(name)?.to_str().ok()?;
        Some((Box::from(name.as_str()), Box::from(value)))
    });
    found.collect::<Vec<_>>().into()
}

/// When the client stops waiting, by its own word or by configuration.
pub(crate) fn deadline(doors: &Doors, headers: &HeaderMap) -> Deadline {
    let said = X_PATIENCE.iter().filter_map(|name| {
        let seconds = headers.get(name)?.to_str().ok()?.parse::<f64>().ok()?;
        (seconds.is_finite() && seconds > 0.0).then(|| (seconds * 1_000.0).ceil() as u64)
    });
    let patience_ms = said.min().unwrap_or(doors.config.gateway.deadline_ms).max(1);
    Deadline::within_ms(doors.engine.clock().now(), patience_ms)
}

/// Which attempt of its own the client says this is.
pub(crate) fn client_attempt(headers: &HeaderMap) -> Option<u32> {
    headers.get(&X_RETRY_COUNT)?.to_str().ok()?.parse().ok()
}

/// A document shared with the flight.
pub(crate) fn shared(document: Document) -> Arc<Document> {
    Arc::new(document)
}
