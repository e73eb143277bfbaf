//! What message requests are read as, and that stream and message are two forms of one answer.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_actors::json::{Document, JsonLimits};

use super::*;
use crate::dialect::error::UpstreamError;
use crate::dialect::sse::{Frame, SseLimits, SseParser};

fn doc(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), JsonLimits::default()).expect("JSON")
}

fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut parser = SseParser::new(SseLimits::default());
    parser.push(bytes);
    std::iter::from_fn(|| parser.next_frame().expect("frames")).collect()
}

fn assembler(payloads: &[&str]) -> Result<Assembler, AssembleFault> {
    let mut assembler = Assembler::new();
    for payload in payloads {
        assembler.push(&Bytes::copy_from_slice(payload.as_bytes()))?;
    }
    Ok(assembler)
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|fault| panic!("{fault}: {}", bytes.escape_ascii()))
}

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_read_input_tokens":5,"output_tokens":1}}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

#[test]
fn a_request_is_checked_and_declared_by_temperature_zero() {
    let read =
        |text: &str| MessagesRequest::read(&doc(text)).map(|request| (request.stream, request.declared));
    assert_eq!(
        read(r#"{"model":"c","max_tokens":1,"messages":[{}],"temperature":0.0,"stream":true}"#),
        Ok((true, true))
    );
    assert_eq!(read(r#"{"model":"c","max_tokens":1,"messages":[{}],"seed":1}"#), Ok((false, false)));
    let refusal = |text: &str| read(text).expect_err("must be refused").message;
    assert_eq!(refusal(r#"{"model":"c","messages":[{}]}"#), "missing required parameter max_tokens");
    assert_eq!(
        refusal(r#"{"model":"c","max_tokens":0,"messages":[{}]}"#),
        "max_tokens must be an integer of at least 1, not 0"
    );
    assert_eq!(
        refusal(r#"{"model":"c","max_tokens":1,"messages":{}}"#),
        "messages must be an array, not an object"
    );
    assert!(MessagesRequest::read_count(&doc(r#"{"model":"c","messages":[{}]}"#)).is_ok());
    let count = doc(r#"{"model":"c" , "messages":[{}]}"#);
    let count = MessagesRequest::read_count(&count).expect("a request");
    assert_eq!(count.upstream_body("claude"), br#"{"model":"claude" , "messages":[{}]}"#);
}

#[test]
fn events_are_told_apart() {
    let read = |text: &str| Event::read(&Bytes::copy_from_slice(text.as_bytes())).expect("an event");
    let usage = Usage { input: 30, cached_read: 5, cached_write: 0, output: 1, reasoning: 0 };
    assert_eq!(read(START), Event::Start(Some(usage)));
    let block =
        |block: &str| read(&format!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#));
    assert_eq!(block(r#"{"type":"text","text":""}"#), Event::Content { says_something: false });
    assert_eq!(
        block(r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#),
        Event::Content { says_something: false }
    );
    assert_eq!(
        block(r#"{"type":"web_search_tool_result","content":[]}"#),
        Event::Content { says_something: true }
    );
    assert_eq!(
        read(r#"{"type":"content_block_delta","index":0,"delta":{}}"#),
        Event::Content { says_something: true }
    );
    assert_eq!(
        read(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#),
        Event::Delta { stop_reason: Some("end_turn".into()), output: Some(9) }
    );
    assert_eq!((read(STOP), read(r#"{"type":"ping"}"#)), (Event::Stop, Event::Other));
    assert!(matches!(read(r#"{"type":"error","error":{"type":"overloaded_error","message":"no"}}"#),
        Event::Error(UpstreamError { message, kind, .. }) if message == "no" && kind.as_deref() == Some("overloaded_error")));
}

#[test]
fn a_vendors_stream_amounts_to_its_message() {
    let payloads = [
        START,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"a\u0041"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"b"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"Ep"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"Eq+\/=="}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"","citations":[]}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\ud83d"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\ude00"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"cited_text":"x"}}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\": 1."}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"50}"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":15,"server_tool_use":{"web_search_requests":1}}}"#,
        STOP,
    ];
    let assembler = assembler(&payloads).expect("a stream");
    assert!(assembler.is_complete());
    let message = assembler.finish().expect("a message");
    let text = String::from_utf8(message.clone()).expect("UTF-8");
    assert!(text.contains(r#""signature":"Eq+\/==""#) && text.contains(r#""input":{"a": 1.50}"#), "{text}");
    let expected = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "c",
        "content": [
            {"type": "thinking", "thinking": "aAb", "signature": "Eq+/=="},
            {"type": "text", "text": "\u{1f600}", "citations": [{"cited_text": "x"}]},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1.5}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 25, "cache_read_input_tokens": 5, "output_tokens": 15, "server_tool_use": {"web_search_requests": 1}},
    });
    assert_eq!(value(&message), expected);
}

#[test]
fn a_stream_that_breaks_off_or_says_the_unheard_of_amounts_to_nothing() {
    let text = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    assert_eq!(assembler(&[START, text]).expect("events").finish(), Err(AssembleFault::Cut));
    let error = r#"{"type":"error","error":{"type":"api_error","message":"boom"}}"#;
    assert!(
        matches!(assembler(&[START, error]), Err(AssembleFault::Upstream(error)) if error.message == "boom")
    );
    assert!(matches!(assembler(&[text]), Err(AssembleFault::Order(_))));
    assert!(matches!(assembler(&[START, START]), Err(AssembleFault::Order(_))));
    assert!(matches!(assembler(&[START, text, text]), Err(AssembleFault::Order(_))));
    assert!(matches!(assembler(&[START, STOP, text]), Err(AssembleFault::Order(_))));
    let odd = r#"{"type":"content_block_delta","index":0,"delta":{"type":"dance_delta","step":1}}"#;
    assert_eq!(assembler(&[START, text, odd]).err(), Some(AssembleFault::UnknownDelta("dance_delta".into())));
    let tool = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","input":{}}}"#;
    let half = r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#;
    let broken = assembler(&[START, tool, half, STOP]).expect("events").finish();
    assert!(matches!(broken, Err(AssembleFault::Input { block: 0, .. })));
    for cut in ["max_tokens", "refusal", "pause_turn"] {
        let delta = format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"{cut}"}},"usage":{{}}}}"#);
        assert!(!assembler(&[START, &delta, STOP]).expect("events").is_complete(), "{cut}");
    }
}

#[test]
fn every_event_has_its_name_on_a_line_of_its_own() {
    let doc = doc(
        r#"{"content":[{"type":"text","text":"x"}],"usage":{"output_tokens":1},"stop_reason":"end_turn"}"#,
    );
    let rendered = render(doc.root()).expect("frames").concat();
    let names: Vec<_> =
        frames(&rendered).iter().map(|frame| frame.event().unwrap_or_default().to_owned()).collect();
    let expected = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names, expected);
    for frame in frames(&rendered) {
        assert_eq!(value(frame.data().expect("data"))["type"], frame.event().unwrap_or_default());
    }
}

fn text() -> impl Strategy<Value = String> {
    "[a-c\"\\\\\n\u{e9}\u{1f600} ]{0,8}"
}

fn block() -> impl Strategy<Value = Value> {
    let citations = prop_oneof![
        Just(None),
        Just(Some(json!(null))),
        Just(Some(json!([]))),
        Just(Some(json!([{"cited_text": "x"}, {"n": 1}])))
    ];
    prop_oneof![
        (text(), citations).prop_map(|(text, citations)| match citations {
            Some(citations) => json!({"type": "text", "text": text, "citations": citations}),
            None => json!({"type": "text", "text": text}),
        }),
        (text(), text()).prop_map(|(thinking, signature)| json!({"type": "thinking", "thinking": thinking, "signature": signature})),
        (text(), text(), any::<bool>()).prop_map(|(key, value, full)| {
            let input = if full { json!({key: [value, 1.5, null]}) } else { json!({}) };
            json!({"type": "tool_use", "id": "t", "name": "f", "input": input, "caller": {"type": "direct"}})
        }),
        text().prop_map(|text| json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": text}})),
        text().prop_map(|data| json!({"type": "redacted_thinking", "data": data})),
        text().prop_map(|text| json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"title": text}]})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn assembling_what_was_rendered_gives_the_message_back(
        blocks in proptest::collection::vec(block(), 0..5), output in 0u32..9, pretty in any::<bool>()
    ) {
        let message = json!({"id": "m", "type": "message", "role": "assistant", "model": "c", "content": blocks,
            "stop_reason": "end_turn", "stop_sequence": null, "container": {"id": "k"},
            "usage": {"input_tokens": 7, "output_tokens": output, "service_tier": "standard", "cache_creation": {"a": 1}}});
        let text = if pretty { format!("{message:#}") } else { message.to_string() };
        let rendered = render(doc(&text).root()).expect("frames").concat();
        let mut assembler = Assembler::new();
        for frame in frames(&rendered) {
            let data = frame.data().expect("only data").clone();
            prop_assert!(Event::read(&data).is_ok());
            assembler.push(&data).expect("an event");
        }
        prop_assert_eq!(value(&assembler.finish().expect("a message")), message);
    }

    #[test]
    fn arbitrary_payloads_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let data = Bytes::from(bytes);
        let _ = Event::read(&data);
        let _ = Assembler::new().push(&data);
        if let Ok(doc) = Document::parse(data, JsonLimits::default()) {
            let _ = (render(doc.root()), Message::read(doc.root()), MessagesRequest::read(&doc).map(|_| ()));
        }
    }
}
