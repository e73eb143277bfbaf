//! What every answer says about itself: ids, how it came, what Tidegate added.

use std::fmt::Write;
use std::time::Duration;

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use tidegate_actors::key::Key;
use tidegate_actors::{Answered, CallId, Outcome};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
static X_CACHE: HeaderName = HeaderName::from_static("x-tidegate-cache");
static X_KEY: HeaderName = HeaderName::from_static("x-tidegate-key");
static X_MODEL: HeaderName = HeaderName::from_static("x-tidegate-model");
static X_PROVIDER: HeaderName = HeaderName::from_static("x-tidegate-provider");
static AGE: HeaderName = HeaderName::from_static("age");
static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The header value for a text made here: ASCII without control characters.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("?"))
}

/// Gives an answer that has no id yet one of its own.
pub(crate) fn identify(headers: &mut HeaderMap) {
    if headers.contains_key(&X_REQUEST_ID) {
        return;
    }
    let id = value(&CallId::fresh().to_string());
    headers.insert(X_REQUEST_ID.clone(), id.clone());
    headers.insert(REQUEST_ID.clone(), id);
}

/// What is said of any answer.
pub(crate) struct About<'a> {
    pub(crate) id: CallId,
    pub(crate) outcome: Outcome,
    pub(crate) key: Option<Key>,
    pub(crate) target: &'a str,
    pub(crate) age_s: Option<u64>,
    pub(crate) ours: Duration,
}

/// Writes the headers of an answer.
pub(crate) fn describe(response: &mut HttpResponseBuilder, answered: &Answered) {
    let Answered { id, outcome, key, target, age_s, ours, body: _ } = answered;
    let about = About { id: *id, outcome: *outcome, key: *key, target, age_s: *age_s, ours: *ours };
    write_about(response, &about);
}

/// Writes what is said of an answer.
pub(crate) fn write_about(response: &mut HttpResponseBuilder, answered: &About<'_>) {
    let About { id, target, .. } = answered;
    tracing::debug!(call = %id, target, outcome = ?answered.outcome, ours = ?answered.ours, "answered");
    let mut text = String::with_capacity(64);
    // Writing to a String cannot fail.
    let _ = write!(text, "{}", answered.id);
    let id = value(&text);
    response.append_header((X_REQUEST_ID.clone(), id.clone())).append_header((REQUEST_ID.clone(), id));
    response.append_header((X_CACHE.clone(), outcome(answered.outcome)));
    if let Some(key) = &answered.key {
        text.clear();
        let _ = write!(text, "{key}");
        response.append_header((X_KEY.clone(), value(&text)));
    }
    let (provider, model) = answered.target.split_once('/').unwrap_or((answered.target, ""));
    response.append_header((X_PROVIDER.clone(), value(provider)));
    if !model.is_empty() {
        response.append_header((X_MODEL.clone(), value(model)));
    }
    if let Some(age) = answered.age_s {
        response.append_header((AGE.clone(), HeaderValue::from(age)));
    }
    text.clear();
    let micros = answered.ours.as_micros();
    let _ = write!(text, "tidegate;dur={}.{:03}", micros / 1_000, micros % 1_000);
    response.append_header((SERVER_TIMING.clone(), value(&text)));
}

fn outcome(outcome: Outcome) -> HeaderValue {
    match outcome {
        Outcome::Hit => HeaderValue::from_static("hit"),
        Outcome::Joined => HeaderValue::from_static("joined"),
        Outcome::Mixed => HeaderValue::from_static("mixed"),
        Outcome::Miss => HeaderValue::from_static("miss"),
        Outcome::Bypass(reason) => value(&format!("bypass; reason={reason}")),
    }
}
