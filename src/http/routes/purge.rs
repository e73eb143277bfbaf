//! `POST /api/v1/cache/purge`: forget kept answers by key, tag, model or all of the workspace.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use tidegate_actors::json::{Document, Kind, Node};
use tidegate_actors::key::Key;
use tidegate_actors::{CallId, PurgeFilter, WorkspaceId};
use utoipa::ToSchema;

use crate::http::error::{DoorError, Shape};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard, intake};

const FIELDS: &str = "key, tag, model, workspace, dry_run";

/// What to forget: the answers that match every field given, at least one of which must be.
#[derive(Serialize, ToSchema)]
pub(crate) struct PurgeRequest {
    /// As `x-tidegate-key` gives it.
    #[schema(min_length = 64, max_length = 64)]
    key: Option<String>,
    tag: Option<String>,
    model: Option<String>,
    workspace: Option<String>,
    /// Counts and forgets nothing.
    dry_run: Option<bool>,
}

/// What was forgotten, or would be.
#[derive(Serialize, ToSchema)]
pub(crate) struct Purged {
    purged: usize,
    dry_run: bool,
}

/// Forgets kept answers by key, tag, model or workspace.
#[utoipa::path(post, path = "/api/v1/cache/purge", tag = "Tidegate", request_body = PurgeRequest, responses(
    (status = 200, description = "How many answers matched", body = Purged),
    (status = "4XX", description = "Nothing was forgotten", body = ApiProblem),
))]
pub(crate) async fn purge(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    let id = CallId::fresh();
    let done = async {
        let principal = guard::admit(&request, &doors, &access::PURGE)?;
        let taken = intake::body(&doors, &request, &mut payload).await?;
        let document = intake::document(&doors, taken.bytes)?;
        let (filter, dry_run) = read(&document, &principal.workspace)?;
        if let Some(other) = filter.workspace.as_ref().filter(|workspace| !principal.sees(workspace)) {
            return Err(DoorError::other_workspace(other.as_str()));
        }
        let purged = doors.engine.purge(&filter, dry_run).await?;
        Ok::<_, DoorError>(HttpResponse::Ok().json(Purged { purged, dry_run }))
    };
    done.await.unwrap_or_else(|error| error.respond(Shape::Api, id))
}

fn read(document: &Document, own: &WorkspaceId) -> Result<(PurgeFilter, bool), DoorError> {
    let root = document.root();
    if root.kind() != Kind::Object {
        return Err(DoorError::bad_field("body", format!("the body must be an object with any of {FIELDS}")));
    }
    let mut filter = PurgeFilter::default();
    let mut dry_run = false;
    for member in root.members() {
        let name = member.key.as_str().unwrap_or_default();
        match &*name {
            "key" => filter.sha = Some(key(member.value)?),
            "tag" => filter.tag = Some(text("tag", member.value)?),
            "model" => filter.model = Some(text("model", member.value)?),
            "workspace" => filter.workspace = Some(WorkspaceId::new(text("workspace", member.value)?)),
            "dry_run" => {
                let message = || DoorError::bad_field("dry_run", "dry_run must be true or false");
                dry_run = member.value.as_bool().ok_or_else(message)?;
            }
            other => {
                let message = format!("unknown field {other:?}; a purge takes {FIELDS}");
                return Err(DoorError::bad_field(other, message));
            }
        }
    }
    if filter == PurgeFilter::default() {
        let message = format!(
            "say what to purge: one of key, tag, model, or workspace (\"{own}\" for everything of it)"
        );
        return Err(DoorError::bad_field("body", message));
    }
    filter.workspace.get_or_insert_with(|| own.clone());
    Ok((filter, dry_run))
}

fn text(name: &str, value: Node<'_>) -> Result<String, DoorError> {
    let text = value.as_str().filter(|text| !text.is_empty());
    let message = || DoorError::bad_field(name, format!("{name} must be a text that is not empty"));
    text.map(|text| text.into_owned()).ok_or_else(message)
}

fn key(value: Node<'_>) -> Result<[u8; 32], DoorError> {
    let message = || DoorError::bad_field("key", "key must be 64 hex digits, as x-tidegate-key gives them");
    Key::parse_sha(&text("key", value)?).ok_or_else(message)
}
