//! `GET /health` (the process lives) and `GET /ready` (it can answer, or what cannot).

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::http::Doors;

/// Says that the process answers; nothing more.
pub(crate) async fn health() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(r#"{"status":"ok"}"#)
}

/// 200 if calls can be answered, 503 with what cannot otherwise.
pub(crate) async fn ready(doors: web::Data<Doors>) -> HttpResponse {
    let reading = doors.engine.read();
    let now = doors.engine.clock().now();
    let lanes = reading.lanes.iter().map(|lane| (format!("lane {}", lane.id.name()), !lane.closed, "closed"));
    let upstreams: Vec<_> = doors.models.providers().map(|(_, served)| served.upstream.read(now)).collect();
    // A provider whose breaker is open is one target less; without any other nobody is answered.
    let any_up = upstreams.iter().any(|up| up.breaker != "open");
    let providers = upstreams.iter().map(|up| {
        let fine = up.breaker != "open" || any_up;
        (format!("provider {}", up.name), fine, up.breaker)
    });
    let admission = [
        ("admission".to_owned(), !reading.draining, "draining"),
        ("cache".to_owned(), reading.cache.online, "restarting"),
    ];
    let closed = reading.batchers.iter().filter(|batcher| batcher.closed);
    let batchers = closed.map(|batcher| (format!("batcher of {}", batcher.target), false, "closed"));
    let parts: Vec<_> = lanes.chain(admission).chain(batchers).chain(providers).collect();
    // Without its cache actor every call is a miss, which is slow but not an outage.
    let is_ready = parts.iter().all(|(name, fine, _)| *fine || name == "cache");
    let shown: Vec<_> = parts
        .iter()
        .map(|(name, fine, fault)| json!({ "part": name, "ready": fine, "why": if *fine { "" } else { fault } }))
        .collect();
    let body = json!({ "ready": is_ready, "parts": shown });
    if is_ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}
