//! What a client is told when there is no answer: status, body in the door's own shape, and whether to come back.
//!
//! Owns the way from [`CallError`] to HTTP. Status decides the exception class in every SDK; 409 is never used,
//! because SDKs repeat it.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use tidegate_actors::ports::books::Unreadable;
use tidegate_actors::ports::provider::{Fault, FaultKind};
use tidegate_actors::{Blame, CallError, CallId, ErrorKind, Retry, Stage};

use super::turn;
use super::vendor::Vendor;
use crate::dialect::error::{self as bodies, ApiError, BadRequest, UpstreamError};
use crate::run::routing::refused;

use limited::{LimitTold, Limited, SPENT};

mod denied;
mod limited;
mod parts;

/// Longest pause ever asked of a client: SDKs give up on or sit out longer ones.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// In whose shape an error is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    OpenAi,
    Anthropic,
    Api,
    /// As `.ai` apps tell theirs.
    App,
}

impl Shape {
    /// The shape of a path that no door has claimed.
    pub(crate) fn of(path: &str, anthropic: bool) -> Self {
        match path {
            _ if path.starts_with("/v1/messages") || (anthropic && path.starts_with("/v1/")) => {
                Self::Anthropic
            }
            _ if path.starts_with("/v1/") => Self::OpenAi,
            _ => Self::Api,
        }
    }
}

/// Everything a door can refuse with.
#[derive(Debug)]
pub(crate) struct DoorError {
    status: u16,
    message: String,
    param: Option<String>,
    code: &'static str,
    stage: Stage,
    blame: Blame,
    retry: Retry,
    /// A time to come back is known, and an SDK must not use it on its own: we tried in its place.
    spent: bool,
    /// The upstream's own words, where they may be shown.
    upstream: Option<Box<UpstreamError>>,
    /// The limit that is used up.
    limited: Option<Box<Limited>>,
}

/// The answer of a handler of `/api/v1`, or its refusal in the shape these have.
pub(crate) async fn or_refused(
    answer: impl Future<Output = Result<HttpResponse, DoorError>>,
) -> HttpResponse {
    answer.await.unwrap_or_else(|error| error.respond(Shape::Api, CallId::fresh()))
}

impl DoorError {
    fn refused(status: u16, code: &'static str, message: String) -> Self {
        Self {
            status,
            message,
            param: None,
            code,
            stage: Stage::Admit,
            blame: Blame::Caller,
            retry: Retry::Never,
            spent: false,
            upstream: None,
            limited: None,
        }
    }

    pub(crate) fn foreign(what: &str, value: &str) -> Self {
        let value: String = value.chars().filter(|letter| !letter.is_control()).take(100).collect();
        let message = format!(
            "{what} {value:?} is not this machine; without configured keys only programs on this machine may call"
        );
        Self::refused(403, "foreign_origin", message)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("the body is larger than {limit} bytes, the limit (limits.body_bytes)");
        Self::refused(413, "body_too_large", message)
    }

    pub(crate) fn bodies_full(limit: usize) -> Self {
        let message = format!(
            "request bodies take up {limit} bytes already, the limit (limits.buffered_bytes); nothing was started"
        );
        let retry = Retry::After(Duration::from_millis(500));
        Self { blame: Blame::Us, retry, ..Self::refused(429, "bodies_full", message) }
    }

    pub(crate) fn body_broken(why: &str) -> Self {
        Self::refused(400, "body_broken", format!("the body could not be read: {why}"))
    }

    pub(crate) fn body_slow(after_ms: u64) -> Self {
        let message = format!("no byte of the body came for {after_ms} ms (listen.keep_alive_ms)");
        Self::refused(408, "body_slow", message)
    }

    pub(crate) fn unknown_model(name: &str, near: &[&str]) -> Self {
        let hint = match near {
            [] => "; GET /v1/models lists the known ones".to_owned(),
            near => format!("; did you mean {}?", near.join(" or ")),
        };
        let shown: String = name.chars().take(200).collect();
        let message = format!("model {shown:?} is not configured{hint}");
        Self { param: Some("model".to_owned()), ..Self::refused(404, "model_not_found", message) }
    }

    pub(crate) fn wrong_door(model: &str, path: &str, why: &str) -> Self {
        let message = format!("model {model:?} cannot answer {path}: it {why}");
        Self { param: Some("model".to_owned()), ..Self::refused(400, "model_not_supported", message) }
    }

    pub(crate) fn no_passthrough(fitting: usize) -> Self {
        let message = match fitting {
            0 => "no configured provider answers this path".to_owned(),
            several => format!(
                "{several} providers could answer this path; name a model in the body or set gateway.passthrough"
            ),
        };
        Self::refused(404, "no_passthrough", message)
    }

    pub(crate) fn not_found(path: &str) -> Self {
        let shown: String = path.chars().take(200).collect();
        Self::refused(404, "not_found", format!("there is nothing at {shown}; GET /docs lists every path"))
    }

    pub(crate) fn wrong_method(method: &Method, path: &str, allowed: &str) -> Self {
        let shown: String = path.chars().take(200).collect();
        let method: String = method.as_str().chars().take(20).collect();
        Self::refused(
            405,
            "method_not_allowed",
            format!("{shown} does not take {method}; it takes {allowed}"),
        )
    }

    pub(crate) fn no_such_call(id: &str, remembered: usize) -> Self {
        let shown: String = id.chars().take(100).collect();
        let message = format!(
            "call {shown:?} is neither among the latest {remembered} calls (gateway.explain_calls) nor in the ledger"
        );
        Self { param: Some("id".to_owned()), ..Self::refused(404, "call_not_found", message) }
    }

    pub(crate) fn no_ledger() -> Self {
        let message = "no ledger is kept (ledger.enabled)".to_owned();
        Self { blame: Blame::Us, ..Self::refused(503, "no_ledger", message) }
    }

    pub(crate) fn crowded(limit: usize) -> Self {
        let message = format!("{limit} listen to calls already, the limit; end one of them first");
        let retry = Retry::After(Duration::from_secs(5));
        Self { retry, ..Self::refused(429, "too_many_listeners", message) }
    }

    pub(crate) fn bad_field(param: &str, message: impl Into<String>) -> Self {
        Self { param: Some(param.to_owned()), ..Self::refused(400, "invalid_value", message.into()) }
    }

    pub(crate) fn not_cached() -> Self {
        CallError::not_cached().into()
    }

    pub(crate) fn broken_answer(what: String) -> Self {
        Self { blame: Blame::Upstream, ..Self::refused(502, "upstream_broken", what) }
    }

    /// The body in a door's shape.
    pub(crate) fn body(&self, shape: Shape, call: CallId) -> Vec<u8> {
        let id = call.to_string();
        let (message, code) = (&self.message, Some(self.code));
        let limit = self.limited.as_deref().map(Limited::told);
        let limit = limit.as_ref().map(LimitTold::lent);
        let limit = limit.as_ref();
        // OpenAI has a class of its own for money that is spent.
        let kind = if self.code == SPENT { SPENT } else { bodies::openai_type(self.status) };
        match (shape, &self.upstream) {
            (Shape::OpenAi, Some(upstream)) => upstream.openai(self.status),
            (Shape::Anthropic, Some(upstream)) => upstream.anthropic(self.status, Some(&id)),
            (Shape::OpenAi, None) => {
                bodies::openai_limited(message, kind, self.param.as_deref(), code, limit)
            }
            (Shape::Anthropic, None) => {
                let kind = bodies::anthropic_type(self.status);
                bodies::anthropic_limited(kind, message, Some(&id), limit)
            }
            (Shape::App, _) => refused(self.status, message, self.remedy()).json().into_bytes(),
            (Shape::Api, _) => bodies::api_v1(&ApiError {
                message,
                kind,
                param: self.param.as_deref(),
                code,
                stage: self.stage.name(),
                blame: self.blame.name(),
                retry: self.retry.name(),
                call_id: Some(&id),
                limit,
            }),
        }
    }

    /// What to do about it, in a sentence.
    fn remedy(&self) -> &'static str {
        match (self.retry, self.blame) {
            (Retry::Safe | Retry::After(_), _) => "Ask again in a moment.",
            (Retry::Never, Blame::Caller) => "Correct the request.",
            (Retry::Never, _) => "Look into the log of the server.",
        }
    }

    /// Whether an SDK is to ask again by itself. Not after our own tries, which would multiply; and not when the
    /// pause would be cut to what SDKs sit out, because it would fail again then.
    fn should_retry(&self) -> bool {
        match self.retry {
            Retry::Never => false,
            Retry::Safe => true,
            Retry::After(after) => !self.spent && after < LONGEST_RETRY,
        }
    }

    /// Logs the failure where it leaves the process: loudly if it is ours or the upstream's to mend.
    pub(crate) fn log(&self, call: CallId) {
        let Self { status, message, code, stage, blame, .. } = self;
        let (stage, blame) = (stage.name(), blame.name());
        match self.blame {
            Blame::Caller => tracing::debug!(%call, status, code, stage, blame, "refused: {message}"),
            Blame::Us | Blame::Upstream => {
                tracing::warn!(%call, status, code, stage, blame, "failed: {message}")
            }
        }
    }

    /// The whole response.
    pub(crate) fn respond(&self, shape: Shape, call: CallId) -> HttpResponse {
        self.log(call);
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let id = call.to_string();
        let mut response = HttpResponse::build(status);
        response
            .insert_header(("content-type", "application/json"))
            .insert_header(("x-should-retry", if self.should_retry() { "true" } else { "false" }))
            .insert_header(("x-tidegate-stage", self.stage.name()))
            .insert_header(("x-tidegate-blame", self.blame.name()))
            .insert_header(("request-id", id.as_str()))
            .insert_header(("x-request-id", id.as_str()));
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header(("www-authenticate", "Bearer realm=\"tidegate\""));
        }
        if let Retry::After(after) = self.retry {
            // Rounded up: who comes back a moment early is refused again.
            let ms =
                u64::try_from(after.min(LONGEST_RETRY).as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
            response.insert_header(("retry-after-ms", ms)).insert_header(("retry-after", ms.div_ceil(1_000)));
        }
        let mut response = response.body(self.body(shape, call));
        if let Some(limited) = &self.limited {
            let vendor = if shape == Shape::Anthropic { Vendor::Anthropic } else { Vendor::OpenAi };
            turn::write(limited.quotas, vendor, response.headers_mut());
        }
        response
    }
}

impl From<BadRequest> for DoorError {
    fn from(bad: BadRequest) -> Self {
        Self { param: bad.param, ..Self::refused(400, bad.code, bad.message) }
    }
}

impl From<CallError> for DoorError {
    fn from(error: CallError) -> Self {
        let upstream = match &error.kind {
            ErrorKind::Upstream { fault: Fault { body: Some(body), kind, .. }, .. } => {
                let status = upstream_status(*kind);
                matches!(kind, FaultKind::Rejected { .. } | FaultKind::Busy { .. })
                    .then(|| Box::new(UpstreamError::read(status, body)))
            }
            _ => None,
        };
        let spent = matches!(error.kind, ErrorKind::Upstream { attempts, .. } if attempts > 1);
        Self {
            status: status(&error.kind),
            message: error.kind.to_string(),
            param: blamed_item(&error.kind),
            code: error.kind.name(),
            stage: error.stage,
            blame: error.blame,
            retry: error.retry,
            spent,
            upstream,
            limited: None,
        }
    }
}

impl From<Unreadable> for DoorError {
    fn from(unreadable: Unreadable) -> Self {
        let refused = Self::refused(503, "ledger_unreadable", unreadable.to_string());
        Self { blame: Blame::Us, retry: Retry::After(Duration::from_secs(1)), ..refused }
    }
}

/// The embedding item that was rejected. Where the upstream's own words are passed on, they name it.
fn blamed_item(kind: &ErrorKind) -> Option<String> {
    match kind {
        ErrorKind::Upstream { fault: Fault { item: Some(item), body: None, .. }, .. } => {
            Some(format!("input[{item}]"))
        }
        _ => None,
    }
}

fn status(kind: &ErrorKind) -> u16 {
    match kind {
        ErrorKind::Overloaded { .. } | ErrorKind::LaneFull { .. } | ErrorKind::RowsFull { .. } => 429,
        ErrorKind::ShuttingDown | ErrorKind::LaneLost { .. } | ErrorKind::LaneClosed { .. } => 503,
        ErrorKind::BreakerOpen { .. } | ErrorKind::Unrecorded { .. } => 503,
        ErrorKind::Denied { .. } => 403,
        ErrorKind::NotCached | ErrorKind::DeadlineExceeded { .. } => 504,
        ErrorKind::Unclean { .. } => 502,
        ErrorKind::Upstream { fault, .. } => upstream_status(fault.kind),
    }
}

fn upstream_status(kind: FaultKind) -> u16 {
    match kind {
        // SDKs repeat 409 without being asked; the request is still the caller's to mend.
        FaultKind::Rejected { status: 409 } => 400,
        FaultKind::Rejected { status } | FaultKind::Busy { status } => status,
        FaultKind::Credential { .. } | FaultKind::Broken { .. } => 502,
        FaultKind::Unusable | FaultKind::Cut => 502,
        FaultKind::Timeout { .. } => 504,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `x-should-retry` and `retry-after-ms` after a 429 with `hint_ms`, asked `attempts` times.
    fn told(hint_ms: u64, attempts: u32) -> (String, String) {
        let busy = Fault::new(FaultKind::Busy { status: 429 }, "answered 429");
        let fault = busy.with_retry_after(Some(Duration::from_millis(hint_ms)));
        let error = DoorError::from(CallError::upstream("up/m".into(), fault, attempts));
        let response = error.respond(Shape::OpenAi, CallId::fresh());
        let field =
            |name: &str| response.headers().get(name).expect("present").to_str().expect("ascii").to_owned();
        (field("x-should-retry"), field("retry-after-ms"))
    }

    /// Upstreams ask for five minutes; SDKs that were told a minute instead waited it out twice, in vain.
    #[test]
    fn an_sdk_comes_back_by_itself_only_where_that_can_help() {
        assert_eq!(
            told(20_000, 1),
            ("true".into(), "20000".into()),
            "longer than we wait, not than an SDK does"
        );
        assert_eq!(told(300_000, 1), ("false".into(), "60000".into()), "the cut pause is too short");
        assert_eq!(told(500, 3), ("false".into(), "500".into()), "we tried in its place");
    }
}
