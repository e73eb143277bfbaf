//! `GET /docs`: what every path takes and gives, as a page and as the file it is made of.

use std::sync::{Arc, LazyLock};

use actix_web::http::header::{self, ContentEncoding};
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa_swagger_ui::Config;

use crate::http::nowhere;

/// The committed file; a test holds it equal to what the code describes.
const OPENAPI: &str = include_str!("../../../docs/openapi.json");

static PAGE: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("/docs/openapi.json")));

/// This description.
#[utoipa::path(get, path = "/docs/openapi.json", tag = "Tidegate", responses(
    (status = 200, description = "OpenAPI 3.1", content_type = "application/json"),
))]
pub(crate) async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(OPENAPI)
}

/// The page's files are named relative to its folder.
pub(crate) async fn moved() -> HttpResponse {
    HttpResponse::MovedPermanently().insert_header((header::LOCATION, "/docs/")).finish()
}

/// This description as a page.
#[utoipa::path(get, path = "/docs/{file}", tag = "Tidegate",
    params(("file" = String, Path, description = "A file of the page; empty is the page itself")),
    responses((status = 200, description = "A file of Swagger UI, built into the program")),
)]
pub(crate) async fn page(request: HttpRequest, file: web::Path<String>) -> HttpResponse {
    match utoipa_swagger_ui::serve(&file, Arc::clone(&PAGE)) {
        Ok(Some(file)) => {
            let mut response = HttpResponse::Ok();
            if file.gzpipped {
                response.insert_header(ContentEncoding::Gzip);
            }
            response.content_type(file.content_type).body(file.bytes.into_owned())
        }
        _ => nowhere::not_found(&request),
    }
}
