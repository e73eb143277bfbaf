//! The doors as a client sees them: a whole server on a real socket, before a scripted upstream.
//!
//! Owns the bodies these tests send and the answers their upstreams give.

#![expect(clippy::panic, reason = "helpers of tests fail the way tests do")]

mod cache;
mod coding;
mod connections;
mod console;
mod explain;
mod forms;
mod forward;
mod metrics;
mod openapi;
mod paths;
mod purge;
mod readiness;
mod refusals;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::server::{Answer, Gateway, send};
use crate::upstream::{Script, Seen, Upstream};

const CHAT: &str = "/v1/chat/completions";
const EMBED: &str = "/v1/embeddings";
const MESSAGES: &str = "/v1/messages";

/// A declared question; equal texts make equal calls.
fn ask(content: &str) -> String {
    json!({ "model": "m", "temperature": 0, "messages": [{ "role": "user", "content": content }] })
        .to_string()
}

/// A question whose answer may differ each time.
fn undeclared(content: &str) -> String {
    json!({ "model": "m", "messages": [{ "role": "user", "content": content }] }).to_string()
}

fn ask_stream(content: &str) -> String {
    let mut body: Json = serde_json::from_str(&ask(content)).expect("made above");
    body["stream"] = true.into();
    body.to_string()
}

/// What an OpenAI upstream says to `seen`: a whole answer or a stream, which repeats the question.
fn said(seen: &Seen) -> Script {
    let asked: Json = serde_json::from_slice(&seen.body).unwrap_or(Json::Null);
    let content = asked["messages"][0]["content"].as_str().unwrap_or_default();
    if asked["stream"] == true {
        return streamed(content);
    }
    Script::json(200, completion(content))
}

/// With odd spaces and a field nobody knows: a client must get the very bytes.
fn completion(content: &str) -> String {
    format!(
        "{{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"up-m\",  \"choices\":[{{\"index\":0,\
         \"message\":{{\"role\":\"assistant\",\"content\":\"{content}\"}},\"finish_reason\":\"stop\"}}],\
         \"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}},\"odd\":1.50}}"
    )
}

/// A stream's first words.
const CHUNK: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"up-m\",\
     \"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hm.\"},\"finish_reason\":null}]}\n\n";

fn streamed(content: &str) -> Script {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"up-m\",\
             \"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    Script::events()
        .send(chunk(&format!("{{\"role\":\"assistant\",\"content\":\"{content}\"}}"), "null"))
        .send(chunk("{}", "\"stop\""))
        .send(
            "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"up-m\",\
             \"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}\n\n",
        )
        .send("data: [DONE]\n\n")
}

/// A server before an upstream that answers every question.
async fn talking() -> (Upstream, Gateway) {
    let upstream = Upstream::answering(said).await;
    let gateway = Gateway::before(&upstream, "");
    (upstream, gateway)
}

/// The code of an error in the shape of `path`.
fn code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

fn message(answer: &Answer) -> String {
    answer.json()["error"]["message"].as_str().expect("every error has a message").to_owned()
}
