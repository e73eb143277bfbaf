//! Who may come in: with keys, who has one; without, this machine alone, and no web page may make its browser do it.
//!
//! Owns where a credential stands in a request, and the check of `Host` (DNS rebinding) and `Origin` (cross-site
//! requests); without keys and people the listener is bound to loopback. Must not know whose a credential is.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::Doors;
use super::access::Access;
use super::error::DoorError;
use super::{cookie, proxy};
use crate::identity::{Denial, Principal, Who};

static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
static X_WORKSPACE: HeaderName = HeaderName::from_static("x-tidegate-workspace");

/// Whose request this is, if it may do what `access` says.
///
/// # Cost
/// Without keys a look at a few headers; with a key one SHA-256 of 55 bytes and a look under a read lock. Allocates nothing then.
pub(crate) fn admit(
    request: &HttpRequest,
    doors: &Doors,
    access: &Access,
) -> Result<Arc<Principal>, DoorError> {
    let principal = known(request, doors)?;
    access.permit(&principal)?;
    Ok(principal)
}

/// Whose request this is, whatever they may do.
pub(super) fn known(request: &HttpRequest, doors: &Doors) -> Result<Arc<Principal>, DoorError> {
    no_stranger(request, doors)?;
    let (judged, is_cookie) = judge(request, doors);
    let named =
        || request.headers().get(&X_WORKSPACE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let principal = judged.map_err(|denial| DoorError::unauthorised(denial, named()))?;
    if is_cookie && !request.method().is_safe() && matches!(principal.who, Who::Person(_)) {
        cookie::from_our_page(request)?;
    }
    Ok(principal)
}

/// Whose this request is; and whether it said so in a cookie, which a browser sends without being asked.
pub(super) fn judge(request: &HttpRequest, doors: &Doors) -> (Result<Arc<Principal>, Denial>, bool) {
    let headers = request.headers();
    // A name that is no text is nobody's.
    let named = headers.get(&X_WORKSPACE).map(|value| value.to_str().unwrap_or_default());
    let own = credential(headers);
    let is_ours = |text: &[u8]| text.starts_with(b"tg_") || doors.roster.has_signed(text);
    if let Some(person) = proxy::vouched(request, doors).filter(|_| !own.is_some_and(is_ours)) {
        let vouched = doors.roster.vouched(person, named);
        // Where everybody on this machine may come in, so may they.
        if doors.roster.is_guarded() || !matches!(vouched, Err(Denial::Unknown)) {
            return (vouched, false);
        }
    }
    let of_cookie = own.is_none().then(|| cookie::access(headers)).flatten();
    (doors.roster.judge(own.or(of_cookie.map(str::as_bytes)), named), of_cookie.is_some())
}

/// What stands where tokens and keys do, in a request that carries one.
pub(super) fn bearer_of(request: &HttpRequest) -> Option<&str> {
    credential(request.headers()).and_then(|text| std::str::from_utf8(text).ok())
}

/// The credential a request carries: a key of ours where one stands, else what a vendor's SDK sends.
fn credential(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    let own = headers.get(&X_API_KEY).map(HeaderValue::as_bytes);
    match (bearer, own) {
        (Some(bearer), Some(own)) if own.starts_with(b"tg_") && !bearer.starts_with(b"tg_") => Some(own),
        (bearer, own) => bearer.or(own),
    }
}

/// What stands behind the word, whatever its case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (word, credential) = value.split_at_checked(7)?;
    word.eq_ignore_ascii_case(b"bearer ").then(|| credential.trim_ascii())
}

/// While there are no keys, refuses a request whose `Host` is not this machine or whose `Origin` is another site. A
/// browser cannot be made to send a key.
pub(crate) fn no_stranger(request: &HttpRequest, doors: &Doors) -> Result<(), DoorError> {
    if doors.roster.is_guarded() {
        return Ok(());
    }
    let headers = request.headers();
    let host = match headers.get(header::HOST) {
        Some(value) => value.to_str().ok(),
        // HTTP/2 carries it in the URI; HTTP/1.0 without one has no browser behind it.
        None => request.uri().host().or(Some("localhost")),
    };
    if !host.is_some_and(|host| is_loopback(strip_port(host))) {
        return Err(DoorError::foreign("host", host.unwrap_or("unreadable")));
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("unreadable");
    let site = origin.split_once("://").map(|(_, site)| site);
    if site.is_some_and(|site| is_loopback(strip_port(site))) {
        return Ok(());
    }
    Err(DoorError::foreign("origin", origin))
}

fn strip_port(host: &str) -> &str {
    if let Some(end) = host.strip_prefix('[').and_then(|rest| rest.find(']')) {
        return &host[1..=end];
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn is_loopback(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "127.0.0.1" // the common case, without a parse
        || name.eq_ignore_ascii_case("localhost")
        || name.len() > 10 && name[name.len() - 10..].eq_ignore_ascii_case(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_found_where_each_vendors_sdk_puts_it() {
        let found = |fields: &[(HeaderName, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.insert(name.clone(), HeaderValue::from_static(value));
            }
            credential(&headers).map(|found| String::from_utf8_lossy(found).into_owned())
        };
        let (auth, own) = (header::AUTHORIZATION, X_API_KEY.clone());
        let as_bearer = found(&[(auth.clone(), "Bearer tg_a")]);
        assert_eq!(as_bearer.as_deref(), Some("tg_a"));
        assert_eq!(found(&[(auth.clone(), "bearer  tg_a ")]).as_deref(), Some("tg_a"));
        assert_eq!(found(&[(own.clone(), "tg_b")]).as_deref(), Some("tg_b"));
        let both = [(auth.clone(), "Bearer sk-other"), (own.clone(), "tg_b")];
        assert_eq!(found(&both).as_deref(), Some("tg_b"), "the one that is ours");
        assert_eq!(found(&[(auth.clone(), "Bearer tg_a"), (own, "tg_b")]).as_deref(), Some("tg_a"));
        assert_eq!(found(&[(auth.clone(), "Basic dGc6")]), None);
        assert_eq!(found(&[(auth, "Bearer")]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in
            ["127.0.0.1:8080", "localhost", "LocalHost:1", "[::1]:80", "127.9.9.9", "app.localhost:8080"]
        {
            assert!(is_loopback(strip_port(host)), "{host}");
        }
        for host in
            ["evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", "localhost.evil", "[::2]:80", ""]
        {
            assert!(!is_loopback(strip_port(host)), "{host}");
        }
    }
}
