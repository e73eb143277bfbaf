//! What is heard of calls as they are told, and by whom.

use super::*;
use crate::events::Events;

async fn listening(request: reqwest::RequestBuilder) -> Events {
    let mut events = Events::of(request).await;
    assert_eq!(events.block().await.as_deref(), Some(": ka"), "from here on somebody listens");
    events
}

#[tokio::test]
async fn a_call_is_heard_as_it_is_told_in_the_form_a_list_has_it() {
    let upstream = Upstream::answering(|seen| completion(&model(seen))).await;
    let gateway = Gateway::start(&any_model_at(&upstream));
    let mut all = listening(gateway.request(reqwest::Method::GET, "/api/v1/calls/stream")).await;
    let some = gateway.request(reqwest::Method::GET, "/api/v1/calls/stream?model=m1&outcome=hit");
    let mut some = listening(some).await;
    let metrics = gateway.get("/metrics").await;
    assert!(metrics.text().contains("tidegate_ledger_listeners 2"), "{}", metrics.text());
    for model in ["m0", "m1", "m1"] {
        gateway.post(CHAT, ask(model, "one")).await;
    }
    let heard = [all.call().await, all.call().await, all.call().await];
    let listed = gateway.get("/api/v1/calls").await.json();
    let listed: Vec<&Json> = listed["calls"].as_array().expect("a list").iter().rev().collect();
    assert_eq!(heard.iter().collect::<Vec<_>>(), listed);
    assert_eq!(&some.call().await, &heard[2], "the only one that is wanted");
}

#[tokio::test]
async fn a_stream_ends_with_its_server_and_what_was_told_before_is_in_it() {
    let upstream = Upstream::answering(|seen| completion(&model(seen))).await;
    let mut gateway = Gateway::start(&any_model_at(&upstream));
    let mut events = listening(gateway.request(reqwest::Method::GET, "/api/v1/calls/stream")).await;
    gateway.post(CHAT, ask("m", "one")).await;
    gateway.stop();
    assert_eq!(events.call().await["model"], "m");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn what_makes_no_sense_of_calls_to_come_is_refused() {
    let gateway = Gateway::start("");
    for query in ["since=2026-01-01T00:00:00Z", "limit=3", "colour=red"] {
        let refused = gateway.get(&format!("/api/v1/calls/stream?{query}")).await;
        assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!("query")), "{query}");
    }
    let silent = Gateway::start("ledger.enabled = false\n");
    assert_eq!(silent.get("/api/v1/calls/stream").await.status, 503);
}
