//! What an OpenAI-compatible upstream is sent, and what is made of its answers.

use super::*;
use crate::config::toml_folder;
use crate::upstream::Script;
use tidegate::config::{MaxTokensField, Quirks};
use tidegate_actors::ports::provider::{FaultKind, Usage};

#[tokio::test]
async fn a_whole_answer_keeps_every_byte_and_says_what_was_counted() {
    let upstream = Upstream::always(Script::json(200, COMPLETION)).await;
    let (body, finish) = whole(&openai(&upstream), hello(Form::Whole)).await;
    assert_eq!(body, COMPLETION);
    let usage = Usage { input: 5, output: 2, ..Usage::default() };
    assert_eq!(finish, Finish { complete: true, cut: false, usage: Some(usage) });
}

#[tokio::test]
async fn a_request_carries_our_key_our_model_and_nothing_of_the_callers() {
    let upstream = Upstream::always(Script::json(200, COMPLETION)).await;
    let mut config = config(ProviderKind::Openai, &format!("{}/v1/", upstream.url()));
    config.address.organization = Some("org".to_owned());
    config.address.project = Some("proj".to_owned());
    config.address.headers.insert("x-team".to_owned(), Secret::new("tide"));
    let mut order =
        chat(r#"{ "model":"m", "messages":[{"role":"user","content":"\u00e4"}], "top_p":1.0 }"#, Form::Whole);
    order.affecting = [("openai-beta".into(), "a=1".into()), ("anthropic-version".into(), "x".into())].into();
    whole(&build(&config, system_clock()), order).await;

    let seen = upstream.only();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(
        seen.text(),
        r#"{ "model":"up-model", "messages":[{"role":"user","content":"\u00e4"}], "top_p":1.0 }"#
    );
    let wanted = [
        ("authorization", Some("Bearer our-key")),
        ("openai-organization", Some("org")),
        ("openai-project", Some("proj")),
        ("x-team", Some("tide")),
        ("openai-beta", Some("a=1")),
        ("anthropic-version", None),
        ("accept-encoding", Some("identity")),
        ("content-type", Some("application/json")),
        ("accept", Some("application/json")),
    ];
    for (name, value) in wanted {
        assert_eq!(seen.field(name), value, "{name}");
    }
}

#[tokio::test]
async fn azure_is_a_matter_of_address_query_and_field() {
    let upstream = Upstream::always(Script::json(200, COMPLETION)).await;
    let text = format!(
        "[providers.up]\nkind = \"openai\"\nauth = \"api-key\"\napi_key = \"our-key\"\n\
         base_url = \"{}/openai/deployments/{{model}}\"\nquery = {{ api-version = \"2024-10-21&x\" }}\n",
        upstream.url()
    );
    let loaded = toml_folder(&text).load().expect("a usable configuration");
    let config = loaded.config.providers["up"].clone();
    let mut order = hello(Form::Whole);
    order.model = "my gpt/4".into();
    whole(&build(&config, system_clock()), order).await;

    let seen = upstream.only();
    assert_eq!(seen.path, "/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21%26x");
    assert_eq!((seen.field("api-key"), seen.field("authorization")), (Some("our-key"), None));
}

#[tokio::test]
async fn a_provider_without_a_key_sends_no_credential() {
    let upstream = Upstream::always(Script::json(200, COMPLETION)).await;
    let mut config = config(ProviderKind::Openai, &upstream.url());
    config.credentials.keys.clear();
    whole(&build(&config, system_clock()), hello(Form::Whole)).await;
    assert_eq!(upstream.only().field("authorization"), None);
}

#[tokio::test]
async fn quirks_of_the_model_change_the_request() {
    let upstream =
        Upstream::always(Script::events().send(chunk(r#"{"content":"x"}"#, "\"stop\"")).send(DONE)).await;
    let quirks = Quirks {
        drop_params: vec!["seed".to_owned(), "stream_options".to_owned()],
        max_tokens_field: Some(MaxTokensField::MaxCompletionTokens),
        ..Quirks::default()
    };
    let models = BTreeMap::from([("m".to_owned(), Model { quirks, ..Model::default() })]);
    let config = config(ProviderKind::Openai, &upstream.url());
    let provider = providers::build("up", &config, &models, system_clock()).expect("usable");
    let body =
        r#"{"model":"m","seed":1,"max_tokens":5,"stream":true,"stream_options":{"include_usage":true}}"#;
    told(events(&provider, chat(body, Form::Stream)).await).await.1.expect("an end");
    assert_eq!(upstream.only().text(), r#"{"model":"up-model","stream":true,"max_completion_tokens":5}"#);
}

#[tokio::test]
async fn a_stream_always_asks_for_usage_and_a_body_never_does() {
    let events_script = Script::events().send(chunk(r#"{"content":"x"}"#, "\"stop\"")).send(DONE);
    let upstream = Upstream::scripted(vec![events_script, Script::json(200, COMPLETION)]).await;
    let provider = openai(&upstream);
    let body = r#"{"model":"m","stream":true,"stream_options":{"x":1}}"#;
    told(events(&provider, chat(body, Form::Stream)).await).await.1.expect("an end");
    whole(&provider, chat(body, Form::Whole)).await;
    let sent: Vec<String> = upstream.seen().iter().map(|seen| seen.text().to_owned()).collect();
    assert_eq!(
        sent[0],
        r#"{"model":"up-model","stream":true,"stream_options":{"x":1,"include_usage":true}}"#
    );
    assert_eq!(sent[1], r#"{"model":"up-model","stream":false}"#);
}

#[tokio::test]
async fn an_answer_cut_for_length_is_whole_but_not_complete() {
    let cut = COMPLETION.replace("\"stop\"", "\"length\"");
    let upstream = Upstream::always(Script::json(200, cut)).await;
    let (_, finish) = whole(&openai(&upstream), hello(Form::Whole)).await;
    assert!(!finish.complete && finish.cut, "{finish:?}");
}

#[tokio::test]
async fn an_answer_that_says_nothing_may_not_be_kept() {
    let empty = COMPLETION.replace("\"hi\"", "\"\"").replace(r#","reasoning_content":"\u00e4""#, "");
    let upstream = Upstream::always(Script::json(200, empty)).await;
    let (_, finish) = whole(&openai(&upstream), hello(Form::Whole)).await;
    assert!(!finish.complete && !finish.cut, "{finish:?}");
}

#[tokio::test]
async fn vectors_come_back_in_the_order_of_the_items_with_their_own_digits() {
    let answer = embeddings(&[(2, "[0.30, 1e-3]"), (0, "[0.10,0.20000]"), (1, "[-1,2]")]);
    let upstream = Upstream::always(Script::json(200, answer)).await;
    let order = embed(
        r#"{"model":"m","dimensions":2,"user":"u","encoding_format":"base64"}"#,
        &["\"a\"", "[1, 2]", "\"\\u00e4\""],
    );
    let rows = rows(&openai(&upstream), order).await;
    let texts: Vec<&[u8]> = rows.vectors.iter().map(|vector| &vector.text[..]).collect();
    assert_eq!(texts, [&b"[0.10,0.20000]"[..], b"[-1,2]", b"[0.30,1e-3]"]);
    assert_eq!(&rows.vectors[1].bits[..], [(-1.0_f32).to_le_bytes(), 2.0_f32.to_le_bytes()].concat());
    assert_eq!((rows.usage.map(|usage| usage.input), &*rows.model), (Some(7), "em"));
    let sent = r#"{"model":"up-model","dimensions":2,"user":"u","encoding_format":"float","input":["a",[1, 2],"\u00e4"]}"#;
    let seen = upstream.only();
    assert_eq!((seen.path.as_str(), seen.text()), ("/v1/embeddings", sent));
}

#[tokio::test]
async fn an_upstream_that_answers_base64_is_understood() {
    let upstream = Upstream::always(Script::json(200, embeddings(&[(0, "\"AACAPwAAAEA=\"")]))).await;
    let rows = rows(&openai(&upstream), embed(r#"{"model":"m"}"#, &["\"a\""])).await;
    assert_eq!(&rows.vectors[0].bits[..], [1.0_f32.to_le_bytes(), 2.0_f32.to_le_bytes()].concat());
}

#[tokio::test]
async fn vectors_that_cannot_be_trusted_are_a_fault_never_an_answer() {
    let two = ["\"a\"", "\"b\""];
    let answers = [
        (embeddings(&[(0, "[1]")]), "1 vectors for 2 items"),
        (embeddings(&[(0, "[1]"), (1, "[1]"), (2, "[1]")]), "3 vectors for 2 items"),
        (embeddings(&[(0, "[1]"), (0, "[2]")]), "index 0 twice"),
        (embeddings(&[(0, "[1]"), (2, "[2]")]), "index 2"),
        (embeddings(&[(0, "[1]"), (1, "[2,3]")]), "has 2 elements where 1"),
        (embeddings(&[(0, "[1]"), (1, "[1e999]")]), "not a finite number"),
        (embeddings(&[(0, "[1]"), (1, "[\"x\"]")]), "not a number"),
        (embeddings(&[(0, "[1]"), (1, "[NaN]")]), "not with JSON"),
        (embeddings(&[(0, "[1]"), (1, "[]")]), "empty"),
        (r#"{"object":"list"}"#.to_owned(), "no data array"),
        (String::new(), "empty body"),
    ];
    for (answer, words) in answers {
        let upstream = Upstream::always(Script::json(200, answer.clone())).await;
        let fault = fault(&openai(&upstream), embed(r#"{"model":"m"}"#, &two)).await;
        assert_eq!(fault.kind, FaultKind::Broken { status: Some(200) }, "{answer}");
        assert!(fault.what.contains(words), "{answer}: {}", fault.what);
    }
}

#[tokio::test]
async fn an_error_with_a_good_status_is_still_an_error() {
    let body = r#"{"error":{"message":"no such model","type":"invalid_request_error","code":404}}"#;
    let upstream = Upstream::always(Script::json(200, body)).await;
    let provider = openai(&upstream);
    for order in [hello(Form::Whole), hello(Form::Stream), embed(r#"{"model":"m"}"#, &["\"a\""])] {
        let fault = fault(&provider, order).await;
        assert_eq!(
            (fault.kind, fault.body.as_deref()),
            (FaultKind::Rejected { status: 400 }, Some(body.as_bytes()))
        );
    }
}

#[tokio::test]
async fn another_vendors_form_is_refused_with_words() {
    let upstream = Upstream::always(Script::json(200, COMPLETION)).await;
    let fault = fault(&openai(&upstream), message(r#"{"model":"m"}"#, Form::Whole)).await;
    assert_eq!(fault.kind, FaultKind::Rejected { status: 400 });
    assert!(fault.what.contains("anthropic.messages"), "{}", fault.what);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_passed_through_request_arrives_as_it_was_without_the_callers_credentials() {
    let script = Script::body(418, "image/png", &b"\x89PNG"[..])
        .field("x-ratelimit-remaining", "3")
        .field("set-cookie", "a=b")
        .field("openai-organization", "ours");
    let upstream = Upstream::always(script).await;
    let fields = [
        ("content-type", "multipart/form-data; boundary=x"),
        ("authorization", "Bearer callers"),
        ("x-api-key", "callers"),
        ("cookie", "c=d"),
        ("x-tidegate-tags", "t"),
        ("connection", "close"),
        ("idempotency-key", "k"),
    ];
    let order = forward("POST", "/images/generations?a=b%20c", &fields, "--x\0");
    let Ok(Answer::Passed { status, fields, body }) = openai(&upstream).ask(order).await else {
        panic!("a passed answer was expected")
    };
    let (told, end) = told(body).await;
    assert_eq!((status, told.concat().as_slice()), (418, &b"\x89PNG"[..]));
    end.expect("a whole body");
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(fields, [("content-type", "image/png"), ("x-ratelimit-remaining", "3")]);

    let seen = upstream.only();
    assert_eq!((seen.path.as_str(), seen.text()), ("/v1/images/generations?a=b%20c", "--x\0"));
    assert_eq!(seen.field("authorization"), Some("Bearer our-key"));
    assert_eq!(seen.field("content-type"), Some("multipart/form-data; boundary=x"));
    assert_eq!(seen.field("idempotency-key"), Some("k"));
    for gone in ["x-api-key", "cookie", "x-tidegate-tags", "connection"] {
        assert_eq!(seen.field(gone), None, "{gone}");
    }
}

#[tokio::test]
async fn a_passed_through_answer_may_be_larger_than_one_that_is_held() {
    let upstream = Upstream::always(Script::body(200, "audio/mpeg", vec![7; 100_000])).await;
    let mut config = config(ProviderKind::Openai, &upstream.url());
    config.bounds.max_answer_bytes = 4_096;
    let asked = build(&config, system_clock()).ask(forward("POST", "/audio/speech", &[], "{}")).await;
    let Ok(Answer::Passed { body, .. }) = asked else { panic!("a passed answer was expected") };
    let (told, end) = told(body).await;
    end.expect("a whole body");
    assert_eq!(told.concat().len(), 100_000);
}

#[tokio::test]
async fn a_passed_through_refusal_of_our_key_is_ours_to_mend() {
    let upstream = Upstream::always(Script::json(401, r#"{"error":{"message":"bad key"}}"#)).await;
    let fault = fault(&openai(&upstream), forward("GET", "/files", &[], "")).await;
    assert_eq!(fault.kind, FaultKind::Credential { status: 401 });
}
