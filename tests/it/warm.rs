//! Kept answers survive a restart of the server, are told as such, and are purged with all others.

use serde_json::{Value as Json, json};

use crate::server::{Gateway, pointing_at};
use crate::upstream::{Script, Upstream};

const CHAT: &str = "/v1/chat/completions";

fn ask(text: &str) -> String {
    json!({"model": "m", "temperature": 0, "messages": [{"role": "user", "content": text}]}).to_string()
}

async fn talking() -> Upstream {
    Upstream::answering(|seen| {
        let body: Json = serde_json::from_slice(&seen.body).expect("JSON");
        let answer = match body.get("input") {
            Some(input) => {
                let count = input.as_array().map_or(1, Vec::len);
                let row = |index| json!({"object": "embedding", "index": index, "embedding": [0.5, 1.0]});
                json!({"object": "list", "model": "up-m", "data": (0..count).map(row).collect::<Vec<_>>(),
                    "usage": {"prompt_tokens": 1, "total_tokens": 1}})
            }
            None => {
                json!({"id": "c", "object": "chat.completion", "created": 1, "model": "up-m", "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "tide ".repeat(500)},
                    "finish_reason": "stop"}]})
            }
        };
        Script::json(200, answer.to_string())
    })
    .await
}

#[tokio::test]
async fn an_answer_outlives_the_server_that_kept_it_and_a_purge_ends_it() {
    let upstream = talking().await;
    let data = tempfile::tempdir().expect("a temporary folder can be made");
    let start = || Gateway::start_in(data.path(), &pointing_at(&upstream));

    let first = start();
    let asked = first.post(CHAT, ask("a")).await;
    assert_eq!((asked.cache(), first.post(CHAT, ask("a")).await.cache()), ("miss", "hit"));
    first.end();

    let second = start();
    let warm = second.post(CHAT, ask("a")).await;
    assert_eq!((warm.cache(), &warm.body), ("hit; tier=warm", &asked.body));
    assert_eq!(warm.field("x-tidegate-key"), asked.field("x-tidegate-key"));
    assert_eq!(second.post(CHAT, ask("a")).await.cache(), "hit", "it is in memory again");
    let id = warm.field("x-request-id").expect("an id");
    let explained = second.get(&format!("/api/v1/calls/{id}/explain")).await.json();
    assert_eq!((&explained["outcome"], &explained["reason"]), (&json!("hit"), &json!("warm")), "{explained}");
    let metrics = second.get("/metrics").await;
    assert!(metrics.text().contains("tidegate_warm_events_total{event=\"hit\"} 1"), "{}", metrics.text());
    second.end();

    let third = start();
    let purged = third.post("/api/v1/cache/purge", r#"{"workspace":"default"}"#).await;
    assert_eq!((purged.status, &purged.json()["purged"]), (200, &json!(1)), "{purged:?}");
    assert_eq!(third.post(CHAT, ask("b")).await.cache(), "miss");
    third.end();

    let fourth = start();
    assert_eq!(fourth.post(CHAT, ask("a")).await.cache(), "miss", "purged for good");
    assert_eq!(fourth.post(CHAT, ask("b")).await.cache(), "hit; tier=warm");
    assert_eq!(upstream.seen().len(), 3);
}

#[tokio::test]
async fn vectors_outlive_the_server_one_by_one() {
    let upstream = talking().await;
    let data = tempfile::tempdir().expect("a temporary folder can be made");
    let embed = |texts: &[&str]| json!({"model": "m", "input": texts}).to_string();
    let first = Gateway::start_in(data.path(), &pointing_at(&upstream));
    first.post("/v1/embeddings", embed(&["a", "b"])).await;
    first.end();

    let second = Gateway::start_in(data.path(), &pointing_at(&upstream));
    let mixed = second.post("/v1/embeddings", embed(&["c", "b"])).await;
    assert_eq!((mixed.cache(), mixed.field("x-tidegate-items")), ("mixed", Some("hit=1, joined=0, miss=1")));
    assert_eq!(second.post("/v1/embeddings", embed(&["a"])).await.cache(), "hit; tier=warm");
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test]
async fn where_nothing_is_to_be_kept_nothing_is() {
    let upstream = talking().await;
    for setting in ["[cache]\nwarm = false\n", "[data]\nkeep = false\n"] {
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        let start = || Gateway::start_in(data.path(), &format!("{setting}{}", pointing_at(&upstream)));
        let first = start();
        assert_eq!(first.post(CHAT, ask("a")).await.cache(), "miss");
        first.end();
        assert!(!data.path().join("warm").exists());
        assert_eq!(start().post(CHAT, ask("a")).await.cache(), "miss");
    }
}
