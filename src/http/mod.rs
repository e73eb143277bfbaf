//! The doors: HTTP in, calls to the engine, HTTP out.
//!
//! Owns paths, headers, status codes and limits on what a client may send. Must not import providers, and must
//! not decide what the engine decides.

mod answer;
mod budget;
mod coding;
mod error;
mod guard;
mod intake;
mod meter;
mod metrics;
mod names;
mod routes;
mod stream;
mod tokens;
mod vendor;

use std::sync::Arc;

use actix_web::web;
use tidegate_actors::{Engine, WorkspaceId};

use crate::config::Config;

pub use budget::BodyBudget;
pub use meter::{HttpMetrics, metered};
pub use metrics::Exposition;
pub use names::{ModelTable, Served};

/// What every door needs; one per process, shared by all workers.
pub struct Doors {
    /// The engine.
    pub engine: Engine,
    /// What it was started with.
    pub config: Config,
    /// Public model names and their targets.
    pub models: ModelTable,
    /// Request bodies held at once.
    pub bodies: Arc<BodyBudget>,
    /// What `/metrics` shows.
    pub exposition: Exposition,
    /// What the doors count.
    pub meter: HttpMetrics,
    /// The workspace of an instance without keys.
    pub workspace: WorkspaceId,
}

/// Adds every route to an app. The paths named most often stand first: actix tries them in order.
pub fn routes(doors: &web::Data<Doors>) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let doors = doors.clone();
    move |app| {
        let metrics_endpoint = doors.config.observability.metrics_endpoint.clone();
        app.app_data(doors)
            .route("/v1/chat/completions", web::post().to(routes::chat::completions))
            .route("/v1/embeddings", web::post().to(routes::embeddings::create))
            .route("/v1/messages", web::post().to(routes::chat::messages))
            .route("/health", web::get().to(routes::health::health))
            .route("/ready", web::get().to(routes::health::ready))
            .route("/metrics", web::get().to(routes::metrics::text))
            .route(&metrics_endpoint, web::get().to(routes::metrics::json))
            .route("/v1/models", web::get().to(routes::models::list))
            .route("/v1/models/{id:.+}", web::get().to(routes::models::one))
            .route("/api/v1/calls/{id}/explain", web::get().to(routes::explain::explain))
            .route("/api/v1/cache/purge", web::post().to(routes::purge::purge))
            .route("/api/v1/engine", web::get().to(routes::engine::engine))
            .configure(routes::docs::routes)
            .route("/v1/{tail:.*}", web::route().to(routes::forward::forward))
            .default_service(web::route().to(routes::fallback));
    }
}
