//! What `/api/v1/calls` and its neighbours say.

use super::*;

async fn gateway() -> (Upstream, Gateway) {
    let upstream = Upstream::answering(|seen| completion(&model(seen))).await;
    let gateway = Gateway::start(&any_model_at(&upstream));
    (upstream, gateway)
}

fn id(answer: &Answer) -> &str {
    answer.field("x-request-id").expect("an id")
}

#[tokio::test]
async fn a_call_and_its_request_are_in_the_books_as_soon_as_it_was_answered() {
    let (_upstream, gateway) = gateway().await;
    let request = gateway.posting(CHAT, ask("gpt-4o", "one")).header("x-tidegate-tags", "team-a,b");
    let miss = send(request).await;
    let found = gateway.get(&format!("/api/v1/calls/{}", id(&miss))).await.json();
    let call = &found["call"];
    assert_eq!(
        (&call["outcome"], &call["model"], &call["target"]),
        (&json!("miss"), &json!("gpt-4o"), &json!("openai/gpt-4o"))
    );
    assert_eq!(
        (&call["tags"], &call["door"], &call["workspace"]),
        (&json!(["team-a", "b"]), &json!("openai.chat"), &json!("default"))
    );
    assert_eq!((&call["cost"], &call["saved"]), (&json!("0.003500000"), &json!("0.000000000")));
    assert_eq!(call["bytes"].as_u64(), Some(miss.body.len() as u64));
    assert_eq!(call["key"].as_str(), miss.field("x-tidegate-key"));
    assert!(call["lane_wait_ms"].as_f64() < call["total_ms"].as_f64(), "{call}");
    let [attempt] = found["attempts"].as_array().expect("a list").as_slice() else { panic!("{found}") };
    assert_eq!(
        (&attempt["status"], &attempt["call"], &attempt["cost"]),
        (&json!("ok"), &call["id"], &json!("0.003500000"))
    );

    let hit = gateway.post(CHAT, ask("gpt-4o", "one")).await;
    let found = gateway.get(&format!("/api/v1/calls/{}", id(&hit))).await.json();
    let call = &found["call"];
    assert_eq!((&call["outcome"], &call["payer"]), (&json!("hit"), &json!(id(&miss))));
    assert_eq!((&call["cost"], &call["saved"]), (&json!("0.000000000"), &json!("0.003500000")));
    assert_eq!(found["attempts"][0]["id"], attempt["id"], "of the call that paid");
}

#[tokio::test]
async fn pages_are_walked_to_their_end_and_filters_agree_with_the_rows() {
    let (_upstream, gateway) = gateway().await;
    for n in 0..7 {
        gateway.post(CHAT, ask(&format!("m{}", n % 2), &format!("question {n}"))).await;
    }
    let mut path = "/api/v1/calls?limit=3".to_owned();
    let mut ids = Vec::new();
    let mut pages = 0;
    loop {
        let page = gateway.get(&path).await.json();
        let rows = page["calls"].as_array().expect("a list");
        assert!(rows.len() <= 3 && page["scanned"].as_u64() >= Some(rows.len() as u64), "{page}");
        ids.extend(rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()));
        pages += 1;
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/calls?limit=3&cursor={next}");
    }
    assert_eq!((ids.len(), pages), (7, 3));
    assert!(ids.is_sorted_by(|one, other| one > other), "the latest first: {ids:?}");

    let count = async |query: &str| {
        let page = gateway.get(&format!("/api/v1/calls?{query}")).await.json();
        page["calls"].as_array().unwrap_or_else(|| panic!("{page}")).len()
    };
    assert_eq!(count("model=m1").await, 3);
    assert_eq!(count("model=m1&outcome=hit").await, 0);
    assert_eq!(count("provider=openai&status=ok").await, 7);
    assert_eq!(count("until=2026-01-01T00:00:00Z&since=2025-01-01T00:00:00Z").await, 0);
    let attempts = gateway.get("/api/v1/attempts?model=m0").await.json();
    assert_eq!(attempts["attempts"].as_array().map(Vec::len), Some(4), "{attempts}");
}

#[tokio::test]
async fn a_list_that_cannot_be_understood_is_refused_with_the_parameter() {
    let gateway = Gateway::start("");
    for (query, param) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=x", "cursor"),
        ("since=yesterday", "since"),
        ("key=zz", "key"),
        ("colour=red", "query"),
    ] {
        let refused = gateway.get(&format!("/api/v1/calls?{query}")).await;
        assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!(param)), "{query}");
    }
    let unknown = gateway.get("/api/v1/calls/call_00000000-0000-7000-8000-000000000000").await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_server_that_keeps_no_ledger_says_so_and_answers_all_the_same() {
    let gateway = Gateway::start("ledger.enabled = false\n");
    assert_eq!(gateway.post(CHAT, ask("mock-chat", "one")).await.status, 200);
    let refused = gateway.get("/api/v1/calls").await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (503, &json!("no_ledger")));
}

#[tokio::test]
async fn what_was_told_outlives_the_server_and_explain_answers_from_it() {
    let data = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::start_in(data.path(), "");
    let answered = gateway.post(CHAT, ask("mock-chat", "one")).await;
    gateway.end();

    let gateway = Gateway::start_in(data.path(), "");
    let found = gateway.get(&format!("/api/v1/calls/{}", id(&answered))).await;
    assert_eq!((found.status, &found.json()["call"]["outcome"]), (200, &json!("miss")));
    let explained = gateway.get(&format!("/api/v1/calls/{}/explain", id(&answered))).await.json();
    assert_eq!((&explained["id"], &explained["nearest"]), (&json!(id(&answered)), &Json::Null));
    let stages: Vec<&str> = explained["stages"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|stage| stage["stage"].as_str())
        .collect();
    assert!(
        stages.starts_with(&["admit", "authorise", "key", "lookup"]) && stages.ends_with(&["tell"]),
        "{stages:?}"
    );
}

#[tokio::test]
async fn sums_are_exact_at_once_and_say_what_the_memory_was_worth() {
    let (_upstream, gateway) = gateway().await;
    let nothing = gateway.get("/api/v1/workspaces/default/cache/stats").await.json();
    assert_eq!((&nothing["lookups"], &nothing["hit_rate"]), (&json!(0), &json!(0.0)));
    for _ in 0..4 {
        gateway.post(CHAT, ask("gpt-4o", "one")).await;
    }
    gateway.post(CHAT, ask("other", "one")).await;
    let usage = gateway.get("/api/v1/usage").await.json();
    let [known, other] = usage["usage"].as_array().expect("a list").as_slice() else { panic!("{usage}") };
    let counts = |row: &Json| ["calls", "hits", "misses"].map(|name| row[name].as_u64().expect("a number"));
    assert_eq!((&known["model"], counts(known)), (&json!("gpt-4o"), [4, 3, 1]));
    assert_eq!((&known["cost"], &known["saved"]), (&json!("0.003500000"), &json!("0.010500000")));
    assert_eq!((&known["tokens_in"], &known["tokens_out"]), (&json!(4_000), &json!(400)));
    assert_eq!(
        (&other["model"], counts(other), &other["cost"]),
        (&json!("other"), [1, 0, 1], &json!("0.000000000"))
    );

    let stats = gateway.get("/api/v1/workspaces/default/cache/stats").await.json();
    assert_eq!((&stats["lookups"], &stats["hits"], &stats["hit_rate"]), (&json!(5), &json!(3), &json!(0.6)));
    assert_eq!(stats["saved"], "0.010500000");
    assert!(stats["saved_ms"].as_f64() > Some(0.0), "{stats}");
    let other = gateway.get("/api/v1/workspaces/other/cache/stats").await.json();
    assert_eq!((&other["workspace"], &other["lookups"]), (&json!("other"), &json!(0)));

    gateway.folded().await;
    let metrics = gateway.get("/metrics").await;
    assert!(metrics.text().contains("tidegate_ledger_unfolded_bytes 0"), "{}", metrics.text());
    let calls = gateway.get("/api/v1/calls?model=gpt-4o").await.json();
    assert_eq!(calls["calls"].as_array().map(Vec::len), Some(4), "folded or not, each call is there once");
    assert_eq!(gateway.get("/api/v1/usage").await.json()["usage"], usage["usage"], "and so are sums");
}

#[tokio::test]
async fn an_export_is_every_row_of_every_page_as_json_lines_and_as_csv() {
    let (_upstream, gateway) = gateway().await;
    for n in 0..3 {
        gateway.post(CHAT, ask("gpt-4o", &format!("question {}", n % 2))).await;
    }
    let odd = gateway.posting(CHAT, ask("odd, \"name\"", "x")).header("x-tidegate-tags", "a,b");
    send(odd).await;
    let listed = gateway.get("/api/v1/calls").await.json();
    let lines = gateway.get("/api/v1/calls/export.jsonl").await;
    let rows: Vec<Json> =
        lines.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(Json::Array(rows), listed["calls"]);
    assert_eq!(lines.field("content-type"), Some("application/x-ndjson"));

    let csv = gateway.get("/api/v1/calls/export.csv?model=gpt-4o&outcome=hit").await;
    let [headings, hit] = csv.text().lines().collect::<Vec<_>>()[..] else { panic!("{csv:?}") };
    let value = |name: &str| {
        let at = headings.split(',').position(|heading| heading == name).expect("a heading");
        hit.split(',').nth(at).expect("a field").to_owned()
    };
    assert_eq!(
        (value("outcome"), value("cost"), value("tokens_in")),
        ("hit".into(), "0.000000000".into(), "1000".into())
    );
    let csv = gateway.get("/api/v1/calls/export.csv").await;
    assert!(
        csv.text().contains("\"odd, \"\"name\"\"\"") && csv.text().contains(",\"a,b\","),
        "{}",
        csv.text()
    );
}
