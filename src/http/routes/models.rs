//! `GET /v1/models` and `/v1/models/{id}`: two vendors' shapes on one path, told apart by `anthropic-version`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use tidegate_actors::CallId;
use utoipa::ToSchema;

use crate::config::near;
use crate::http::error::{DoorError, Shape};
use crate::http::openapi::vendors;
use crate::http::{Doors, access, guard};

fn is_anthropic(request: &HttpRequest) -> bool {
    request.headers().contains_key("anthropic-version")
}

fn shape(request: &HttpRequest) -> Shape {
    if is_anthropic(request) { Shape::Anthropic } else { Shape::OpenAi }
}

fn openai(name: &str, owner: &str) -> OpenAiModel {
    OpenAiModel { id: name.to_owned(), object: "model", created: 0, owned_by: owner.to_owned() }
}

fn anthropic(name: &str) -> AnthropicModel {
    let (id, display_name) = (name.to_owned(), name.to_owned());
    // Configuration says when a model was named, not when it was made.
    AnthropicModel { r#type: "model", id, display_name, created_at: "1970-01-01T00:00:00Z" }
}

/// A model, in the shape of the vendor that asks.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ModelShape {
    OpenAi(OpenAiModel),
    Anthropic(AnthropicModel),
}

/// A model in OpenAI's shape.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenAiModel {
    id: String,
    object: &'static str,
    created: u64,
    /// The provider that answers first.
    owned_by: String,
}

/// A model in Anthropic's shape.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnthropicModel {
    r#type: &'static str,
    id: String,
    display_name: String,
    created_at: &'static str,
}

/// All models, in the shape of the vendor that asks.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ModelList {
    OpenAi { object: &'static str, data: Vec<OpenAiModel> },
    Anthropic { data: Vec<AnthropicModel>, has_more: bool, first_id: Option<String>, last_id: Option<String> },
}

/// Every configured name, in order.
#[utoipa::path(get, path = "/v1/models", tag = "OpenAI",
    params(("anthropic-version" = Option<String>, Header, description = "Asks for Anthropic's shape")),
    responses((status = 200, description = "The configured names", body = ModelList)),
)]
pub(crate) async fn list(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    let principal = match guard::admit(&request, &doors, &access::MODELS) {
        Ok(principal) => principal,
        Err(error) => return error.respond(shape(&request), CallId::fresh()),
    };
    let names = doors.models.listed().filter(|(name, _)| principal.scopes.names(name));
    if !is_anthropic(&request) {
        let data = names.map(|(name, owner)| openai(name, owner)).collect();
        return HttpResponse::Ok().json(ModelList::OpenAi { object: "list", data });
    }
    let data: Vec<_> = names.map(|(name, _)| anthropic(name)).collect();
    let id = |model: Option<&AnthropicModel>| model.map(|model| model.id.clone());
    let (first_id, last_id) = (id(data.first()), id(data.last()));
    HttpResponse::Ok().json(ModelList::Anthropic { data, has_more: false, first_id, last_id })
}

/// One name; also one that only the catch-all answers.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "OpenAI",
    params(("id" = String, Path, description = "A configured name")),
    responses(
        (status = 200, description = "The model", body = ModelShape),
        (status = 404, description = "Not configured; near names are listed", body = vendors::OpenAiProblem),
    ),
)]
pub(crate) async fn one(
    request: HttpRequest,
    id: web::Path<String>,
    doors: web::Data<Doors>,
) -> HttpResponse {
    let principal = match guard::admit(&request, &doors, &access::MODEL) {
        Ok(principal) => principal,
        Err(error) => return error.respond(shape(&request), CallId::fresh()),
    };
    if !doors.models.knows(&id) || !principal.scopes.names(&id) {
        let listed = doors.models.listed().map(|(name, _)| name);
        let near = near::names(&id, listed.filter(|name| principal.scopes.names(name)));
        return DoorError::unknown_model(&id, &near).respond(shape(&request), CallId::fresh());
    }
    let owner = doors.models.model(&id).and_then(|model| model.targets.first());
    let owner = owner.map_or("", |target| target.provider.as_str());
    HttpResponse::Ok().json(match is_anthropic(&request) {
        true => ModelShape::Anthropic(anthropic(&id)),
        false => ModelShape::OpenAi(openai(&id, owner)),
    })
}
