//! `GET /v1/models` and `/v1/models/{id}`: two vendors' shapes on one path, told apart by `anthropic-version`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use tidegate_actors::CallId;

use crate::config::near;
use crate::http::error::{DoorError, Shape};
use crate::http::{Doors, guard};

fn is_anthropic(request: &HttpRequest) -> bool {
    request.headers().contains_key("anthropic-version")
}

fn shape(request: &HttpRequest) -> Shape {
    if is_anthropic(request) { Shape::Anthropic } else { Shape::OpenAi }
}

fn model(request: &HttpRequest, name: &str, owner: &str) -> Value {
    if is_anthropic(request) {
        // Configuration says when a model was named, not when it was made.
        json!({ "type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z" })
    } else {
        json!({ "id": name, "object": "model", "created": 0, "owned_by": owner })
    }
}

fn respond(body: &Value) -> HttpResponse {
    let id = CallId::fresh().to_string();
    HttpResponse::Ok()
        .insert_header(("x-request-id", id.as_str()))
        .insert_header(("request-id", id.as_str()))
        .json(body)
}

/// Every configured name, in order.
pub(crate) async fn list(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    if let Err(error) = guard::admit(&request) {
        return error.respond(shape(&request), CallId::fresh());
    }
    let models: Vec<Value> =
        doors.models.listed().map(|(name, owner)| model(&request, name, owner)).collect();
    let body = if is_anthropic(&request) {
        let edge = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
        let (first, last) = (edge(models.first()), edge(models.last()));
        json!({ "data": models, "has_more": false, "first_id": first, "last_id": last })
    } else {
        json!({ "object": "list", "data": models })
    };
    respond(&body)
}

/// One name; also one that only the catch-all answers.
pub(crate) async fn one(
    request: HttpRequest,
    id: web::Path<String>,
    doors: web::Data<Doors>,
) -> HttpResponse {
    if let Err(error) = guard::admit(&request) {
        return error.respond(shape(&request), CallId::fresh());
    }
    if !doors.models.knows(&id) {
        let near = near::names(&id, doors.models.listed().map(|(name, _)| name));
        return DoorError::unknown_model(&id, &near).respond(shape(&request), CallId::fresh());
    }
    let owner = doors.models.model(&id).and_then(|model| model.targets.first());
    let owner = owner.map_or("", |target| target.provider.as_str());
    respond(&model(&request, &id, owner))
}
