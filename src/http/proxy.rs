//! Owns what is believed of those who pass requests on: from which address a request came, and whose it is. Must not know
//! people.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};

use super::Doors;

static X_USER_ID: HeaderName = HeaderName::from_static("x-user-id");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who a request says it is from, where that is believed: from a proxy that is trusted, and in a demonstration.
pub(super) fn vouched<'r>(request: &'r HttpRequest, doors: &Doors) -> Option<&'r str> {
    let access = &doors.config.access;
    if access.trusted_proxies.is_empty() && !access.demo {
        return None;
    }
    let named = request.headers().get(&X_USER_ID)?.to_str().ok()?;
    (access.demo || is_trusted(doors, peer(request))).then_some(named)
}

/// Where a request came from: the last address on its way that no trusted proxy has.
pub(super) fn address(request: &HttpRequest, doors: &Doors) -> IpAddr {
    let peer = peer(request);
    if !is_trusted(doors, peer) {
        return peer;
    }
    let mut way: Vec<&str> = Vec::new();
    for value in request.headers().get_all(&X_FORWARDED_FOR).filter_map(|value| value.to_str().ok()) {
        way.extend(value.split(',').map(str::trim));
    }
    let addresses = way.iter().rev().map_while(|text| text.parse::<IpAddr>().ok());
    let mut last = peer;
    for address in addresses {
        last = address;
        if !is_trusted(doors, address) {
            break;
        }
    }
    last
}

/// Whether the client speaks TLS, with us or with whoever passes on. Anybody may say so: it makes a cookie stricter.
pub(super) fn is_secure(request: &HttpRequest) -> bool {
    let said = |headers: &HeaderMap| {
        let value = headers.get(&X_FORWARDED_PROTO).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| {
            value.split(',').next().is_some_and(|first| first.trim().eq_ignore_ascii_case("https"))
        })
    };
    request.uri().scheme_str() == Some("https") || said(request.headers())
}

fn peer(request: &HttpRequest) -> IpAddr {
    // Only a listener without addresses has none, and those here have.
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}

fn is_trusted(doors: &Doors, address: IpAddr) -> bool {
    doors.config.access.trusted_proxies.iter().any(|network| network.has(address))
}
