//! `GET /metrics` in the text format asked for, and the JSON path of the performance counters.

use std::collections::BTreeMap;

use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::metrics::{Shown, performance};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard};

const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn accepts(headers: &HeaderMap, what: &str) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|value| value.contains(what))
}

/// Whether the path of the JSON counters is asked for text.
pub(crate) fn wants_text(headers: &HeaderMap) -> bool {
    accepts(headers, "text/plain") || accepts(headers, "openmetrics")
}

/// The performance counters.
#[derive(Serialize, ToSchema)]
pub(crate) struct Counters {
    ok: bool,
    counters: Vec<NamedCounter>,
    timings: Vec<NamedCounter>,
}

/// One counter under its exact name.
#[derive(Serialize, ToSchema)]
pub(crate) struct NamedCounter {
    #[schema(example = "performance_ai_cache_hit")]
    name: &'static str,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Everything that is counted; OpenMetrics when asked.
#[utoipa::path(get, path = "/metrics", tag = "Tidegate", responses(
    (status = 200, description = "Prometheus text 0.0.4, or OpenMetrics 1.0 if Accept names it", body = String,
        content_type = "text/plain"),
))]
pub(crate) async fn text(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    if let Err(error) = guard::admit(&request, &doors, &access::METRICS) {
        return error.respond(crate::http::error::Shape::Api, tidegate_actors::CallId::fresh());
    }
    if !doors.config.observability.enabled {
        return HttpResponse::Ok().content_type(CLASSIC).body("");
    }
    let shown = Shown {
        engine: &doors.engine,
        bodies: &doors.bodies,
        memos: &doors.memos,
        app: doors.site(),
        ledger: doors.books.as_ref().map(|books| books.lag()),
        roster: &doors.roster,
    };
    let (kind, text) = match accepts(request.headers(), "application/openmetrics-text") {
        true => (OPEN, doors.exposition.open_metrics(shown)),
        false => (CLASSIC, doors.exposition.classic(shown)),
    };
    HttpResponse::Ok().content_type(kind).body(text)
}

/// The performance counters as JSON, or all as text if `Accept` asks for text.
///
/// Its path is the setting `observability.metrics_endpoint`.
#[utoipa::path(get, path = "/api/metrics", tag = "Tidegate", responses(
    (status = 200, description = "The counters", body = Counters),
    (status = "4XX", description = "Refused", body = ApiProblem),
))]
pub(crate) async fn json(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    if wants_text(request.headers()) {
        return text(request, doors).await;
    }
    if let Err(error) = guard::admit(&request, &doors, &access::COUNTERS) {
        return error.respond(crate::http::error::Shape::Api, tidegate_actors::CallId::fresh());
    }
    let counter = |(name, value): &(&'static str, u64)| NamedCounter {
        name,
        labels: BTreeMap::new(),
        value: *value as f64,
    };
    let counters = match doors.config.observability.enabled {
        true => performance(&doors.engine).iter().map(counter).collect(),
        false => Vec::new(),
    };
    HttpResponse::Ok().json(Counters { ok: true, counters, timings: Vec::new() })
}
