//! What an Anthropic upstream is sent, and what is made of its answers.

use super::*;
use crate::upstream::{Gate, Script};
use tidegate_actors::ports::provider::{FaultKind, Usage};

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"real",  "content":[{"type":"thinking","thinking":"x","signature":"s\u002b"},{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"cache_read_input_tokens":3,"cache_creation_input_tokens":1,"output_tokens":2},"odd":1.50}"#;

fn anthropic(upstream: &Upstream) -> Arc<dyn Provider> {
    build(&config(ProviderKind::Anthropic, &upstream.url()), system_clock())
}

fn ask(form: Form) -> Order {
    let stream = if form == Form::Stream { r#","stream":true"# } else { "" };
    message(
        &format!(r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"hi"}}]{stream}}}"#),
        form,
    )
}

fn event(name: &str, rest: &str) -> String {
    format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}\n\n")
}

fn good() -> Vec<String> {
    vec![
        event(
            "message_start",
            r#","message":{"id":"msg_1","usage":{"input_tokens":5,"cache_read_input_tokens":3,"output_tokens":1}}"#,
        ),
        event("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#),
        event("ping", ""),
        event("content_block_delta", r#","index":0,"delta":{"type":"text_delta","text":"hi"}"#),
        event("content_block_stop", r#","index":0"#),
        event("message_delta", r#","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}"#),
        event("message_stop", ""),
    ]
}

#[tokio::test]
async fn a_whole_message_keeps_every_byte_and_counts_cached_tokens_as_read() {
    let upstream = Upstream::always(Script::json(200, MESSAGE)).await;
    let (body, finish) = whole(&anthropic(&upstream), ask(Form::Whole)).await;
    assert_eq!(body, MESSAGE);
    let usage = Usage { input: 9, cached_read: 3, cached_write: 1, output: 2, reasoning: 0 };
    assert_eq!(finish, Finish { complete: true, cut: false, usage: Some(usage) });
}

#[tokio::test]
async fn a_request_carries_key_version_and_betas() {
    let upstream = Upstream::always(Script::json(200, MESSAGE)).await;
    let provider = anthropic(&upstream);
    whole(&provider, ask(Form::Whole)).await;
    let mut order = ask(Form::Whole);
    order.affecting = [
        ("anthropic-version".into(), "2024-01-01".into()),
        ("anthropic-beta".into(), "a".into()),
        ("anthropic-beta".into(), "b".into()),
        ("openai-beta".into(), "c".into()),
    ]
    .into();
    whole(&provider, order).await;

    let seen = upstream.seen();
    assert_eq!((seen[0].path.as_str(), seen[0].field("x-api-key")), ("/v1/messages", Some("our-key")));
    assert_eq!(
        (seen[0].field("anthropic-version"), seen[0].field("authorization")),
        (Some("2023-06-01"), None)
    );
    assert_eq!(
        (seen[1].field("anthropic-version"), seen[1].field("openai-beta")),
        (Some("2024-01-01"), None)
    );
    let betas: Vec<&str> = seen[1]
        .fields
        .iter()
        .filter(|(name, _)| name == "anthropic-beta")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(betas, ["a", "b"]);
}

#[tokio::test]
async fn every_event_is_told_as_it_came_and_the_last_one_ends_it() {
    let upstream = Upstream::always(Script::events().send(good().concat()).hang()).await;
    let (told, end) = told(events(&anthropic(&upstream), ask(Form::Stream)).await).await;
    assert_eq!(told, good());
    let usage = Usage { input: 8, cached_read: 3, output: 7, ..Usage::default() };
    assert_eq!(end.expect("an end"), Finish { complete: true, cut: false, usage: Some(usage) });
}

#[tokio::test]
async fn an_event_reaches_the_caller_before_the_upstream_says_more() {
    let gate = Gate::closed();
    let good = good();
    let upstream =
        Upstream::always(Script::events().send(good[0].clone()).wait(&gate).send(good[1..].concat())).await;
    let mut events = events(&anthropic(&upstream), ask(Form::Stream)).await;
    assert_eq!(next_data(&mut events).await, good[0]);
    gate.open();
    told(events).await.1.expect("an end");
}

#[tokio::test]
async fn a_stream_without_its_last_event_is_cut() {
    let good = good();
    for script in [Script::events().send(good[..6].concat()), Script::events().send(good[..6].concat()).cut()]
    {
        let upstream = Upstream::always(script).await;
        let (told, end) = told(events(&anthropic(&upstream), ask(Form::Stream)).await).await;
        assert_eq!((told.len(), end.expect_err("a cut").kind), (6, FaultKind::Cut));
    }
}

#[tokio::test]
async fn an_error_event_is_a_fault_with_its_body() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let upstream = Upstream::always(Script::events().send(format!("event: error\ndata: {error}\n\n"))).await;
    let (told, end) = told(events(&anthropic(&upstream), ask(Form::Stream)).await).await;
    let fault = end.expect_err("a fault");
    assert_eq!((told.len(), fault.kind), (0, FaultKind::Busy { status: 529 }));
    assert_eq!(fault.body.as_deref(), Some(error.as_bytes()));
}

#[tokio::test]
async fn a_message_cut_for_length_is_not_complete() {
    let upstream = Upstream::always(Script::json(200, MESSAGE.replace("end_turn", "max_tokens"))).await;
    let (_, finish) = whole(&anthropic(&upstream), ask(Form::Whole)).await;
    assert!(!finish.complete && finish.cut, "{finish:?}");
}

#[tokio::test]
async fn tokens_are_counted_by_the_upstream() {
    let upstream = Upstream::always(Script::json(200, r#"{"input_tokens":4}"#)).await;
    let fields =
        [("anthropic-version", "2024-01-01"), ("x-api-key", "callers"), ("content-type", "application/json")];
    let order = forward("POST", "/messages/count_tokens", &fields, r#"{"model":"m"}"#);
    let Ok(Answer::Passed { status: 200, body, .. }) = anthropic(&upstream).ask(order).await else {
        panic!("passed")
    };
    assert_eq!(told(body).await.0.concat(), br#"{"input_tokens":4}"#);
    let seen = upstream.only();
    assert_eq!((seen.path.as_str(), seen.field("x-api-key")), ("/v1/messages/count_tokens", Some("our-key")));
    let versions = seen.fields.iter().filter(|(name, _)| name == "anthropic-version").count();
    assert_eq!((versions, seen.field("anthropic-version")), (1, Some("2024-01-01")));
}

#[tokio::test]
async fn what_this_vendor_does_not_offer_is_refused_with_words() {
    let upstream = Upstream::always(Script::json(200, MESSAGE)).await;
    let provider = anthropic(&upstream);
    for order in [hello(Form::Whole), embed(r#"{"model":"m"}"#, &["\"a\""])] {
        let fault = fault(&provider, order).await;
        assert_eq!(fault.kind, FaultKind::Rejected { status: 400 });
        assert!(fault.what.contains("anthropic") && fault.what.contains("openai."), "{}", fault.what);
    }
    assert!(upstream.seen().is_empty());
}
