//! What is counted and in which formats it is shown.

use super::*;
use crate::promtool;

const NAMES: [&str; 3] =
    ["performance_ai_cache_hit", "performance_ai_cache_miss", "performance_scheduler_wait_ms"];

fn counters(metrics: &Json) -> Vec<(&str, f64)> {
    let counters = metrics["counters"].as_array().expect("a list");
    counters
        .iter()
        .map(|counter| {
            (counter["name"].as_str().expect("a name"), counter["value"].as_f64().expect("a number"))
        })
        .collect()
}

#[tokio::test]
async fn the_three_counters_have_their_exact_names_and_move() {
    let (_upstream, gateway) = talking().await;
    let before = gateway.get("/api/metrics").await;
    assert_eq!(counters(&before.json()), NAMES.map(|name| (name, 0.0)));
    assert_eq!((&before.json()["ok"], &before.json()["timings"]), (&true.into(), &json!([])));
    gateway.post(CHAT, ask("tide")).await;
    let missed = gateway.get("/api/metrics").await.json();
    assert_eq!(counters(&missed)[..2], [(NAMES[0], 0.0), (NAMES[1], 1.0)]);
    gateway.post(CHAT, ask("tide")).await;
    let hit = gateway.get("/api/metrics").await.json();
    assert_eq!(counters(&hit)[..2], [(NAMES[0], 1.0), (NAMES[1], 1.0)]);
    let text = gateway.get("/metrics").await;
    assert!(text.text().contains("\nperformance_ai_cache_hit 1\n"), "{}", text.text());
    assert!(!text.text().contains("performance_ai_cache_hit_total"), "no renamed twin");
}

#[tokio::test]
async fn the_json_path_moves_with_its_setting() {
    let upstream = Upstream::answering(said).await;
    let gateway = Gateway::before(&upstream, "observability.metrics_endpoint = \"/internal/numbers\"");
    assert_eq!(counters(&gateway.get("/internal/numbers").await.json()).len(), 3);
    assert_eq!(gateway.get("/api/metrics").await.status, 404);
    let request = gateway.request(reqwest::Method::GET, "/internal/numbers").header("accept", "text/plain");
    assert!(send(request).await.text().contains("performance_ai_cache_hit"));
}

#[tokio::test]
async fn switched_off_nothing_is_shown() {
    let upstream = Upstream::answering(said).await;
    let gateway = Gateway::before(&upstream, "observability.enabled = false");
    gateway.post(CHAT, ask("tide")).await;
    let json = gateway.get("/api/metrics").await;
    assert_eq!((json.status, json.json()), (200, json!({ "ok": true, "counters": [], "timings": [] })));
    assert_eq!(gateway.get("/metrics").await.text(), "");
}

#[tokio::test]
async fn open_metrics_is_given_to_those_who_ask() {
    let (_upstream, gateway) = talking().await;
    let request = gateway.request(reqwest::Method::GET, "/metrics");
    let open = send(request.header("accept", "application/openmetrics-text; version=1.0.0")).await;
    assert!(open.field("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text")));
    assert!(open.text().ends_with("# EOF\n"));
    let classic = gateway.get("/metrics").await;
    assert_eq!(classic.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(!classic.text().contains("# EOF"));
}

/// Requests whose time was measured.
fn timed(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("http_request_duration_seconds_count "));
    line.expect("a histogram").parse().expect("a number")
}

#[tokio::test]
async fn requests_are_counted_by_method_route_and_status() {
    let (_upstream, gateway) = talking().await;
    let before = timed(gateway.get("/metrics").await.text());
    gateway.post(CHAT, ask("tide")).await;
    gateway.post(CHAT, "{").await;
    gateway.get("/v1/models/some-name").await;
    gateway.get("/nothing/one").await;
    gateway.get("/nothing/two").await;
    let text = gateway.get("/metrics").await.text().to_owned();
    for line in [
        r#"http_requests_total{method="POST",endpoint="/v1/chat/completions",status="200"} 1"#,
        r#"http_requests_total{method="POST",endpoint="/v1/chat/completions",status="400"} 1"#,
        r#"http_requests_total{method="GET",endpoint="/v1/models/{id}",status="404"} 1"#,
        r#"http_requests_total{method="GET",endpoint="other",status="404"} 2"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    assert_eq!(timed(&text), before + 6, "the first look is one of them");
    assert!(text.contains("\nactive_operations 0\n") && text.contains("\nmemory_usage_bytes "), "{text}");
}

#[tokio::test]
async fn promtool_parses_the_text_and_finds_only_what_is_known() {
    let (_upstream, gateway) = talking().await;
    for body in [ask("tide"), ask("tide"), ask_stream("other"), "{".to_owned()] {
        gateway.post(CHAT, body).await;
    }
    promtool::accepts(gateway.get("/metrics").await.text());
}
