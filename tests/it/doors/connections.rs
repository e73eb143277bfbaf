//! Sockets: upstream connections are reused, and slow or odd clients are dealt with.

use super::*;

#[tokio::test]
async fn a_hundred_calls_in_a_row_use_one_upstream_connection() {
    let (upstream, gateway) = talking().await;
    for call in 0..100 {
        assert_eq!(gateway.post(CHAT, ask(&format!("call {call}"))).await.cache(), "miss");
    }
    assert_eq!((upstream.seen().len(), upstream.connections()), (100, 1));
}

#[tokio::test]
async fn an_accepted_socket_sends_at_once_and_is_probed_when_silent() {
    let (_upstream, gateway) = talking().await;
    let health = gateway.get("/health").await;
    assert_eq!((health.status, health.text()), (200, r#"{"status":"ok"}"#));
    // Timer 02 is keep-alive; what is left of its 30 s stands in hundredths after it.
    let port = format!("{:04X}", gateway.address().port());
    let sockets = std::fs::read_to_string("/proc/net/tcp").expect("Linux lists its sockets");
    let timers: Vec<&str> = sockets
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() > 5 && fields[1].ends_with(&format!(":{port}")) && fields[3] == "01")
        .map(|fields| sockets_timer(fields[5]))
        .collect();
    assert!(!timers.is_empty() && timers.iter().all(|timer| *timer == "02"), "{timers:?} of {sockets}");
}

#[tokio::test]
async fn with_reuse_port_every_worker_listens_on_a_socket_of_its_own() {
    let gateway = Gateway::start("listen.workers = 3\nlisten.reuse_port = true\n");
    for _ in 0..12 {
        assert_eq!(gateway.get("/health").await.status, 200);
    }
    let port = format!(":{:04X}", gateway.address().port());
    let sockets = std::fs::read_to_string("/proc/net/tcp").expect("Linux lists its sockets");
    let listening = sockets
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() > 5 && fields[1].ends_with(&port) && fields[3] == "0A");
    assert_eq!(listening.count(), 3, "{sockets}");
}

fn sockets_timer(field: &str) -> &str {
    field.split(':').next().unwrap_or_default()
}

#[tokio::test]
async fn a_head_that_is_no_http_closes_the_connection_and_nothing_else() {
    let (_upstream, gateway) = talking().await;
    let answer = gateway.raw(b"NONSENSE\r\n\r\n");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(gateway.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_client_that_stops_sending_is_told_so_and_let_go() {
    let upstream = Upstream::answering(said).await;
    let gateway = Gateway::before(&upstream, "listen.keep_alive_ms = 200\nlisten.head_timeout_ms = 200");
    let body = format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{{");
    let answer = gateway.raw(body.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("\"code\":\"body_slow\""), "{answer}");
    let head = gateway.raw(b"POST /v1/chat/completions HTTP/1.1\r\nhost: loc");
    assert!(head.is_empty() || head.starts_with("HTTP/1.1 408"), "{head}");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn the_clients_own_patience_is_the_deadline() {
    let upstream = Upstream::always(Script::json(200, "").hang()).await;
    let gateway = Gateway::before(&upstream, "");
    let call = gateway.posting(CHAT, ask("x")).header("x-stainless-read-timeout", "0.2");
    let late = send(call).await;
    assert_eq!((late.status, code(&late).as_str()), (504, "deadline_exceeded"));
    upstream.left(1).await;
}

#[tokio::test]
async fn an_upstream_that_is_too_slow_is_a_504() {
    let upstream = Upstream::always(Script::json(200, "").hang()).await;
    let toml = crate::server::pointing_at(&upstream);
    let gateway =
        Gateway::start(&toml.replace("retries = 0\n", "retries = 0\nfirst_token_timeout_ms = 200\n"));
    let slow = gateway.post(CHAT, ask("x")).await;
    assert_eq!((slow.status, slow.field("x-tidegate-blame")), (504, Some("upstream")));
    assert!(message(&slow).contains("200 ms"), "{}", message(&slow));
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_upstream_call() {
    let upstream = Upstream::always(Script::json(200, "").hang()).await;
    let gateway = Gateway::before(&upstream, "");
    let call = tokio::spawn(send(gateway.posting(CHAT, ask("x"))));
    upstream.asked(1).await;
    call.abort();
    upstream.left(1).await;
    gateway.until("/api/v1/engine", |engine| engine["operations"]["active"] == 0).await;
    assert_eq!(gateway.get("/api/v1/engine").await.json()["bodies"]["held"], 0);
}
