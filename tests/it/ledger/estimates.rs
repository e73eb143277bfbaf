//! Calls whose tokens no upstream counted: our own count stands in their rows, marked, and budgets are settled by the same numbers.

use super::budgets::{MODEL, limit, send_to, used};
use super::*;

/// A server before an upstream, with a budget that holds nobody up.
async fn serving(upstream: &Upstream) -> (Gateway, String) {
    let server = Gateway::start(&any_model_at(upstream));
    let url = format!("http://{}", server.address());
    assert_eq!(limit(&url, "1").await.status, 200);
    (server, url)
}

/// The only call in the books, once it is there.
async fn booked(server: &Gateway) -> Json {
    let told =
        server.until("/api/v1/calls", |told| told["calls"].as_array().is_some_and(|rows| !rows.is_empty()));
    let rows = told.await["calls"].as_array().cloned().unwrap_or_default();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].clone()
}

/// Tokens in and out of the only call; the budget has spent what its row says.
async fn estimated(server: &Gateway, url: &str) -> (u64, u64, bool) {
    let row = booked(server).await;
    let cost = row["cost"].as_str().unwrap_or_else(|| panic!("{row}"));
    assert_eq!(used(url, "usd_per_month").await, cost, "the ledger and the budget say the same: {row}");
    let tokens = |name: &str| row["usage"][name].as_u64().unwrap_or_else(|| panic!("{row}"));
    (tokens("input"), tokens("output"), row["usage_estimated"] == true)
}

fn chat(content: &str, stream: bool) -> String {
    let messages = json!([{ "role": "user", "content": content }]);
    json!({ "model": MODEL, "temperature": 0, "stream": stream, "messages": messages }).to_string()
}

fn chunk(delta: &Json, reason: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
    let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] });
    format!("data: {chunk}\n\n")
}

/// A stream of words that does not say how many tokens they are.
fn stream() -> Script {
    let said = |text: &str| chunk(&json!({ "content": text }), None);
    Script::events().send(said("The tide")).send(said(" comes in"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_answer_without_usage_is_counted_by_us() {
    let message = json!({ "role": "assistant", "content": "The tide comes in" });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let body =
        json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice] });
    let upstream = Upstream::always(Script::json(200, body.to_string())).await;
    let (server, url) = serving(&upstream).await;
    assert_eq!(send_to(&url, CHAT, Some(chat("What does the tide do?", false))).await.status, 200);
    // As tiktoken counts them: `user`, the question, and what is around a message; the answer has four words.
    assert_eq!(estimated(&server, &url).await, (13, 4, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_usage_is_counted_by_us() {
    let end = chunk(&json!({}), Some("stop")) + "data: [DONE]\n\n";
    let upstream = Upstream::always(stream().send(end)).await;
    let (server, url) = serving(&upstream).await;
    let answer = send_to(&url, CHAT, Some(chat("What does the tide do?", true))).await;
    assert!(answer.text().contains("[DONE]"), "{answer:?}");
    assert_eq!(estimated(&server, &url).await, (13, 4, true));
}

/// Such a call cost nothing once, and whoever broke off each stream had it for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_a_stream_pays_what_was_told_until_then() {
    let upstream = Upstream::always(stream().hang()).await;
    let (server, url) = serving(&upstream).await;
    let request = server.posting(CHAT, chat("What does the tide do?", true));
    let mut answer = request.send().await.expect("an answer begins");
    let mut heard = String::new();
    while !heard.contains("comes in") {
        let piece = answer.chunk().await.expect("it goes on").expect("there is more");
        heard.push_str(&String::from_utf8_lossy(&piece));
    }
    drop(answer);
    assert_eq!(estimated(&server, &url).await, (13, 4, true));
    assert_eq!(booked(&server).await["outcome"], "abandoned");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_off_costs_what_was_told() {
    let upstream = Upstream::always(stream().cut()).await;
    let (server, url) = serving(&upstream).await;
    let answer = send_to(&url, CHAT, Some(chat("What does the tide do?", true))).await;
    assert!(answer.text().contains("error"), "{answer:?}");
    assert_eq!(estimated(&server, &url).await, (13, 4, true));
    assert_eq!(booked(&server).await["outcome"], "failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embeddings_without_usage_are_counted_by_us() {
    let rows = json!([{ "object": "embedding", "index": 0, "embedding": [0.5, 0.25] }]);
    let body = json!({ "object": "list", "model": "m", "data": rows });
    let upstream = Upstream::always(Script::json(200, body.to_string())).await;
    let (server, url) = serving(&upstream).await;
    let asked = json!({ "model": "text-embedding-3-small", "input": "What does the tide do?" });
    assert_eq!(send_to(&url, "/v1/embeddings", Some(asked.to_string())).await.status, 200);
    assert_eq!(estimated(&server, &url).await, (6, 0, true));
}

/// What is passed on was no budget's business once, and then cost what was reserved though the ledger knew nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_passed_on_costs_what_its_answer_says() {
    let upstream = Upstream::answering(|seen| match seen.text().contains("refuse") {
        true => Script::json(422, r#"{"error":{"message":"no"}}"#),
        false => {
            Script::json(200, r#"{"id":"r","output":[],"usage":{"input_tokens":1000,"output_tokens":100}}"#)
        }
    });
    let upstream = upstream.await;
    let (server, url) = serving(&upstream).await;
    let ask = |input: &str| Some(json!({ "model": MODEL, "input": input }).to_string());
    assert_eq!(send_to(&url, "/v1/responses", ask("x")).await.status, 200);
    assert_eq!(estimated(&server, &url).await, (1_000, 100, false));
    assert_eq!(send_to(&url, "/v1/responses", ask("refuse")).await.status, 422);
    let both = |told: &Json| told["calls"].as_array().is_some_and(|rows| rows.len() == 2);
    let told = server.until("/api/v1/calls", both).await;
    assert_eq!(told["calls"][0]["usage"], Json::Null, "{told}");
    assert_eq!(used(&url, "usd_per_month").await, "0.003500000", "a refusal costs nothing");
}
