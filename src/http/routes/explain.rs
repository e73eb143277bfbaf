//! `GET /api/v1/calls/{id}/explain`: the way a call went, and for a miss what set it apart from the nearest other.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::ports::books::BookedCall;
use tidegate_actors::record::CallRecord;
use tidegate_actors::{CallId, Form, Stage};
use utoipa::ToSchema;

use super::{bodies, calls};
use crate::http::booked::{ErrorShown, ItemsShown, UsageShown, some, split};
use crate::http::error::{DoorError, Shape};
use crate::http::openapi::ApiProblem;
use crate::http::values::value_at;
use crate::http::{Doors, access, guard};
use crate::identity::Principal;
use crate::telemetry::when::written;

/// One call, from admission to its end.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallShown {
    id: String,
    workspace: String,
    #[schema(example = "openai.chat")]
    door: String,
    /// `chat`, `embed` or `forward`.
    kind: String,
    /// The name that was asked for.
    model: String,
    /// `whole` or `stream`.
    form: String,
    tags: Vec<String>,
    /// Admission, RFC 3339 UTC.
    #[schema(example = "2026-01-31T12:00:00.000001Z")]
    at: String,
    /// `hit`, `joined`, `miss`, `mixed`, `bypass`, `failed` or `abandoned`.
    outcome: String,
    /// Why it was not a hit, or the limit that refused it; empty for a hit.
    reason: String,
    key: Option<String>,
    /// Who answered, as `provider/model`.
    target: Option<String>,
    /// The call that paid, if another did.
    payer: Option<String>,
    /// Requests sent upstream for it.
    attempts: u32,
    items: ItemsShown,
    usage: Option<UsageShown>,
    error: Option<ErrorShown>,
    /// The stages it reached, in order.
    stages: Vec<StageShown>,
    /// Paths of the canonical fields.
    fields: Vec<String>,
    /// For a miss: the recent call it differs least from.
    nearest: Option<Nearest>,
}

/// One stage: when it ended, counted from admission, and how long it took, microseconds.
#[derive(Serialize, ToSchema)]
pub(crate) struct StageShown {
    stage: &'static str,
    at_us: f64,
    took_us: f64,
}

/// Another call and the paths at which the bodies differ.
#[derive(Serialize, ToSchema)]
pub(crate) struct Nearest {
    id: String,
    key: Option<String>,
    differs: Vec<String>,
    /// What stands there, where both bodies are kept and the role may see them.
    values: Vec<DifferenceShown>,
    note: &'static str,
}

/// The values at one path, as JSON text, cut where they are long; null where there is none.
#[derive(Serialize, ToSchema)]
pub(crate) struct DifferenceShown {
    path: String,
    own: Option<String>,
    other: Option<String>,
}

/// What is remembered of one recent call.
#[utoipa::path(get, path = "/api/v1/calls/{id}/explain", tag = "Tidegate",
    params(("id" = String, Path, description = "As x-request-id gave it, or x-tidegate-calls for a run of an app")),
    responses(
        (status = 200, description = "The way the call went", body = CallShown),
        (status = 404, description = "Nobody remembers it", body = ApiProblem),
    ),
)]
pub(crate) async fn explain(
    request: HttpRequest,
    id: web::Path<String>,
    doors: web::Data<Doors>,
) -> HttpResponse {
    let own = CallId::fresh();
    let principal = match guard::admit(&request, &doors, &access::EXPLAIN) {
        Ok(principal) => principal,
        Err(error) => return error.respond(Shape::Api, own),
    };
    let of_app = doors.site().map(|site| site.host().asker().engine());
    let explained = |id| doors.engine.explain(id).or_else(|| of_app.and_then(|engine| engine.explain(id)));
    let unknown =
        || DoorError::no_such_call(&id, doors.config.gateway.explain_calls).respond(Shape::Api, own);
    let Some(asked) = CallId::parse(&id) else { return unknown() };
    // Whose call it is must not be learned by asking for it.
    let own_record = |(record, _): &(CallRecord, _)| principal.sees(&record.workspace);
    if let Some((record, nearest)) = explained(asked).filter(own_record) {
        let mut told = shown(&record, nearest.as_ref());
        if let (Some(other), Some(near)) = (&nearest, &mut told.nearest) {
            near.values = values(&doors, &principal, [&record, other], &near.differs).await;
        }
        return HttpResponse::Ok().json(told);
    }
    match calls::booked(&doors, &principal, asked).await {
        Ok(Some(row)) => HttpResponse::Ok().json(shown_from_ledger(row)),
        Ok(None) => unknown(),
        Err(unreadable) => DoorError::from(unreadable).respond(Shape::Api, own),
    }
}

fn shown(record: &CallRecord, nearest: Option<&CallRecord>) -> CallShown {
    CallShown {
        id: record.id.to_string(),
        workspace: record.workspace.as_str().to_owned(),
        door: record.door.to_owned(),
        kind: record.kind.name().to_owned(),
        model: record.model.to_string(),
        form: match record.form {
            Form::Whole => "whole".to_owned(),
            Form::Stream => "stream".to_owned(),
        },
        tags: record.tags.iter().map(|tag| tag.to_string()).collect(),
        at: written(record.unix_us),
        outcome: record.outcome.to_owned(),
        reason: record.reason.to_owned(),
        key: record.key.map(|key| key.hex()),
        target: record.target.as_deref().map(str::to_owned),
        payer: record.payer.map(|payer| payer.to_string()),
        attempts: record.attempts,
        items: record.items.into(),
        usage: record.usage.map(UsageShown::from),
        error: record.error.map(|error| ErrorShown {
            stage: error.stage.name().to_owned(),
            code: error.code.to_owned(),
            blame: error.blame.name().to_owned(),
        }),
        stages: stages(|stage| record.mark(stage)),
        fields: fields(record, nearest),
        nearest: nearest.filter(|_| record.fields.is_some()).map(|other| near(record, other)),
    }
}

/// What the ledger knows of a call that is remembered no more: everything but its fields and its neighbours.
fn shown_from_ledger(row: BookedCall<'static>) -> CallShown {
    let stages = stages(|stage| row.mark(stage));
    let [stage, code, blame] = row.failure.map(String::from);
    CallShown {
        id: row.id.to_string(),
        workspace: row.workspace.into(),
        door: row.door.into(),
        kind: row.kind.into(),
        model: row.model.into(),
        form: row.form.into(),
        tags: split(&row.tags),
        at: written(row.at_us),
        outcome: row.outcome.into(),
        reason: row.reason.into(),
        key: row.key.map(hex::encode),
        target: some(row.target.into()),
        payer: row.payer.map(|payer| payer.to_string()),
        attempts: row.attempts,
        items: row.items.into(),
        usage: row.usage.map(UsageShown::from),
        error: some(code).map(|code| ErrorShown { stage, code, blame }),
        stages,
        fields: Vec::new(),
        nearest: None,
    }
}

fn stages(mark: impl Fn(Stage) -> Option<u64>) -> Vec<StageShown> {
    let mut before = 0;
    let reached = Stage::ALL.into_iter().filter_map(|stage| Some((stage, mark(stage)?)));
    reached
        .map(|(stage, at)| {
            let took = at.saturating_sub(before);
            before = before.max(at);
            StageShown { stage: stage.name(), at_us: at as f64 / 1e3, took_us: took as f64 / 1e3 }
        })
        .collect()
}

/// Paths of the canonical fields; a hit has those of the call that paid for its answer.
fn fields(record: &CallRecord, nearest: Option<&CallRecord>) -> Vec<String> {
    let fields = record.fields.as_ref().or_else(|| nearest?.fields.as_ref());
    fields.map_or_else(Vec::new, |sketch| sketch.fields().iter().map(|(path, _)| path.to_owned()).collect())
}

fn near(record: &CallRecord, other: &CallRecord) -> Nearest {
    let differs = match (&record.fields, &other.fields) {
        (Some(own), Some(others)) => own.diff(others),
        _ => Vec::new(),
    };
    let resolved = differs.is_empty() && record.key != other.key;
    let note = if resolved { "the bodies agree: another target, header or version was in force" } else { "" };
    Nearest {
        id: other.id.to_string(),
        key: other.key.map(|key| key.hex()),
        differs,
        values: Vec::new(),
        note,
    }
}

/// What stands at the paths in which two calls differ, if what they asked is kept.
async fn values(
    doors: &Doors,
    principal: &Principal,
    calls: [&CallRecord; 2],
    paths: &[String],
) -> Vec<DifferenceShown> {
    let mut bodies = Vec::new();
    for call in calls {
        // What cannot be read is as if it were not kept: the paths are told all the same.
        let kept = bodies::kept(doors, principal, call.id, &call.workspace).await.ok().flatten();
        let body = kept.and_then(|kept| Document::parse(kept.request.bytes, JsonLimits::default()).ok());
        bodies.extend(body);
    }
    let [own, other] = bodies.as_slice() else { return Vec::new() };
    let difference = |path: &String| DifferenceShown {
        path: path.clone(),
        own: value_at(own, path),
        other: value_at(other, path),
    };
    paths.iter().map(difference).collect()
}
