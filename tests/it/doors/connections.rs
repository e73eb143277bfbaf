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
async fn a_client_that_leaves_cancels_its_upstream_call() {
    let upstream = Upstream::always(Script::json(200, "").hang()).await;
    let gateway = Gateway::before(&upstream, "");
    let call = tokio::spawn(send(gateway.posting(CHAT, ask("x"))));
    upstream.asked(1).await;
    call.abort();
    upstream.left(1).await;
    while gateway.get("/api/v1/engine").await.json()["operations"]["active"] != 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(gateway.get("/api/v1/engine").await.json()["bodies"]["held"], 0);
}
