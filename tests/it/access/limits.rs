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

const MESSAGES: &str = "/v1/messages";

fn message(content: &str) -> Json {
    json!({ "model": "m", "temperature": 0, "max_tokens": 9, "messages": [{ "role": "user", "content": content }] })
}

/// Fields of the head that say what is left, in order.
fn told(answer: &Answer) -> Vec<&str> {
    let told = answer.fields.iter().map(|(name, _)| name.as_str()).filter(|name| name.contains("ratelimit"));
    let mut told: Vec<_> = told.collect();
    told.sort_unstable();
    told
}

/// What stands in a body beside times and ids, which differ from run to run.
fn golden(answer: &Answer, subject: &str) -> String {
    let mut body = answer.json();
    let message = body["error"]["message"].as_str().expect("a text").to_owned();
    let (said, when) = message.split_once("; ").expect("when there is room again");
    assert!(when.starts_with("there is room again in ") && when.ends_with(" ms"), "{when}");
    let at = body["error"]["limit"]["reset_at"].take();
    assert!(at.as_str().is_some_and(|at| at.starts_with("20") && at.ends_with('Z')), "{at}");
    body["error"]["message"] = said.into();
    if body.get("request_id").is_some() {
        body["request_id"] = "ID".into();
    }
    body.to_string().replace(subject, "SUBJECT")
}

#[tokio::test]
async fn a_refusal_says_what_every_answer_says_and_which_limit_it_was_in_its_doors_own_style() {
    let server = Guarded::start().await;
    let (key, id) = server.key(&json!({ "name": "k" })).await;
    let short = key[3..11].to_owned();
    limit(&server, json!({ "key": id, "requests_per_minute": 2, "tokens_per_minute": 1000 })).await;
    let openai = server.post(CHAT, &key, &ask("x")).await;
    let anthropic = server.post(MESSAGES, &key, &message("x")).await;
    assert_eq!((openai.status, anthropic.status), (200, 200), "{anthropic:?}");
    let openai_refused = server.post(CHAT, &key, &ask("y")).await;
    let anthropic_refused = server.post(MESSAGES, &key, &message("y")).await;
    assert_eq!((openai_refused.status, anthropic_refused.status), (429, 429));

    assert_eq!(told(&openai), told(&openai_refused));
    assert_eq!(
        told(&openai),
        [
            "x-ratelimit-limit-requests",
            "x-ratelimit-limit-tokens",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-requests",
            "x-ratelimit-reset-tokens"
        ]
    );
    assert_eq!(told(&anthropic), told(&anthropic_refused));
    assert_eq!(
        told(&anthropic),
        [
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset"
        ]
    );
    assert_eq!(openai_refused.field("x-ratelimit-remaining-requests"), Some("0"));
    let reset = anthropic_refused.field("anthropic-ratelimit-requests-reset").expect("a time");
    assert!(reset.len() == "2026-01-31T12:00:00Z".len() && reset.ends_with('Z'), "{reset}");

    let limit =
        r#""limit":{"limit":2,"name":"requests_per_minute","reset_at":null,"subject":"SUBJECT","used":2}"#;
    let said = "requests_per_minute of SUBJECT: used 2 of 2";
    let subject = format!("key {short}");
    assert_eq!(
        golden(&openai_refused, &subject),
        format!(
            r#"{{"error":{{"code":"rate_limit_exceeded",{limit},"message":"{said}","param":null,"type":"rate_limit_error"}}}}"#
        )
    );
    assert_eq!(
        golden(&anthropic_refused, &subject),
        format!(
            r#"{{"error":{{{limit},"message":"{said}","type":"rate_limit_error"}},"request_id":"ID","type":"error"}}"#
        )
    );
    let wait: u64 = openai_refused.field("retry-after-ms").expect("a pause").parse().expect("a number");
    assert!((1..=30_000).contains(&wait), "one of two a minute is there again within 30 s: {wait}");
}

#[tokio::test]
async fn a_credential_without_limits_is_told_of_none() {
    let server = Guarded::start().await;
    let key = server.key_of("default", "write").await;
    let answer = server.post(CHAT, &key, &ask("x")).await;
    assert_eq!((answer.status, told(&answer)), (200, Vec::new()));
}

#[tokio::test]
async fn everybody_sees_the_limits_they_meet_and_what_is_used_of_them() {
    let server = Guarded::start().await;
    let workspace = server.workspace("one").await;
    let (key, id) = server.key(&json!({ "name": "k", "workspace": workspace })).await;
    let (_, other) = server.key(&json!({ "name": "other", "workspace": workspace })).await;
    limit(&server, json!({ "workspace": "one", "concurrent_calls": 3, "usd_per_day": "12.5" })).await;
    limit(&server, json!({ "key": id, "requests_per_minute": 5 })).await;
    limit(&server, json!({ "key": other, "requests_per_minute": 7 })).await;
    assert_eq!(server.post(CHAT, &key, &ask("x")).await.status, 200);
    let seen = server.get("/api/v1/limits", &key).await.json();
    let rows = seen["limits"].as_array().expect("a list");
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{seen}"));
    assert_eq!(rows.len(), 3, "not those of another key: {seen}");
    let requests = row("requests_per_minute");
    assert_eq!(
        (&requests["subject"], &requests["limit"], &requests["used"]),
        (&json!(id), &json!(5), &json!(1))
    );
    assert!(requests["reset_at"].is_string(), "{requests}");
    let running = row("concurrent_calls");
    assert_eq!((&running["limit"], &running["reset_at"]), (&json!(3), &Json::Null));
    let money = row("usd_per_day");
    assert_eq!((&money["limit"], &money["used"]), (&json!("12.500000000"), &json!("0.000000000")));
    let midnight = money["reset_at"].as_str().expect("a time");
    assert!(midnight.ends_with("T00:00:00Z"), "{midnight}");
    let bad = limit(&server, json!({ "workspace": "one", "usd_per_day": "-1" })).await;
    assert_eq!((bad.status, bad.json()["error"]["param"].as_str()), (400, Some("usd_per_day")));
}

#[tokio::test]
async fn refusals_are_counted_by_limit_and_only_operators_see_whose_budget_is_how_far() {
    let server = Guarded::start().await;
    let workspace = server.workspace("one").await;
    let key = server.key_of(&workspace, "write").await;
    limit(&server, json!({ "workspace": "one", "requests_per_minute": 1, "soft_usd_per_month": "2" })).await;
    for _ in 0..3 {
        server.post(CHAT, &key, &ask("x")).await;
    }
    let metrics = server.get("/metrics", &server.operator).await;
    let counted = "tidegate_limit_refusals_total{limit=\"requests_per_minute\"} 2";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
    let labels = format!("subject=\"{workspace}\",limit=\"soft_usd_per_month\"");
    for line in [
        format!("tidegate_budget_limit_usd{{{labels}}} 2"),
        format!("tidegate_budget_used_usd{{{labels}}} 0"),
    ] {
        assert!(metrics.text().contains(&line), "{line} in {}", metrics.text());
    }
    assert_eq!(server.get("/metrics", &key).await.status, 403);
}
