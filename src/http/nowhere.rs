//! Owns what is answered where nothing is: at a path nobody claimed, and to a method a path does not have. In the shape its
//! prefix suggests, or where an app is served and the path could be its own, in the app's words.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use tidegate_actors::CallId;

use super::error::{DoorError, Shape};
use super::reply::{refuse, respond};
use super::{Doors, guard};
use crate::run::routing::{is_reserved, refused};

const NOT_FOUND: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Not found</title></head>\
    <body><h1>Not found</h1><p>Nothing of this app answers here. <a href=\"/api/ui\">/api/ui</a> lists its pages, \
    <a href=\"/docs\">/docs</a> the paths of the gateway.</p></body></html>\n";

fn shape(request: &HttpRequest) -> Shape {
    Shape::of(request.path(), request.headers().contains_key("anthropic-version"))
}

/// Nothing else claimed the path: 404 in the shape its prefix suggests, or in the app's words.
pub(crate) async fn fallback(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    match doors.app.is_some() && !is_reserved(request.path()) {
        true => missing(&request, &doors),
        false => not_found(&request),
    }
}

/// A path of the gateway where nothing is.
pub(crate) fn not_found(request: &HttpRequest) -> HttpResponse {
    DoorError::not_found(request.path()).respond(shape(request), CallId::fresh())
}

/// A known path asked with a method it does not have: 405, or for OPTIONS which it has.
pub(crate) fn wrong_method(request: &HttpRequest, doors: &Doors, allowed: &'static str) -> HttpResponse {
    let mut response = match guard::no_stranger(request, doors) {
        Err(error) => return error.respond(shape(request), CallId::fresh()),
        Ok(()) if request.method() == Method::OPTIONS => HttpResponse::NoContent().finish(),
        Ok(()) => DoorError::wrong_method(request.method(), request.path(), allowed)
            .respond(shape(request), CallId::fresh()),
    };
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Nothing claimed the path, and there is an app: a page for people, as what they typed is mostly a path of an app.
pub(crate) fn missing(request: &HttpRequest, doors: &Doors) -> HttpResponse {
    let path = request.path();
    if let Err(refused) = guard::no_stranger(request, doors) {
        return refuse(&refused);
    }
    let version = path.strip_prefix("/api/v").map(|rest| rest.split('/').next().unwrap_or_default());
    match version {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            respond(&refused(404, "Unsupported API version.", "Use /api/v1."))
        }
        _ => HttpResponse::NotFound().content_type("text/html; charset=utf-8").body(NOT_FOUND),
    }
}
