//! The console: where it is, and what it hears of this moment.

use reqwest::Method;

use super::*;
use crate::events::Events;

const STREAM: &str = "/api/v1/console/stream";

/// The next of this name.
async fn next(events: &mut Events, wanted: &str) -> Json {
    loop {
        let (name, data) = events.next().await.expect("it goes on");
        if name == wanted {
            return data;
        }
    }
}

#[tokio::test]
async fn a_browser_at_the_root_is_led_to_the_console_and_its_screens_are_pages() {
    let (_upstream, gateway) = talking().await;
    let screens = ["/console/", "/console/calls", "/console/calls/call_x"];
    for path in ["/"].iter().chain(&screens) {
        let answer = gateway.get(path).await; // led on by the client
        let kind = answer.field("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/html"), "{path}: {answer:?}");
        let is_built = answer.text().contains("assets/");
        assert!(is_built && answer.status == 200 || answer.text().contains("make run"), "{path}: {answer:?}");
    }
    assert_eq!(gateway.get("/console/assets/nothing.js").await.status, 404);
}

#[tokio::test]
async fn one_look_shows_the_engine_what_calls_came_to_and_calls_as_they_are_told() {
    let (_upstream, gateway) = talking().await;
    let mut events = Events::of(gateway.request(Method::GET, STREAM)).await;
    let first = next(&mut events, "pulse").await;
    assert_eq!((&first["recent"]["calls"], &first["rates"]), (&0.into(), &Json::Null), "{first}");
    assert_eq!(first["readiness"]["ready"], true);
    assert_eq!(first["engine"]["lanes"][0]["name"], "interactive");
    for _ in 0..2 {
        gateway.post(CHAT, ask("x")).await;
    }
    assert_eq!(next(&mut events, "call").await["outcome"], "miss");
    let second = next(&mut events, "call").await;
    assert_eq!(gateway.get("/api/v1/calls").await.json()["calls"][0], second);
    let mut pulse = next(&mut events, "pulse").await;
    while pulse["recent"]["calls"] != 2 {
        pulse = next(&mut events, "pulse").await;
    }
    let recent = &pulse["recent"];
    assert_eq!(
        recent["outcomes"],
        json!([{ "outcome": "hit", "calls": 1 }, { "outcome": "miss", "calls": 1 }])
    );
    assert_eq!((&recent["saved"][0]["by"], &recent["saved"][0]["calls"]), (&"exact".into(), &1.into()));
    assert!(
        recent["stages"].as_array().is_some_and(|stages| stages.iter().any(|line| line["stage"] == "act"))
    );
    assert!(pulse["rates"]["completed"].as_f64().is_some_and(|rate| rate >= 0.0), "{pulse}");
    assert_eq!(pulse["config"], second["config"]);
    let metrics = gateway.get("/metrics").await;
    assert!(metrics.text().contains("tidegate_console_listeners 1"), "{}", metrics.text());
}

#[tokio::test]
async fn who_loads_the_page_anew_sees_the_minutes_before_again() {
    let (_upstream, gateway) = talking().await;
    let mut events = Events::of(gateway.request(Method::GET, STREAM)).await;
    next(&mut events, "pulse").await;
    gateway.post(CHAT, ask("x")).await;
    while next(&mut events, "pulse").await["recent"]["calls"] != 1 {}
    drop(events);
    while !gateway.get("/metrics").await.text().contains("tidegate_console_listeners 0") {}
    let mut again = Events::of(gateway.request(Method::GET, STREAM)).await;
    assert_eq!(next(&mut again, "pulse").await["recent"]["calls"], 1);
}

#[tokio::test]
async fn who_wants_no_calls_is_shown_none() {
    let (_upstream, gateway) = talking().await;
    let mut events = Events::of(gateway.request(Method::GET, &format!("{STREAM}?calls=false"))).await;
    next(&mut events, "pulse").await;
    gateway.post(CHAT, ask("x")).await;
    for _ in 0..2 {
        assert_eq!(events.next().await.expect("it goes on").0, "pulse");
    }
}
