//! `GET /docs` and `/docs/openapi.json`: what every path takes and gives.

use actix_web::{HttpResponse, web};

const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// Adds the documentation to an app.
pub(crate) fn routes(app: &mut web::ServiceConfig) {
    app.route("/docs/openapi.json", web::get().to(openapi));
}

async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(OPENAPI)
}
