//! What a client sees of the memory of answers: headers, directives, equal bytes.

use super::*;
use crate::upstream::Gate;

#[tokio::test]
async fn the_second_of_two_declared_calls_is_a_hit_with_the_same_bytes() {
    let (upstream, gateway) = talking().await;
    let first = gateway.post(CHAT, ask("tide")).await;
    let second = gateway.post(CHAT, ask("tide")).await;
    assert_eq!((first.cache(), second.cache()), ("miss", "hit"));
    assert_eq!(first.body, completion("tide"), "not a byte of the upstream's answer is changed");
    assert_eq!(first.body, second.body);
    assert_eq!(upstream.seen().len(), 1);
    let key = first.field("x-tidegate-key").expect("a key");
    assert!(key.len() == 64 && key.bytes().all(|digit| digit.is_ascii_hexdigit()), "{key}");
    assert_eq!(second.field("x-tidegate-key"), Some(key));
    assert_eq!((first.field("age"), second.field("age")), (None, Some("0")));
    assert_eq!(
        (second.field("x-tidegate-provider"), second.field("x-tidegate-model")),
        (Some("up"), Some("up-m"))
    );
    assert!(second.field("server-timing").is_some_and(|text| text.starts_with("tidegate;dur=")));
    assert_ne!(first.field("x-request-id"), second.field("x-request-id"));
}

#[tokio::test]
async fn a_call_that_declares_nothing_passes_and_says_why() {
    let (upstream, gateway) = talking().await;
    let body = undeclared("tide");
    for _ in 0..2 {
        assert_eq!(gateway.post(CHAT, body.clone()).await.cache(), "bypass; reason=not_declared");
    }
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test]
async fn cache_control_is_obeyed() {
    let (upstream, gateway) = talking().await;
    let with = async |directive: &str| {
        send(gateway.posting(CHAT, ask("tide")).header("cache-control", directive)).await
    };
    let absent = with("only-if-cached").await;
    assert_eq!((absent.status, upstream.seen().len()), (504, 0));
    assert_eq!(absent.field("x-should-retry"), Some("false"));
    assert_eq!(with("no-store").await.cache(), "bypass; reason=no_store");
    assert_eq!(with("only-if-cached").await.status, 504, "what must not be stored was not");
    assert_eq!(with("no-cache").await.cache(), "miss");
    assert_eq!(with("no-cache").await.cache(), "miss");
    assert_eq!((with("only-if-cached").await.cache(), with("max-age=60").await.cache()), ("hit", "hit"));
    assert_eq!(with("max-age=0").await.cache(), "miss");
    assert_eq!(with("no-store").await.cache(), "bypass; reason=no_store");
    assert_eq!(upstream.seen().len(), 5);
}

#[tokio::test]
async fn simultaneous_equal_calls_share_one_upstream_call() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |seen| {
        Script::json(200, "").wait(&held).send(completion(seen.path.as_str()))
    })
    .await;
    let gateway = Gateway::before(&upstream, "");
    let calls: Vec<_> = (0..8).map(|_| tokio::spawn(send(gateway.posting(CHAT, ask("tide"))))).collect();
    upstream.asked(1).await;
    gateway.until("/api/v1/engine", |engine| engine["operations"]["active"] == 8).await;
    gate.open();
    let mut outcomes = Vec::new();
    for call in calls {
        let answer = call.await.expect("no panic");
        assert_eq!(answer.status, 200);
        outcomes.push(answer.cache().to_owned());
    }
    outcomes.sort();
    assert_eq!((outcomes[..7].to_vec(), outcomes[7].as_str()), (vec!["joined".to_owned(); 7], "miss"));
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn nothing_but_a_whole_good_answer_is_kept() {
    let cut = completion("tide").replace("\"stop\"", "\"length\"");
    let refused = r#"{"error":{"message":"no","type":"x","param":null,"code":null}}"#;
    let scripts =
        vec![Script::json(400, refused), Script::json(200, cut), Script::json(200, completion("tide"))];
    let upstream = Upstream::scripted(scripts).await;
    let gateway = Gateway::before(&upstream, "");
    let statuses = [400, 200, 200, 200];
    let mut outcomes = Vec::new();
    for status in statuses {
        let answer = gateway.post(CHAT, ask("tide")).await;
        assert_eq!(answer.status, status);
        outcomes.push(answer.field("x-tidegate-cache").unwrap_or("none").to_owned());
    }
    assert_eq!(outcomes, ["none", "miss", "miss", "hit"]);
}

#[tokio::test]
async fn embeddings_are_kept_by_item_and_say_so() {
    let gateway = Gateway::start("");
    let embed = async |input: Json| {
        gateway
            .post(EMBED, json!({ "model": "mock-embed", "input": input, "dimensions": 3 }).to_string())
            .await
    };
    let first = embed(json!(["a", "b"])).await;
    let mixed = embed(json!(["b", "c"])).await;
    assert_eq!((first.cache(), mixed.cache()), ("miss", "mixed"));
    assert_eq!(mixed.field("x-tidegate-items"), Some("hit=1, joined=0, miss=1"));
    assert_eq!(mixed.json()["data"][0]["embedding"], first.json()["data"][1]["embedding"]);
    let hit = embed(json!(["c", "b", "a"])).await;
    assert_eq!(hit.cache(), "hit");
    assert_eq!(hit.json()["data"][2]["embedding"], first.json()["data"][0]["embedding"]);
    let engine = gateway.get("/api/v1/engine").await.json();
    assert_eq!(engine["cache"]["hits"], json!({ "chat": 0, "embed": 1, "forward": 0 }));
    assert_eq!(engine["cache"]["embed_items"], json!({ "hit": 4, "joined": 0, "miss": 3 }));
    assert_eq!(
        (&engine["batchers"][0]["target"], &engine["batchers"][0]["input"]),
        (&"mock/mock-embed".into(), &"text".into())
    );
    assert_eq!(engine["restarts"], json!([]));
}
