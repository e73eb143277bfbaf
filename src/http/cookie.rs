//! Owns the cookies of browsers that signed in: scripts cannot read them, other sites cannot send them, and what changes
//! something has to come from our own pages. Must not know what a token says.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName};

use super::error::DoorError;
use super::proxy;

/// Comes with every request.
const ACCESS: &str = "tidegate_access";
/// Comes with requests that renew or end the session.
const RENEW: &str = "tidegate_renew";
const RENEW_PATH: &str = "/api/v1/auth";

static X_CSRF: HeaderName = HeaderName::from_static("x-tidegate-csrf");
static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The token that comes with requests.
pub(super) fn access(headers: &HeaderMap) -> Option<&str> {
    named(headers, ACCESS)
}

/// The token that renews the session.
pub(super) fn renew(headers: &HeaderMap) -> Option<&str> {
    named(headers, RENEW)
}

fn named<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let values = headers.get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, value)| *found == name && !value.is_empty()).map(|(_, value)| value)
}

/// Refuses a request that a page of another site may have made its browser send. Ours say `x-tidegate-csrf`, which pages of
/// others cannot: their browser asks first whether they may, and is told no.
pub(super) fn from_our_page(request: &HttpRequest) -> Result<(), DoorError> {
    let headers = request.headers();
    if headers.get(&X_CSRF).is_none_or(|value| value.is_empty()) {
        return Err(DoorError::cross_site("x-tidegate-csrf is missing; any value will do"));
    }
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // Where a browser says itself how the page and we are related, no proxy's host can confuse us.
    if let Some(site) = text(&SEC_FETCH_SITE) {
        return match site {
            "same-origin" | "none" => Ok(()),
            _ => Err(DoorError::cross_site("sec-fetch-site is not same-origin")),
        };
    }
    let Some(origin) = text(&header::ORIGIN) else { return Ok(()) };
    let origin = origin.split_once("://").map(|(_, host)| host);
    let hosts =
        [text(&header::HOST), text(&X_FORWARDED_HOST), request.uri().authority().map(|host| host.as_str())];
    match origin
        .is_some_and(|origin| hosts.into_iter().flatten().any(|host| host.eq_ignore_ascii_case(origin)))
    {
        true => Ok(()),
        false => Err(DoorError::cross_site("origin is another site's")),
    }
}

/// What sets both cookies.
pub(super) fn setting(request: &HttpRequest, access: (&str, i64), renew: (&str, i64)) -> [String; 2] {
    let secure = if proxy::is_secure(request) { "; Secure" } else { "" };
    let cookie = |name: &str, path: &str, (value, seconds): (&str, i64)| {
        format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
    };
    [cookie(ACCESS, "/", access), cookie(RENEW, RENEW_PATH, renew)]
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_never_by_a_part_of_its_name() {
        let found = |cookie: &str| {
            let request = TestRequest::get().insert_header(("cookie", cookie)).to_http_request();
            access(request.headers()).map(str::to_owned)
        };
        assert_eq!(found("a=1; tidegate_access=x.y.z; b=2").as_deref(), Some("x.y.z"));
        for other in ["", "tidegate_access", "tidegate_access=", "xtidegate_access=1", "tidegate_renew=1"] {
            assert_eq!(found(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_and_other_sites_and_from_the_open_net_where_tls_is_spoken() {
        let plain = TestRequest::get().to_http_request();
        let set = setting(&plain, ("a", 900), ("r", 60));
        assert_eq!(set[0], "tidegate_access=a; Path=/; Max-Age=900; HttpOnly; SameSite=Strict");
        assert_eq!(set[1], "tidegate_renew=r; Path=/api/v1/auth; Max-Age=60; HttpOnly; SameSite=Strict");
        let forwarded = TestRequest::get().insert_header(("x-forwarded-proto", "https")).to_http_request();
        assert!(setting(&forwarded, ("a", 1), ("r", 1)).iter().all(|cookie| cookie.ends_with("; Secure")));
    }

    #[test]
    fn only_our_own_pages_change_something_with_a_cookie() {
        let judged = |fields: &[(&'static str, &'static str)]| {
            let request =
                fields.iter().fold(TestRequest::post(), |request, field| request.insert_header(*field));
            from_our_page(&request.to_http_request()).is_ok()
        };
        let (host, csrf) = (("host", "tide.example:8080"), ("x-tidegate-csrf", "1"));
        assert!(judged(&[host, csrf]));
        assert!(judged(&[host, csrf, ("origin", "http://tide.example:8080")]));
        assert!(judged(&[host, csrf, ("origin", "https://a.example"), ("x-forwarded-host", "a.example")]));
        assert!(judged(&[host, csrf, ("origin", "https://a.example"), ("sec-fetch-site", "same-origin")]));
        assert!(!judged(&[host]), "a form of another site cannot set the field");
        assert!(!judged(&[host, ("x-tidegate-csrf", "")]));
        for other in ["http://tide.example", "http://evil.example", "null"] {
            assert!(!judged(&[host, csrf, ("origin", other)]), "{other}");
        }
        for site in ["cross-site", "same-site", "anything"] {
            assert!(!judged(&[host, csrf, ("sec-fetch-site", site)]), "{site}");
        }
    }
}
