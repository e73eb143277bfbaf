//! What each door says when it refuses, and what it never passes on.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;

fn value(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("an error body is JSON")
}

fn read(status: u16, body: &str) -> UpstreamError {
    UpstreamError::read(status, &Bytes::copy_from_slice(body.as_bytes()))
}

#[test]
fn each_door_has_its_own_shape() {
    assert_eq!(
        value(&openai("a \"b\"\n", "t", None, Some("c"))),
        json!({"error": {"message": "a \"b\"\n", "type": "t", "param": null, "code": "c"}})
    );
    assert_eq!(
        value(&anthropic("t", "m", Some("req_1"))),
        json!({"type": "error", "error": {"type": "t", "message": "m"}, "request_id": "req_1"})
    );
    let error = ApiError {
        message: "m",
        kind: "k",
        param: None,
        code: Some("c"),
        stage: "lane",
        blame: "us",
        retry: "after",
        call_id: None,
        limit: None,
    };
    assert_eq!(
        value(&api_v1(&error)),
        json!({"error": {"message": "m", "type": "k", "param": null, "code": "c", "stage": "lane",
            "blame": "us", "retry": "after", "call_id": null}})
    );
}

#[test]
fn an_upstream_error_keeps_its_words_and_never_an_int_code() {
    let error = read(429, r#"{"error":{"message":"slow\ndown","type":"requests","param":null,"code":429}}"#);
    assert_eq!(
        value(&error.openai(429)),
        json!({"error": {"message": "slow down", "type": "requests", "param": null, "code": "429"}})
    );
    let error = read(529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
    assert_eq!(
        value(&error.anthropic(529, None)),
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    );
    for body in
        [r#"{"error":"no"}"#, r#"{"message":"no"}"#, r#"{"detail":"no"}"#, r#"{"error":null,"message":"no"}"#]
    {
        assert_eq!(read(400, body).message, "no", "{body}");
    }
    assert_eq!(read(422, r#"{"detail":[{"loc":["x"]}]}"#).message, r#"[{"loc":["x"]}]"#);
}

#[test]
fn a_page_of_html_or_nothing_at_all_becomes_a_sentence() {
    assert_eq!(read(502, " <html><body>Bad Gateway").message, "the upstream answered 502 with an HTML page");
    assert_eq!(read(503, "").message, "the upstream answered 503 with an empty body");
    assert_eq!(read(500, "{\"a\":1}").message, "the upstream answered 500 with JSON that holds no message");
    assert_eq!(read(500, "oh\u{7} no\n").message, "the upstream answered 500: oh no");
    let long = read(500, &"x ".repeat(100_000));
    assert!(long.message.chars().count() < 1_100);
}

#[test]
fn the_key_we_sent_is_never_passed_on() {
    let error = read(
        401,
        r#"{"error":{"message":"Incorrect API key provided: sk-proj-abc_DEF123 (see 'sk-ant-0123456'). task-force"}}"#,
    );
    assert_eq!(error.message, "Incorrect API key provided: sk-*** (see 'sk-***'). task-force");
}
