//! Owns the floors: the least an actix-web server can do for the same answer, with one worker.
//!
//! Must stay free of anything a product needs; a floor that does more is no floor.

use std::collections::hash_map::RandomState;
use std::sync::Arc;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use dashmap::DashMap;
use xxhash_rust::xxh3::xxh3_128;

use super::{Outcome, upstream};

/// Answers by the 128-bit hash of the request body.
type Answers = Arc<DashMap<u128, Bytes, RandomState>>;

/// Serves one factory's routes on a free port until killed.
pub(super) fn serve(configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> Outcome<()> {
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            let limit = web::PayloadConfig::new(4 << 20);
            App::new().app_data(limit).configure(configure.clone())
        })
        .workers(1)
        .backlog(16_384)
        .h1_allow_half_closed(false) // a stream whose reader left must give its descriptor back
        .keep_alive(std::time::Duration::from_secs(300))
        .max_connections(100_000)
        .bind(("127.0.0.1", 0))?;
        for addr in server.addrs() {
            println!("listening on http://{addr}");
        }
        server.run().await?;
        Ok(())
    })
}

/// Reads the body and answers the same bytes whatever it says.
pub(super) fn run_bare() -> Outcome<()> {
    let answer = Bytes::from(upstream::completion(b"0000000000000000", "bench"));
    serve(move |config| {
        let answer = answer.clone();
        let handler = move |_body: Bytes| {
            let answer = answer.clone();
            async move { json(answer) }
        };
        config.route("/v1/chat/completions", web::post().to(handler));
    })
}

/// Parses the body, hashes it and answers what is kept under the hash; an unknown body is answered and kept.
pub(super) fn run_lookup() -> Outcome<()> {
    let answers: Answers = Arc::default();
    serve(move |config| {
        config.app_data(web::Data::new(Arc::clone(&answers)));
        config.route("/v1/chat/completions", web::post().to(look_up));
    })
}

async fn look_up(body: Bytes, answers: web::Data<Answers>) -> HttpResponse {
    let Ok(parsed) = serde_json::from_slice::<serde_json::Value>(&body) else {
        return HttpResponse::BadRequest().body("not JSON");
    };
    let Some(model) = parsed["model"].as_str() else {
        return HttpResponse::BadRequest().body("no model");
    };
    let key = xxh3_128(&body);
    if let Some(kept) = answers.get(&key) {
        return json(kept.clone());
    }
    let answer = Bytes::from(upstream::completion(upstream::key_in(&body), model));
    answers.insert(key, answer.clone());
    json(answer)
}

/// Hands the body to `upstream` through a pooled reqwest client and its answer back, and does nothing else.
pub(super) fn run_proxy(upstream: &str) -> Outcome<()> {
    let url: Arc<str> = format!("http://{upstream}/v1/chat/completions").into();
    let client = reqwest::Client::builder().no_proxy().build()?;
    serve(move |config| {
        config.app_data(web::Data::new((client.clone(), Arc::clone(&url))));
        config.route("/v1/chat/completions", web::post().to(forward));
    })
}

async fn forward(
    request: HttpRequest,
    body: Bytes,
    to: web::Data<(reqwest::Client, Arc<str>)>,
) -> HttpResponse {
    let (client, url) = &**to;
    let kind = request.headers().get(CONTENT_TYPE).map_or(&b"application/json"[..], |kind| kind.as_bytes());
    let asked = client.post(&**url).header("content-type", kind).body(body).send().await;
    let answer = match asked {
        Ok(answer) => answer.bytes().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(body) => json(body),
        Err(error) => HttpResponse::BadGateway().body(error.to_string()),
    }
}

fn json(body: Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(body)
}
