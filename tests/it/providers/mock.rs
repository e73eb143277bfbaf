//! The mock provider: the same input gives the same bytes, in the vendor's form, without a key.

use super::*;
use tidegate::config::ScriptedFailure;
use tidegate_actors::ports::provider::FaultKind;

fn mock() -> Arc<dyn Provider> {
    build(&config(ProviderKind::Mock, ""), system_clock())
}

fn failing(failures: Vec<ScriptedFailure>) -> Arc<dyn Provider> {
    let mut config = config(ProviderKind::Mock, "");
    config.mock.error_script = failures;
    build(&config, system_clock())
}

fn json(body: &Bytes) -> serde_json::Value {
    serde_json::from_slice(body).expect("JSON")
}

/// The data of every frame, as JSON.
fn data(frames: &[Bytes]) -> Vec<serde_json::Value> {
    let text = |frame: &Bytes| String::from_utf8(frame.to_vec()).expect("text");
    let line = |text: String| text.lines().find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    frames
        .iter()
        .filter_map(|frame| line(text(frame)))
        .map(|data| serde_json::from_str(&data).expect("JSON"))
        .collect()
}

const ASK: &str = r#"{"model":"m","messages":[{"role":"user","content":"Where is the harbour?"}]"#;

#[tokio::test]
async fn the_same_question_gets_the_same_bytes_and_another_gets_others() {
    let ask = || chat(&format!("{ASK}}}"), Form::Whole);
    let (first, finish) = whole(&mock(), ask()).await;
    assert_eq!(first, whole(&mock(), ask()).await.0);
    assert!(finish.complete);
    let answer = json(&first);
    let text = answer["choices"][0]["message"]["content"].as_str().expect("text");
    assert!(text.contains("Where is the harbour?") && text.contains("mock"), "{text}");
    assert_eq!(answer["model"], "up-model");
    let usage = finish.usage.expect("counted");
    assert_eq!(
        (answer["usage"]["prompt_tokens"].as_u64(), answer["usage"]["completion_tokens"].as_u64()),
        (Some(usage.input), Some(usage.output))
    );
    let other = whole(&mock(), chat(&format!(r#"{ASK},"seed":2}}"#), Form::Whole)).await.0;
    assert_ne!(json(&other)["id"], answer["id"]);
}

#[tokio::test]
async fn a_stream_tells_the_same_words_as_a_body() {
    let (body, _) = whole(&mock(), chat(&format!("{ASK}}}"), Form::Whole)).await;
    let ask = || chat(&format!(r#"{ASK},"stream":true}}"#), Form::Stream);
    let (frames, end) = told(events(&mock(), ask()).await).await;
    let chunks = data(&frames);
    let text: String =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    let body = json(&body);
    assert_eq!(text, body["choices"][0]["message"]["content"]);
    assert!(chunks.iter().all(|chunk| chunk["id"] == body["id"] && chunk["created"] == body["created"]));
    let last = chunks.last().expect("a usage chunk");
    assert_eq!((&last["usage"], last["choices"].as_array().map(Vec::len)), (&body["usage"], Some(0)));
    assert!(end.expect("an end").complete);
    assert_eq!(frames, told(events(&mock(), ask()).await).await.0, "the same bytes again");
}

#[tokio::test]
async fn limits_choices_stops_and_forced_tools_are_heeded() {
    let ask = async |more: &str| json(&whole(&mock(), chat(&format!("{ASK},{more}}}"), Form::Whole)).await.0);
    let short = ask(r#""max_completion_tokens":2"#).await;
    assert_eq!(
        (&short["choices"][0]["finish_reason"], &short["usage"]["completion_tokens"]),
        (&"length".into(), &2.into())
    );
    let three = ask(r#""n":3"#).await;
    assert_eq!(three["choices"].as_array().map(Vec::len), Some(3));
    assert_eq!(three["choices"][2]["index"], 2);
    let stopped = ask(r#""stop":["asked"]"#).await;
    assert_eq!(stopped["choices"][0]["message"]["content"], "You ");
    let tools = r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"n":{"type":"integer"}}}}}]"#;
    let called = ask(&format!(r#"{tools},"tool_choice":"required""#)).await;
    let call = &called["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!((&call["name"], &call["arguments"]), (&"f".into(), &r#"{"n":1}"#.into()));
    assert_eq!(called["choices"][0]["finish_reason"], "tool_calls");
    let object = ask(r#""response_format":{"type":"json_object"}"#).await;
    let text = object["choices"][0]["message"]["content"].as_str().expect("text");
    assert!(serde_json::from_str::<serde_json::Value>(text).expect("JSON inside").is_object());
}

#[tokio::test]
async fn a_forced_tool_streams_its_arguments_in_pieces() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"city":{"type":"string"}}}}}],"tool_choice":{"type":"function","function":{"name":"f"}}"#;
    let (frames, _) =
        told(events(&mock(), chat(&format!(r#"{ASK},{tools},"stream":true}}"#), Form::Stream)).await).await;
    let chunks = data(&frames);
    let call = |chunk: &serde_json::Value| chunk["choices"][0]["delta"]["tool_calls"][0]["function"].clone();
    assert_eq!(call(&chunks[0])["name"], "f");
    let arguments: String =
        chunks.iter().filter_map(|chunk| call(chunk)["arguments"].as_str().map(str::to_owned)).collect();
    assert_eq!(arguments, r#"{"city":"Where is the harbour?"}"#);
}

#[tokio::test]
async fn messages_have_the_other_vendors_form() {
    let ask = r#"{"model":"m","max_tokens":500,"system":"be brief","messages":[{"role":"user","content":[{"type":"text","text":"Ahoy?"}]}]"#;
    let (body, finish) = whole(&mock(), message(&format!("{ask}}}"), Form::Whole)).await;
    let body = json(&body);
    let text = body["content"][0]["text"].as_str().expect("text").to_owned();
    assert!(text.contains("Ahoy?") && finish.complete);
    assert_eq!((&body["type"], &body["stop_reason"]), (&"message".into(), &"end_turn".into()));
    let (frames, end) =
        told(events(&mock(), message(&format!(r#"{ask},"stream":true}}"#), Form::Stream)).await).await;
    let events = data(&frames);
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds[..2], ["message_start", "content_block_start"]);
    assert_eq!(kinds[kinds.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
    for (frame, kind) in frames.iter().zip(&kinds) {
        assert!(frame.starts_with(format!("event: {kind}\n").as_bytes()), "{frame:?}");
    }
    let told: String = events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
    assert_eq!((told, events[0]["message"]["id"].clone()), (text, body["id"].clone()));
    assert!(end.expect("an end").complete);
}

#[tokio::test]
async fn tokens_are_counted_for_messages() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"Ahoy?"}]}"#;
    let order = forward("POST", "/messages/count_tokens", &[], body);
    let Ok(Answer::Passed { status, body, .. }) = mock().ask(order).await else { panic!("passed") };
    let counted = json(&told(body).await.0[0]);
    let asked = message(
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Ahoy?"}]}"#,
        Form::Whole,
    );
    let usage = whole(&mock(), asked).await.1.usage.expect("counted");
    assert_eq!((status, counted["input_tokens"].as_u64()), (200, Some(usage.input)));
}

#[tokio::test]
async fn what_the_vendor_would_refuse_is_refused_in_its_form() {
    let chat_fault = fault(&mock(), chat(r#"{"model":"m","messages":[]}"#, Form::Whole)).await;
    assert_eq!(chat_fault.kind, FaultKind::Rejected { status: 400 });
    assert_eq!(json(&chat_fault.body.expect("a body"))["error"]["param"], "messages");
    let fault = fault(&mock(), message(r#"{"model":"m","messages":[{}]}"#, Form::Whole)).await;
    assert_eq!(json(&fault.body.expect("a body"))["type"], "error");
}

#[tokio::test]
async fn vectors_follow_their_items_and_have_the_length_asked_for() {
    let items = ["\"a\"", "\"b\"", "[1,2]"];
    let some = rows(&mock(), embed(r#"{"model":"m","dimensions":8}"#, &items)).await;
    let swapped = rows(&mock(), embed(r#"{"model":"m","dimensions":8}"#, &["[1,2]", "\"b\"", "\"a\""])).await;
    assert_eq!((&some.vectors[0], &some.vectors[2]), (&swapped.vectors[2], &swapped.vectors[0]));
    assert_eq!((some.vectors[0].bits.len(), some.usage.map(|usage| usage.input)), (32, Some(9)));
    let usual = rows(&mock(), embed(r#"{"model":"m"}"#, &["\"a\""])).await;
    assert_eq!(usual.vectors[0].bits.len(), 4 * 1536);
    let refused = fault(&mock(), embed(r#"{"model":"m","dimensions":0}"#, &["\"a\""])).await;
    assert_eq!(refused.kind, FaultKind::Rejected { status: 400 });
}

#[tokio::test]
async fn planned_failures_look_like_real_ones() {
    let busy =
        ScriptedFailure { status: Some(429), retry_after_ms: Some(1500), ..ScriptedFailure::default() };
    let cut = ScriptedFailure { after: 1, cut_after_events: Some(2), ..ScriptedFailure::default() };
    let provider = failing(vec![busy, cut]);
    let first = fault(&provider, hello(Form::Whole)).await;
    assert_eq!(
        (first.kind, first.retry_after),
        (FaultKind::Busy { status: 429 }, Some(Duration::from_millis(1500)))
    );
    assert_eq!(json(&first.body.expect("a body"))["error"]["type"], "rate_limit_error");
    whole(&provider, hello(Form::Whole)).await;
    let (frames, end) = told(events(&provider, hello(Form::Stream)).await).await;
    assert_eq!((frames.len(), end.expect_err("a cut").kind), (2, FaultKind::Cut));
    told(events(&provider, hello(Form::Stream)).await).await.1.expect("the script is over");
}

#[tokio::test]
async fn delay_and_speed_are_kept_on_the_engines_clock() {
    let clock = HandClock::new();
    let mut config = config(ProviderKind::Mock, "");
    config.mock.delay_ms = 200;
    config.mock.tokens_per_s = Some(10.0);
    let provider = build(&config, clock.clone());
    let mut asking = provider.ask(hello(Form::Stream));
    assert!(futures_util::poll!(&mut asking).is_pending());
    clock.advance(Duration::from_millis(200));
    let Ok(Answer::Events(mut events)) = asking.await else { panic!("events") };
    next_data(&mut events).await;
    let mut second = events.next();
    assert!(futures_util::poll!(&mut second).is_pending(), "the first token takes 100 ms");
    clock.advance(Duration::from_millis(100));
    assert!(matches!(second.await, Some(Ok(Piece::Data(_)))));
    assert!(futures_util::poll!(events.next()).is_pending(), "so does the next");
}
