//! What the vendors' replies share: JSON bodies, event streams, counts, callers' fields.
//!
//! Owns the checks before a vendor's own reading begins.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tidegate_actors::call::Affecting;
use tidegate_actors::json::{Document, JsonFault, JsonLimits};
use tidegate_actors::ports::provider::{Answer, Fault, Usage};

use super::http::Reply;
use super::sse_stream::{Reader, SseStream};
use super::verdict;
use crate::dialect;
use crate::dialect::error::UpstreamError;

/// The fields among `affecting` that this vendor is to see.
///
/// # Errors
/// A value that cannot be sent, which the caller sent.
pub(super) fn affecting(affecting: &Affecting, names: &[&str]) -> Result<HeaderMap, Fault> {
    let mut fields = HeaderMap::new();
    for (name, value) in affecting.iter().filter(|(name, _)| names.contains(&&**name)) {
        match (HeaderName::try_from(&**name), HeaderValue::try_from(&**value)) {
            (Ok(name), Ok(value)) => fields.append(name, value),
            _ => return Err(super::rejected(format!("header {name} cannot be sent on"))),
        };
    }
    Ok(fields)
}

/// A body as JSON; any depth and width within the size limit is the upstream's to choose.
pub(super) fn parse(body: &Bytes) -> Option<Document> {
    Document::parse(body.clone(), JsonLimits { max_depth: JsonLimits::DEEPEST, max_nodes: usize::MAX }).ok()
}

/// The error a body holds.
pub(super) fn error_in(body: &Document) -> Option<UpstreamError> {
    let held = body.root().get("error").is_some_and(|error| !error.is_null());
    held.then(|| UpstreamError::in_json(body.root())).flatten()
}

/// The events of a reply.
///
/// # Errors
/// A reply that is no stream: a page, or an error in place of one.
pub(super) async fn stream<R: Reader>(
    reply: Reply,
    max_line_bytes: usize,
    reader: R,
) -> Result<Answer, Fault> {
    let kind = reply.fields.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // Some servers send events under text/plain; these two are never events.
    if !kind.starts_with("application/json") && !kind.starts_with("text/html") {
        return Ok(Answer::Events(Box::pin(SseStream::new(reply.body, max_line_bytes, reader))));
    }
    let status = reply.status;
    let body = reply.body.whole().await?;
    Err(match parse(&body).as_ref().and_then(error_in) {
        Some(error) => verdict::fault_in_band(&error, body),
        None => verdict::nonsense(status, &body, "events"),
    })
}

/// The fault of an event that cannot be read.
pub(super) fn not_json(fault: &JsonFault) -> Fault {
    Fault::broken(None, format!("sent an event that is not JSON: {fault}"))
}

/// Counts as the engine has them.
pub(super) fn usage(usage: dialect::Usage) -> Usage {
    let dialect::Usage { input, cached_read, cached_write, output, reasoning } = usage;
    Usage { input, cached_read, cached_write, output, reasoning }
}
