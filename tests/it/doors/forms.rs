//! One answer, two forms: what a stream left behind answers a whole question, and the other way round.

use super::*;
use crate::upstream::Gate;

/// The text of all deltas of a stream.
fn told(stream: &str) -> String {
    let payloads = stream.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let chunks = payloads
        .filter(|payload| *payload != "[DONE]")
        .map(|payload| serde_json::from_str::<Json>(payload).expect("JSON"));
    chunks
        .map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn a_kept_whole_answer_is_streamed() {
    let (upstream, gateway) = talking().await;
    let whole = gateway.post(CHAT, ask("tide")).await;
    let stream = gateway.post(CHAT, ask_stream("tide")).await;
    assert_eq!((whole.cache(), stream.cache()), ("miss", "hit"));
    assert_eq!(whole.field("x-tidegate-key"), stream.field("x-tidegate-key"));
    assert_eq!((whole.field("x-tidegate-rendered"), stream.field("x-tidegate-rendered")), (None, Some("1")));
    assert!(stream.text().ends_with("data: [DONE]\n\n"), "{}", stream.text());
    assert_eq!(told(stream.text()), "tide");
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_kept_stream_answers_a_whole_question() {
    let (upstream, gateway) = talking().await;
    let stream = gateway.post(CHAT, ask_stream("tide")).await;
    let whole = gateway.post(CHAT, ask("tide")).await;
    assert_eq!((stream.cache(), whole.cache()), ("miss", "hit"));
    assert_eq!((stream.field("x-tidegate-rendered"), whole.field("x-tidegate-rendered")), (None, Some("1")));
    let json = whole.json();
    assert_eq!(
        (&json["choices"][0]["message"]["content"], &json["object"]),
        (&"tide".into(), &"chat.completion".into())
    );
    assert_eq!(json["usage"]["total_tokens"], 7, "the usage chunk nobody asked for was recorded");
    let again = gateway.post(CHAT, ask("tide")).await;
    assert_eq!(again.body, whole.body);
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_stream_is_replayed_with_the_same_bytes_and_stream_headers() {
    let (upstream, gateway) = talking().await;
    let first = gateway.post(CHAT, ask_stream("tide")).await;
    let second = gateway.post(CHAT, ask_stream("tide")).await;
    assert_eq!((first.cache(), second.cache()), ("miss", "hit"));
    assert_eq!(first.body, second.body);
    for answer in [&first, &second] {
        assert_eq!(answer.field("content-type"), Some("text/event-stream; charset=utf-8"));
        assert_eq!(
            (answer.field("cache-control"), answer.field("x-accel-buffering")),
            (Some("no-cache"), Some("no"))
        );
        assert!(!answer.text().contains("\"choices\":[]"), "usage was not asked for: {}", answer.text());
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn usage_is_told_in_a_stream_to_those_who_asked() {
    let (upstream, gateway) = talking().await;
    gateway.post(CHAT, ask_stream("tide")).await;
    let mut body: Json = serde_json::from_str(&ask_stream("tide")).expect("JSON");
    body["stream_options"] = json!({ "include_usage": true });
    let asked = gateway.post(CHAT, body.to_string()).await;
    assert_eq!((asked.cache(), upstream.seen().len()), ("hit", 1));
    assert!(asked.text().contains("\"choices\":[],\"usage\":{"), "{}", asked.text());
    assert!(asked.text().contains("\"usage\":null"), "earlier chunks carry it too: {}", asked.text());
}

#[tokio::test]
async fn events_leave_as_they_come() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_| {
        let chunk = |text: &str| format!("data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"x\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n");
        Script::events().send(chunk("one")).wait(&held).send(chunk("two"))
    })
    .await;
    let gateway = Gateway::before(&upstream, "");
    let mut response = gateway.posting(CHAT, ask_stream("tide")).send().await.expect("a head");
    let first = response.chunk().await.expect("no fault").expect("an event");
    assert!(first.starts_with(b"data: ") && memchr(&first, "one"), "the upstream still holds the rest");
    gate.open();
    let mut rest = Vec::new();
    while let Some(chunk) = response.chunk().await.expect("no fault") {
        rest.extend_from_slice(&chunk);
    }
    // The upstream ended without finish_reason and [DONE]: that is an error, never a silent end.
    let rest = String::from_utf8(rest).expect("a text");
    let last = rest.trim_end().rsplit("data: ").next().expect("an event");
    let error: Json = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error} in {rest}"));
    assert!(error["error"]["message"].is_string() && error["error"]["type"].is_string(), "{rest}");
}

fn memchr(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn messages_share_their_entry_between_forms_too() {
    let gateway = Gateway::start("");
    let body = |stream: bool| {
        json!({ "model": "mock-claude", "max_tokens": 1000, "temperature": 0, "stream": stream, "messages": [{ "role": "user", "content": "tide" }] }).to_string()
    };
    let post = async |stream: bool| {
        send(gateway.posting(MESSAGES, body(stream)).header("anthropic-version", "2023-06-01")).await
    };
    let stream = post(true).await;
    let whole = post(false).await;
    assert_eq!((stream.cache(), whole.cache()), ("miss", "hit"));
    assert!(
        stream.text().starts_with("event: message_start\n")
            && stream.text().trim_end().ends_with("{\"type\":\"message_stop\"}"),
        "{}",
        stream.text()
    );
    assert_eq!((&whole.json()["type"], &whole.json()["role"]), (&"message".into(), &"assistant".into()));
    assert_eq!(whole.field("x-tidegate-rendered"), Some("1"));
    assert!(whole.field("request-id").is_some());
}

#[tokio::test]
async fn a_message_stream_that_breaks_off_says_so_in_an_error_event() {
    let mock = "[providers.mock]\nkind = \"mock\"\nerror_script = [{ after = 0, times = 1, cut_after_events = 2 }]\n";
    let gateway = Gateway::start(mock);
    let body = json!({ "model": "claude", "max_tokens": 1000, "temperature": 0, "stream": true, "messages": [{ "role": "user", "content": "tide" }] });
    let cut = gateway.post(MESSAGES, body.to_string()).await;
    let last = cut.text().trim_end().rsplit("\n\n").next().expect("an event");
    let (name, data) = last.split_once("\ndata: ").expect("an event");
    let error: Json = serde_json::from_str(data).expect("JSON");
    assert_eq!((name, &error["type"]), ("event: error", &"error".into()));
    assert!(error["error"]["type"].is_string() && error["error"]["message"].is_string(), "{error}");
    let again = gateway.post(MESSAGES, body.to_string()).await;
    assert_eq!(again.cache(), "miss", "a cut stream is not kept");
    assert!(again.text().contains("event: message_stop"));
    assert_eq!(gateway.post(MESSAGES, body.to_string()).await.cache(), "hit");
}
