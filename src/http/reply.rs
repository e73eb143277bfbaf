//! Owns how answers of apps, and refusals to their callers, become responses. Must not decide what they say.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use tidegate_actors::CallId;

use super::answer::name_calls;
use super::error::{DoorError, Shape};
use crate::run::routing::Reply;

/// When to come back to an app that was too busy.
const RETRY_AFTER_S: u64 = 1;

/// The response that says what an app answers.
pub(super) fn respond(reply: &Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.insert_header((header::RETRY_AFTER, RETRY_AFTER_S));
    }
    let mut response = response.content_type("application/json").body(reply.json());
    name_calls(response.headers_mut(), &reply.calls);
    response
}

/// An answer in the shape of apps to what any door may refuse.
pub(super) fn refuse(error: &DoorError) -> HttpResponse {
    error.respond(Shape::App, CallId::fresh())
}
