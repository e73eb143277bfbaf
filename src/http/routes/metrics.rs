//! `GET /metrics` in the text format asked for, and the JSON path of the performance counters.

use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use crate::http::metrics::performance;
use crate::http::{Doors, guard};

const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn accepts(headers: &HeaderMap, what: &str) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|value| value.contains(what))
}

/// Everything that is counted; OpenMetrics when asked.
pub(crate) async fn text(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    if let Err(error) = guard::admit(&request) {
        return error.respond(crate::http::error::Shape::Api, tidegate_actors::CallId::fresh());
    }
    if !doors.config.observability.enabled {
        return HttpResponse::Ok().content_type(CLASSIC).body("");
    }
    if accepts(request.headers(), "application/openmetrics-text") {
        return HttpResponse::Ok()
            .content_type(OPEN)
            .body(doors.exposition.open_metrics(&doors.engine, &doors.bodies));
    }
    HttpResponse::Ok().content_type(CLASSIC).body(doors.exposition.classic(&doors.engine, &doors.bodies))
}

/// The performance counters as JSON, or as text if `Accept` asks for text.
pub(crate) async fn json(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    if accepts(request.headers(), "text/plain") || accepts(request.headers(), "openmetrics") {
        return text(request, doors).await;
    }
    if let Err(error) = guard::admit(&request) {
        return error.respond(crate::http::error::Shape::Api, tidegate_actors::CallId::fresh());
    }
    let counters: Vec<_> = if doors.config.observability.enabled {
        let all = performance(&doors.engine);
        all.iter()
            .map(|(name, value)| json!({ "name": name, "labels": {}, "value": *value as f64 }))
            .collect()
    } else {
        Vec::new()
    };
    HttpResponse::Ok().json(json!({ "ok": true, "counters": counters, "timings": [] }))
}
