//! What calls ask and are told is kept where a workspace says so, and shown to those who may see it.

use super::*;

async fn talking() -> (Upstream, Gateway) {
    let upstream = Upstream::answering(|seen| completion(&model(seen))).await;
    let gateway = Gateway::start(&any_model_at(&upstream));
    (upstream, gateway)
}

async fn keeps(gateway: &Gateway, days: Json) -> Json {
    let set = json!({ "keep_bodies_days": days }).to_string();
    let set = gateway.post("/api/v1/workspaces/default", set).await;
    assert_eq!(set.status, 200, "{set:?}");
    set.json()
}

fn id(answer: &Answer) -> String {
    answer.field("x-request-id").expect("an id").to_owned()
}

#[tokio::test]
async fn bodies_are_shown_for_calls_that_came_while_the_workspace_kept_them() {
    let (_upstream, gateway) = talking().await;
    let before = gateway.post(CHAT, ask("m", "before")).await;
    assert_eq!(keeps(&gateway, json!(7)).await["keep_bodies_days"], 7);
    let asked = ask("m", "with sk-abcdefghijklmnopqrstuv in it");
    let told = gateway.post(CHAT, asked.clone()).await;
    let hit = gateway.post(CHAT, asked.clone()).await;
    keeps(&gateway, Json::Null).await;
    let after = gateway.post(CHAT, ask("m", "after")).await;

    for answer in [&told, &hit] {
        let found = gateway.get(&format!("/api/v1/calls/{}", id(answer))).await.json();
        let bodies = &found["bodies"];
        assert_eq!(bodies["request"]["text"], asked.replace("sk-abcdefghijklmnopqrstuv", "***"), "{found}");
        assert_eq!(bodies["answer"]["text"], answer.text(), "{}", answer.cache());
        let alone = gateway.get(&format!("/api/v1/calls/{}/bodies", id(answer))).await.json();
        assert_eq!(&alone, bodies);
    }
    for answer in [&before, &after] {
        let found = gateway.get(&format!("/api/v1/calls/{}", id(answer))).await.json();
        assert_eq!((&found["call"]["id"], &found["bodies"]), (&json!(id(answer)), &Json::Null));
        assert_eq!(gateway.get(&format!("/api/v1/calls/{}/bodies", id(answer))).await.status, 404);
    }
    let metrics = gateway.get("/metrics").await;
    assert!(metrics.text().contains("tidegate_body_events_total{event=\"kept\"} 2"), "{}", metrics.text());
}

#[tokio::test]
async fn every_door_hands_over_what_it_told() {
    let gateway = Gateway::start("");
    keeps(&gateway, json!(1)).await;
    let stream = json!({ "model": "mock-chat", "temperature": 0, "stream": true,
        "messages": [{ "role": "user", "content": "x" }] });
    let embed = json!({ "model": "mock-embed", "input": ["a", "b"], "dimensions": 4 });
    let claude = json!({ "model": "mock-claude", "max_tokens": 9, "temperature": 0,
        "messages": [{ "role": "user", "content": "x" }] });
    for (path, body) in
        [(CHAT, &stream), (CHAT, &stream), ("/v1/embeddings", &embed), ("/v1/messages", &claude)]
    {
        let answer = gateway.post(path, body.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let kept = gateway.get(&format!("/api/v1/calls/{}/bodies", id(&answer))).await.json();
        assert_eq!(kept["request"]["text"], body.to_string(), "{path}");
        assert_eq!(kept["answer"]["text"], answer.text(), "{path}: {}", answer.cache());
    }
}

#[tokio::test]
async fn explain_shows_the_values_at_the_paths_that_differ_where_both_bodies_are_kept() {
    let (_upstream, gateway) = talking().await;
    gateway.post(CHAT, ask("m", "zero")).await;
    keeps(&gateway, json!(7)).await;
    let nearest_is_not_kept = gateway.post(CHAT, ask("m", "one")).await;
    let second = gateway.post(CHAT, ask("m", "two")).await;
    let explained = async |answer: &Answer| {
        let told = gateway.get(&format!("/api/v1/calls/{}/explain", id(answer))).await.json();
        told["nearest"].clone()
    };
    assert_eq!(explained(&nearest_is_not_kept).await["values"], json!([]));
    let told = explained(&second).await;
    let value = json!({ "path": "messages[0].content", "own": "\"two\"", "other": "\"one\"" });
    assert_eq!((&told["differs"], &told["values"]), (&json!(["messages[0].content"]), &json!([value])));
}
