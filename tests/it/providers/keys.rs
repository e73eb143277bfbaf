//! Several keys of one provider, seen from the upstream.

use super::*;
use crate::upstream::Script;

fn several(upstream: &Upstream, clock: ClockRef) -> Arc<dyn Provider> {
    let mut config = config(ProviderKind::Openai, &upstream.url());
    config.credentials.keys = ["a", "b", "c"].map(Secret::new).to_vec();
    build(&config, clock)
}

fn keys(upstream: &Upstream) -> String {
    upstream
        .seen()
        .iter()
        .filter_map(|seen| seen.field("authorization")?.strip_prefix("Bearer ").map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn keys_take_turns_and_a_refused_one_rests() {
    let upstream = Upstream::answering(|seen| match seen.field("authorization") {
        Some("Bearer b") => Script::json(401, r#"{"error":{"message":"no"}}"#),
        _ => Script::json(200, COMPLETION),
    })
    .await;
    let clock = HandClock::new();
    let provider = several(&upstream, clock.clone());
    for _ in 0..7 {
        let _ = provider.ask(hello(Form::Whole)).await;
    }
    assert_eq!(keys(&upstream), "abcacca", "b rests after its refusal");
    clock.advance(Duration::from_secs(60));
    for _ in 0..3 {
        let _ = provider.ask(hello(Form::Whole)).await;
    }
    assert!(keys(&upstream)[7..].contains('b'));
}

#[tokio::test]
async fn a_rate_limited_passed_through_request_rests_its_key_too() {
    let upstream = Upstream::answering(|seen| match seen.field("authorization") {
        Some("Bearer a") => Script::json(429, "{}").field("retry-after", "30"),
        _ => Script::json(200, "{}"),
    })
    .await;
    let provider = several(&upstream, HandClock::new());
    for _ in 0..4 {
        provider.ask(forward("GET", "/files", &[], "")).await.expect("an answer of any status");
    }
    assert!(!keys(&upstream)[1..].contains('a'), "{}", keys(&upstream));
}
