//! Every patience of a provider, on a clock moved by hand.

use std::task::Poll;

use super::*;
use crate::upstream::{Gate, Script};
use tidegate_actors::ports::provider::{FaultKind, Phase};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn patient(url: &str, clock: ClockRef) -> Arc<dyn Provider> {
    let mut config = config(ProviderKind::Openai, url);
    config.timeouts.connect_timeout_ms = 100;
    config.timeouts.first_token_timeout_ms = 1_000;
    config.timeouts.idle_timeout_ms = 500;
    config.timeouts.total_timeout_ms = 2_000;
    build(&config, clock)
}

fn timeout(fault: &Fault) -> Option<Phase> {
    if let FaultKind::Timeout { phase } = fault.kind { Some(phase) } else { None }
}

#[tokio::test]
async fn a_connection_that_is_never_usable_ends_with_its_limit() {
    // TLS towards a server that accepts and says nothing.
    let upstream = Upstream::always(Script::events().hang()).await;
    let clock = HandClock::new();
    let provider = patient(&format!("https://127.0.0.1:{}", upstream.port()), clock.clone());
    let asking = tokio::spawn(async move { fault(&provider, hello(Form::Whole)).await });
    upstream.accepted(1).await;
    clock.advance(MS(100));
    let fault = asking.await.expect("no panic");
    assert_eq!(timeout(&fault), Some(Phase::Connect));
    assert!(fault.what.contains("100 ms") && fault.what.contains("connect_timeout_ms"), "{}", fault.what);
}

#[tokio::test]
async fn silence_before_the_first_byte_ends_with_its_limit_and_the_request_is_dropped() {
    let upstream = Upstream::always(Script::events().hang()).await;
    let clock = HandClock::new();
    let provider = patient(&upstream.url(), clock.clone());
    let asking = tokio::spawn(async move { told(events(&provider, hello(Form::Stream)).await).await.1 });
    upstream.asked(1).await;
    clock.advance(MS(1_000));
    let fault = asking.await.expect("no panic").expect_err("a timeout");
    assert_eq!(timeout(&fault), Some(Phase::FirstToken));
    upstream.left(1).await;
}

#[tokio::test]
async fn silence_inside_a_stream_ends_with_its_limit_counted_from_the_last_piece() {
    let gate = Gate::closed();
    let script = Script::events().send(chunk(r#"{"content":"a"}"#, "null")).wait(&gate);
    let upstream = Upstream::always(script.send(chunk(r#"{"content":"b"}"#, "null")).hang()).await;
    let clock = HandClock::new();
    let mut events = events(&patient(&upstream.url(), clock.clone()), hello(Form::Stream)).await;
    next_data(&mut events).await;
    clock.advance(MS(400));
    gate.open();
    next_data(&mut events).await;
    clock.advance(MS(499));
    let mut next = events.next();
    assert!(futures_util::poll!(&mut next).is_pending(), "499 ms are within the limit");
    clock.advance(MS(1));
    let Poll::Ready(Some(Err(fault))) = futures_util::poll!(next) else { panic!("500 ms are not") };
    assert_eq!(timeout(&fault), Some(Phase::Idle));
}

#[tokio::test]
async fn a_stream_that_never_stops_talking_ends_with_the_total() {
    let gate = Gate::closed();
    let script = Script::events().send(chunk(r#"{"content":"a"}"#, "null")).wait(&gate);
    let upstream = Upstream::always(script).await;
    let clock = HandClock::new();
    let mut config = config(ProviderKind::Openai, &upstream.url());
    config.timeouts.idle_timeout_ms = 5_000;
    config.timeouts.total_timeout_ms = 2_000;
    let mut events = events(&build(&config, clock.clone()), hello(Form::Stream)).await;
    next_data(&mut events).await;
    clock.advance(MS(2_000));
    let fault = events.next().await.expect("an item").expect_err("a timeout");
    assert_eq!(timeout(&fault), Some(Phase::Total));
    upstream.left(1).await;
}

#[tokio::test]
async fn an_error_body_that_never_ends_is_timed_too() {
    let upstream = Upstream::always(Script::body(500, "text/plain", "half").hang()).await;
    let clock = HandClock::new();
    let provider = patient(&upstream.url(), clock.clone());
    let asking = tokio::spawn(async move { fault(&provider, hello(Form::Whole)).await });
    upstream.asked(1).await;
    clock.advance(MS(2_000));
    assert!(timeout(&asking.await.expect("no panic")).is_some());
}
