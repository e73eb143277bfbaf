//! The description of every path: `docs/openapi.json`, made from the handlers and the types they answer with.
//!
//! Owns what no handler has a type for: bodies that are read as tokens or passed as bytes are described by the fields
//! Tidegate itself reads or tells. Must not be used to read or write any body.

pub(crate) mod vendors;

use serde::Serialize;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::{OpenApi, ToSchema};

use super::routes::limits::Amount;
use super::routes::{
    auth, bodies, calls, chat, console, docs, embeddings, engine, explain, export, forward, health, keys,
    limits, metrics, models, prices, purge, tail, usage, users, workspaces,
};

/// An error of a path under `/api/v1`.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiProblem {
    error: ApiProblemDetail,
}

/// What was wrong, whose doing it is, and whether asking again can help.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiProblemDetail {
    message: String,
    #[serde(rename = "type")]
    kind: String,
    param: Option<String>,
    code: Option<String>,
    /// Stage of the path that refused.
    #[schema(example = "admit")]
    stage: String,
    /// `caller`, `us` or `upstream`.
    blame: String,
    /// `never`, `safe` or `after`.
    retry: String,
    call_id: Option<String>,
    /// Which limit has no room, if that is why.
    limit: Option<LimitProblem>,
}

/// A limit that has no room for a call.
#[derive(Serialize, ToSchema)]
pub(crate) struct LimitProblem {
    /// As `/api/v1/limits` names it.
    #[schema(example = "usd_per_day")]
    name: String,
    /// Whose: the caller's key or workspace.
    subject: String,
    used: Amount,
    limit: Amount,
    /// When there is room again, RFC 3339 UTC; null where nobody knows, or there never is.
    reset_at: Option<String>,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Tidegate", description = "Answers OpenAI and Anthropic clients, remembers what it may, and shows what it does."),
    tags(
        (name = "OpenAI", description = "Point an OpenAI client's base URL at /v1"),
        (name = "Anthropic", description = "Point an Anthropic client's base URL at /"),
        (name = "Tidegate", description = "What the gateway did and does"),
    ),
    paths(
        chat::completions, embeddings::create, chat::messages, forward::count_tokens, models::list, models::one,
        forward::forward, health::health, health::ready, metrics::text, metrics::json, usage::usage,
        usage::cache_stats, export::jsonl, export::csv, calls::list, calls::attempts,
        tail::stream, calls::one, bodies::one, explain::explain, purge::purge, engine::engine, console::stream,
        workspaces::list, workspaces::make, workspaces::set, keys::list, keys::make, keys::rotate, keys::revoke, limits::list,
        limits::set, prices::list, auth::login, auth::refresh, auth::logout, auth::password, auth::me, users::list, users::make,
        users::password, users::grant, users::disable, users::enable, docs::openapi, docs::page,
    )
)]
struct Described;

/// The description as `docs/openapi.json` holds it.
///
/// # Errors
/// Those of the JSON writer.
pub fn described() -> serde_json::Result<String> {
    let mut api = Described::openapi();
    api.info.version = env!("CARGO_PKG_VERSION").to_owned();
    api.info.contact = None;
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(operation_id(method, path));
        }
    }
    api.to_pretty_json().map(|text| text + "\n")
}

/// What a path does, by method.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    let all = [
        ("get", get),
        ("put", put),
        ("post", post),
        ("delete", delete),
        ("options", options),
        ("head", head),
        ("patch", patch),
        ("trace", trace),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Functions of different files may have one name; what clients are generated from may not.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}
