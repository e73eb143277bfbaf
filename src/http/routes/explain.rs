//! `GET /api/v1/calls/{id}/explain`: the way a call went, and for a miss what set it apart from the nearest other.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use tidegate_actors::record::CallRecord;
use tidegate_actors::{CallId, Form, Stage};

use crate::http::error::{DoorError, Shape};
use crate::http::{Doors, guard};

/// What is remembered of one recent call.
pub(crate) async fn explain(
    request: HttpRequest,
    id: web::Path<String>,
    doors: web::Data<Doors>,
) -> HttpResponse {
    let own = CallId::fresh();
    if let Err(error) = guard::admit(&request) {
        return error.respond(Shape::Api, own);
    }
    match CallId::parse(&id).and_then(|id| doors.engine.explain(id)) {
        Some((record, nearest)) => HttpResponse::Ok().json(shown(&record, nearest.as_ref())),
        None => DoorError::no_such_call(&id, doors.config.gateway.explain_calls).respond(Shape::Api, own),
    }
}

fn shown(record: &CallRecord, nearest: Option<&CallRecord>) -> Value {
    json!({
        "id": record.id.to_string(),
        "workspace": record.workspace.as_str(),
        "door": record.door,
        "kind": record.kind.name(),
        "model": &*record.model,
        "form": match record.form { Form::Whole => "whole", Form::Stream => "stream" },
        "tags": record.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(),
        "unix_us": record.unix_us,
        "outcome": record.outcome,
        "reason": record.reason,
        "key": record.key.map(|key| key.hex()),
        "target": record.target.as_deref(),
        "payer": record.payer.map(|payer| payer.to_string()),
        "attempts": record.attempts,
        "items": { "hit": record.items.hit, "joined": record.items.joined, "miss": record.items.miss },
        "usage": record.usage.map(|usage| json!({
            "input": usage.input, "cached_read": usage.cached_read, "cached_write": usage.cached_write,
            "output": usage.output, "reasoning": usage.reasoning,
        })),
        "error": record.error.map(|(stage, kind)| json!({ "stage": stage.name(), "code": kind })),
        "stages": stages(record),
        "fields": fields(record, nearest),
        "nearest": nearest.filter(|_| record.fields.is_some()).map(|other| near(record, other)),
    })
}

/// Each stage that was reached: when it ended, counted from admission, and how long it took.
fn stages(record: &CallRecord) -> Vec<Value> {
    let mut before = 0;
    let reached = Stage::ALL.into_iter().filter_map(|stage| Some((stage, record.mark(stage)?)));
    reached
        .map(|(stage, at)| {
            let took = at.saturating_sub(before);
            before = before.max(at);
            json!({ "stage": stage.name(), "at_us": at as f64 / 1e3, "took_us": took as f64 / 1e3 })
        })
        .collect()
}

/// Paths of the canonical fields; a hit has those of the call that paid for its answer.
fn fields(record: &CallRecord, nearest: Option<&CallRecord>) -> Vec<String> {
    let fields = record.fields.as_ref().or_else(|| nearest?.fields.as_ref());
    fields.map_or_else(Vec::new, |fields| fields.iter().map(|(path, _)| path.to_owned()).collect())
}

fn near(record: &CallRecord, other: &CallRecord) -> Value {
    let differs = match (&record.fields, &other.fields) {
        (Some(own), Some(others)) => own.diff(others),
        _ => Vec::new(),
    };
    let resolved = differs.is_empty() && record.key != other.key;
    json!({
        "id": other.id.to_string(),
        "key": other.key.map(|key| key.hex()),
        "differs": differs,
        "note": if resolved { "the bodies agree: another target, header or version was in force" } else { "" },
    })
}
