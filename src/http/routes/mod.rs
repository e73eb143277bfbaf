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

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use tidegate_actors::CallId;

use super::error::{DoorError, Shape};
use super::{Doors, app, guard};
use crate::run::routing::is_reserved;

fn shape(request: &HttpRequest) -> Shape {
    Shape::of(request.path(), request.headers().contains_key("anthropic-version"))
}

/// Nothing else claimed the path: 404 in the shape its prefix suggests, or in the app's words.
pub(crate) async fn fallback(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    match doors.app.is_some() && !is_reserved(request.path()) {
        true => app::missing(&request),
        false => not_found(&request),
    }
}

/// A path of the gateway where nothing is.
pub(crate) fn not_found(request: &HttpRequest) -> HttpResponse {
    DoorError::not_found(request.path()).respond(shape(request), CallId::fresh())
}

/// A known path asked with a method it does not have: 405, or for OPTIONS which it has.
pub(crate) fn wrong_method(request: &HttpRequest, allowed: &'static str) -> HttpResponse {
    let mut response = match guard::admit(request) {
        Err(error) => return error.respond(shape(request), CallId::fresh()),
        Ok(()) if request.method() == Method::OPTIONS => HttpResponse::NoContent().finish(),
        Ok(()) => DoorError::wrong_method(request.method(), request.path(), allowed)
            .respond(shape(request), CallId::fresh()),
    };
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
