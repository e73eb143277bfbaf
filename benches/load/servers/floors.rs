//! Owns the floors: the least an actix-web server can do for the same answer, with one worker.
//!
//! Must stay free of anything a product needs; a floor that does more is no floor.

use std::collections::hash_map::RandomState;
use std::sync::Arc;

use actix_web::{App, HttpResponse, HttpServer, web};
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

fn json(body: Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(body)
}
