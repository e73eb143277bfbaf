//! What a browser is given of a console of two files. Must not need a built one.

use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::test::TestRequest;

use super::*;

static FILES: [File; 2] = [
    File { path: "assets/main-1a2b.js", plain: b"plain", br: Some(b"br"), gzip: Some(b"gz") },
    File { path: "index.html", plain: b"<!doctype html>", br: None, gzip: None },
];

fn asked(path: &str, fields: &[(&'static str, &str)]) -> Option<HttpResponse> {
    let request = fields.iter().fold(TestRequest::get(), |request, field| request.insert_header(*field));
    found(&FILES, path).map(|file| given(file, request.to_http_request().headers()))
}

fn field(answer: &HttpResponse, name: &str) -> String {
    answer.headers().get(name).map(|value| value.to_str().unwrap_or_default().to_owned()).unwrap_or_default()
}

fn body(answer: HttpResponse) -> Vec<u8> {
    answer.into_body().try_into_bytes().map(|bytes| bytes.to_vec()).unwrap_or_default()
}

#[test]
fn the_path_of_a_screen_gives_the_page_and_that_of_a_missing_file_nothing() {
    for path in ["", "index.html", "calls", "calls/call_1", "deep/er"] {
        let answer = asked(path, &[]).expect(path);
        assert_eq!(body(answer), b"<!doctype html>", "{path}");
    }
    for path in ["assets/main-0000.js", "assets/gone", "favicon.ico", "a/b.map"] {
        assert!(asked(path, &[]).is_none(), "{path}");
    }
}

#[test]
fn what_is_named_by_its_content_is_kept_for_ever_and_the_page_is_asked_for_again() {
    let script = asked("assets/main-1a2b.js", &[]).expect("it is there");
    assert_eq!(field(&script, "cache-control"), "public, max-age=31536000, immutable");
    let page = asked("", &[]).expect("it is there");
    assert_eq!(field(&page, "cache-control"), "no-cache");
    let tag = field(&page, "etag");
    let again = asked("calls", &[("if-none-match", tag.as_str())]).expect("it is there");
    assert_eq!((again.status(), field(&again, "etag")), (StatusCode::NOT_MODIFIED, tag));
    assert!(body(again).is_empty());
    let changed = asked("", &[("if-none-match", "\"other\"")]).expect("it is there");
    assert_eq!(changed.status(), StatusCode::OK);
}

#[test]
fn a_page_may_load_from_here_alone_and_stand_in_no_other() {
    for path in ["", "assets/main-1a2b.js"] {
        let answer = asked(path, &[]).expect("it is there");
        let policy = field(&answer, "content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert_eq!(field(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(field(&answer, "referrer-policy"), "no-referrer");
    }
}

#[test]
fn a_file_is_given_in_the_form_the_browser_takes() {
    let form = |takes: &str| {
        let answer = asked("assets/main-1a2b.js", &[("accept-encoding", takes)]).expect("it is there");
        assert_eq!(field(&answer, "vary"), "accept-encoding");
        (field(&answer, "content-encoding"), body(answer))
    };
    assert_eq!(form("gzip, deflate, br, zstd"), ("br".to_owned(), b"br".to_vec()));
    assert_eq!(form("gzip"), ("gzip".to_owned(), b"gz".to_vec()));
    assert_eq!(form("zstd, identity"), (String::new(), b"plain".to_vec()));
    let plain = asked("", &[("accept-encoding", "br")]).expect("it is there");
    assert_eq!((field(&plain, "content-encoding"), body(plain).len()), (String::new(), 15));
}
