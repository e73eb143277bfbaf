//! `GET /api/v1/calls`, `/api/v1/attempts`, `/api/v1/calls/{id}`: what the ledger has.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidegate_actors::ports::books::{BookedAttempt, BookedCall, Books, Cursor, Unreadable, Wanted};
use tidegate_actors::{CallId, WorkspaceId};
use utoipa::{IntoParams, ToSchema};

use super::bodies::{self, BodiesShown};
use crate::http::booked::{AttemptRow, CallRow};
use crate::http::error::{DoorError, Shape, or_refused};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard};
use crate::identity::Principal;
use crate::telemetry::when;

/// A call and the requests made for it.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallFound {
    call: CallRow,
    /// Of the call that paid, if another did.
    attempts: Vec<AttemptRow>,
    /// What it asked and was told, where that is kept and the role may see it.
    bodies: Option<BodiesShown>,
}

/// A call as it was written down.
#[utoipa::path(get, path = "/api/v1/calls/{id}", tag = "Tidegate",
    params(("id" = String, Path, description = "As x-request-id gave it")),
    responses(
        (status = 200, description = "What was written down", body = CallFound),
        (status = 404, description = "It is not in the ledger", body = ApiProblem),
        (status = 503, description = "The ledger cannot be read", body = ApiProblem),
    ),
)]
pub(crate) async fn one(
    request: HttpRequest,
    id: web::Path<String>,
    doors: web::Data<Doors>,
) -> HttpResponse {
    let own = CallId::fresh();
    let found = async {
        let principal = guard::admit(&request, &doors, &access::CALL)?;
        let unknown = || DoorError::no_such_call(&id, doors.config.gateway.explain_calls);
        let asked = CallId::parse(&id).ok_or_else(unknown)?;
        let (call, attempts) = find(&doors, &principal, asked).await?.ok_or_else(unknown)?;
        let attempts = attempts.into_iter().map(|row| AttemptRow::of(row, &doors.roster)).collect();
        let workspace = WorkspaceId::new(&*call.workspace);
        let kept = bodies::kept(&doors, &principal, asked, &workspace).await?;
        let call = CallRow::of(call, &doors.roster);
        let found = CallFound { call, attempts, bodies: kept.map(BodiesShown::from) };
        Ok::<_, DoorError>(HttpResponse::Ok().json(found))
    };
    found.await.unwrap_or_else(|error| error.respond(Shape::Api, own))
}

/// Calls of a workspace.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallList {
    calls: Vec<CallRow>,
    /// Where the next page begins; null if this is the last.
    next_cursor: Option<String>,
    /// Rows that were looked at.
    scanned: u64,
}

/// Requests to upstreams of a workspace.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttemptList {
    attempts: Vec<AttemptRow>,
    /// Where the next page begins; null if this is the last.
    next_cursor: Option<String>,
    /// Rows that were looked at.
    scanned: u64,
}

/// Calls as they were written down, the latest first.
#[utoipa::path(get, path = "/api/v1/calls", tag = "Tidegate", params(ListAsked), responses(
    (status = 200, description = "A page of calls", body = CallList),
    (status = "4XX", description = "What was asked cannot be understood", body = ApiProblem),
    (status = 503, description = "No ledger is kept, or it cannot be read", body = ApiProblem),
))]
pub(crate) async fn list(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::CALLS)?;
        let page = books(&doors)?.calls(wanted(&request, &doors, &principal)?).await?;
        let next_cursor = page.next.map(|cursor| cursor.to_string());
        let calls = page.rows.into_iter().map(|row| CallRow::of(row, &doors.roster)).collect();
        Ok(HttpResponse::Ok().json(CallList { calls, next_cursor, scanned: page.scanned }))
    })
    .await
}

/// Requests to upstreams as they were written down, the latest first.
#[utoipa::path(get, path = "/api/v1/attempts", tag = "Tidegate", params(ListAsked), responses(
    (status = 200, description = "A page of requests", body = AttemptList),
    (status = "4XX", description = "What was asked cannot be understood", body = ApiProblem),
    (status = 503, description = "No ledger is kept, or it cannot be read", body = ApiProblem),
))]
pub(crate) async fn attempts(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::ATTEMPTS)?;
        let page = books(&doors)?.attempts(wanted(&request, &doors, &principal)?).await?;
        let next_cursor = page.next.map(|cursor| cursor.to_string());
        let attempts = page.rows.into_iter().map(|row| AttemptRow::of(row, &doors.roster)).collect();
        let list = AttemptList { attempts, next_cursor, scanned: page.scanned };
        Ok(HttpResponse::Ok().json(list))
    })
    .await
}

/// Which rows, and how many.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListAsked {
    /// Rows of a page, 1 to 1000; 50 if it does not say.
    pub(super) limit: Option<usize>,
    /// `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
    /// From this moment on, RFC 3339; a week before `until` if it does not say.
    pub(super) since: Option<String>,
    /// Before this moment, RFC 3339; now if it does not say.
    pub(super) until: Option<String>,
    /// The id of a workspace; one's own if it does not say. Another for operators alone.
    pub(super) workspace: Option<String>,
    /// As a row's `credential` or `credential_id` shows it.
    pub(super) key: Option<String>,
    pub(super) model: Option<String>,
    pub(super) provider: Option<String>,
    /// Of a call `ok`, `failed` or `abandoned`; of a request as it ended.
    pub(super) status: Option<String>,
    /// Of a call.
    pub(super) outcome: Option<String>,
    /// One label of a call.
    pub(super) tag: Option<String>,
}

const DEFAULT_ROWS: usize = 50;
const MOST_ROWS: usize = 1_000;
const WEEK_US: i64 = 7 * 86_400 * 1_000_000;

pub(super) fn books(doors: &Doors) -> Result<&Arc<dyn Books>, DoorError> {
    doors.books.as_ref().ok_or_else(DoorError::no_ledger)
}

/// The parameters of a request.
pub(super) fn asked<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, DoorError> {
    let asked = web::Query::from_query(request.query_string());
    asked.map(web::Query::into_inner).map_err(|error| DoorError::bad_field("query", error.to_string()))
}

pub(super) fn wanted(
    request: &HttpRequest,
    doors: &Doors,
    principal: &Principal,
) -> Result<Wanted, DoorError> {
    understood(asked(request)?, doors, principal)
}

/// What was asked, as the ledger takes it.
pub(super) fn understood(
    asked: ListAsked,
    doors: &Doors,
    principal: &Principal,
) -> Result<Wanted, DoorError> {
    let limit = asked.limit.unwrap_or(DEFAULT_ROWS);
    if !(1..=MOST_ROWS).contains(&limit) {
        return Err(DoorError::bad_field("limit", format!("limit must be 1 to {MOST_ROWS}, got {limit}")));
    }
    let until_us =
        moment("until", asked.until)?.unwrap_or_else(|| doors.engine.clock().unix_us().saturating_add(1));
    let since_us = moment("since", asked.since)?.unwrap_or_else(|| until_us.saturating_sub(WEEK_US));
    let cursor = |text: String| {
        let message = || format!("cursor must be the next_cursor of a page, got {text:?}");
        Cursor::parse(&text).ok_or_else(|| DoorError::bad_field("cursor", message()))
    };
    let key = |text: String| {
        let message = || format!("key must be a row's credential or credential_id, got {text:?}");
        let number = u64::from_str_radix(&text, 16).ok().or_else(|| doors.roster.credential(&text));
        number.ok_or_else(|| DoorError::bad_field("key", message()))
    };
    let boxed = |text: Option<String>| text.map(String::into_boxed_str);
    Ok(Wanted {
        workspace: workspace(asked.workspace, principal)?,
        since_us,
        until_us,
        credential: asked.key.map(key).transpose()?,
        model: boxed(asked.model),
        provider: boxed(asked.provider),
        status: boxed(asked.status),
        outcome: boxed(asked.outcome),
        tag: boxed(asked.tag),
        after: asked.cursor.map(cursor).transpose()?,
        limit,
    })
}

pub(super) fn workspace(asked: Option<String>, principal: &Principal) -> Result<WorkspaceId, DoorError> {
    let workspace = asked.map_or_else(|| principal.workspace.clone(), WorkspaceId::new);
    match principal.sees(&workspace) {
        true => Ok(workspace),
        false => Err(DoorError::other_workspace(workspace.as_str())),
    }
}

pub(super) fn moment(name: &str, text: Option<String>) -> Result<Option<i64>, DoorError> {
    let Some(text) = text else { return Ok(None) };
    let message = || format!("{name} must be a time like 2026-01-31T12:00:00Z, got {text:?}");
    when::read(&text).map(Some).ok_or_else(|| DoorError::bad_field(name, message()))
}

type Found = (BookedCall<'static>, Vec<BookedAttempt<'static>>);

/// The call and the attempts that brought its answer, if the asker may know of it.
async fn find(doors: &Doors, principal: &Principal, id: CallId) -> Result<Option<Found>, Unreadable> {
    let Some(books) = &doors.books else { return Ok(None) };
    let own = |call: &BookedCall<'_>| principal.sees(&WorkspaceId::new(&*call.workspace));
    let Some(call) = books.call(id).await?.filter(own) else { return Ok(None) };
    let mut attempts = books.attempts_of(call.payer.unwrap_or(id), call.batch).await?;
    attempts.retain(|attempt| attempt.workspace == call.workspace);
    Ok(Some((call, attempts)))
}

/// The call as the ledger has it.
pub(super) async fn booked(
    doors: &Doors,
    principal: &Principal,
    id: CallId,
) -> Result<Option<BookedCall<'static>>, Unreadable> {
    Ok(find(doors, principal, id).await?.map(|(call, _)| call))
}
