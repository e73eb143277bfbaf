//! `/api/v1/workspaces`: list them, make one, say what one keeps.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::error::{DoorError, or_refused};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard, intake};
use crate::identity::{LimitName, Subject, Workspace};
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
    /// Days that what its calls ask and are told is kept, `ledger.bodies_days` at most; null if nothing of it is.
    keep_bodies_days: Option<u64>,
}

/// What a workspace keeps.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkspaceChange {
    /// Days that what its calls ask and are told is kept from here on; null ends it and drops what was kept.
    keep_bodies_days: Option<u64>,
}

/// Workspaces, the oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct WorkspaceList {
    workspaces: Vec<WorkspaceShown>,
}

impl WorkspaceShown {
    fn of(workspace: &Workspace, doors: &Doors) -> Self {
        let Workspace { id, name, created_us } = workspace;
        let keep_bodies_days = doors.roster.body_days(id);
        let (id, name) = (id.as_str().to_owned(), name.clone());
        Self { id, name, created_at: written(*created_us), keep_bodies_days }
    }
}

/// One's own workspace; all of them for operators.
#[utoipa::path(get, path = "/api/v1/workspaces", tag = "Tidegate", responses(
    (status = 200, description = "Those the asker may know of", body = WorkspaceList),
    (status = "4XX", description = "Refused", body = ApiProblem),
))]
pub(crate) async fn list(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::WORKSPACES)?;
        let contents = doors.roster.contents();
        let seen = contents.workspaces.iter().filter(|workspace| principal.sees(&workspace.id));
        Ok(HttpResponse::Ok()
            .json(WorkspaceList { workspaces: seen.map(|seen| WorkspaceShown::of(seen, &doors)).collect() }))
    })
    .await
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
    or_refused(async {
        guard::admit(&request, &doors, &access::MAKE_WORKSPACE)?;
        let asked: WorkspaceRequest = intake::fields(&doors, &request, &mut payload).await?;
        let workspace = doors.office()?.make_workspace(&asked.name).await?;
        Ok(HttpResponse::Created().json(WorkspaceShown::of(&workspace, &doors)))
    })
    .await
}

/// Says whether what the calls of a workspace ask and are told is kept, and for how long.
#[utoipa::path(post, path = "/api/v1/workspaces/{id}", tag = "Tidegate", request_body = WorkspaceChange,
    params(("id" = String, Path, description = "Id or name; one's own, or any for operators")),
    responses(
        (status = 200, description = "It is in force", body = WorkspaceShown),
        (status = "4XX", description = "Nothing was changed", body = ApiProblem),
    ),
)]
pub(crate) async fn set(
    request: HttpRequest,
    id: web::Path<String>,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::SET_WORKSPACE)?;
        let asked: WorkspaceChange = intake::fields(&doors, &request, &mut payload).await?;
        let office = doors.office()?;
        office.refresh().await.map_err(|fault| DoorError::store(&fault))?;
        let known = office.workspace(&id).ok().filter(|workspace| principal.sees(&workspace.id));
        let workspace = known.ok_or_else(|| DoorError::no_such("workspace", &id))?;
        let days = [(LimitName::BodyDays, asked.keep_bodies_days)];
        office.limit(&Subject::Workspace(workspace.id.to_string()), &days).await?;
        Ok(HttpResponse::Ok().json(WorkspaceShown::of(&workspace, &doors)))
    })
    .await
}
