//! Owns the mock model: an OpenAI-compatible server whose answers depend on the request alone and whose pace
//! the model name sets.
//!
//! `bench` answers at once; `bench-d50` after 50 ms; `bench-f20-t16-g5` streams 16 tokens, the first after 20
//! ms, then one every 5 ms.
//! Must not be cleverer than an upstream: no cache, no joining, no batching.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use base64::Engine as _;
use bytes::Bytes;
use memchr::memmem;
use serde_json::json;

use super::{Outcome, floors};
use crate::generator::{sleep_exactly, vector_start};

/// Numbers in a vector.
const DIMENSIONS: usize = 256;
/// What an embedding request takes, and what each item adds.
const EMBED_BASE: Duration = Duration::from_millis(5);
const EMBED_ITEM: Duration = Duration::from_micros(100);

/// Requests this upstream has seen.
#[derive(Default)]
struct Seen {
    chats: AtomicU64,
    embeddings: AtomicU64,
    items: AtomicU64,
}

/// What a model name asks of the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    delay: Duration,
    first: Duration,
    tokens: u64,
    gap: Duration,
}

/// Serves the mock model until killed.
pub(super) fn run() -> Outcome<()> {
    let seen: Arc<Seen> = Arc::default();
    floors::serve(move |config| {
        config.app_data(web::Data::new(Arc::clone(&seen)));
        config.route("/v1/chat/completions", web::post().to(chat));
        config.route("/v1/embeddings", web::post().to(embed));
        config.route("/seen", web::get().to(tell_seen));
    })
}

async fn tell_seen(seen: web::Data<Arc<Seen>>) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "chats": seen.chats.load(Ordering::Relaxed),
        "embeddings": seen.embeddings.load(Ordering::Relaxed),
        "items": seen.items.load(Ordering::Relaxed),
    }))
}

async fn chat(body: Bytes, seen: web::Data<Arc<Seen>>) -> HttpResponse {
    seen.chats.fetch_add(1, Ordering::Relaxed);
    let model = model_in(&body);
    let pace = Pace::of(model);
    if !pace.delay.is_zero() {
        sleep_exactly(pace.delay).await;
    }
    if asks_stream(&body) {
        let frames = frames(String::from_utf8_lossy(key_in(&body)).into_owned(), model.to_owned(), pace);
        let mut answer = HttpResponse::Ok();
        answer.content_type("text/event-stream").insert_header(("cache-control", "no-cache"));
        return answer.insert_header(("x-accel-buffering", "no")).streaming(frames);
    }
    HttpResponse::Ok().content_type("application/json").body(completion(key_in(&body), model))
}

/// A completion of about 600 bytes whose id carries the request's key.
pub(super) fn completion(key: &[u8], model: &str) -> String {
    let key = String::from_utf8_lossy(key);
    format!(
        "{{\"id\":\"chatcmpl-k{key}\",\"object\":\"chat.completion\",\"created\":1760000000,\
         \"model\":\"{model}\",\
         \"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"The night shift \
         moored four vessels. Berth two stays closed until the crane is inspected, so the next arrivals go \
         to berths three and five. Tugs are booked from six; the pilot asks for a call an hour before.\",\
         \"refusal\":null,\"annotations\":[]}},\
         \"logprobs\":null,\"finish_reason\":\"stop\"}}],\
         \"usage\":{{\"prompt_tokens\":271,\"completion_tokens\":54,\"total_tokens\":325}},\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\"}}"
    )
}

/// The key's digits in a request, or zeros when it carries none.
pub(super) fn key_in(body: &[u8]) -> &[u8] {
    memmem::find(body, b"[k").and_then(|at| body.get(at + 2..at + 18)).unwrap_or(b"0000000000000000")
}

fn model_in(body: &[u8]) -> &str {
    let value = memmem::find(body, b"\"model\":").and_then(|at| body.get(at + 8..)).unwrap_or_default();
    let mut quoted = value.splitn(3, |byte| *byte == b'"');
    std::str::from_utf8(quoted.nth(1).unwrap_or_default()).unwrap_or_default()
}

fn asks_stream(body: &[u8]) -> bool {
    let value = memmem::find(body, b"\"stream\":").and_then(|at| body.get(at + 9..)).unwrap_or_default();
    value.trim_ascii_start().starts_with(b"true")
}

impl Pace {
    fn of(model: &str) -> Self {
        let mut pace = Self { delay: Duration::ZERO, first: Duration::ZERO, tokens: 16, gap: Duration::ZERO };
        for part in model.split('-').skip(1) {
            let (Some(letter), Ok(number)) = (part.chars().next(), part.get(1..).unwrap_or_default().parse())
            else {
                continue;
            };
            match letter {
                'd' => pace.delay = Duration::from_millis(number),
                'f' => pace.first = Duration::from_millis(number),
                't' => pace.tokens = number,
                'g' => pace.gap = Duration::from_millis(number),
                _ => {}
            }
        }
        pace
    }
}

/// The frames of a streamed completion: role, tokens, finish, usage, `[DONE]`.
fn frames(
    key: String,
    model: String,
    pace: Pace,
) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    futures_util::stream::unfold(0, move |step| {
        let (key, model) = (key.clone(), model.clone());
        async move {
            if step > pace.tokens {
                return None;
            }
            let wait = if step == 0 { pace.first } else { pace.gap };
            if !wait.is_zero() {
                sleep_exactly(wait).await;
            }
            let mut frame = chunk(&key, &model, &format!("{{\"content\":\" word{step}\"}}"), "null");
            if step == pace.tokens {
                frame = chunk(&key, &model, "{}", "\"stop\"");
                frame.push_str(&usage_chunk(&key, &model, pace.tokens));
                frame.push_str("data: [DONE]\n\n");
            }
            Some((Ok(Bytes::from(frame)), step + 1))
        }
    })
}

fn chunk(key: &str, model: &str, delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-k{key}\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\
         \"model\":\"{model}\",\
         \"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
         \"finish_reason\":{finish}}}],\"usage\":null}}\n\n"
    )
}

fn usage_chunk(key: &str, model: &str, tokens: u64) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-k{key}\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\
         \"model\":\"{model}\",\
         \"choices\":[],\"usage\":{{\"prompt_tokens\":271,\
         \"completion_tokens\":{tokens},\"total_tokens\":{}}}}}\n\n",
        271 + tokens
    )
}

/// Takes 5 ms and 0.1 ms an item, whatever else is going on.
async fn embed(body: Bytes, seen: web::Data<Arc<Seen>>) -> HttpResponse {
    let Ok(request) = serde_json::from_slice::<serde_json::Value>(&body) else {
        return HttpResponse::BadRequest()
            .json(json!({"error": {"message": "not JSON", "type": "invalid_request_error"}}));
    };
    let one = [request["input"].clone()];
    let items = request["input"].as_array().map_or(&one[..], Vec::as_slice);
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    seen.embeddings.fetch_add(1, Ordering::Relaxed);
    seen.items.fetch_add(u64::from(count), Ordering::Relaxed);
    sleep_exactly(EMBED_BASE + EMBED_ITEM * count).await;
    let base64 = request["encoding_format"] == "base64";
    let rows: Vec<_> = items.iter().enumerate().map(|(index, item)| row(index, item, base64)).collect();
    HttpResponse::Ok().json(json!({
        "object": "list", "data": rows, "model": request["model"],
        "usage": {"prompt_tokens": 12 * count, "total_tokens": 12 * count},
    }))
}

fn row(index: usize, item: &serde_json::Value, base64: bool) -> serde_json::Value {
    let text = item.as_str().unwrap_or_default();
    let digits = std::str::from_utf8(key_in(text.as_bytes())).unwrap_or_default();
    let mut vector = vec![0.25_f32; DIMENSIONS];
    vector[..3].copy_from_slice(&vector_start(u64::from_str_radix(digits, 16).unwrap_or(0)));
    let embedding = if base64 {
        let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        json!(base64::engine::general_purpose::STANDARD.encode(bytes))
    } else {
        json!(vector)
    };
    json!({"object": "embedding", "index": index, "embedding": embedding})
}
