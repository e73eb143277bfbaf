//! What an upstream's status, fields and error body mean: the one table from HTTP to [`Fault`].
//!
//! Owns that table and the reading of retry hints; it reads no success and no network.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::ports::provider::{Fault, FaultKind};

use crate::dialect::error::UpstreamError;

/// What a message begins with where the body had no words of its own; ours name the upstream already.
const SUBJECT: &str = "the upstream ";
/// Newer than `retry-after`, and finer.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// No hint makes a caller wait longer: SDKs give up or hang beyond it.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The fault of an answer that is not a success. `unix_us` is the wall clock, for hints that are dates.
pub(super) fn fault_of(status: StatusCode, fields: &HeaderMap, body: Bytes, unix_us: i64) -> Fault {
    let wait = retry_after(fields, unix_us);
    let json = Document::parse(body.clone(), JsonLimits::default()).is_ok();
    let said = UpstreamError::read(status.as_u16(), &body);
    let kind = kind_of(status, wait.is_some(), json, is_spent(&said));
    let text = if status.is_redirection() { redirect(status, fields) } else { words(status, &said) };
    let fault = Fault::new(kind, text).with_retry_after(wait);
    if json { fault.with_body(body) } else { fault }
}

/// The fault of a status with a JSON body and a hint when to come back.
pub(super) fn fault_of_status(status: u16, body: Bytes, wait: Option<Duration>) -> Fault {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut fields = HeaderMap::new();
    if let Some(wait) = wait.and_then(|wait| u64::try_from(wait.as_millis()).ok()) {
        fields.insert(RETRY_AFTER_MS, wait.into());
    }
    fault_of(status, &fields, body, 0)
}

/// The fault of a success whose body is not what was asked for; `wanted` says what was.
pub(super) fn nonsense(status: StatusCode, body: &Bytes, wanted: &str) -> Fault {
    let seen = match UpstreamError::read(status.as_u16(), body).message.strip_prefix(SUBJECT) {
        Some(seen) => seen.to_owned(),
        None => format!("answered {}", status.as_u16()),
    };
    Fault::broken(Some(status.as_u16()), format!("{seen}, not with {wanted}"))
}

/// The fault of an error that came after a good status, by what it says: an event inside a stream, or
/// a body with an error in it.
///
/// Its vendor's error type stands for the status that could no longer be sent.
pub(super) fn fault_in_band(said: &UpstreamError, body: Bytes) -> Fault {
    let word = |word: &Option<String>| word.clone().unwrap_or_default();
    let kind = match (word(&said.kind).as_str(), word(&said.code).as_str()) {
        (_, "insufficient_quota") => FaultKind::Credential { status: 429 },
        ("invalid_request_error" | "not_found_error" | "request_too_large", _) => {
            FaultKind::Rejected { status: 400 }
        }
        ("authentication_error" | "permission_error" | "billing_error", _) => {
            FaultKind::Credential { status: 401 }
        }
        ("rate_limit_error" | "requests" | "tokens", _) | (_, "rate_limit_exceeded") => {
            FaultKind::Busy { status: 429 }
        }
        ("overloaded_error", _) => FaultKind::Busy { status: 529 },
        (_, code) => {
            let status = code.parse().ok().and_then(|code: u16| StatusCode::from_u16(code).ok());
            let failure = status.filter(|status| status.as_u16() >= 400);
            failure.map_or(FaultKind::Broken { status: None }, |status| kind_of(status, false, true, false))
        }
    };
    Fault::new(kind, format!("sent an error after status 200: {}", said.message)).with_body(body)
}

fn kind_of(status: StatusCode, hinted: bool, json: bool, spent: bool) -> FaultKind {
    let status = status.as_u16();
    match status {
        300..=399 => FaultKind::Unusable,
        429 if spent => FaultKind::Credential { status },
        429 | 529 => FaultKind::Busy { status },
        503 if hinted => FaultKind::Busy { status },
        401..=403 => FaultKind::Credential { status },
        // A page where an API should be: our base_url is wrong, not the caller's request.
        404 | 405 if !json => FaultKind::Broken { status: Some(status) },
        408 => FaultKind::Broken { status: Some(status) },
        400..=499 => FaultKind::Rejected { status },
        _ => FaultKind::Broken { status: Some(status) },
    }
}

/// A 429 that waiting does not mend: the account has no money left.
fn is_spent(said: &UpstreamError) -> bool {
    [&said.code, &said.kind].into_iter().flatten().any(|word| word == "insufficient_quota")
}

fn words(status: StatusCode, said: &UpstreamError) -> String {
    match said.message.strip_prefix(SUBJECT) {
        Some(seen) => seen.to_owned(),
        None => format!("answered {}: {}", status.as_u16(), said.message),
    }
}

fn redirect(status: StatusCode, fields: &HeaderMap) -> String {
    let to = fields.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
    let to: String = to.chars().take(200).collect();
    let status = status.as_u16();
    format!(
        "answered {status}, a redirect to {to}; redirects are not followed, set base_url to where it leads"
    )
}

/// `retry-after-ms`, else `retry-after` in seconds or as an HTTP date; at most a minute.
fn retry_after(fields: &HeaderMap, unix_us: i64) -> Option<Duration> {
    let text = |name: &str| fields.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str, unit: f64| -> Option<Duration> {
        let seconds = text.parse::<f64>().ok()?.max(0.0) * unit;
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT))
    };
    let wait = text(RETRY_AFTER_MS.as_str()).and_then(|ms| number(ms, 0.001)).or_else(|| {
        let hint = text(RETRY_AFTER.as_str())?;
        number(hint, 1.0).or_else(|| until(hint, unix_us))
    });
    wait.map(|wait| wait.min(LONGEST_WAIT))
}

fn until(date: &str, unix_us: i64) -> Option<Duration> {
    let then = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let now = Duration::from_micros(u64::try_from(unix_us).ok()?);
    Some(then.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"error":{"message":"said so","type":"t","code":null}}"#;

    fn fault(status: u16, fields: &[(&'static str, &str)], body: &str) -> Fault {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.insert(*name, value.parse().expect("a header value"));
        }
        fault_of(
            StatusCode::from_u16(status).expect("a status"),
            &map,
            Bytes::copy_from_slice(body.as_bytes()),
            0,
        )
    }

    fn kind(status: u16, fields: &[(&'static str, &str)], body: &str) -> (&'static str, String) {
        let fault = fault(status, fields, body);
        (fault.kind.name(), fault.what)
    }

    #[test]
    fn every_status_has_one_kind() {
        let table = [
            (&[400, 404, 405, 409, 413, 415, 422][..], "upstream_rejected"),
            (&[401, 402, 403], "upstream_credential"),
            (&[429, 529], "upstream_busy"),
            (&[301, 307], "upstream_unusable"),
            (&[408, 500, 502, 503, 504, 520], "upstream_broken"),
        ];
        for (statuses, name) in table {
            for status in statuses {
                assert_eq!(kind(*status, &[], JSON).0, name, "{status}");
            }
        }
        assert_eq!(kind(503, &[("retry-after", "1")], JSON).0, "upstream_busy");
    }

    #[test]
    fn an_error_body_is_kept_only_if_it_is_json() {
        assert_eq!(fault(400, &[], JSON).body.as_deref(), Some(JSON.as_bytes()));
        assert_eq!(fault(400, &[], "<html>no</html>").body, None);
    }

    #[test]
    fn the_upstreams_own_words_are_in_the_message() {
        assert_eq!(kind(400, &[], JSON).1, "answered 400: said so");
        assert_eq!(kind(400, &[], r#"{"error":"plain"}"#).1, "answered 400: plain");
        assert_eq!(kind(422, &[], r#"{"detail":"d"}"#).1, "answered 422: d");
        assert_eq!(kind(500, &[], "").1, "answered 500 with an empty body");
        assert_eq!(kind(400, &[], "oops\r\nno").1, "answered 400: oops no");
    }

    #[test]
    fn a_page_in_place_of_the_api_is_our_fault_not_the_callers() {
        let (name, text) =
            kind(404, &[("content-type", "text/html; charset=utf-8")], "<html>not here</html>");
        assert_eq!((name, text.as_str()), ("upstream_broken", "answered 404 with an HTML page"));
    }

    #[test]
    fn a_redirect_names_where_it_leads() {
        let (name, text) = kind(301, &[("location", "https://other/v1")], "");
        assert_eq!(name, "upstream_unusable");
        assert!(text.contains("https://other/v1") && text.contains("base_url"), "{text}");
    }

    #[test]
    fn a_quota_without_money_is_a_credential_fault() {
        assert_eq!(
            kind(429, &[], r#"{"error":{"message":"m","code":"insufficient_quota"}}"#).0,
            "upstream_credential"
        );
    }

    #[test]
    fn retry_hints_are_read_in_every_form_and_capped() {
        let wait = |fields| fault(429, fields, JSON).retry_after.map(|wait| wait.as_millis());
        assert_eq!(wait(&[("retry-after-ms", "1500.5"), ("retry-after", "9")]), Some(1500));
        assert_eq!(wait(&[("retry-after", "9")]), Some(9000));
        assert_eq!(wait(&[("retry-after", "300")]), Some(60_000));
        assert_eq!(wait(&[("retry-after", "Thu, 01 Jan 1970 00:00:20 GMT")]), Some(20_000));
        assert_eq!(wait(&[("retry-after", "-3")]), Some(0));
        assert_eq!(wait(&[("retry-after", "nan")]), Some(0));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[("retry-after", "1e300")]), Some(60_000));
        assert_eq!(wait(&[]), None);
    }
}
