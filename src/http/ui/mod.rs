//! The console: pages that were built before this program and lie in it.
//!
//! Owns where they are and what a browser is told about them. Must not know what they show.

mod files;

use actix_web::http::header::{self, ContentType, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use xxhash_rust::xxh3::xxh3_128;

use self::files::{CONSOLE, File};
use super::coding::Coding;
use super::nowhere;

/// Where it is. Below this an app has its own paths, and so has the console: links to its screens hold whatever is served.
pub(crate) const PLACE: &str = "/console/";
/// The page of all its screens.
const INDEX: &str = "index.html";
/// The name of a file here changes with what is in it.
const HASHED: &str = "assets/";

/// What its pages may do: load what comes from here, and nothing that stands in a page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/`, where no app has a page.
pub(crate) async fn home() -> HttpResponse {
    HttpResponse::Found().insert_header((header::LOCATION, PLACE)).finish()
}

/// Its files are named relative to its folder.
pub(crate) async fn moved() -> HttpResponse {
    HttpResponse::MovedPermanently().insert_header((header::LOCATION, PLACE)).finish()
}

/// A file of the console, or for the path of a screen its page.
pub(crate) async fn page(request: HttpRequest, path: web::Path<String>) -> HttpResponse {
    if CONSOLE.is_empty() {
        return HttpResponse::NotFound().content_type(ContentType::html()).body(NOT_BUILT);
    }
    match found(CONSOLE, &path) {
        Some(file) => given(file, request.headers()),
        None => nowhere::not_found(&request),
    }
}

/// The file that answers `path`. What has no file's name is a screen.
fn found<'f>(files: &'f [File], path: &str) -> Option<&'f File> {
    let named = |name: &str| files.iter().find(|file| file.path == name);
    let is_screen =
        !path.starts_with(HASHED) && !path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    named(path).or_else(|| named(INDEX).filter(|_| is_screen))
}

fn given(file: &File, asked: &HeaderMap) -> HttpResponse {
    let tag = format!("\"{:x}\"", xxh3_128(file.plain));
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known =
        known.is_some_and(|known| known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag));
    let (coding, body) = coded(file, asked);
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    let lasting =
        if file.path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    answer
        .insert_header((header::CACHE_CONTROL, lasting))
        .insert_header((header::ETAG, tag))
        .insert_header((header::VARY, "accept-encoding"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .insert_header(("cross-origin-resource-policy", "same-origin"))
        .content_type(kind(file.path));
    if is_known {
        return answer.finish();
    }
    if let Some(coding) = coding {
        answer.insert_header((header::CONTENT_ENCODING, coding.name()));
    }
    answer.body(body)
}

/// The smallest form that the asker takes.
fn coded(file: &File, asked: &HeaderMap) -> (Option<Coding>, &'static [u8]) {
    let forms = [(Coding::Brotli, file.br), (Coding::Gzip, file.gzip)];
    let form = |wanted| forms.iter().find(|(coding, _)| *coding == wanted).and_then(|(_, bytes)| *bytes);
    let there = forms.iter().filter(|(_, bytes)| bytes.is_some()).map(|(coding, _)| *coding);
    let taken = Coding::accepted_of(asked, there);
    taken.and_then(|coding| Some((Some(coding), form(coding)?))).unwrap_or((None, file.plain))
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// What is shown where the program was built without it.
const NOT_BUILT: &str = include_str!("not_built.html");

#[cfg(test)]
mod tests;
