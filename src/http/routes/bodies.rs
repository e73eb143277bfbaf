//! `GET /api/v1/calls/{id}/bodies`: what a call asked and was told, where its workspace keeps that.

use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tidegate_actors::ports::bodies::{Exchange, KeptBody};
use tidegate_actors::ports::books::Unreadable;
use tidegate_actors::{CallId, WorkspaceId};
use utoipa::ToSchema;

use super::calls;
use crate::http::error::{DoorError, or_refused};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard};
use crate::identity::Principal;

/// What a call asked and was told.
#[derive(Serialize, ToSchema)]
pub(crate) struct BodiesShown {
    request: BodyShown,
    /// Null where there was no answer, or one longer than `ledger.body_max_bytes`.
    answer: Option<BodyShown>,
}

/// A body as it is kept: keys and tokens in it are masked.
#[derive(Serialize, ToSchema)]
pub(crate) struct BodyShown {
    /// Of what is kept, in hex.
    sha256: String,
    bytes: usize,
    /// The body, if it is a text.
    text: Option<String>,
    /// The body, if it is none.
    base64: Option<String>,
}

impl From<KeptBody> for BodyShown {
    fn from(body: KeptBody) -> Self {
        let KeptBody { sha, bytes } = body;
        let text = std::str::from_utf8(&bytes).ok().map(str::to_owned);
        let base64 = text.is_none().then(|| STANDARD.encode(&bytes));
        Self { sha256: hex::encode(sha), bytes: bytes.len(), text, base64 }
    }
}

impl From<Exchange> for BodiesShown {
    fn from(exchange: Exchange) -> Self {
        Self { request: exchange.request.into(), answer: exchange.answer.map(BodyShown::from) }
    }
}

/// What a call asked and was told, where its workspace keeps that.
#[utoipa::path(get, path = "/api/v1/calls/{id}/bodies", tag = "Tidegate",
    params(("id" = String, Path, description = "As x-request-id gave it")),
    responses(
        (status = 200, description = "What was kept", body = BodiesShown),
        (status = "4XX", description = "Nothing of it is kept, or the role may not see it", body = ApiProblem),
        (status = 503, description = "The ledger cannot be read", body = ApiProblem),
    ),
)]
pub(crate) async fn one(
    request: HttpRequest,
    id: web::Path<String>,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::BODIES)?;
        let unknown = || DoorError::no_such("body kept of the call", &id);
        let call = CallId::parse(&id).ok_or_else(unknown)?;
        let booked = calls::booked(&doors, &principal, call).await?.ok_or_else(unknown)?;
        let workspace = WorkspaceId::new(&*booked.workspace);
        let kept = kept(&doors, &principal, call, &workspace).await?.ok_or_else(unknown)?;
        Ok(HttpResponse::Ok().json(BodiesShown::from(kept)))
    })
    .await
}

/// What is kept of a call, if the asker's role may see it.
pub(super) async fn kept(
    doors: &Doors,
    principal: &Principal,
    call: CallId,
    workspace: &WorkspaceId,
) -> Result<Option<Exchange>, Unreadable> {
    match &doors.archive {
        Some(archive) if access::BODIES.permit(principal).is_ok() && principal.sees(workspace) => {
            archive.find(call, workspace).await
        }
        _ => Ok(None),
    }
}
