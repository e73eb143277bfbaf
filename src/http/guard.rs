//! Without keys only this machine may call, and no web page may make its browser do it.
//!
//! Owns the check of `Host` (DNS rebinding) and `Origin` (cross-site requests); the listener is bound to loopback
//! by configuration.

use actix_web::HttpRequest;
use actix_web::http::header;

use super::error::DoorError;

/// Refuses a request whose `Host` is not this machine or whose `Origin` is another site.
pub(crate) fn admit(request: &HttpRequest) -> Result<(), DoorError> {
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
    use super::{is_loopback, strip_port};

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
