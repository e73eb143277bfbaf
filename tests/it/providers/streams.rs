//! Streams of an OpenAI-compatible upstream: what is told, when, and how they end.

use super::*;
use crate::upstream::{Gate, Script};
use tidegate_actors::ports::provider::{FaultKind, Usage};

fn good() -> [String; 3] {
    [
        chunk(r#"{"role":"assistant","content":""}"#, "null"),
        chunk(r#"{"content":"hi"}"#, "null"),
        chunk("{}", "\"stop\""),
    ]
}

async fn streamed(script: Script) -> (Vec<Bytes>, Result<Finish, Fault>) {
    let upstream = Upstream::always(script).await;
    told(events(&openai(&upstream), hello(Form::Stream)).await).await
}

#[tokio::test]
async fn every_event_is_told_as_it_came_and_done_is_not_an_event() {
    let good = good();
    let all = [good.concat().as_str(), ": comment\n\n", USAGE, DONE].concat();
    let (told, end) = streamed(Script::events().send(all)).await;
    let wanted: Vec<&[u8]> = good.iter().map(|event| event.as_bytes()).chain([USAGE.as_bytes()]).collect();
    assert_eq!(told, wanted);
    let usage = Usage { input: 5, output: 2, cached_read: 3, ..Usage::default() };
    assert_eq!(end.expect("an end"), Finish { complete: true, cut: false, usage: Some(usage) });
}

#[tokio::test]
async fn the_same_bytes_cut_anywhere_give_the_same_events() {
    let all = [good().concat().as_str(), USAGE, DONE].concat();
    let wanted = streamed(Script::events().send(all.clone())).await.0;
    for size in [1, 7, 64] {
        let script =
            all.as_bytes().chunks(size).fold(Script::events(), |script, piece| script.send(piece.to_vec()));
        assert_eq!(streamed(script).await.0, wanted, "in pieces of {size}");
    }
}

/// The upstream sends one event and then waits until the caller has seen it: an adapter that
/// buffers would wait for ever.
#[tokio::test]
async fn an_event_reaches_the_caller_before_the_upstream_says_more() {
    let gate = Gate::closed();
    let [first, second, third] = good();
    let script =
        Script::events().send(first.clone()).wait(&gate).send([second, third, DONE.to_owned()].concat());
    let upstream = Upstream::always(script).await;
    let mut events = events(&openai(&upstream), hello(Form::Stream)).await;
    assert_eq!(next_data(&mut events).await, first);
    gate.open();
    told(events).await.1.expect("an end");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_cut() {
    let (told, end) = streamed(Script::events().send(good()[1].clone()).cut()).await;
    assert_eq!((told.len(), end.expect_err("a cut").kind), (1, FaultKind::Cut));
}

#[tokio::test]
async fn a_stream_closed_in_good_order_before_its_end_is_cut() {
    let (told, end) = streamed(Script::events().send(good()[1].clone())).await;
    assert_eq!((told.len(), end.expect_err("a cut").kind), (1, FaultKind::Cut));
    assert_eq!(streamed(Script::events()).await.1.expect_err("a cut").kind, FaultKind::Cut);
}

#[tokio::test]
async fn a_stream_that_said_how_it_ends_may_close_without_done() {
    let (told, end) = streamed(Script::events().send(good().concat())).await;
    assert_eq!((told.len(), end.expect("an end").complete), (3, true));
}

#[tokio::test]
async fn a_last_event_without_its_blank_line_counts() {
    let all = good().concat();
    let (told, end) = streamed(Script::events().send(all.trim_end().to_owned())).await;
    assert_eq!((told.len(), end.expect("an end").complete), (3, true));
}

#[tokio::test]
async fn one_choice_of_two_at_its_end_is_not_the_end() {
    let upstream = Upstream::always(Script::events().send(good().concat())).await;
    let order = chat(r#"{"model":"m","n":2,"stream":true}"#, Form::Stream);
    let (_, end) = told(events(&openai(&upstream), order).await).await;
    assert_eq!(end.expect_err("a cut").kind, FaultKind::Cut);
}

#[tokio::test]
async fn an_error_inside_a_stream_is_a_fault_with_its_body() {
    let error = r#"{"error":{"message":"slow down","type":"rate_limit_error","code":null}}"#;
    let (told, end) =
        streamed(Script::events().send(good()[1].clone()).send(format!("data: {error}\n\n"))).await;
    let fault = end.expect_err("a fault");
    assert_eq!((told.len(), fault.kind), (1, FaultKind::Busy { status: 429 }));
    assert_eq!(fault.body.as_deref(), Some(error.as_bytes()));
}

#[tokio::test]
async fn an_event_that_is_not_json_is_a_fault_and_is_not_told() {
    let (told, end) =
        streamed(Script::events().send(good()[1].clone()).send("data: {\"choices\":[}\n\n")).await;
    assert_eq!((told.len(), end.expect_err("a fault").kind), (1, FaultKind::Broken { status: None }));
}

#[tokio::test]
async fn a_line_of_ten_megabytes_passes_and_one_beyond_the_limit_is_refused() {
    let text = "x".repeat(10_000_000);
    let long = chunk(&format!(r#"{{"content":"{text}"}}"#), "\"stop\"");
    let (told, end) = streamed(Script::events().send(long.clone()).send(DONE)).await;
    assert!(told[0] == long.as_bytes() && end.expect("an end").complete);

    let upstream = Upstream::always(Script::events().send(long).send(DONE)).await;
    let mut config = config(ProviderKind::Openai, &upstream.url());
    config.bounds.max_line_bytes = 1 << 20;
    let fault = super::told(events(&build(&config, system_clock()), hello(Form::Stream)).await).await.1;
    let fault = fault.expect_err("a fault");
    assert!(fault.kind == FaultKind::Unusable && fault.what.contains("1048576"), "{fault:?}");
    upstream.left(1).await;
}

#[tokio::test]
async fn a_stream_cut_for_length_is_told_whole_and_not_complete() {
    let (_, end) =
        streamed(Script::events().send(chunk(r#"{"content":"x"}"#, "\"length\"")).send(DONE)).await;
    let finish = end.expect("an end");
    assert!(finish.cut && !finish.complete, "{finish:?}");
}

#[tokio::test]
async fn a_page_in_place_of_a_stream_is_a_fault() {
    let upstream = Upstream::always(Script::body(200, "text/html", "<html>login</html>")).await;
    let fault = fault(&openai(&upstream), hello(Form::Stream)).await;
    assert!(fault.what.contains("HTML page") && fault.what.contains("events"), "{}", fault.what);
}

#[tokio::test]
async fn dropping_a_stream_stops_the_upstream() {
    let upstream = Upstream::always(Script::events().send(good()[1].clone()).hang()).await;
    let mut events = events(&openai(&upstream), hello(Form::Stream)).await;
    next_data(&mut events).await;
    drop(events);
    upstream.left(1).await;
}

#[tokio::test]
async fn a_finished_stream_gives_its_connection_back() {
    let all = [good().concat().as_str(), DONE].concat();
    // The end of the body comes in a write of its own, after the caller has heard the last event.
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let scripts = gates.iter().map(|gate| Script::events().send(all.clone()).wait(gate));
    let upstream = Upstream::scripted(scripts.collect()).await;
    let provider = openai(&upstream);
    for (n, gate) in gates.iter().enumerate() {
        told(events(&provider, hello(Form::Stream)).await).await.1.expect("an end");
        gate.open();
        upstream.answered(n + 1).await;
        // The upstream has written its last byte; ours are read when the socket next says so.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(upstream.connections(), 1);
}
