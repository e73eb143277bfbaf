//! `/api/v1/workspaces`: list them, make one.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use tidegate_actors::CallId;
use utoipa::ToSchema;

use crate::http::error::{DoorError, Shape};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard, intake};
use crate::identity::Workspace;
use crate::telemetry::when::written;

/// A workspace to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkspaceRequest {
    /// What people will call it; no two have the same.
    name: String,
}

/// Those who share answers, keys and books.
#[derive(Serialize, ToSchema)]
pub(crate) struct WorkspaceShown {
    #[schema(example = "ws_01932c07-9a3e-7a61-b2f0-0123456789ab")]
    id: String,
    name: String,
    /// RFC 3339 UTC.
    created_at: String,
}

/// Workspaces, the oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct WorkspaceList {
    workspaces: Vec<WorkspaceShown>,
}

impl From<&Workspace> for WorkspaceShown {
    fn from(workspace: &Workspace) -> Self {
        let Workspace { id, name, created_us } = workspace;
        Self { id: id.as_str().to_owned(), name: name.clone(), created_at: written(*created_us) }
    }
}

/// One's own workspace; all of them for operators.
#[utoipa::path(get, path = "/api/v1/workspaces", tag = "Tidegate", responses(
    (status = 200, description = "Those the asker may know of", body = WorkspaceList),
    (status = "4XX", description = "Refused", body = ApiProblem),
))]
pub(crate) async fn list(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    let principal = match guard::admit(&request, &doors, &access::WORKSPACES) {
        Ok(principal) => principal,
        Err(error) => return error.respond(Shape::Api, CallId::fresh()),
    };
    let contents = doors.roster.contents();
    let seen = contents.workspaces.iter().filter(|workspace| principal.sees(&workspace.id));
    HttpResponse::Ok().json(WorkspaceList { workspaces: seen.map(WorkspaceShown::from).collect() })
}

/// Makes a workspace.
#[utoipa::path(post, path = "/api/v1/workspaces", tag = "Tidegate", request_body = WorkspaceRequest, responses(
    (status = 201, description = "It is there", body = WorkspaceShown),
    (status = "4XX", description = "None was made", body = ApiProblem),
))]
pub(crate) async fn make(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    let done = async {
        guard::admit(&request, &doors, &access::MAKE_WORKSPACE)?;
        let asked: WorkspaceRequest = intake::fields(&doors, &request, &mut payload).await?;
        let workspace = doors.office()?.make_workspace(&asked.name).await?;
        Ok::<_, DoorError>(HttpResponse::Created().json(WorkspaceShown::from(&workspace)))
    };
    done.await.unwrap_or_else(|error| error.respond(Shape::Api, CallId::fresh()))
}
