//! What chat requests are read as, and that stream and completion are two forms of one answer.

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

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|fault| panic!("{fault}: {}", bytes.escape_ascii()))
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

fn refusal(text: &str) -> (String, Option<String>) {
    let fault = ChatRequest::read(&doc(text)).expect_err("must be refused");
    (fault.message, fault.param)
}

#[test]
fn a_request_is_declared_by_temperature_zero_or_a_seed() {
    let declared = |extra: &str| {
        let text = format!(r#"{{"model":"m","messages":[{{}}]{extra}}}"#);
        ChatRequest::read(&doc(&text)).expect("a request").declared
    };
    for zero in ["0", "0.0", "-0", "0e5", "0.00E-1"] {
        assert!(declared(&format!(",\"temperature\":{zero}")), "{zero}");
    }
    assert!(declared(",\"seed\":7") && declared(",\"temperature\":1,\"seed\":0"));
    for other in
        ["", ",\"temperature\":1e-9", ",\"temperature\":null", ",\"seed\":null", ",\"temperature\":0.7"]
    {
        assert!(!declared(other), "{other}");
    }
}

#[test]
fn a_wrong_field_is_named() {
    let cases = [
        (r#"[]"#, "the body must be a JSON object, not an array", None),
        (r#"{"messages":[{}]}"#, "missing required parameter model", Some("model")),
        (r#"{"model":7,"messages":[{}]}"#, "model must be a string, not a number", Some("model")),
        (r#"{"model":"","messages":[{}]}"#, "model is empty, name a model", Some("model")),
        (r#"{"model":"m"}"#, "missing required parameter messages", Some("messages")),
        (r#"{"model":"m","messages":"hi"}"#, "messages must be an array, not a string", Some("messages")),
        (r#"{"model":"m","messages":[]}"#, "messages is empty, give at least one", Some("messages")),
        (
            r#"{"model":"m","messages":[{},1]}"#,
            "messages[1] must be an object, not a number",
            Some("messages[1]"),
        ),
        (
            r#"{"model":"m","messages":[{}],"stream":1}"#,
            "stream must be a boolean, not a number",
            Some("stream"),
        ),
        (
            r#"{"model":"m","messages":[{}],"stream_options":{"include_usage":"y"}}"#,
            "stream_options.include_usage must be a boolean, not a string",
            Some("stream_options.include_usage"),
        ),
        (r#"{"model":"m","messages":[{}],"seed":"x"}"#, "seed must be a number, not a string", Some("seed")),
    ];
    for (text, message, param) in cases {
        assert_eq!(refusal(text), (message.to_owned(), param.map(str::to_owned)), "{text}");
    }
}

#[test]
fn the_upstream_is_asked_for_usage_and_by_its_own_name() {
    let text = r#"{"model" : "m", "messages":[{"role":"user"}],"stream":true,"n":1.0}"#;
    let request = doc(text);
    let request = ChatRequest::read(&request).expect("a request");
    assert!(request.stream && !request.include_usage);
    let sent = String::from_utf8(request.upstream_body("up\"")).expect("UTF-8");
    let end = ",\"n\":1.0,\"stream_options\":{\"include_usage\":true}}";
    assert_eq!(sent, text.replace("\"m\"", r#""up\"""#).replace(",\"n\":1.0}", end));
    let text = r#"{"model":"m","messages":[{}],"stream_options":null}"#;
    let plain = doc(text);
    let plain = ChatRequest::read(&plain).expect("a request");
    assert_eq!(plain.upstream_body("m"), text.as_bytes());
}

#[test]
fn chunks_are_told_apart() {
    let read = |text: &str| Chunk::read(&Bytes::copy_from_slice(text.as_bytes())).expect("a chunk");
    assert_eq!(read("[DONE]"), Chunk::Done);
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,
        "prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{"reasoning_tokens":3}}}"#;
    let counted = Usage { input: 9, cached_read: 8, cached_write: 0, output: 4, reasoning: 3 };
    assert_eq!(read(usage), Chunk::Usage(counted));
    let delta = |says_something, finished: &[&str]| Chunk::Delta {
        says_something,
        finished: finished.iter().map(|reason| (*reason).to_owned()).collect(),
        usage: None,
    };
    let opening =
        r#"{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
    assert_eq!(read(opening), delta(false, &[]));
    assert_eq!(read(r#"{"choices":[{"delta":{"reasoning_content":"x"}}]}"#), delta(true, &[]));
    assert_eq!(read(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#), delta(false, &["stop"]));
    assert_eq!(read(r#"{"choices":[],"prompt_filter_results":[]}"#), delta(false, &[]));
    for error in [r#"{"error":{"message":"no","code":1}}"#, r#"{"object":"error","message":"no","code":"1"}"#]
    {
        assert!(matches!(read(error), Chunk::Error(UpstreamError { message, code, .. })
            if message == "no" && code.as_deref() == Some("1")));
    }
    assert!(matches!(read(r#"{"error":{"a":1},"choices":[{"delta":{}}]}"#), Chunk::Error(_)));
    assert!(Chunk::read(&Bytes::from_static(b"{\"choices\":[")).is_err());
}

#[test]
fn usage_is_shown_to_who_asked_and_to_nobody_else() {
    let text = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n: ka\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n";
    let shaped = |asked: bool| -> Vec<Bytes> {
        frames(text).iter().filter_map(|frame| Shaper::new(asked).shape(frame)).collect()
    };
    let all = frames(text);
    assert_eq!(shaped(false), [all[0].raw.clone(), all[1].raw.clone(), all[3].raw.clone()]);
    let filtered = b"data: {\"choices\":[],\"usage\":null,\"prompt_filter_results\":[]}\n\n";
    let filtered = &frames(filtered)[0];
    assert_eq!(Shaper::new(false).shape(filtered), Some(filtered.raw.clone()), "no usage in it");
    let asked = shaped(true);
    assert_eq!(asked[0], "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n");
    assert_eq!(asked[1..], [all[1].raw.clone(), all[2].raw.clone(), all[3].raw.clone()]);
}

#[test]
fn a_vendors_stream_amounts_to_its_completion() {
    let payloads = [
        r#"{"id":"c1","object":"chat.completion.chunk","created":5,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x9"}"#,
        r#"{"id":"c1","created":5,"model":"m","choices":[{"index":1,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":1,"id":"t2","type":"function","function":{"name":"g","arguments":""}}]}}]}"#,
        r#"{"id":"c1","created":5,"model":"m","choices":[{"index":0,"delta":{"content":"He\ud83d","reasoning_content":"th"},"logprobs":{"content":[{"token":"He"}],"refusal":null}}]}"#,
        r#"{"id":"c1","created":5,"model":"m","choices":[{"index":0,"delta":{"content":"\ude00","reasoning_content":"ink"},"logprobs":{"content":[{"token":"y"}]}}]}"#,
        r#"{"id":"c1","created":5,"model":"m","choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\""}}]}}]}"#,
        r#"{"id":"c1","created":5,"model":"m","choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"id":"t1","function":{"name":"f","arguments":":1}"}}]}}]}"#,
        r#"{"id":"c1","created":6,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop","content_filter_results":{"hate":"safe"}},{"index":1,"delta":{},"finish_reason":"tool_calls"}]}"#,
        r#"{"id":"c1","created":6,"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
        "[DONE]",
    ];
    let assembler = assembler(&payloads).expect("a stream");
    assert!(assembler.is_complete());
    let expected = json!({
        "id": "c1", "object": "chat.completion", "created": 5, "model": "m", "system_fingerprint": "fp",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "He\u{1f600}", "refusal": null, "reasoning_content": "think"},
             "logprobs": {"content": [{"token": "He"}, {"token": "y"}], "refusal": null},
             "finish_reason": "stop", "content_filter_results": {"hate": "safe"}},
            {"index": 1, "message": {"role": "assistant", "content": null, "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                {"id": "t2", "type": "function", "function": {"name": "g", "arguments": ""}}]},
             "finish_reason": "tool_calls"},
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    });
    assert_eq!(value(&assembler.finish().expect("a completion")), expected);
}

#[test]
fn a_stream_that_breaks_off_amounts_to_nothing() {
    let part = r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#;
    let end =
        |reason: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#);
    assert_eq!(assembler(&[part]).expect("parts").finish(), Err(AssembleFault::Cut));
    assert_eq!(assembler(&["[DONE]"]).expect("parts").finish(), Err(AssembleFault::Empty));
    assert!(assembler(&[part, &end("stop")]).expect("parts").is_complete(), "some vendors send no [DONE]");
    for cut in ["length", "content_filter", "error"] {
        let ended = assembler(&[part, &end(cut), "[DONE]"]).expect("parts");
        assert!(ended.has_ended() && !ended.is_complete(), "{cut}");
    }
    let broken = assembler(&[part, r#"{"error":{"message":"boom","type":"server_error"}}"#]);
    assert!(matches!(broken, Err(AssembleFault::Upstream(error)) if error.message == "boom"));
    assert!(matches!(assembler(&[part, "{\"x\":"]), Err(AssembleFault::Json { chunk: 1, .. })));
    for odd in ["-1", "\"0\"", "128", "1e9"] {
        let payload = format!(r#"{{"choices":[{{"index":{odd},"delta":{{}}}}]}}"#);
        assert!(matches!(assembler(&[&payload]), Err(AssembleFault::Index(_))), "{odd}");
    }
}

#[test]
fn a_completion_says_whether_it_may_be_kept() {
    let read = |text: &str| Completion::read(doc(text).root()).expect("a completion");
    let whole = read(
        r#"{"choices":[{"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#,
    );
    assert!(whole.complete && whole.says_something && whole.usage.is_some());
    let cut = read(
        r#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"},{"message":{},"finish_reason":"length"}]}"#,
    );
    assert!(!cut.complete);
    let silent = read(
        r#"{"choices":[{"message":{"role":"assistant","content":"","tool_calls":[]},"finish_reason":"stop"}]}"#,
    );
    assert!(!silent.says_something && silent.usage.is_none());
    assert!(Completion::read(doc(r#"{"error":{}}"#).root()).is_none());
}

/// A text with everything an escape can be.
fn text() -> impl Strategy<Value = Value> {
    "[a-c\"\\\\\n\u{e9}\u{1f600} ]{0,8}".prop_map(Value::from)
}

fn message() -> impl Strategy<Value = Value> {
    let call = (text(), text(), text(), any::<bool>()).prop_map(|(id, name, arguments, custom)| match custom {
        true => json!({"id": id, "type": "custom", "custom": {"name": name, "input": arguments}}),
        false => json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, "extra": {"sig": id}}),
    });
    let content = prop_oneof![Just(Value::Null), text(), Just(json!([{"type": "text", "text": "x"}]))];
    let calls = proptest::option::of(proptest::collection::vec(call, 0..3));
    let others = proptest::option::of(prop_oneof![text(), Just(Value::Null), Just(json!({"k": [1.5, "v"]}))]);
    (content, calls, others.clone(), others).prop_map(|(content, calls, refusal, unknown)| {
        let mut message = json!({"role": "assistant", "content": content});
        let named = [("tool_calls", calls.map(Value::from)), ("refusal", refusal), ("unknown\n", unknown)];
        for (name, value) in named {
            if let Some(value) = value {
                message[name] = value;
            }
        }
        message
    })
}

fn completion() -> impl Strategy<Value = Value> {
    let logprobs = proptest::option::of(prop_oneof![
        Just(Value::Null),
        Just(json!({"content": [{"token": "a", "logprob": -0.25}], "refusal": null}))
    ]);
    let reason = prop_oneof![Just("stop"), Just("length"), Just("tool_calls")];
    let choice = (message(), logprobs, reason).prop_map(|(message, logprobs, reason)| {
        let mut choice = json!({"message": message, "finish_reason": reason, "stop_reason": null});
        if let Some(logprobs) = logprobs {
            choice["logprobs"] = logprobs;
        }
        choice
    });
    (proptest::collection::vec(choice, 1..4), any::<bool>(), any::<u32>()).prop_map(|(mut choices, usage, created)| {
        for (index, choice) in choices.iter_mut().enumerate() {
            choice["index"] = json!(index);
        }
        let mut completion = json!({"id": "c", "object": "chat.completion", "created": created, "model": "m",
            "choices": choices, "system_fingerprint": null, "service_tier": "default"});
        if usage {
            completion["usage"] = json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3});
        }
        completion
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn assembling_what_was_rendered_gives_the_completion_back(completion in completion(), pretty in any::<bool>()) {
        let text = if pretty { format!("{completion:#}") } else { completion.to_string() };
        let rendered = render(doc(&text).root(), true).expect("frames").concat();
        let mut assembler = Assembler::new();
        for frame in frames(&rendered) {
            let data = frame.data().expect("only data").clone();
            prop_assert!(Chunk::read(&data).is_ok());
            assembler.push(&data).expect("a chunk");
        }
        prop_assert_eq!(value(&assembler.finish().expect("a completion")), completion);
    }

    #[test]
    fn without_usage_the_same_chunks_come_without_it(completion in completion()) {
        let doc = doc(&completion.to_string());
        let with = render(doc.root(), true).expect("frames").concat();
        let shaper = Shaper::new(true);
        let without = render(doc.root(), false).expect("frames").concat();
        let shaped: Vec<_> = frames(&without).iter().filter_map(|frame| shaper.shape(frame)).collect();
        let expected: Vec<_> = frames(&with).iter().map(|frame| frame.raw.clone())
            .filter(|raw| !raw.starts_with(b"data: {") || !raw.windows(12).any(|w| w == b"\"choices\":[]")).collect();
        // `usage` stands last in both: the renderer and the shaper write it there.
        prop_assert_eq!(shaped, expected);
    }

    #[test]
    fn arbitrary_payloads_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let data = Bytes::from(bytes);
        let _ = Chunk::read(&data);
        let _ = Assembler::new().push(&data);
        if let Ok(doc) = Document::parse(data, JsonLimits::default()) {
            let _ = (render(doc.root(), true), Completion::read(doc.root()), ChatRequest::read(&doc).map(|_| ()));
        }
    }
}
