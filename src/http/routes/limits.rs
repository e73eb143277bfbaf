//! `/api/v1/limits`: what workspaces and keys may use.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use tidegate_actors::{CallId, WorkspaceId};
use utoipa::ToSchema;

use crate::http::error::{DoorError, Shape};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard, intake};
use crate::identity::{Contents, LimitName, Office, Principal, Role, Subject};

/// Limits to set, of a workspace or of a key; what is left out is lifted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitRequest {
    /// Id or name. For operators.
    workspace: Option<String>,
    /// Id, or the eight characters behind `tg_`.
    key: Option<String>,
    /// Calls that begin.
    requests_per_minute: Option<u64>,
    /// Tokens read and written by providers; a call reserves a fourth of its bytes until they are known.
    tokens_per_minute: Option<u64>,
    /// Calls that have begun and not ended.
    concurrent_calls: Option<u64>,
}

/// A limit in force.
#[derive(Serialize, ToSchema)]
pub(crate) struct LimitShown {
    /// The id of a workspace or of a key.
    subject: String,
    /// `requests_per_minute`, `tokens_per_minute` or `concurrent_calls`.
    name: &'static str,
    value: u64,
}

/// Limits.
#[derive(Serialize, ToSchema)]
pub(crate) struct LimitList {
    limits: Vec<LimitShown>,
}

/// What one's own workspace and its keys may use; everything for operators.
#[utoipa::path(get, path = "/api/v1/limits", tag = "Tidegate", responses(
    (status = 200, description = "The limits in force", body = LimitList),
    (status = "4XX", description = "Refused", body = ApiProblem),
))]
pub(crate) async fn list(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    match guard::admit(&request, &doors, &access::LIMITS) {
        Ok(principal) => HttpResponse::Ok().json(listed(&doors.roster.contents(), &principal)),
        Err(error) => error.respond(Shape::Api, CallId::fresh()),
    }
}

/// Sets what a workspace or a key may use.
#[utoipa::path(post, path = "/api/v1/limits", tag = "Tidegate", request_body = LimitRequest, responses(
    (status = 200, description = "The limits in force", body = LimitList),
    (status = "4XX", description = "Nothing was changed", body = ApiProblem),
))]
pub(crate) async fn set(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    let done = async {
        let principal = guard::admit(&request, &doors, &access::SET_LIMITS)?;
        let asked: LimitRequest = intake::fields(&doors, &request, &mut payload).await?;
        let office = doors.office()?;
        office.refresh().await.map_err(|fault| DoorError::store(&fault))?;
        let subject = subject(office, &principal, &asked)?;
        let limits = [
            (LimitName::RequestsPerMinute, asked.requests_per_minute),
            (LimitName::TokensPerMinute, asked.tokens_per_minute),
            (LimitName::ConcurrentCalls, asked.concurrent_calls),
        ];
        office.limit(&subject, &limits).await?;
        Ok::<_, DoorError>(HttpResponse::Ok().json(listed(&doors.roster.contents(), &principal)))
    };
    done.await.unwrap_or_else(|error| error.respond(Shape::Api, CallId::fresh()))
}

/// What is to be limited, if the asker may.
fn subject(office: &Office, principal: &Principal, asked: &LimitRequest) -> Result<Subject, DoorError> {
    match (&asked.workspace, &asked.key) {
        (Some(named), None) if principal.role < Role::Operator => Err(DoorError::other_workspace(named)),
        (Some(named), None) => Ok(Subject::Workspace(named.clone())),
        (None, Some(named)) => {
            let known = office.key(named).ok().filter(|row| principal.sees(&row.workspace));
            known.map(|row| Subject::Key(row.id)).ok_or_else(|| DoorError::no_such("key", named))
        }
        _ => Err(DoorError::bad_field("body", "say what is limited: either workspace or key")),
    }
}

fn listed(contents: &Contents, principal: &Principal) -> LimitList {
    let is_seen = |subject: &str| match contents.keys.iter().find(|key| key.id == subject) {
        Some(key) => principal.sees(&key.workspace),
        None => principal.sees(&WorkspaceId::new(subject)),
    };
    let seen = contents.limits.iter().filter(|limit| is_seen(&limit.subject));
    let shown = seen.map(|limit| LimitShown {
        subject: limit.subject.clone(),
        name: limit.name.name(),
        value: limit.value,
    });
    LimitList { limits: shown.collect() }
}
