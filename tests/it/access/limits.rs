//! Limits of keys and workspaces, as their callers meet them.

use super::*;

async fn limit(server: &Guarded, what: Json) -> Answer {
    server.post("/api/v1/limits", &server.operator, &what).await
}

fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn of_many_calls_at_once_no_more_pass_than_the_key_may_make() {
    let server = Guarded::start().await;
    let (key, id) = server.key(&json!({ "name": "k" })).await;
    assert_eq!(limit(&server, json!({ "key": id, "requests_per_minute": 5 })).await.status, 200);
    let calls = (0..20).map(|n| {
        let (server, key) = (&server, &key);
        async move { server.post(CHAT, key, &ask(&format!("call {n}"))).await }
    });
    let answers = futures_util::future::join_all(calls).await;
    let passed: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    // One more leaves the bucket every twelve seconds.
    assert!((5..=8).contains(&passed.len()), "{} passed", passed.len());
    for answer in passed {
        assert_eq!(answer.field("x-ratelimit-limit-requests"), Some("5"));
        assert!(answer.field("x-ratelimit-remaining-requests").is_some_and(|left| left.len() == 1));
    }
    let refused = answers.iter().find(|answer| answer.status == 429).expect("most are refused");
    let (_, message) = refusal(refused);
    assert!(message.contains("requests_per_minute of key") && message.contains("used 5 of 5"), "{message}");
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    assert!(refused.field("retry-after-ms").is_some(), "{refused:?}");
    let other = server.key_of("default", "write").await;
    assert_eq!(server.post(CHAT, &other, &ask("x")).await.status, 200, "it is the limit of one key");
}

#[tokio::test]
async fn what_all_keys_of_a_workspace_use_counts_for_the_workspace() {
    let server = Guarded::start().await;
    let workspace = server.workspace("one").await;
    let (first, second) =
        (server.key_of(&workspace, "write").await, server.key_of(&workspace, "write").await);
    limit(&server, json!({ "workspace": "one", "requests_per_minute": 1 })).await;
    assert_eq!(server.post(CHAT, &first, &ask("x")).await.status, 200);
    let (status, message) = refusal(&server.post(CHAT, &second, &ask("x")).await);
    assert!(status == 429 && message.contains(&format!("workspace {workspace}")), "{message}");
    let lifted = limit(&server, json!({ "workspace": "one" })).await;
    assert_eq!(lifted.json()["limits"], json!([]));
    assert_eq!(server.post(CHAT, &second, &ask("x")).await.status, 200);
}

#[tokio::test]
async fn tokens_are_reserved_and_an_answer_from_memory_gives_them_back() {
    let server = Guarded::start().await;
    let (key, id) = server.key(&json!({ "name": "k" })).await;
    limit(&server, json!({ "key": id, "tokens_per_minute": 200 })).await;
    let left = |answer: &Answer| -> u64 {
        let left = answer.field("x-ratelimit-remaining-tokens").unwrap_or_else(|| panic!("{answer:?}"));
        left.parse().expect("a number")
    };
    let first = left(&server.post(CHAT, &key, &ask("x")).await);
    assert!(first < 200, "the question was reserved: {first}");
    while server.post(CHAT, &key, &ask("x")).await.cache() != "hit" {}
    let after_hits = left(&server.post(CHAT, &key, &ask("x")).await);
    for _ in 0..20 {
        assert_eq!(server.post(CHAT, &key, &ask("x")).await.status, 200, "hits use none");
    }
    assert!(left(&server.post(CHAT, &key, &ask("x")).await) >= after_hits);
    let (status, message) = refusal(&server.post(CHAT, &key, &ask(&"long ".repeat(200))).await);
    assert!(status == 429 && message.contains("the request alone is more than that"), "{message}");
}

#[tokio::test]
async fn an_admin_limits_the_keys_of_the_workspace_and_nothing_else() {
    let server = Guarded::start().await;
    let (one, two) = (server.workspace("one").await, server.workspace("two").await);
    let admin = server.key_of(&one, "admin").await;
    let (_, own) = server.key(&json!({ "name": "k", "workspace": one })).await;
    let (_, other) = server.key(&json!({ "name": "k", "workspace": two })).await;
    let set = |what: Json| {
        let (server, admin) = (&server, &admin);
        async move { server.post("/api/v1/limits", admin, &what).await.status }
    };
    assert_eq!(set(json!({ "key": own, "concurrent_calls": 3 })).await, 200);
    assert_eq!(set(json!({ "key": other, "concurrent_calls": 3 })).await, 404);
    assert_eq!(set(json!({ "workspace": one, "concurrent_calls": 3 })).await, 403);
    assert_eq!(set(json!({ "key": own, "concurrent_calls": 0 })).await, 400);
    limit(&server, json!({ "key": other, "tokens_per_minute": 7 })).await;
    let seen = server.get("/api/v1/limits", &admin).await;
    assert!(seen.text().contains(&own) && !seen.text().contains(&other), "{}", seen.text());
}
