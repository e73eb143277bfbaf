//! Answers of models as a route's caller hears them: token by token, from every kind of provider, from memory and from
//! another's call, with the result that a whole answer gives.

use super::*;
use crate::upstream::{Gate, Script, Upstream};

/// A flow that streams, one that asks the same at once, and one that goes on after a broken answer.
fn talking(provider: &str) -> String {
    let flows = r#"spec is "1.0"

capabilities:
  streaming
  performance

ai "desk":
  provider is "PROVIDER"
  model is "m"

flow "talk":
  ask ai "desk" with stream: true and input: "tide" as reply
  return reply

flow "whole":
  ask ai "desk" with stream: false and input: "tide" as reply
  return reply

flow "keeps": requires true
  yield "asking"
  ask ai "desk" with stream: true and input: "tide" as reply
  set state.reply is reply
  yield "kept"
  return state.reply

flow "careful":
  try:
    ask ai "desk" with stream: true and input: "tide" as reply
  with catch problem:
    let reply is "broke off"
  return reply

flow "both":
  parallel:
    run "left":
      ask ai "desk" with stream: true and input: "a b" as one
    run "right":
      ask ai "desk" with stream: true and input: "c" as other
  return list: one, other
"#;
    let routes = ["talk", "whole", "keeps", "careful", "both"];
    let routes = routes.map(|flow| route(flow, "GET", &format!("/{flow}"))).concat();
    flows.replace("PROVIDER", provider) + &routes
}

/// The app before `upstream`, with answers kept.
fn site(kind: &str, upstream: &Upstream) -> Site {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    let base = if kind == "openai" { format!("{}/v1", upstream.url()) } else { upstream.url() };
    write("app.ai", &talking(kind));
    write("namel3ss.toml", "[performance]\ncache_size = 64\n");
    write(
        "tidegate.toml",
        &format!(
            "[providers.{kind}]\nkind = \"{kind}\"\nbase_url = \"{base}\"\napi_key = \"k\"\nretries = 0\n"
        ),
    );
    let gateway = Gateway::serving(folder.path(), &[]);
    Site { gateway, folder }
}

fn mocked() -> Site {
    Site::with(&talking("mock"), Some("[performance]\ncache_size = 64\n"), &[])
}

/// The pieces of a stream in the form of a vendor, held at the gate after the first.
fn told(kind: &str, texts: &[&str], gate: &Gate) -> Script {
    let events = |text: &str| match kind {
        "openai" => format!("data: {}\n\n", chunk(text, Json::Null)),
        _ => event(&json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": text}})),
    };
    let (before, after) = match kind {
        "openai" => (String::new(), format!("data: {}\n\ndata: [DONE]\n\n", chunk("", "stop".into()))),
        _ => (
            event(&json!({"type": "message_start", "message": {"id": "m", "type": "message",
                "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 1}}}))
                + &event(&json!({"type": "content_block_start", "index": 0,
                    "content_block": {"type": "text", "text": ""}})),
            event(&json!({"type": "content_block_stop", "index": 0}))
                + &event(&json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
                    "usage": {"output_tokens": 2}}))
                + &event(&json!({"type": "message_stop"})),
        ),
    };
    let (first, rest) = texts.split_first().expect("a text");
    let script = Script::events().send(before + &events(first)).wait(gate);
    rest.iter().fold(script, |script, text| script.send(events(text))).send(after)
}

fn chunk(text: &str, finish: Json) -> Json {
    json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})
}

fn event(data: &Json) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().expect("a type"))
}

fn token(flow: &str, ask: u64, sequence: u64, output: &str) -> String {
    format!(
        "event: token\ndata: {{\"ask\":{ask},\"flow_name\":\"{flow}\",\"output\":\"{output}\",\
         \"profile\":\"desk\",\"sequence\":{sequence}}}\n\n"
    )
}

fn returned(value: &str) -> String {
    format!("event: return\ndata: {{\"value\":{value}}}\n\n")
}

/// Reads until `wanted` has been heard; what came until then.
async fn until(response: &mut reqwest::Response, wanted: &str) -> String {
    let mut heard = String::new();
    while !heard.contains(wanted) {
        let piece = response.chunk().await.expect("no fault").expect("the stream goes on");
        heard.push_str(std::str::from_utf8(&piece).expect("a text"));
    }
    heard
}

#[actix_rt::test]
async fn each_token_leaves_while_the_provider_still_holds_the_next() {
    for kind in ["openai", "anthropic"] {
        let gate = Gate::closed();
        let held = gate.clone();
        let upstream = Upstream::answering(move |_| told(kind, &["Hi", " there", "\n"], &held)).await;
        let site = site(kind, &upstream);
        let mut response = site.gateway.request(Method::GET, "/talk").send().await.expect("a head");
        let first = until(&mut response, "Hi").await;
        assert_eq!(first, token("talk", 1, 1, "Hi"), "{kind}");
        gate.open();
        let rest = until(&mut response, "event: return").await;
        let expected =
            token("talk", 1, 2, " there") + &token("talk", 1, 3, r"\n") + &returned(r#""Hi there\n""#);
        assert_eq!(rest, expected, "{kind}");
        assert!(upstream.only().text().contains("\"stream\":true"), "{}", upstream.only().text());
    }
}

#[actix_rt::test]
async fn a_kept_answer_is_heard_as_it_was_recorded_and_gives_the_same_result_whole() {
    for kind in ["openai", "anthropic"] {
        let gate = Gate::closed();
        gate.open();
        let upstream = Upstream::answering(move |_| told(kind, &["Hi", " there"], &gate)).await;
        let site = site(kind, &upstream);
        let live = site.get("/talk").await;
        let expected = token("talk", 1, 1, "Hi") + &token("talk", 1, 2, " there") + &returned("\"Hi there\"");
        assert_eq!(live.text(), expected, "{kind}");
        assert_eq!(site.get("/talk").await.text(), expected, "{kind}: replayed");
        assert_eq!(site.get("/whole").await.json(), json!({"value": "Hi there"}), "{kind}: assembled");
        assert_eq!(upstream.seen().len(), 1, "{kind}: all but the first from memory");
    }
}

#[actix_rt::test]
async fn an_answer_that_came_whole_is_heard_as_one_token() {
    let body = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi there"}, "finish_reason": "stop"}]});
    let upstream = Upstream::always(Script::json(200, body.to_string())).await;
    let site = site("openai", &upstream);
    assert_eq!(site.get("/whole").await.json(), json!({"value": "Hi there"}));
    let heard = site.get("/talk").await;
    assert_eq!(heard.text(), token("talk", 1, 1, "Hi there") + &returned("\"Hi there\""));
    assert!(!upstream.only().text().contains("stream"), "{}", upstream.only().text());
}

#[actix_rt::test]
async fn who_joins_late_hears_the_answer_from_its_first_token() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_| told("openai", &["Hi", " there"], &held)).await;
    let site = site("openai", &upstream);
    let mut first = site.gateway.request(Method::GET, "/talk").send().await.expect("a head");
    until(&mut first, "Hi").await;
    let mut second = site.gateway.request(Method::GET, "/careful").send().await.expect("a head");
    assert_eq!(until(&mut second, "Hi").await, token("careful", 1, 1, "Hi"));
    gate.open();
    for (response, flow) in [(&mut first, "talk"), (&mut second, "careful")] {
        let rest = until(response, "event: return").await;
        assert_eq!(rest, token(flow, 1, 2, " there") + &returned("\"Hi there\""));
    }
    assert_eq!(upstream.seen().len(), 1);
}

/// A run that changes nothing ended with its caller, and its answer was lost half way.
#[actix_rt::test]
async fn a_caller_who_leaves_in_the_middle_of_an_answer_stops_nothing() {
    for (path, state) in [("/talk", json!({})), ("/keeps", json!({"reply": "Hi there"}))] {
        let gate = Gate::closed();
        let held = gate.clone();
        let upstream = Upstream::answering(move |_| told("openai", &["Hi", " there"], &held)).await;
        let site = site("openai", &upstream);
        let mut response = site.gateway.request(Method::GET, path).send().await.expect("a head");
        until(&mut response, "Hi").await;
        drop(response);
        site.gateway.until("/api/v1/engine", |engine| engine["app"]["operations"]["active"] == 1).await;
        gate.open();
        upstream.answered(1).await;
        assert_eq!(site.get("/whole").await.json(), json!({"value": "Hi there"}), "{path}");
        assert_eq!(upstream.seen().len(), 1, "{path}: the answer was kept");
        assert_eq!(site.get("/api/state").await.json()["state"], state, "{path}");
    }
}

#[actix_rt::test]
async fn an_answer_that_breaks_off_is_an_error_event_or_what_the_program_makes_of_it() {
    let gate = Gate::closed();
    gate.open();
    let upstream = Upstream::answering(move |_| {
        Script::events().send(format!("data: {}\n\n", chunk("Hi", Json::Null))).wait(&gate).cut()
    })
    .await;
    let site = site("openai", &upstream);
    let heard = site.get("/talk").await;
    let (tokens, error) = heard.text().split_once("event: error\ndata: ").expect("an error event");
    assert_eq!(tokens, token("talk", 1, 1, "Hi"));
    let error: Json = serde_json::from_str(error.trim_end()).expect("JSON");
    assert_eq!(error["code"], "E-AI-AI_PROVIDER_ERROR-TALK-ASK_AI-1");
    let heard = site.get("/careful").await;
    assert_eq!(heard.text(), token("careful", 1, 1, "Hi") + &returned("\"broke off\""));
}

#[actix_rt::test]
async fn a_question_the_provider_refuses_has_a_status_as_no_token_was_sent() {
    let upstream = Upstream::always(Script::json(400, r#"{"error":{"message":"no"}}"#)).await;
    let site = site("openai", &upstream);
    let answer = site.get("/talk?stream=true").await;
    assert_eq!((answer.status, answer.field("content-type")), (400, Some("application/json")));
}

#[actix_rt::test]
async fn the_mock_speaks_word_by_word_among_the_messages_of_the_program() {
    let site = mocked();
    let message = |sequence, output: &str| {
        format!(
            "event: yield\ndata: {{\"flow_name\":\"keeps\",\"output\":\"{output}\",\"sequence\":{sequence}}}\n\n"
        )
    };
    let expected = [
        message(1, "asking"),
        token("keeps", 1, 1, "[m] "),
        token("keeps", 1, 2, "tide "),
        token("keeps", 1, 3, "| "),
        token("keeps", 1, 4, "mem:st=0"),
        message(2, "kept"),
        returned("\"[m] tide | mem:st=0\""),
    ];
    for _ in 0..2 {
        assert_eq!(site.get("/keeps").await.text(), expected.concat());
    }
}

#[actix_rt::test]
async fn tokens_say_which_ask_they_belong_to() {
    let site = mocked();
    let heard = site.get("/both").await;
    let answer = |ask: u64| {
        let tokens =
            heard.text().split("\n\n").filter_map(|event| event.strip_prefix("event: token\ndata: "));
        let tokens = tokens.map(|data| serde_json::from_str::<Json>(data).expect("JSON"));
        tokens
            .filter(|token| token["ask"] == ask)
            .map(|token| token["output"].as_str().expect("a text").to_owned())
            .collect::<String>()
    };
    assert_eq!((answer(1).as_str(), answer(2).as_str()), ("[m] a b | mem:st=0", "[m] c | mem:st=0"));
    assert!(heard.text().ends_with(&returned(r#"["[m] a b | mem:st=0","[m] c | mem:st=0"]"#)));
}
