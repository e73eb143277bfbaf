//! `POST /v1/chat/completions` and `POST /v1/messages`: one door in two vendors' shapes.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use tidegate_actors::call::{CallKind, ChatWork};
use tidegate_actors::key::BodyDigest;
use tidegate_actors::{Body, Call, CallId, Entry, Form, Kept, Outcome, Telling};
use tidegate_actors::{Shape as Recorded, Step};

use crate::http::answer::About;
use crate::http::arrival::Arriving;
use crate::http::coding::{self, Coding};
use crate::http::error::{DoorError, Shape};
use crate::http::keeping::Copying;
use crate::http::memo::Understood;
use crate::http::names::Need;
use crate::http::openapi::vendors;
use crate::http::stream::{EventBody, Held, Reader};
use crate::http::vendor::{ChatView, Vendor};
use crate::http::{Desk, Doors, access, intake, turn};

/// The form a kept stream was assembled into, kept beside it.
const ASSEMBLED: &str = "assembled";

/// A chat in OpenAI's form.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "OpenAI",
    params(
        ("cache-control" = Option<String>, Header, description = "no-store, no-cache, max-age=N, only-if-cached"),
        ("x-tidegate-tags" = Option<String>, Header, description = "Labels, separated by commas"),
    ),
    request_body = vendors::ChatRequest,
    responses(
        (status = 200, description = "One body, or events if they were asked for", body = vendors::ChatCompletion,
            headers(
                ("x-tidegate-cache" = String, description = "hit (with tier=warm if it outlived an earlier process), miss, joined, mixed, or bypass with its reason"),
                ("x-tidegate-key" = String, description = "What purge takes to forget this answer"),
                ("x-request-id" = String, description = "What explain takes; request-id says the same"),
            )),
        (status = "4XX", description = "Not a request that can be answered, or too many", body = vendors::OpenAiProblem),
        (status = "5XX", description = "The upstream or this server is in trouble", body = vendors::OpenAiProblem),
    ),
)]
pub(crate) async fn completions(
    request: HttpRequest,
    payload: web::Payload,
    desk: web::ThinData<Rc<Desk>>,
) -> HttpResponse {
    answer(Vendor::OpenAi, request, payload, &desk).await
}

/// A chat in Anthropic's form.
#[utoipa::path(post, path = "/v1/messages", tag = "Anthropic",
    params(
        ("cache-control" = Option<String>, Header, description = "no-store, no-cache, max-age=N, only-if-cached"),
        ("x-tidegate-tags" = Option<String>, Header, description = "Labels, separated by commas"),
    ),
    request_body = vendors::MessagesRequest,
    responses(
        (status = 200, description = "One body, or events if they were asked for", body = vendors::Message,
            headers(
                ("x-tidegate-cache" = String, description = "hit (with tier=warm if it outlived an earlier process), miss, joined, mixed, or bypass with its reason"),
                ("x-tidegate-key" = String, description = "What purge takes to forget this answer"),
                ("x-request-id" = String, description = "What explain takes; request-id says the same"),
            )),
        (status = "4XX", description = "Not a request that can be answered, or too many", body = vendors::AnthropicProblem),
        (status = "5XX", description = "The upstream or this server is in trouble", body = vendors::AnthropicProblem),
    ),
)]
pub(crate) async fn messages(
    request: HttpRequest,
    payload: web::Payload,
    desk: web::ThinData<Rc<Desk>>,
) -> HttpResponse {
    answer(Vendor::Anthropic, request, payload, &desk).await
}

async fn answer(
    vendor: Vendor,
    request: HttpRequest,
    mut payload: web::Payload,
    desk: &Desk,
) -> HttpResponse {
    let mut arriving = Arriving::at(vendor.chat_door(), CallKind::Chat);
    let id = arriving.id;
    let done = match take(vendor, &mut arriving, &request, &mut payload, desk).await {
        Ok(asked) => asked.tell(&request, desk).await,
        Err(error) => {
            arriving.refused(&request, &desk.doors, &error);
            Err(error)
        }
    };
    done.unwrap_or_else(|error| {
        let shape = match vendor {
            Vendor::OpenAi => Shape::OpenAi,
            Vendor::Anthropic => Shape::Anthropic,
        };
        error.respond(shape, id)
    })
}

/// A request that was understood, and the call made of it.
struct Asked {
    understood: Rc<Understood>,
    /// It was read before.
    recalled: bool,
    call: Call<ChatWork>,
    held: Held,
}

async fn take(
    vendor: Vendor,
    arriving: &mut Arriving,
    request: &HttpRequest,
    payload: &mut web::Payload,
    desk: &Desk,
) -> Result<Asked, DoorError> {
    let Desk { doors, memo } = desk;
    let access = match vendor {
        Vendor::OpenAi => &access::CHAT,
        Vendor::Anthropic => &access::MESSAGES,
    };
    let principal = arriving.admit(request, doors, access)?;
    let taken = intake::body(doors, request, payload).await?;
    arriving.bytes = taken.bytes.len();
    let recalled = memo.recall(vendor, &principal.workspace, &taken.bytes);
    let (understood, recalled) = match recalled {
        Some(known) => (known, true),
        None => (Rc::new(understand(vendor, doors, taken.bytes)?), false),
    };
    let view = &understood.view;
    let need = match vendor {
        Vendor::OpenAi => Need::OpenAiChat,
        Vendor::Anthropic => Need::AnthropicMessages,
    };
    arriving.form = if view.stream { Form::Stream } else { Form::Whole };
    let route = arriving.route(doors, &principal, &view.model, need)?;
    let headers = request.headers();
    let id = arriving.id;
    let call = Call {
        id,
        workspace: principal.workspace.clone(),
        credential: principal.credential,
        door: vendor.chat_door(),
        model: Arc::clone(&route.model),
        route,
        work: ChatWork {
            document: Arc::clone(&understood.document),
            digest: understood.digest,
            deny: vendor.deny(),
            known: understood.known.clone(),
        },
        form: arriving.form,
        memory: intake::memory(doors, headers, view.declared)?,
        affecting: intake::affecting(headers, vendor.affecting()),
        tags: intake::tags(doors, headers)?,
        deadline: intake::deadline(doors, headers),
        client_attempt: intake::client_attempt(headers),
    };
    let size = || turn::Size::of_chat(understood.document.root());
    let turn = turn::enter(doors, &principal, &call, size)?;
    let copying = Copying::begin(doors, id, &principal.workspace, understood.document.raw());
    Ok(Asked { understood, recalled, call, held: (taken.share, turn, copying) })
}

fn understand(vendor: Vendor, doors: &Doors, bytes: Bytes) -> Result<Understood, DoorError> {
    let document = intake::document(doors, bytes)?;
    let view = vendor.read(&document)?;
    let digest = BodyDigest::of(document.root(), vendor.deny());
    Ok(Understood { vendor, document: intake::shared(document), digest, view, known: None })
}

impl Asked {
    async fn tell(self, request: &HttpRequest, desk: &Desk) -> Result<HttpResponse, DoorError> {
        let Desk { doors, memo } = desk;
        let Self { understood, recalled, call, mut held } = self;
        let workspace = call.workspace.clone();
        let answered = doors.engine.chat(call).await?;
        // What was answered from memory is asked often: only that is worth a place.
        if !recalled && answered.outcome == Outcome::Hit {
            memo.keep(&workspace, &understood);
        }
        let (about, body) = About::of(answered);
        let told = Told { vendor: understood.vendor, view: &understood.view, request, doors };
        let (quotas, vendor) = (turn::quotas(held.1.as_ref()), told.vendor);
        let mut response = match told.view.stream {
            true => told.events(about.id, body, held).await?,
            false => told.whole(body, &mut held.2).await?,
        };
        about.write(response.headers_mut());
        turn::write(quotas, vendor, response.headers_mut());
        Ok(response)
    }
}

/// How one caller wants one answer told.
struct Told<'a> {
    vendor: Vendor,
    view: &'a ChatView,
    request: &'a HttpRequest,
    doors: &'a Doors,
}

impl Told<'_> {
    /// One body, coded if that is worth it.
    async fn whole(&self, answered: Body, copying: &mut Copying) -> Result<HttpResponse, DoorError> {
        let mut response = HttpResponse::Ok();
        response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        let (body, rendered, entry) = match &answered {
            Body::Kept(entry) => {
                let (body, rendered) = self.whole_of(entry)?;
                (body, rendered, Some(entry))
            }
            Body::Done { shape, pieces, ending } => {
                let rendered = *shape == Recorded::Events;
                let body = match pieces.as_slice() {
                    [body] if !rendered => body.clone(),
                    events => self.assemble(events)?,
                };
                (body, rendered, ending.kept.as_ref())
            }
            Body::Live { .. } => {
                return Err(DoorError::broken_answer("a live answer to a whole question".into()));
            }
        };
        if rendered {
            response.insert_header(("x-tidegate-rendered", "1"));
        }
        copying.add(&body);
        let (body, coding) = match body.len() < coding::MIN_BYTES {
            true => (body, None),
            false => Box::pin(coded(self.doors, self.request, entry, body)).await,
        };
        if let Some(coding) = coding {
            response
                .insert_header(("content-encoding", coding.name()))
                .insert_header(("vary", "accept-encoding"));
        }
        Ok(response.body(body))
    }

    fn assemble(&self, events: &[Bytes]) -> Result<Bytes, DoorError> {
        self.vendor.assemble(events).map_err(|fault| DoorError::broken_answer(fault.to_string()))
    }

    /// The whole body of an entry, and whether it was recorded in another form.
    fn whole_of(&self, entry: &Arc<Entry>) -> Result<(Bytes, bool), DoorError> {
        match &entry.kept {
            Kept::Whole(body) => Ok((body.clone(), false)),
            Kept::Events(events) => {
                if let Some(assembled) = entry.variant(ASSEMBLED) {
                    return Ok((assembled, true));
                }
                let assembled = self.assemble(events)?;
                self.doors.engine.keep_variant(entry, ASSEMBLED, assembled.clone());
                Ok((assembled, true))
            }
            Kept::Row { .. } => Err(DoorError::broken_answer("a vector where an answer was kept".into())),
        }
    }

    /// Events: a kept answer at once, a live one as it comes.
    async fn events(&self, id: CallId, body: Body, mut held: Held) -> Result<HttpResponse, DoorError> {
        let mut response = HttpResponse::Ok();
        response
            .insert_header(("content-type", "text/event-stream; charset=utf-8"))
            .insert_header(("cache-control", "no-cache"))
            .insert_header(("x-accel-buffering", "no"));
        match body {
            Body::Kept(entry) => match &entry.kept {
                Kept::Events(events) => {
                    let body = self.vendor.whole_stream(events.iter(), self.view.include_usage);
                    held.2.add(&body);
                    Ok(response.body(body))
                }
                _ => {
                    response.insert_header(("x-tidegate-rendered", "1"));
                    let (body, _) = self.whole_of(&entry)?;
                    Ok(response.body(self.render(&body, &mut held.2)?))
                }
            },
            Body::Live { shape: Recorded::Events, telling } => {
                let reader = Reader { vendor: self.vendor, include_usage: self.view.include_usage, call: id };
                let clock = Arc::clone(self.doors.engine.clock());
                Ok(response.streaming(EventBody::new(telling, reader, clock, held)))
            }
            Body::Live { telling, .. } => {
                response.insert_header(("x-tidegate-rendered", "1"));
                let body = collect(telling).await?;
                Ok(response.body(self.render(&body, &mut held.2)?))
            }
            Body::Done { .. } => {
                Err(DoorError::broken_answer("a whole answer to a streamed question".into()))
            }
        }
    }

    fn render(&self, body: &Bytes, copying: &mut Copying) -> Result<Bytes, DoorError> {
        let frames = self.vendor.render(body, self.view.include_usage);
        let frames = frames.map_err(|fault| DoorError::broken_answer(fault.to_string()))?;
        let body = frames.concat().into();
        copying.add(&body);
        Ok(body)
    }
}

/// The one piece of a whole answer that a streaming caller joined.
async fn collect(mut telling: Telling) -> Result<Bytes, DoorError> {
    let mut body = Vec::new();
    loop {
        match telling.step().await {
            Step::Piece(piece) => body.push(piece),
            Step::End(end) => {
                end?;
                return Ok(body.concat().into());
            }
        }
    }
}

/// The body in a coding the client takes, where it is large enough; made once per kept answer.
pub(crate) async fn coded(
    doors: &Doors,
    request: &HttpRequest,
    entry: Option<&Arc<Entry>>,
    body: Bytes,
) -> (Bytes, Option<Coding>) {
    if body.len() < coding::MIN_BYTES {
        return (body, None);
    }
    let Some(coding) = Coding::accepted(request.headers()) else { return (body, None) };
    if let Some(kept) = entry.and_then(|entry| entry.variant(coding.name())) {
        return (kept, Some(coding));
    }
    let plain = body.clone();
    let coded = if body.len() < coding::INLINE_BYTES {
        coding.code(&plain).ok()
    } else {
        web::block(move || coding.code(&plain)).await.ok().and_then(Result::ok)
    };
    let Some(coded) = coded else { return (body, None) };
    if let Some(entry) = entry {
        doors.engine.keep_variant(entry, coding.name(), coded.clone());
    }
    (coded, Some(coding))
}
