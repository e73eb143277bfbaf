//! Paths without a door of their own pass through as they are: marked, counted, under our key.

use reqwest::Method;

use super::*;

async fn echoing() -> (Upstream, Gateway) {
    let upstream = Upstream::answering(|seen| {
        Script::body(201, "application/x-thing", seen.body.clone())
            .field("x-thing", "kept")
            .field("openai-version", "2020")
    })
    .await;
    let gateway = Gateway::before(&upstream, "");
    (upstream, gateway)
}

#[tokio::test]
async fn a_json_body_goes_under_the_upstreams_name_of_the_model() {
    let (upstream, gateway) = echoing().await;
    let body = r#"{ "model":"m", "prompt":"a  cat", "n":1.0 }"#;
    let answer = gateway.post("/v1/images/generations?size=1", body).await;
    let seen = upstream.only();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/images/generations?size=1"));
    assert_eq!(seen.text(), body.replace("\"m\"", "\"up-m\""));
    assert_eq!((answer.status, answer.cache()), (201, "bypass; reason=forward"));
    assert_eq!(answer.field("content-type"), Some("application/x-thing"));
    assert_eq!(answer.body, seen.body);
    assert!(answer.field("x-request-id").is_some_and(|id| id.starts_with("call_")));
    assert_eq!(answer.field("x-tidegate-provider"), Some("up"));
}

#[tokio::test]
async fn bytes_that_are_no_json_pass_unchanged() {
    let (upstream, gateway) = echoing().await;
    let binary: Vec<u8> = (0..=255).collect();
    let request = gateway.request(Method::POST, "/v1/audio/transcriptions").body(binary.clone());
    let answer = send(request.header("content-type", "multipart/form-data; boundary=xyz")).await;
    let seen = upstream.only();
    assert_eq!(seen.field("content-type"), Some("multipart/form-data; boundary=xyz"));
    assert_eq!((&seen.body[..], &answer.body[..]), (&binary[..], &binary[..]));
}

#[tokio::test]
async fn every_method_passes_with_its_query() {
    let (upstream, gateway) = echoing().await;
    let paths = [
        (Method::GET, "/v1/files?limit=2&after=a%20b"),
        (Method::DELETE, "/v1/models/ft%3Amine"),
        (Method::POST, "/v1/batches/b_1/cancel"),
    ];
    for (method, path) in paths {
        let answer = send(gateway.request(method.clone(), path)).await;
        assert_eq!((answer.status, answer.cache()), (201, "bypass; reason=forward"), "{method} {path}");
        let seen = upstream.seen();
        let last = seen.last().expect("it was sent on");
        assert_eq!((last.method.as_str(), last.path.as_str()), (method.as_str(), path));
    }
}

#[tokio::test]
async fn tags_and_ids_of_a_passed_call_are_remembered() {
    let (_upstream, gateway) = echoing().await;
    let request = gateway.request(Method::GET, "/v1/files").header("x-tidegate-tags", "team-a");
    let answer = send(request).await;
    let id = answer.field("x-request-id").expect("an id");
    let told = gateway.get(&format!("/api/v1/calls/{id}/explain")).await.json();
    assert_eq!(
        (&told["kind"], &told["tags"], &told["outcome"]),
        (&"forward".into(), &json!(["team-a"]), &"bypass".into())
    );
}

#[tokio::test]
async fn an_upstreams_error_passes_as_it_said_it() {
    let upstream = Upstream::always(Script::json(418, r#"{"error":{"message":"teapot"}}"#)).await;
    let gateway = Gateway::before(&upstream, "");
    let answer = gateway.get("/v1/files/x").await;
    assert_eq!((answer.status, answer.text()), (418, r#"{"error":{"message":"teapot"}}"#));
}

#[tokio::test]
async fn a_passed_stream_is_not_held_back_and_a_long_pause_is_told_as_a_minute() {
    let events =
        Script::events().send("event: response.created\ndata: {}\n\n").field("x-request-id", "theirs");
    let busy = Script::json(429, "{}").field("retry-after", "300").field("retry-after-ms", "1500");
    let upstream = Upstream::scripted(vec![events, busy]).await;
    let gateway = Gateway::before(&upstream, "");
    let stream = gateway.post("/v1/responses", r#"{"model":"m","stream":true}"#).await;
    assert_eq!((stream.status, stream.text()), (200, "event: response.created\ndata: {}\n\n"));
    assert_eq!(
        (stream.field("x-accel-buffering"), stream.field("cache-control")),
        (Some("no"), Some("no-cache"))
    );
    assert!(stream.field("x-request-id").is_some_and(|id| id.starts_with("call_")), "{stream:?}");
    let busy = gateway.post("/v1/responses", r#"{"model":"m"}"#).await;
    assert_eq!(
        (busy.status, busy.field("retry-after"), busy.field("retry-after-ms")),
        (429, Some("60"), Some("1500"))
    );
}

/// SDKs ask twice more after a 408, 409, 429 or 5xx. What may have had its effect is not to be done three times.
#[tokio::test]
async fn an_sdk_is_told_not_to_repeat_what_may_have_had_its_effect() {
    let failing = [408, 409, 500, 502, 503, 504];
    let upstream = Upstream::answering(|seen| {
        let status = seen.path.rsplit('/').next().expect("a path").parse().expect("a status");
        Script::json(status, "{}")
    })
    .await;
    let gateway = Gateway::before(&upstream, "");
    let told = async |method: &Method, status: u16| {
        let answer = send(gateway.request(method.clone(), &format!("/v1/images/{status}"))).await;
        assert_eq!(answer.status, status);
        answer.field("x-should-retry").map(str::to_owned)
    };
    for status in failing {
        assert_eq!(told(&Method::POST, status).await.as_deref(), Some("false"), "POST {status}");
        assert_eq!(told(&Method::GET, status).await, None, "GET {status} can be repeated");
    }
    for status in [200, 400, 404, 429, 529] {
        assert_eq!(
            told(&Method::POST, status).await,
            None,
            "{status}: nothing was begun, or nothing is repeated"
        );
    }
    let keyed = gateway.request(Method::POST, "/v1/images/500").header("idempotency-key", "k");
    assert_eq!(send(keyed).await.field("x-should-retry"), None, "the upstream knows it again");
}

#[tokio::test]
async fn a_pause_that_was_cut_and_the_upstreams_own_word_decide_whether_an_sdk_comes_back() {
    let cases = [
        (429, "retry-after", "20", None),
        (429, "retry-after", "300", Some("false")),
        (503, "retry-after-ms", "1500", None),
        (503, "retry-after-ms", "61000", Some("false")),
        (500, "x-should-retry", "true", Some("true")),
        (429, "x-should-retry", "false", Some("false")),
    ];
    for (status, name, value, told) in cases {
        let upstream = Upstream::always(Script::json(status, "{}").field(name, value)).await;
        let gateway = Gateway::before(&upstream, "");
        let answer = gateway.post("/v1/responses", r#"{"model":"m"}"#).await;
        assert_eq!((answer.status, answer.field("x-should-retry")), (status, told), "{name}: {value}");
    }
}

#[tokio::test]
async fn a_path_nobody_can_be_asked_for_is_a_404_that_says_so() {
    let (_upstream, gateway) = echoing().await;
    let request = gateway.request(Method::GET, "/v1/skills").header("anthropic-version", "2023-06-01");
    let answer = send(request).await;
    let json = answer.json();
    assert_eq!((answer.status, &json["error"]["type"]), (404, &"not_found_error".into()));
    assert!(json["error"]["message"].as_str().expect("a text").contains("no configured provider"), "{json}");
}

#[tokio::test]
async fn tokens_are_counted_by_the_upstream() {
    let gateway = Gateway::start("");
    let body =
        json!({ "model": "mock-claude", "messages": [{ "role": "user", "content": "one two three" }] });
    let answer = gateway.post("/v1/messages/count_tokens", body.to_string()).await;
    assert_eq!((answer.status, answer.cache()), (200, "bypass; reason=forward"));
    assert!(answer.json()["input_tokens"].as_u64().is_some_and(|count| count > 0), "{answer:?}");
}

/// Head, events and break can arrive in one packet. A client that then saw nothing at all would ask again, although the
/// call may have had its effect.
#[tokio::test]
async fn what_came_before_a_break_reaches_the_client_and_the_break_does_too() {
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let cut = format!("{head}{}{}", chunk("data: 1\n\n"), chunk("data: 2\n\n"));
    for _ in 0..50 {
        let upstream = Upstream::always(Script::raw(cut.clone())).await;
        let gateway = Gateway::before(&upstream, "");
        let request = gateway.request(Method::POST, "/v1/responses").body(r#"{"model":"m"}"#);
        let mut response = request.send().await.expect("the head arrives");
        assert_eq!(response.status(), 200);
        let mut seen = Vec::new();
        let end = loop {
            match response.chunk().await {
                Ok(Some(piece)) => seen.extend_from_slice(&piece),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        assert_eq!(String::from_utf8_lossy(&seen), "data: 1\n\ndata: 2\n\n");
        assert!(end.is_err(), "the break is seen");
    }
}
