//! One file per door. Each reads its request, calls the engine and words the answer.

pub(crate) mod chat;
pub(crate) mod docs;
pub(crate) mod embeddings;
pub(crate) mod engine;
pub(crate) mod explain;
pub(crate) mod forward;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod models;
pub(crate) mod purge;

use actix_web::{HttpRequest, HttpResponse};
use tidegate_actors::CallId;

use super::error::{DoorError, Shape};

/// Nothing else claimed the path: 404 in the shape its prefix suggests.
pub(crate) async fn fallback(request: HttpRequest) -> HttpResponse {
    let anthropic = request.headers().contains_key("anthropic-version");
    let shape = Shape::of(request.path(), anthropic);
    DoorError::not_found(request.path()).respond(shape, CallId::fresh())
}
