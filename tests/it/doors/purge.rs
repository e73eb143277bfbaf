//! `POST /api/v1/cache/purge`: what it forgets, what it only counts, and what it refuses.

use super::*;

const PURGE: &str = "/api/v1/cache/purge";

async fn tagged(gateway: &Gateway, content: &str, tags: &str) -> Answer {
    send(gateway.posting(CHAT, ask(content)).header("x-tidegate-tags", tags)).await
}

async fn purge(gateway: &Gateway, filter: Json) -> Json {
    let answer = gateway.post(PURGE, filter.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn a_dry_run_counts_and_forgets_nothing() {
    let (_upstream, gateway) = talking().await;
    tagged(&gateway, "one", "team-a, blue").await;
    tagged(&gateway, "two", "team-b").await;
    assert_eq!(
        purge(&gateway, json!({ "tag": "blue", "dry_run": true })).await,
        json!({ "purged": 1, "dry_run": true })
    );
    assert_eq!(purge(&gateway, json!({ "model": "m", "dry_run": true })).await["purged"], 2);
    assert_eq!(purge(&gateway, json!({ "model": "other", "dry_run": true })).await["purged"], 0);
    assert_eq!(
        (gateway.post(CHAT, ask("one")).await.cache(), gateway.post(CHAT, ask("two")).await.cache()),
        ("hit", "hit")
    );
}

#[tokio::test]
async fn answers_are_forgotten_by_tag_key_model_and_workspace() {
    let (_upstream, gateway) = talking().await;
    let outcome = async |content: &str| gateway.post(CHAT, ask(content)).await.cache().to_owned();
    for content in ["one", "two", "three"] {
        tagged(&gateway, content, &format!("tag-{content}")).await;
    }
    assert_eq!(purge(&gateway, json!({ "tag": "tag-one" })).await, json!({ "purged": 1, "dry_run": false }));
    assert_eq!((outcome("two").await.as_str(), outcome("one").await.as_str()), ("hit", "miss"));
    let key = gateway.post(CHAT, ask("two")).await.field("x-tidegate-key").expect("a key").to_owned();
    assert_eq!(purge(&gateway, json!({ "key": key })).await["purged"], 1);
    assert_eq!((outcome("three").await.as_str(), outcome("two").await.as_str()), ("hit", "miss"));
    assert_eq!(purge(&gateway, json!({ "model": "m" })).await["purged"], 3);
    assert_eq!(outcome("three").await, "miss");
    assert_eq!(purge(&gateway, json!({ "workspace": "another" })).await["purged"], 0);
    assert_eq!(purge(&gateway, json!({ "workspace": "default" })).await["purged"], 1);
    assert_eq!(outcome("three").await, "miss");
    assert_eq!(gateway.get("/api/v1/engine").await.json()["cache"]["purged"], 6);
}

#[tokio::test]
async fn every_field_given_must_match() {
    let (_upstream, gateway) = talking().await;
    tagged(&gateway, "one", "blue").await;
    assert_eq!(purge(&gateway, json!({ "tag": "blue", "model": "other" })).await["purged"], 0);
    assert_eq!(purge(&gateway, json!({ "tag": "blue", "model": "m" })).await["purged"], 1);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let (_upstream, gateway) = talking().await;
    let cases = [
        ("{}", "body", "say what to purge"),
        (r#"{"dry_run":true}"#, "body", "say what to purge"),
        ("[]", "body", "must be an object"),
        (r#"{"keys":"x"}"#, "keys", "unknown field"),
        (r#"{"key":"xyz"}"#, "key", "64 hex digits"),
        (r#"{"tag":""}"#, "tag", "not empty"),
        (r#"{"tag":"a","dry_run":1}"#, "dry_run", "true or false"),
    ];
    for (body, param, wanted) in cases {
        let answer = gateway.post(PURGE, body).await;
        let error = &answer.json()["error"];
        assert_eq!((answer.status, error["param"].as_str()), (400, Some(param)), "{body}");
        assert!(message(&answer).contains(wanted), "{wanted:?} in {}", message(&answer));
        assert_eq!((&error["blame"], &error["retry"]), (&"caller".into(), &"never".into()));
    }
}

#[tokio::test]
async fn tags_beyond_their_limits_are_refused() {
    let (_upstream, gateway) = talking().await;
    let many = (0..17).map(|at| format!("t{at}")).collect::<Vec<_>>().join(",");
    for (tags, wanted) in
        [(many.as_str(), "17 tags, the limit is 16"), (&"x".repeat(65), "65 bytes is longer than 64")]
    {
        let answer = tagged(&gateway, "one", tags).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &"x-tidegate-tags".into()));
        assert!(message(&answer).contains(wanted), "{}", message(&answer));
    }
}
