//! `GET /health` (the process lives) and `GET /ready` (it can answer, or what cannot).

use std::borrow::Cow;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Doors;

/// The process lives.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether calls can be answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    ready: bool,
    parts: Vec<PartReadiness>,
}

/// One lane, provider or store.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartReadiness {
    #[schema(example = "lane interactive")]
    part: String,
    ready: bool,
    /// Empty if it is ready.
    why: Cow<'static, str>,
}

/// Says that the process answers; nothing more.
#[utoipa::path(get, path = "/health", tag = "Tidegate", responses(
    (status = 200, description = "The process lives", body = Health),
))]
pub(crate) async fn health() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// 200 if calls can be answered, 503 with what cannot otherwise.
#[utoipa::path(get, path = "/ready", tag = "Tidegate", responses(
    (status = 200, description = "Calls can be answered", body = Readiness),
    (status = 503, description = "They cannot, and why", body = Readiness),
))]
pub(crate) async fn ready(doors: web::Data<Doors>) -> HttpResponse {
    let body = readiness(&doors);
    if body.ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

/// Whether calls can be answered, and what cannot.
pub(super) fn readiness(doors: &Doors) -> Readiness {
    let reading = doors.engine.read();
    let now = doors.engine.clock().now();
    let lanes = reading.lanes.iter().map(|lane| (format!("lane {}", lane.id.name()), !lane.closed, "closed"));
    let of_app = doors.site().map(|site| (site.name(), site.host().asker().engine().read().lanes));
    let of_app = of_app.into_iter().flat_map(|(app, lanes)| {
        lanes.map(|lane| (format!("lane {} of app {app}", lane.id.name()), !lane.closed, "closed"))
    });
    let closed = reading.batchers.iter().filter(|batcher| batcher.closed);
    let batchers = closed.map(|batcher| (format!("batcher of {}", batcher.target), false, "closed"));
    let admission = [("admission".to_owned(), !reading.draining, "draining")];
    // Without its cache actor every call is a miss, which is slow but not an outage.
    let cache = [("cache".to_owned(), reading.cache.online, "restarting")];
    let upstreams = doors.models.providers().map(|(_, served)| served.upstream.read(now));
    let providers: Vec<_> =
        upstreams.map(|up| (format!("provider {}", up.name), up.breaker != "open", up.breaker)).collect();
    let backing = doors.backing.iter().map(|backing| {
        let trouble = (backing.trouble)();
        (backing.part.to_owned(), trouble.is_none(), Cow::from(trouble.unwrap_or_default()))
    });
    let fixed = |(part, ready, fault): (String, bool, &'static str)| (part, ready, Cow::from(fault));
    let needed = lanes.chain(of_app).chain(admission).chain(batchers).map(fixed);
    let needed: Vec<_> = needed.chain(backing).collect();
    // A provider that is left alone is one target less; without any other nobody is answered.
    let is_ready = needed.iter().all(|(_, fine, _)| *fine) && providers.iter().any(|(_, fine, _)| *fine);
    let parts = needed.into_iter().chain(cache.into_iter().chain(providers).map(fixed));
    let parts = parts.map(|(part, ready, fault)| PartReadiness {
        part,
        ready,
        why: if ready { "".into() } else { fault },
    });
    Readiness { ready: is_ready, parts: parts.collect() }
}
