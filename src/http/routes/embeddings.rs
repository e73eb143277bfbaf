//! `POST /v1/embeddings`: items in, vectors out in the same order, in the form the caller asked for.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use tidegate_actors::call::{CallKind, EmbedItem, EmbedWork};
use tidegate_actors::json::{Document, quote};
use tidegate_actors::key::{BodyDigest, ItemKind};
use tidegate_actors::{Call, Embedded, Form, Kept, Outcome, Tier};

use crate::config::{EmbedTokens, Model};
use crate::dialect::openai_embed::{EmbedLimits, EmbedRequest, Encoding, Written, write_answer};
use crate::http::answer::About;
use crate::http::arrival::Arriving;
use crate::http::error::{DoorError, Shape};
use crate::http::keeping::Copying;
use crate::http::names::Need;
use crate::http::openapi::vendors;
use crate::http::routes::chat::coded;
use crate::http::stream::Held;
use crate::http::vendor::Vendor;
use crate::http::{Doors, access, intake, tokens, turn};

/// Vectors of texts or token lists.
#[utoipa::path(post, path = "/v1/embeddings", tag = "OpenAI",
    params(
        ("cache-control" = Option<String>, Header, description = "no-store, no-cache, max-age=N, only-if-cached"),
        ("x-tidegate-tags" = Option<String>, Header, description = "Labels, separated by commas"),
    ),
    request_body = vendors::EmbeddingsRequest,
    responses(
        (status = 200, description = "One body, or events if they were asked for", body = vendors::Embeddings,
            headers(
                ("x-tidegate-cache" = String, description = "hit (with tier=warm if it outlived an earlier process), miss, joined, mixed, or bypass with its reason"),
                ("x-tidegate-key" = String, description = "What purge takes to forget this answer"),
                ("x-request-id" = String, description = "What explain takes; request-id says the same"),
            )),
        (status = "4XX", description = "Not a request that can be answered, or too many", body = vendors::OpenAiProblem),
        (status = "5XX", description = "The upstream or this server is in trouble", body = vendors::OpenAiProblem),
    ),
)]
pub(crate) async fn create(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    let mut arriving = Arriving::at("openai.embeddings", CallKind::Embed);
    let id = arriving.id;
    let done = match take(&mut arriving, &request, &mut payload, &doors).await {
        Ok(asked) => asked.tell(&request, &doors).await,
        Err(error) => {
            arriving.refused(&request, &doors, &error);
            Err(error)
        }
    };
    done.unwrap_or_else(|error| error.respond(Shape::OpenAi, id))
}

struct Asked {
    call: Call<EmbedWork>,
    encoding: Encoding,
    held: Held,
}

async fn take(
    arriving: &mut Arriving,
    request: &HttpRequest,
    payload: &mut web::Payload,
    doors: &Doors,
) -> Result<Asked, DoorError> {
    let principal = arriving.admit(request, doors, &access::EMBED)?;
    let taken = intake::body(doors, request, payload).await?;
    arriving.bytes = taken.bytes.len();
    let document = Arc::new(intake::document(doors, taken.bytes)?);
    let (model, encoding) = {
        let view = EmbedRequest::read(&document, &limits(doors, None))?;
        (view.model.into_owned(), view.encoding)
    };
    let route = arriving.route(doors, &principal, &model, Need::Embeddings)?;
    let work = work(doors, &document, doors.models.model(&model)).await?;
    let headers = request.headers();
    let id = arriving.id;
    let call = Call {
        id,
        workspace: principal.workspace.clone(),
        credential: principal.credential,
        door: "openai.embeddings",
        model: Arc::clone(&route.model),
        route,
        work,
        form: Form::Whole,
        // A vector is a function of its text: embedding calls need not be declared deterministic.
        memory: intake::memory(doors, headers, true)?,
        affecting: intake::affecting(headers, Vendor::OpenAi.affecting()),
        tags: intake::tags(doors, headers)?,
        deadline: intake::deadline(doors, headers),
        client_attempt: intake::client_attempt(headers),
    };
    let size = || turn::Size { bytes: document.raw().len(), output: 0 };
    let turn = turn::enter(doors, &principal, &call, size)?;
    let copying = Copying::begin(doors, id, &principal.workspace, document.raw());
    Ok(Asked { call, encoding, held: (taken.share, turn, copying) })
}

/// The limits of a request, the model's own where it has some.
fn limits(doors: &Doors, model: Option<&Model>) -> EmbedLimits {
    let configured = &doors.config.limits;
    let quirks = model.map(|model| &model.quirks);
    EmbedLimits {
        max_items: configured.embed_items,
        max_item_tokens: quirks
            .and_then(|quirks| quirks.embed_item_tokens)
            .unwrap_or(configured.embed_item_tokens),
        max_request_tokens: configured.embed_request_tokens,
    }
}

async fn work(
    doors: &Doors,
    document: &Arc<Document>,
    model: Option<&Model>,
) -> Result<EmbedWork, DoorError> {
    let limits = limits(doors, model);
    let view = EmbedRequest::read(document, &limits)?;
    let others = view.others();
    let treatment = model.map_or(EmbedTokens::Pass, |model| model.quirks.embed_tokens);
    let is_tokens = view.items.iter().any(|item| item.kind == ItemKind::Tokens);
    if is_tokens && treatment != EmbedTokens::Pass {
        let items = decoded(&view, &others, treatment).await?;
        return Ok(EmbedWork { document: Arc::clone(document), others, items });
    }
    let counts = counts(&view, &limits).await?;
    let items = view.items.iter().zip(counts).map(|(item, tokens)| EmbedItem {
        json: item.node.raw_bytes(),
        input: item.kind,
        digest: view.digest(&others, item),
        tokens,
    });
    Ok(EmbedWork { document: Arc::clone(document), others, items: items.collect() })
}

/// Tokens of each item: exact for token lists and for models whose tokenizer is built in.
async fn counts(view: &EmbedRequest<'_>, limits: &EmbedLimits) -> Result<Vec<u32>, DoorError> {
    let known = tokens::is_known(&view.model) && view.items.iter().all(|item| item.kind == ItemKind::Text);
    if known {
        let texts = view.items.iter().map(|item| item.node.as_str().unwrap_or_default().into_owned());
        if let Some(counts) = tokens::count(texts.collect()).await {
            check(&counts, limits)?;
            return Ok(counts);
        }
    }
    let count = |item: &crate::dialect::openai_embed::Item<'_>| match item.tokens() {
        Some(exact) => u32::try_from(exact).unwrap_or(u32::MAX),
        None => tokens::estimate(item.node.len()),
    };
    Ok(view.items.iter().map(count).collect())
}

/// Exact counts refuse what the vendor would refuse; estimates never do.
fn check(counts: &[u32], limits: &EmbedLimits) -> Result<(), DoorError> {
    let most = limits.max_item_tokens as u64;
    if let Some((at, count)) = counts.iter().enumerate().find(|(_, count)| u64::from(**count) > most) {
        let message =
            format!("input[{at}] has {count} tokens, the limit is {most} (limits.embed_item_tokens)");
        return Err(DoorError::bad_field(&format!("input[{at}]"), message));
    }
    let all: u64 = counts.iter().map(|count| u64::from(*count)).sum();
    let most = limits.max_request_tokens as u64;
    if all > most {
        let message =
            format!("input has {all} tokens in all, the limit is {most} (limits.embed_request_tokens)");
        return Err(DoorError::bad_field("input", message));
    }
    Ok(())
}

/// Token lists as the text they stand for, for models that do not share the client's tokenizer.
async fn decoded(
    view: &EmbedRequest<'_>,
    others: &BodyDigest,
    treatment: EmbedTokens,
) -> Result<Vec<EmbedItem>, DoorError> {
    if treatment == EmbedTokens::Refuse {
        let message = "this model takes text only: send strings instead of token lists (in LangChain, \
                       check_embedding_ctx_length=False)";
        return Err(DoorError::bad_field("input", message));
    }
    let list = |item: &crate::dialect::openai_embed::Item<'_>| {
        let number =
            |node: tidegate_actors::json::Node<'_>| node.as_u64().and_then(|n| u32::try_from(n).ok());
        item.node.elements().map(number).collect::<Option<Vec<u32>>>()
    };
    let mut lists = Vec::with_capacity(view.items.len());
    for (at, item) in view.items.iter().enumerate() {
        lists.push(list(item).ok_or_else(|| no_text(at))?);
    }
    let counts: Vec<u32> = lists.iter().map(|list| u32::try_from(list.len()).unwrap_or(u32::MAX)).collect();
    let texts = tokens::decode(lists).await.map_err(no_text)?;
    let mut items = Vec::with_capacity(texts.len());
    for (at, (text, tokens)) in texts.iter().zip(counts).enumerate() {
        let json = Bytes::from(quote(text).into_bytes());
        let document = Document::parse(json.clone(), Default::default()).map_err(|_| no_text(at))?;
        let digest = others.item(ItemKind::Text, document.root());
        items.push(EmbedItem { json, input: ItemKind::Text, digest, tokens });
    }
    Ok(items)
}

fn no_text(at: usize) -> DoorError {
    let message = format!("input[{at}] is no list of tokens of cl100k_base that stands for a text");
    DoorError::bad_field(&format!("input[{at}]"), message)
}

impl Asked {
    async fn tell(mut self, request: &HttpRequest, doors: &Doors) -> Result<HttpResponse, DoorError> {
        let embedded = doors.engine.embed(self.call).await?;
        let mut response = HttpResponse::Ok();
        let Embedded { id, outcome, items, target, age_s, ours, .. } = &embedded;
        let target = Arc::clone(target);
        let warm = embedded.rows.iter().any(|row| row.tier() == Tier::Warm);
        let tier = if warm { Tier::Warm } else { Tier::Hot };
        let (id, outcome, age_s, ours) = (*id, *outcome, *age_s, *ours);
        let about = About { id, outcome, tier, key: None, target, age_s, ours };
        if outcome == Outcome::Mixed {
            let counts = format!("hit={}, joined={}, miss={}", items.hit, items.joined, items.miss);
            response.insert_header(("x-tidegate-items", counts));
        }
        response.insert_header(("content-type", "application/json"));
        let body = written(&embedded, self.encoding)?;
        self.held.2.add(&body);
        let (body, coding) = coded(doors, request, None, body).await;
        if let Some(coding) = coding {
            response
                .insert_header(("content-encoding", coding.name()))
                .insert_header(("vary", "accept-encoding"));
        }
        let mut response = response.body(body);
        about.write(response.headers_mut());
        turn::write(turn::quotas(self.held.1.as_ref()), Vendor::OpenAi, response.headers_mut());
        Ok(response)
    }
}

fn written(embedded: &Embedded, encoding: Encoding) -> Result<Bytes, DoorError> {
    let mut rows = Vec::with_capacity(embedded.rows.len());
    let mut said: &str = "";
    for row in &embedded.rows {
        let Kept::Row { vector, model } = &row.kept else {
            return Err(DoorError::broken_answer("an answer where a vector was kept".into()));
        };
        said = model;
        rows.push(Written { text: &vector.text, bits: &vector.bits });
    }
    Ok(write_answer(rows.iter().copied(), encoding, said, embedded.tokens()).into())
}
