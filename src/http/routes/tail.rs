//! `GET /api/v1/calls/stream`: calls as they are told, as server-sent events.
//!
//! Owns their form, and that nobody hears a call whom a list would not show it to now. Must not hold up what tells them.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use tidegate_actors::WorkspaceId;
use tidegate_actors::ports::books::{Heard, Listening};
use utoipa::IntoParams;

use super::calls::{self, ListAsked};
use crate::http::booked::CallRow;
use crate::http::error::{DoorError, or_refused};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard};
use crate::identity::{Role, Roster};

/// Silence after which a comment shows that the connection lives, and finds out if it does not.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const COMMENT: Bytes = Bytes::from_static(b": ka\n\n");

/// Which calls.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TailAsked {
    /// The id of a workspace; one's own if it does not say, for operators all. Another for operators alone.
    workspace: Option<String>,
    /// As a row's `credential` shows it.
    key: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    /// `ok`, `failed` or `abandoned`.
    status: Option<String>,
    outcome: Option<String>,
    /// One label.
    tag: Option<String>,
}

/// Calls that were told and are not in the stream.
#[derive(Serialize)]
struct LostShown {
    calls: u64,
}

/// Calls of one second, and how many of them are in the stream.
#[derive(Serialize)]
struct SampledShown {
    calls: u64,
    shown: u64,
}

/// Calls as they are told, from now on: `event: call` with a row as `/api/v1/calls` has it. `event: sampled` says of how many
/// calls of a second only some were shown, `event: lost` how many a slow reader missed; all of them are in the ledger. The
/// stream ends with the server, or with the credential.
#[utoipa::path(get, path = "/api/v1/calls/stream", tag = "Tidegate", params(TailAsked), responses(
    (status = 200, description = "Events until one leaves", body = String, content_type = "text/event-stream"),
    (status = "4XX", description = "What was asked cannot be understood, or too many listen", body = ApiProblem),
    (status = 503, description = "No ledger is kept", body = ApiProblem),
))]
pub(crate) async fn stream(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    or_refused(async {
        let (whose, heard) = listen(&request, &doors)?;
        if request.method() == Method::HEAD {
            // A body that is never sent would keep the head back for ever.
            return Ok(head().finish());
        }
        Ok(events(Following { request, doors, whose, heard }))
    })
    .await
}

fn listen(request: &HttpRequest, doors: &Doors) -> Result<(Option<WorkspaceId>, Listening), DoorError> {
    let principal = guard::admit(request, doors, &access::TAIL)?;
    let TailAsked { workspace, key, model, provider, status, outcome, tag } = calls::asked(request)?;
    let of_all = workspace.is_none() && principal.role == Role::Operator;
    let asked = ListAsked { workspace, key, model, provider, status, outcome, tag, ..ListAsked::default() };
    let like = calls::understood(asked, doors, &principal)?;
    let whose = (!of_all).then(|| like.workspace.clone());
    let heard = calls::books(doors)?.listen(whose.clone(), like);
    Ok((whose, heard.map_err(|crowded| DoorError::crowded(crowded.limit))?))
}

/// Somebody who listens.
struct Following {
    request: HttpRequest,
    doors: web::Data<Doors>,
    whose: Option<WorkspaceId>,
    heard: Listening,
}

impl Following {
    /// Whether the credential is still good for what is heard.
    fn may(&self) -> bool {
        guard::admit(&self.request, &self.doors, &access::TAIL).is_ok_and(|principal| match &self.whose {
            Some(workspace) => principal.sees(workspace),
            None => principal.role == Role::Operator,
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        let clock = self.doors.engine.clock();
        let event = tokio::select! {
            biased;
            heard = self.heard.next() => event(heard?, &self.doors.roster),
            () = clock.sleep_until(clock.now().plus(KEEP_ALIVE)) => COMMENT,
        };
        self.may().then_some(event)
    }
}

fn events(following: Following) -> HttpResponse {
    // The head goes out with the first piece.
    let begin = futures_util::stream::iter([Ok::<_, actix_web::Error>(COMMENT)]);
    let events = unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok(event), following))
    });
    head().streaming(Box::pin(begin.chain(events)))
}

pub(super) fn head() -> HttpResponseBuilder {
    let mut head = HttpResponse::Ok();
    head.content_type("text/event-stream")
        .insert_header(("cache-control", "no-cache"))
        .insert_header(("x-accel-buffering", "no"));
    head
}

pub(super) fn event(heard: Heard, roster: &Roster) -> Bytes {
    match heard {
        Heard::Call(call) => written("call", &CallRow::of((*call).clone(), roster)),
        Heard::Lost(calls) => written("lost", &LostShown { calls }),
        Heard::Sampled { told, heard } => written("sampled", &SampledShown { calls: told, shown: heard }),
    }
}

/// One event; JSON as it is written here has no line ends.
pub(super) fn written(name: &str, data: &impl Serialize) -> Bytes {
    // Texts and numbers have a JSON form.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
}
