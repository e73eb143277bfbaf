//! Bad input gets a 4xx in the door's own shape that says what is wrong and where.

use futures_util::stream;

use super::*;
use crate::upstream::Gate;

/// What the OpenAI SDKs read of an error.
#[track_caller]
fn assert_openai(answer: &Answer, status: u16) {
    let json = answer.json();
    let error = json["error"].as_object().expect("an error object");
    let mut names: Vec<_> = error.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!((answer.status, names), (status, vec!["code", "message", "param", "type"]), "{answer:?}");
    assert!(error["message"].is_string() && error["type"].is_string(), "{json}");
    assert!(error["code"].is_string() || error["code"].is_null(), "never a number: {json}");
    assert_eq!(answer.field("content-type"), Some("application/json"));
}

#[tokio::test]
async fn malformed_json_is_refused_with_the_byte_it_breaks_at() {
    let (upstream, gateway) = talking().await;
    for path in [CHAT, EMBED] {
        let answer = gateway.post(path, r#"{"model":"m",}"#).await;
        assert_openai(&answer, 400);
        assert!(message(&answer).contains("at byte 13"), "{}", message(&answer));
        assert_eq!((code(&answer).as_str(), answer.field("x-should-retry")), ("invalid_json", Some("false")));
    }
    let answer = gateway.post(MESSAGES, r#"{"model":"m",}"#).await;
    let json = answer.json();
    assert_eq!(
        (answer.status, &json["type"], &json["error"]["type"]),
        (400, &"error".into(), &"invalid_request_error".into())
    );
    assert!(json["error"]["message"].as_str().expect("a text").contains("at byte 13"));
    assert_eq!(json["request_id"].as_str(), answer.field("request-id"));
    assert!(upstream.seen().is_empty(), "nothing of it was sent on");
}

#[tokio::test]
async fn what_json_leaves_open_is_refused_too() {
    let (_upstream, gateway) = talking().await;
    let deep = format!(r#"{{"model":"m","messages":{}1{}}}"#, "[".repeat(70), "]".repeat(70));
    let cases = [
        (r#"{"model":"m","model":"m"}"#.into(), "duplicate key \"model\" at byte 13"),
        (deep, "nested deeper than 64 levels"),
        ("".into(), "the text ends where"),
        (r#"{"model":"m"} x"#.into(), "after the end of the value"),
    ];
    for (body, wanted) in cases {
        let answer = gateway.post(CHAT, body).await;
        assert_openai(&answer, 400);
        assert!(message(&answer).contains(wanted), "{wanted:?} in {}", message(&answer));
    }
    let answer = gateway.post(CHAT, &b"{\"model\":\"\xff\"}"[..]).await;
    assert_openai(&answer, 400);
    assert!(message(&answer).contains("invalid UTF-8 at byte 10"), "{}", message(&answer));
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_named() {
    let (_upstream, gateway) = talking().await;
    let cases = [
        (r#"{"messages":[]}"#, "model", "missing_required_parameter"),
        (r#"{"model":1,"messages":[]}"#, "model", "invalid_type"),
        (r#"{"model":"m","messages":"hi"}"#, "messages", "invalid_type"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":"yes"}"#,
            "stream",
            "invalid_type",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":"0"}"#,
            "temperature",
            "invalid_type",
        ),
    ];
    for (body, param, wanted) in cases {
        let answer = gateway.post(CHAT, body).await;
        assert_openai(&answer, 400);
        assert_eq!(answer.json()["error"]["param"], param, "{body}");
        assert_eq!(code(&answer), wanted, "{body}");
    }
}

#[tokio::test]
async fn an_unknown_model_lists_the_names_it_is_near_to() {
    let upstream = Upstream::answering(said).await;
    let more = "[models.test-model]\ntargets = [{ provider = \"up\" }]\n";
    let gateway = Gateway::start(&format!("{}{more}", crate::server::pointing_at(&upstream)));
    let answer = gateway.post(CHAT, ask("x").replace("\"m\"", "\"test-modle\"")).await;
    assert_openai(&answer, 404);
    assert_eq!(
        (code(&answer).as_str(), &answer.json()["error"]["param"]),
        ("model_not_found", &"model".into())
    );
    assert!(message(&answer).contains("did you mean test-model?"), "{}", message(&answer));
    let answer = gateway.get("/v1/models/test-modle").await;
    assert_openai(&answer, 404);
    assert!(message(&answer).contains("did you mean test-model?"), "{}", message(&answer));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_declared_or_not() {
    let upstream = Upstream::answering(said).await;
    let gateway = Gateway::before(&upstream, "limits.body_bytes = 4096");
    let large = ask(&"x".repeat(5_000));
    let declared = gateway.post(CHAT, large.clone()).await;
    assert_openai(&declared, 413);
    assert!(message(&declared).contains("larger than 4096 bytes"), "{}", message(&declared));
    // Without a length: the limit is met while the body comes.
    let pieces: Vec<_> =
        large.as_bytes().chunks(512).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    let chunked = gateway.post(CHAT, reqwest::Body::wrap_stream(stream::iter(pieces))).await;
    assert_openai(&chunked, 413);
    let whole = gateway.post(CHAT, ask("fits")).await;
    assert_eq!(whole.status, 200);
}

#[tokio::test]
async fn bodies_that_do_not_fit_together_are_refused_until_one_is_answered() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |seen| said(seen).wait(&held)).await;
    let gateway = Gateway::before(&upstream, "limits.body_bytes = 4096\nlimits.buffered_bytes = 4096");
    let large = |letter: &str| ask(&letter.repeat(3_000));
    let first = tokio::spawn(send(gateway.posting(CHAT, large("a"))));
    upstream.asked(1).await;
    let refused = gateway.post(CHAT, large("b")).await;
    assert_openai(&refused, 429);
    assert_eq!((code(&refused).as_str(), refused.field("x-should-retry")), ("bodies_full", Some("true")));
    assert_eq!(refused.field("x-tidegate-blame"), Some("us"));
    gate.open();
    assert_eq!(first.await.expect("no panic").status, 200);
    assert_eq!(gateway.post(CHAT, large("b")).await.status, 200);
    assert_eq!(gateway.get("/api/v1/engine").await.json()["bodies"], json!({ "held": 0, "limit": 4096 }));
}

#[tokio::test]
async fn an_embedding_item_that_cannot_be_is_named() {
    let (_upstream, gateway) = talking().await;
    let cases = [
        (r#"{"model":"m","input":["a",""]}"#.to_owned(), "input[1]", "empty string"),
        (r#"{"model":"m","input":""}"#.to_owned(), "input", "empty string"),
        (r#"{"model":"m","input":[]}"#.to_owned(), "input", "empty array"),
        (r#"{"model":"m","input":[[1],[]]}"#.to_owned(), "input[1]", "empty array"),
        (r#"{"model":"m","input":["a",7]}"#.to_owned(), "input[1]", "must be a string"),
        (
            json!({ "model": "m", "input": vec!["x"; 2_049] }).to_string(),
            "input",
            "2049 items, the limit is 2048",
        ),
        (
            json!({ "model": "m", "input": [vec![1], vec![1; 8_193]] }).to_string(),
            "input[1]",
            "8193 tokens, the limit is 8192",
        ),
        (
            json!({ "model": "m", "input": vec![vec![1; 8_000]; 38] }).to_string(),
            "input",
            "304000 tokens, the limit is 300000",
        ),
    ];
    for (body, param, wanted) in cases {
        let answer = gateway.post(EMBED, body).await;
        assert_openai(&answer, 400);
        assert_eq!(answer.json()["error"]["param"], param);
        assert!(message(&answer).contains(wanted), "{wanted:?} in {}", message(&answer));
    }
}

#[tokio::test]
async fn a_page_of_another_site_and_a_rebound_name_are_refused() {
    let (upstream, gateway) = talking().await;
    for path in ["/v1/models", "/metrics", "/api/v1/engine", "/api/metrics"] {
        let request = gateway.request(reqwest::Method::GET, path);
        let foreign = send(request.header("origin", "https://evil.example")).await;
        assert_eq!((foreign.status, code(&foreign).as_str()), (403, "foreign_origin"), "{path}");
    }
    let foreign = send(gateway.posting(CHAT, ask("x")).header("host", "evil.example")).await;
    assert_openai(&foreign, 403);
    assert_eq!(foreign.field("x-should-retry"), Some("false"));
    let own = gateway.posting(CHAT, ask("x")).header("origin", "http://localhost:3000");
    assert_eq!(send(own).await.status, 200);
    assert_eq!(upstream.seen().len(), 1, "what is refused is not sent on");
}

#[tokio::test]
async fn the_clients_own_key_stays_here() {
    let (upstream, gateway) = talking().await;
    let request = gateway.posting(CHAT, ask("x")).header("authorization", "Bearer client-secret");
    assert_eq!(send(request.header("x-api-key", "client-secret")).await.status, 200);
    let files =
        gateway.request(reqwest::Method::GET, "/v1/files").header("authorization", "Bearer client-secret");
    send(files.header("cookie", "client-secret").header("x-api-key", "client-secret")).await;
    for seen in upstream.seen() {
        assert_eq!(seen.field("authorization"), Some("Bearer upstream-key"));
        assert!(!format!("{seen:?}").contains("client-secret"), "{seen:?}");
    }
}

#[tokio::test]
async fn an_upstreams_refusal_is_told_with_its_words_and_a_short_pause() {
    let body =
        r#"{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
    let upstream = Upstream::always(Script::json(429, body).field("retry-after", "300")).await;
    let gateway = Gateway::before(&upstream, "");
    let answer = gateway.post(CHAT, ask("x")).await;
    assert_openai(&answer, 429);
    assert_eq!((message(&answer).as_str(), code(&answer).as_str()), ("slow down", "rate_limit_exceeded"));
    let retry: u64 = answer.field("retry-after-ms").expect("a pause").parse().expect("a number");
    assert!(retry <= 60_000, "SDKs give up on longer pauses: {retry}");
    assert_eq!(answer.field("retry-after"), Some(retry.div_ceil(1_000).to_string().as_str()));
}

#[tokio::test]
async fn a_conflict_upstream_is_no_conflict_here() {
    let body = r#"{"error":{"message":"busy","type":"x","param":null,"code":null}}"#;
    let upstream = Upstream::always(Script::json(409, body)).await;
    let gateway = Gateway::before(&upstream, "");
    // SDKs repeat a 409 on their own.
    assert_openai(&gateway.post(CHAT, ask("x")).await, 400);
}

#[tokio::test]
async fn a_broken_upstream_is_a_502_and_not_worth_a_retry_of_the_clients() {
    let upstream = Upstream::always(Script::body(500, "text/html", "<html>oops</html>")).await;
    let gateway = Gateway::before(&upstream, "");
    let answer = gateway.post(CHAT, ask("x")).await;
    assert_openai(&answer, 502);
    assert_eq!(answer.field("x-tidegate-blame"), Some("upstream"));
    assert!(!answer.text().contains("<html>"), "{}", answer.text());
}

#[tokio::test]
async fn a_redirect_upstream_is_a_502_that_says_where_it_leads_and_is_asked_for_once() {
    let upstream =
        Upstream::always(Script::json(308, "{}").field("location", "https://moved.example/v1")).await;
    let gateway = Gateway::before(&upstream, "");
    let models = json!({ "model": "m", "prompt": "x" }).to_string();
    for (path, body) in [(CHAT, ask("x")), (CHAT, ask_stream("x")), ("/v1/images/generations", models)] {
        let asked = upstream.seen().len();
        let answer = gateway.post(path, body).await;
        assert_openai(&answer, 502);
        assert_eq!(
            (code(&answer).as_str(), answer.field("x-should-retry"), answer.field("x-tidegate-blame")),
            ("upstream_unusable", Some("false"), Some("upstream"))
        );
        assert!(message(&answer).contains("https://moved.example/v1"), "{}", message(&answer));
        assert_eq!(upstream.seen().len(), asked + 1);
    }
}

/// Some upstreams quote the key they refuse, after their 200 or in the middle of a stream. It is ours, not the client's.
#[tokio::test]
async fn the_upstreams_key_reaches_no_client_whatever_the_upstream_says_and_how() {
    const QUOTE: &str =
        r#"{"error":{"message":"no such key: upstream-key","type":"server_error","code":"upstream-key"}}"#;
    let upstream = Upstream::answering(|seen| {
        let split = QUOTE.find("key\"").expect("it is there");
        let said = |script: Script| script.send(&QUOTE[..split]).send(&QUOTE[split..]);
        match (seen.path.as_str(), seen.text().contains("\"stream\":true")) {
            ("/v1/images/418", _) => said(Script::json(418, "")),
            (_, false) => said(Script::json(200, "")),
            ("/v1/responses", true) => said(Script::events().send("data: ")).send("\n\n"),
            (_, true) => said(Script::events().send(CHUNK).send("data: ")).send("\n\n"),
        }
        .field("openai-version", "upstream-key")
    })
    .await;
    let gateway = Gateway::before(&upstream, "");
    let passed = |stream: bool| json!({ "model": "m", "input": "x", "stream": stream }).to_string();
    let asked = [
        (CHAT, ask("x"), 502),
        (CHAT, ask_stream("x"), 200),
        (EMBED, passed(false), 502),
        ("/v1/images/418", passed(false), 418),
        ("/v1/responses", passed(false), 200),
        ("/v1/responses", passed(true), 200),
    ];
    for (path, body, status) in asked {
        let answer = gateway.post(path, body.clone()).await;
        assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
        let said = format!("{:?} {}", answer.fields, answer.text());
        assert!(!said.contains("upstream-key"), "{path} {body}: {said}");
        let masked = said.contains("no such key: ***");
        assert!(masked || status == 502, "{path} {body}: the words are told, the key is not: {said}");
        let call = answer.field("x-request-id").expect("an id").to_owned();
        let explained = gateway.get(&format!("/api/v1/calls/{call}/explain")).await;
        assert!(!explained.text().contains("upstream-key"), "{}", explained.text());
    }
}

#[tokio::test]
async fn a_full_lane_says_how_full_and_when_to_come_back() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |seen| said(seen).wait(&held)).await;
    // Two slots make one of each lane.
    let gateway = Gateway::before(&upstream, "lanes.max_concurrency = 2\nlanes.queue_jobs = 1");
    let mut waiting = Vec::new();
    let running = tokio::spawn(send(gateway.posting(CHAT, ask("runs"))));
    upstream.asked(1).await;
    waiting.push(running);
    waiting.push(tokio::spawn(send(gateway.posting(CHAT, ask("waits")))));
    gateway.until("/api/v1/engine", |engine| engine["lanes"][0]["depth"] == 1).await;
    let refused = gateway.post(CHAT, ask("refused")).await;
    assert_openai(&refused, 429);
    assert_eq!((code(&refused).as_str(), refused.field("x-should-retry")), ("lane_full", Some("true")));
    gateway.until("/api/v1/engine", |engine| engine["lanes"][0]["oldest_wait_ms"].as_u64() >= Some(20)).await;
    assert!(
        message(&refused).contains("interactive") && message(&refused).contains('1'),
        "{}",
        message(&refused)
    );
    assert!(refused.field("retry-after-ms").is_some());
    let engine = gateway.get("/api/v1/engine").await.json();
    assert_eq!(engine["lanes"][0]["refused"]["full"], 1);
    gate.open();
    for waiting in waiting {
        assert_eq!(waiting.await.expect("no panic").status, 200);
    }
    let metrics = gateway.get("/api/metrics").await.json();
    let waited = &metrics["counters"][2];
    assert_eq!(waited["name"], "performance_scheduler_wait_ms");
    assert!(waited["value"].as_f64() >= Some(20.0), "the wait is counted: {metrics}");
}
