//! Any other `/v1/*` path: passed through as it is, authorised and counted, marked `bypass`.

use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use tidegate_actors::Shape as Recorded;
use tidegate_actors::call::{CallKind, ForwardWork, Memory};
use tidegate_actors::json::{Document, Edit, JsonLimits, Kind};
use tidegate_actors::route::Route;
use tidegate_actors::{Answered, Body, Call, Form, Step, Telling};

use crate::config::ProviderKind;
use crate::http::access::{self, Access};
use crate::http::answer::About;
use crate::http::arrival::Arriving;
use crate::http::error::{DoorError, Shape};
use crate::http::intake::Taken;
use crate::http::keeping::Copying;
use crate::http::names::Need;
use crate::http::openapi::vendors;
use crate::http::stream::Held;
use crate::http::vendor::Vendor;
use crate::http::{Doors, intake, turn};
use crate::identity::{Door, Principal};

/// Request headers that travel on; everything else, credentials first of all, stays here.
const TRAVELS: [&str; 7] = [
    "content-type",
    "accept",
    "openai-beta",
    "anthropic-version",
    "anthropic-beta",
    "range",
    "idempotency-key",
];

static X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Headers that ask for a pause, and the longest that is passed on.
const PAUSES: [(&str, &str); 2] = [("retry-after", "60"), ("retry-after-ms", "60000")];

/// Any other path of a vendor, in every method: passed through as it is.
#[utoipa::path(get, path = "/v1/{tail}", tag = "OpenAI",
    params(("tail" = String, Path, description = "Images, audio, files, moderations, batches, responses and so on")),
    responses(
        (status = "default", description = "What the upstream says, marked x-tidegate-cache: bypass"),
        (status = "4XX", description = "Nobody can be asked for this path", body = vendors::OpenAiProblem),
    ),
)]
pub(crate) async fn forward(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    passed(&access::FORWARD, &request, &mut payload, &doors).await
}

async fn passed(
    access: &Access,
    request: &HttpRequest,
    payload: &mut web::Payload,
    doors: &Doors,
) -> HttpResponse {
    let mut arriving = Arriving::at("forward", CallKind::Forward);
    let id = arriving.id;
    let done = match take(&mut arriving, access, request, payload, doors).await {
        Ok((call, held)) => {
            let answered = doors.engine.forward(call).await.map_err(DoorError::from);
            answered.and_then(|answered| tell(answered, request, held))
        }
        Err(error) => {
            arriving.refused(request, doors, &error);
            Err(error)
        }
    };
    match done {
        Ok(response) => response,
        Err(error) => {
            error.respond(Shape::of(request.path(), vendor(request) == ProviderKind::Anthropic), id)
        }
    }
}

/// How many tokens a request in Anthropic's form has; passed through like any path without a door of its own.
#[utoipa::path(post, path = "/v1/messages/count_tokens", tag = "Anthropic",
    request_body = vendors::MessagesRequest,
    responses(
        (status = 200, description = "The upstream's count", body = vendors::TokenCount),
        (status = "4XX", description = "Refused", body = vendors::AnthropicProblem),
    ),
)]
pub(crate) async fn count_tokens(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    passed(&access::COUNT_TOKENS, &request, &mut payload, &doors).await
}

/// In whose form a path is, by what its SDK always sends.
fn vendor(request: &HttpRequest) -> ProviderKind {
    let anthropic =
        request.headers().contains_key("anthropic-version") || request.path().starts_with("/v1/messages");
    if anthropic { ProviderKind::Anthropic } else { ProviderKind::Openai }
}

async fn take(
    arriving: &mut Arriving,
    access: &Access,
    request: &HttpRequest,
    payload: &mut web::Payload,
    doors: &Doors,
) -> Result<(Call<ForwardWork>, Held), DoorError> {
    arriving.form = Form::Stream;
    let principal = arriving.admit(request, doors, access)?;
    let mut taken = intake::body(doors, request, payload).await?;
    arriving.bytes = taken.bytes.len();
    let route = route(arriving, doors, &principal, request, &mut taken)?;
    let (id, headers) = (arriving.id, request.headers());
    let call = Call {
        id,
        workspace: principal.workspace.clone(),
        credential: principal.credential,
        door: "forward",
        model: Arc::clone(&route.model),
        route,
        work: work(request, &taken),
        form: Form::Stream,
        memory: Memory::Bypass("forward"),
        affecting: Default::default(),
        tags: intake::tags(doors, headers)?,
        deadline: intake::deadline(doors, headers),
        client_attempt: None,
    };
    let size = || turn::Size { bytes: taken.bytes.len(), output: turn::ASSUMED_OUTPUT };
    let turn = turn::enter(doors, &principal, &call, size)?;
    let copying = Copying::begin(doors, id, &principal.workspace, &taken.bytes);
    Ok((call, (taken.share, turn, copying)))
}

fn work(request: &HttpRequest, taken: &Taken) -> ForwardWork {
    let uri = request.uri();
    let path = uri.path_and_query().map_or(uri.path(), |path| path.as_str());
    let fields = TRAVELS.iter().filter_map(|name| {
        let value = request.headers().get(*name)?.to_str().ok()?;
        Some((Arc::from(*name), Arc::from(value)))
    });
    ForwardWork {
        method: request.method().as_str().into(),
        path: path.strip_prefix("/v1").unwrap_or(path).into(),
        fields: fields.collect(),
        body: taken.bytes.clone(),
    }
}

/// By the model a JSON body names, which is then sent under its name there; else by the kind of path.
fn route(
    arriving: &mut Arriving,
    doors: &Doors,
    principal: &Principal,
    request: &HttpRequest,
    taken: &mut Taken,
) -> Result<Arc<Route>, DoorError> {
    let wanted = vendor(request);
    let limits = JsonLimits { max_depth: doors.config.limits.json_depth, ..JsonLimits::default() };
    let json = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    let document = match json {
        Some(kind) if kind.starts_with("application/json") && !taken.bytes.is_empty() => {
            Document::parse(taken.bytes.clone(), limits).ok()
        }
        _ => None,
    };
    let Some(document) = document.filter(|document| document.root().kind() == Kind::Object) else {
        return account(doors, principal, wanted);
    };
    let Some(name) = document.root().get("model").and_then(|model| model.as_str()) else {
        return account(doors, principal, wanted);
    };
    let route = arriving.route(doors, principal, &name, Need::Passed(wanted))?;
    if let [target] = route.targets.as_slice()
        && *target.model != *name
    {
        taken.bytes = Edit::new().set_str("model", &target.model).apply(document.root()).into();
    }
    Ok(route)
}

/// The only provider that fits. What lies there, files and batches, is of no workspace, so it has to be in the scope by name.
fn account(doors: &Doors, principal: &Principal, wanted: ProviderKind) -> Result<Arc<Route>, DoorError> {
    match principal.scopes.opens(Door::Account) {
        true => doors.models.pass(wanted),
        false => Err(DoorError::out_of_scope("door", Door::Account.name())),
    }
}

fn tell(answered: Answered, request: &HttpRequest, held: Held) -> Result<HttpResponse, DoorError> {
    let head = match &answered.body {
        Body::Live { shape: Recorded::Passed { status, fields }, .. } => (*status, Arc::clone(fields)),
        _ => return Err(DoorError::broken_answer("no passed-through answer came back".into())),
    };
    let status = StatusCode::from_u16(head.0).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    for (name, value) in head.1.iter() {
        response.append_header((&**name, bounded(name, value)));
    }
    if head.1.iter().any(|(name, value)| **name == *"content-type" && value.starts_with("text/event-stream"))
    {
        response.insert_header(("cache-control", "no-cache")).insert_header(("x-accel-buffering", "no"));
    }
    let (about, body) = About::of(answered);
    let Body::Live { telling, .. } = body else {
        return Err(DoorError::broken_answer("no passed-through answer came back".into()));
    };
    let quotas = turn::quotas(held.1.as_ref());
    let mut response = response.streaming(stream::unfold(Some((telling, held)), next));
    if is_not_to_be_repeated(status, request, response.headers()) {
        response.headers_mut().insert(X_SHOULD_RETRY.clone(), HeaderValue::from_static("false"));
    }
    about.write(response.headers_mut());
    let style = if vendor(request) == ProviderKind::Anthropic { Vendor::Anthropic } else { Vendor::OpenAi };
    turn::write(quotas, style, response.headers_mut());
    Ok(response)
}

/// Whether SDKs, which ask again after 408, 409, 429 and every 5xx, are to be told not to: the request may have had its
/// effect, or the pause they are asked for was cut. An upstream that says so itself is believed.
fn is_not_to_be_repeated(status: StatusCode, request: &HttpRequest, told: &HeaderMap) -> bool {
    let status = status.as_u16();
    if told.contains_key(&X_SHOULD_RETRY) || !(matches!(status, 408 | 409 | 429) || status >= 500) {
        return false;
    }
    let has_effect = matches!(*request.method(), Method::POST | Method::PATCH)
        && !request.headers().contains_key("idempotency-key");
    let is_busy = matches!(status, 429 | 529)
        || status == 503 && PAUSES.iter().any(|(name, _)| told.contains_key(*name));
    if is_busy { PAUSES.into_iter().any(|pause| is_longest(told, pause)) } else { has_effect }
}

/// Whether the pause asked for is the longest, to which a longer one is cut.
fn is_longest(told: &HeaderMap, (name, longest): (&str, &str)) -> bool {
    told.get(name).is_some_and(|pause| pause.as_bytes() == longest.as_bytes())
}

/// A header's value; a pause is never longer than the one our own refusals ask for, which SDKs sit out.
fn bounded<'a>(name: &str, value: &'a str) -> &'a str {
    let Some((_, longest)) = PAUSES.into_iter().find(|(pause, _)| *pause == name) else { return value };
    let is_longer = value.parse::<f64>().ok() > longest.parse().ok();
    if is_longer { longest } else { value }
}

/// An answer that goes on, and what it holds.
type Stay = (Telling, Held);

/// The next piece; an upstream that breaks off breaks the connection too, so that the client sees it.
async fn next(told: Option<Stay>) -> Option<(Result<bytes::Bytes, actix_web::Error>, Option<Stay>)> {
    let (mut telling, mut held) = told?;
    match telling.step().await {
        Step::Piece(piece) => {
            held.2.add(&piece);
            Some((Ok(piece), Some((telling, held))))
        }
        Step::End(Ok(_)) => None,
        Step::End(Err(error)) => {
            // What came before the break goes out first: the HTTP library drops what is not flushed when a body fails, and
            // a client that saw nothing at all would ask again.
            tokio::task::yield_now().await;
            let broken = actix_web::error::ErrorBadGateway(error.to_string());
            Some((Err(broken), None))
        }
    }
}
