//! Connections, limits and misbehaviour below the vendor's format.

use super::*;
use crate::upstream::Script;
use tidegate_actors::ports::provider::FaultKind;

#[tokio::test]
async fn a_hundred_calls_one_after_the_other_use_one_connection() {
    let upstream = Upstream::always(Script::json(200, COMPLETION)).await;
    let provider = openai(&upstream);
    for _ in 0..100 {
        whole(&provider, hello(Form::Whole)).await;
    }
    assert_eq!((upstream.seen().len(), upstream.connections()), (100, 1));
    assert!(upstream.seen().iter().all(|seen| seen.connection == 1));
}

#[tokio::test]
async fn an_error_answer_gives_its_connection_back() {
    let upstream = Upstream::always(Script::json(500, "{}")).await;
    let provider = openai(&upstream);
    for _ in 0..10 {
        fault(&provider, hello(Form::Whole)).await;
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn providers_with_the_same_address_share_no_connection() {
    let upstream = Upstream::always(Script::json(200, COMPLETION)).await;
    whole(&openai(&upstream), hello(Form::Whole)).await;
    whole(&openai(&upstream), hello(Form::Whole)).await;
    assert_eq!(upstream.connections(), 2);
}

/// A connection is driven by the runtime it was opened on: another thread must not use it.
#[tokio::test]
async fn threads_share_no_connection_and_do_not_outlive_each_other() {
    let upstream = Upstream::always(Script::json(200, COMPLETION)).await;
    let provider = openai(&upstream);
    for _ in 0..3 {
        let provider = Arc::clone(&provider);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                whole(&provider, hello(Form::Whole)).await;
                whole(&provider, hello(Form::Whole)).await;
            });
        });
        tokio::task::spawn_blocking(move || thread.join().expect("no panic")).await.expect("joined");
    }
    assert_eq!((upstream.seen().len(), upstream.connections()), (6, 3));
}

/// An answer in full, after which the upstream closes the connection without having said so.
fn last_words() -> Script {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", COMPLETION.len());
    Script::raw([head.as_bytes(), COMPLETION.as_bytes()].concat())
}

#[tokio::test]
async fn connections_that_ended_while_unused_are_passed_over_and_nothing_is_asked_twice() {
    let upstream = Upstream::always(last_words()).await;
    let provider = openai(&upstream);
    for round in 0..3 {
        let both = (whole(&provider, hello(Form::Whole)), whole(&provider, hello(Form::Whole)));
        futures_util::join!(both.0, both.1);
        upstream.ended(2 * (round + 1)).await;
        // The upstream has closed both; our end hears of it when the sockets next say so.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!((upstream.seen().len(), upstream.connections()), (6, 6));
}

#[tokio::test]
async fn a_connection_nobody_uses_is_closed_in_time() {
    let upstream = Upstream::always(Script::json(200, COMPLETION)).await;
    let clock = HandClock::new();
    let provider = build(&config(ProviderKind::Openai, &upstream.url()), clock.clone());
    whole(&provider, hello(Form::Whole)).await;
    for _ in 0..10 {
        // The sweep sets its next alarm when it has run.
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(5));
    }
    upstream.ended(1).await;
    whole(&provider, hello(Form::Whole)).await;
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn an_answer_that_says_it_is_the_last_is_followed_by_a_new_connection() {
    let upstream = Upstream::always(Script::json(200, COMPLETION).field("connection", "close")).await;
    let provider = openai(&upstream);
    for _ in 0..3 {
        whole(&provider, hello(Form::Whole)).await;
    }
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn dropping_a_waiting_call_stops_the_upstream() {
    let upstream = Upstream::always(Script::json(200, "").hang()).await;
    let provider = openai(&upstream);
    let asking = tokio::spawn(async move { provider.ask(hello(Form::Whole)).await });
    upstream.asked(1).await;
    asking.abort();
    upstream.left(1).await;
}

#[tokio::test]
async fn an_address_nobody_listens_on_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let gone = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let mut config = config(ProviderKind::Openai, &gone);
    config.timeouts.connect_timeout_ms = 60_000;
    let fault = fault(&build(&config, system_clock()), hello(Form::Whole)).await;
    assert_eq!(fault.kind, FaultKind::Broken { status: None });
    assert!(
        fault.what.contains(&gone["http://".len()..]) && fault.what.contains("refused"),
        "{}",
        fault.what
    );
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_refused() {
    let upstream = Upstream::always(Script::json(200, format!("\"{}\"", "x".repeat(5_000))).hang()).await;
    let mut config = config(ProviderKind::Openai, &upstream.url());
    config.bounds.max_answer_bytes = 4_096;
    let fault = fault(&build(&config, system_clock()), hello(Form::Whole)).await;
    assert_eq!(fault.kind, FaultKind::Unusable);
    assert!(fault.what.contains("4096 bytes (max_answer_bytes)"), "{}", fault.what);
    upstream.left(1).await;
}

#[tokio::test]
async fn bytes_that_are_no_http_are_a_fault() {
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\n",
    ] {
        let upstream = Upstream::always(Script::raw(bytes)).await;
        let fault = fault(&openai(&upstream), hello(Form::Whole)).await;
        assert!(matches!(fault.kind, FaultKind::Broken { .. }), "{bytes:?}: {fault:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Upstream::always(Script::json(200, COMPLETION)).await;
    let upstream = Upstream::always(Script::json(307, "").field("location", &other.url())).await;
    let fault = fault(&openai(&upstream), hello(Form::Whole)).await;
    assert_eq!(fault.kind, FaultKind::Unusable);
    assert!(fault.what.contains("redirect") && fault.what.contains(&other.url()), "{}", fault.what);
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn an_encoding_that_was_not_accepted_is_a_fault() {
    let upstream = Upstream::always(Script::json(200, "zipped").field("content-encoding", "gzip")).await;
    let fault = fault(&openai(&upstream), hello(Form::Whole)).await;
    assert!(fault.what.contains("gzip"), "{}", fault.what);
}

#[tokio::test]
async fn statuses_bodies_and_hints_become_faults() {
    let json = r#"{"error":{"message":"said so","type":"t","param":null,"code":"c"}}"#;
    let table = [
        (400, json, "", FaultKind::Rejected { status: 400 }),
        (422, json, "", FaultKind::Rejected { status: 422 }),
        (401, json, "", FaultKind::Credential { status: 401 }),
        (429, json, "2", FaultKind::Busy { status: 429 }),
        (529, json, "", FaultKind::Busy { status: 529 }),
        (503, json, "7", FaultKind::Busy { status: 503 }),
        (503, json, "", FaultKind::Broken { status: Some(503) }),
        (500, "<html>oops</html>", "", FaultKind::Broken { status: Some(500) }),
        (200, "", "", FaultKind::Broken { status: Some(200) }),
        (200, "{\"choices\":", "", FaultKind::Broken { status: Some(200) }),
        (200, "<html>login</html>", "", FaultKind::Broken { status: Some(200) }),
        (200, "{}", "", FaultKind::Broken { status: Some(200) }),
    ];
    for (status, body, hint, kind) in table {
        let script = Script::json(status, body);
        let script = if hint.is_empty() { script } else { script.field("retry-after", hint) };
        let upstream = Upstream::always(script).await;
        let fault = fault(&openai(&upstream), hello(Form::Whole)).await;
        assert_eq!(fault.kind, kind, "{status} {body}");
        assert_eq!(fault.retry_after, hint.parse().ok().map(Duration::from_secs), "{status} {hint}");
        assert_eq!(fault.body.is_some(), status >= 400 && body == json, "{status} {body}");
        assert!(fault.what.starts_with(&format!("answered {status}")), "{}", fault.what);
    }
}

#[tokio::test]
async fn a_proxy_from_configuration_carries_the_call_in_a_tunnel() {
    let proxy = Upstream::answering(|seen| {
        assert_eq!(seen.method, "CONNECT");
        Script::raw("HTTP/1.1 407 No\r\n\r\n")
    })
    .await;
    let mut config = config(ProviderKind::Openai, "http://upstream.example:81/v1");
    config.address.proxy = Some(Secret::new(format!("http://user:pw@127.0.0.1:{}", proxy.port())));
    let fault = fault(&build(&config, system_clock()), hello(Form::Whole)).await;
    assert!(matches!(fault.kind, FaultKind::Broken { .. }), "{fault:?}");
    assert!(!fault.what.contains("pw"), "{}", fault.what);
    let seen = proxy.only();
    assert_eq!(
        (seen.path.as_str(), seen.field("proxy-authorization")),
        ("upstream.example:81", Some("Basic dXNlcjpwdw=="))
    );
}

#[tokio::test]
async fn a_proxy_of_another_kind_is_refused_when_it_is_configured() {
    let mut config = config(ProviderKind::Openai, "http://upstream.example/v1");
    config.address.proxy = Some(Secret::new("socks5://127.0.0.1:1080"));
    let refused = providers::build("up", &config, &BTreeMap::new(), system_clock()).err().expect("a refusal");
    assert!(refused.to_string().contains("providers.up: a proxy is written http://"), "{refused}");
}
