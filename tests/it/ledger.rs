//! The ledger of a whole server: what it says of calls, and that no request to an upstream is missing from it, whenever the
//! server is killed.
//!
//! Owns the server as a process of its own, which can be killed.

#![expect(clippy::panic, reason = "helpers of tests fail the way tests do")]

mod bodies;
mod budgets;
mod damage;
mod disk;
mod estimates;
mod kill;
mod pages;
mod tail;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};

use crate::server::{Answer, Gateway, database_of, send};
use crate::upstream::{Script, Seen, Upstream};

const CHAT: &str = "/v1/chat/completions";

/// A question to a model; its name goes through to the upstream.
fn ask(model: &str, content: &str) -> String {
    json!({ "model": model, "temperature": 0, "messages": [{ "role": "user", "content": content }] })
        .to_string()
}

fn completion(content: &str) -> Script {
    let message = json!({ "role": "assistant", "content": content });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let usage = json!({ "prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100 });
    let body = json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
        "usage": usage });
    Script::json(200, body.to_string())
}

/// The model asked for.
fn model(seen: &Seen) -> String {
    let asked: Json = serde_json::from_slice(&seen.body).expect("JSON");
    asked["model"].as_str().expect("a model").to_owned()
}

/// Every model name goes to `upstream` as it is.
fn any_model_at(upstream: &Upstream) -> String {
    format!(
        "[providers.openai]\nkind = \"openai\"\nbase_url = \"{}/v1\"\napi_key = \"k\"\nretries = 0\n\
         breaker_failures = 1000000\n",
        upstream.url()
    )
}

/// A server as a process; it is killed when dropped.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    fn start(home: &Path, upstream: &Upstream) -> Self {
        let database = database_of(home).map(|url| format!("database.url = \"{url}\"\n")).unwrap_or_default();
        let toml = database + &any_model_at(upstream);
        std::fs::write(home.join("tidegate.toml"), toml).expect("it can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command
            .args(["serve", "--port", "0"])
            .current_dir(home)
            .env_clear()
            .env("TIDEGATE_LOG_LEVEL", "error");
        Self::of(&mut command)
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        let url = out.lines().map_while(Result::ok).find_map(|line| {
            let at = line.find("http://127.0.0.1:")?;
            Some(line[at..].split_whitespace().next().unwrap_or_default().trim_end_matches('/').to_owned())
        });
        Self { child, url: url.expect("the banner says where it is") }
    }

    fn kill(&mut self) {
        self.child.kill().expect("it can be killed"); // SIGKILL
        self.child.wait().expect("it ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
