//! `GET /api/v1/engine`: lanes, cache, flights, batchers, providers at this moment.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use tidegate_actors::CallId;

use crate::http::error::Shape;
use crate::http::{Doors, guard};

/// The engine at this moment.
pub(crate) async fn engine(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    if let Err(error) = guard::admit(&request) {
        return error.respond(Shape::Api, CallId::fresh());
    }
    let reading = doors.engine.read();
    let now = doors.engine.clock().now();
    let lanes = reading.lanes.iter().map(|lane| {
        json!({
            "name": lane.id.name(),
            "depth": lane.depth,
            "limit": lane.queue_jobs,
            "in_flight": lane.in_flight,
            "in_flight_limit": lane.in_flight_jobs,
            "oldest_wait_ms": lane.oldest_wait_ms,
            "refused": { "full": lane.refused_full, "closed": lane.refused_closed },
            "closed": lane.closed,
        })
    });
    let providers = doors.models.providers().map(|(_, served)| {
        let up = served.upstream.read(now);
        json!({
            "name": &*up.name, "in_flight": up.in_flight, "limit": up.max_in_flight,
            "breaker": up.breaker, "open_for_ms": up.open_for_ms,
        })
    });
    let batchers = reading.batchers.iter().map(|batcher| {
        json!({
            "target": &*batcher.target, "input": batcher.input,
            "waiting": batcher.waiting, "limit": batcher.max_rows, "in_air": batcher.in_air,
            "batches": batcher.batches, "oldest_wait_ms": batcher.oldest_wait_ms, "closed": batcher.closed,
        })
    });
    let (rows, rows_limit) = reading.rows_waiting;
    let cache = &reading.cache;
    let hits = doors.engine.metrics().performance.ai_cache_hit.get();
    let (completed, failed, mean_s) = reading.operations;
    HttpResponse::Ok().json(json!({
        "operations": {
            "active": reading.active_operations, "limit": reading.max_operations,
            "completed": completed, "failed": failed, "mean_ms": mean_s * 1e3,
        },
        "draining": reading.draining,
        "lanes": lanes.collect::<Vec<_>>(),
        "cache": {
            "online": cache.online, "entries": cache.entries, "bytes": cache.bytes,
            "hits": hits, "kept": cache.kept, "evicted": cache.evicted, "expired": cache.expired,
            "purged": cache.purged,
        },
        "flights": reading.flights,
        "explain": { "held": reading.recorded.1.min(reading.recorded.0 as u64), "limit": reading.recorded.0 },
        "bodies": { "bytes": doors.bodies.held(), "limit": doors.bodies.limit() },
        "rows": { "waiting": rows, "limit": rows_limit },
        "batchers": batchers.collect::<Vec<_>>(),
        "providers": providers.collect::<Vec<_>>(),
    }))
}
