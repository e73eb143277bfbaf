//! Passing a request through as it is, and its answer back.
//!
//! Owns which fields travel in either direction. Credentials of the client never travel on, and
//! nothing of the upstream's that only concerns its connection or account travels back.

use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use hyper::Method;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tidegate_actors::call::ForwardWork;
use tidegate_actors::ports::provider::{Answer, Fault, Finish, Piece};

use super::http::Body;
use super::remote::Remote;

/// Fields of a request that never travel on: credentials and accounts of the client, and what
/// belongs to its connection or is set by our own client.
const STAY: [&str; 24] = [
    "authorization",
    "x-api-key",
    "api-key",
    "cookie",
    "openai-organization",
    "openai-project",
    "proxy-authorization",
    "proxy-connection",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "host",
    "content-length",
    "accept-encoding",
    "user-agent",
    "forwarded",
    "via",
    "origin",
    "referer",
    "x-real-ip",
];
const STAY_PREFIXES: [&str; 4] = ["x-tidegate-", "x-forwarded-", "x-stainless-", "sec-"];

/// Fields of an answer that travel back; everything else stays here.
const BACK: [&str; 13] = [
    "content-type",
    "content-encoding",
    "content-disposition",
    "content-language",
    "content-range",
    "accept-ranges",
    "etag",
    "last-modified",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "openai-processing-ms",
    "openai-version",
];
const BACK_PREFIXES: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];

/// Sends `work` on and gives the answer back, whatever it says; only a refusal of our own
/// credential is ours to mend and a fault.
///
/// # Errors
/// What went wrong on the way.
pub(super) async fn forward(
    remote: &Remote,
    work: &ForwardWork,
    model: &str,
    more: HeaderMap,
) -> Result<Answer, Fault> {
    let unusable = |what: &str| super::rejected(format!("{what} cannot be sent on"));
    let method = Method::from_bytes(work.method.as_bytes()).map_err(|_| unusable("the method"))?;
    let mut fields = HeaderMap::new();
    for (name, value) in work.fields.iter().filter(|(name, _)| travels_on(name)) {
        let field = HeaderName::try_from(&**name).map_err(|_| unusable(name))?;
        fields.append(field, HeaderValue::try_from(&**value).map_err(|_| unusable(name))?);
    }
    for (name, value) in &more {
        // What the caller wrote is not written twice.
        if !work.fields.iter().any(|(written, _)| **written == *name.as_str()) {
            fields.append(name.clone(), value.clone());
        }
    }
    let path = if work.path.starts_with('/') { work.path.to_string() } else { format!("/{}", work.path) };
    let uri = remote.uri(&path, model)?;
    let template = remote.template(method, uri, fields);
    let mut reply = remote.send(&template, work.body.clone(), is_answer).await?;
    remote.hide_in(&mut reply.fields);
    Ok(Answer::Passed {
        status: reply.status.as_u16(),
        fields: back(&reply.fields),
        body: Box::pin(pieces(reply.body.unlimited())),
    })
}

/// A redirect would be an answer that leads the caller past us.
fn is_answer(status: StatusCode) -> bool {
    !status.is_redirection() && status != StatusCode::UNAUTHORIZED && status != StatusCode::FORBIDDEN
}

fn travels_on(name: &str) -> bool {
    !STAY.contains(&name) && !STAY_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn back(fields: &HeaderMap) -> Vec<(Arc<str>, Arc<str>)> {
    let safe = fields.iter().filter(|(name, _)| {
        let name = name.as_str();
        BACK.contains(&name) || BACK_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    });
    safe.filter_map(|(name, value)| Some((name.as_str().into(), value.to_str().ok()?.into()))).collect()
}

/// The body as it comes, then its end.
fn pieces(body: Body) -> impl Stream<Item = Result<Piece, Fault>> + Send {
    let mut body = body;
    let bytes = stream::poll_fn(move |cx| body.poll_piece(cx)).map(|piece| piece.map(Piece::Data));
    let end = stream::iter([Ok(Piece::End(Finish { complete: true, ..Finish::default() }))]);
    let mut failed = false;
    bytes.chain(end).take_while(move |piece| {
        let go = !failed;
        failed |= piece.is_err();
        std::future::ready(go)
    })
}
