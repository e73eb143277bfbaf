//! Who may do what, asked of a whole server: every row of the table with every kind of credential, and what one workspace can
//! see of another.

#![expect(clippy::panic, reason = "helpers of tests fail the way tests do")]

mod commands;
mod isolation;
mod keys;
mod limits;
mod table;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::server::{Answer, Gateway, send};

const CHAT: &str = "/v1/chat/completions";

/// A declared question to the provider that makes answers up.
fn ask(content: &str) -> Json {
    json!({ "model": "m", "temperature": 0, "messages": [{ "role": "user", "content": content }] })
}

/// A server that keeps its keys, and its operator's key.
struct Guarded {
    gateway: Gateway,
    operator: String,
}

impl Guarded {
    /// A server of which `operator` is the first key.
    async fn start() -> Self {
        let gateway = Gateway::start("");
        let asked = json!({ "name": "ops", "role": "operator" }).to_string();
        let made = gateway.post("/api/v1/keys", asked).await;
        assert_eq!(made.status, 201, "{made:?}");
        let operator = made.json()["secret"].as_str().expect("a key").to_owned();
        Self { gateway, operator }
    }

    async fn asked(&self, method: Method, path: &str, key: Option<&str>, body: &Json) -> Answer {
        let mut request = self.gateway.request(method, path).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        send(request).await
    }

    async fn post(&self, path: &str, key: &str, body: &Json) -> Answer {
        self.asked(Method::POST, path, Some(key), body).await
    }

    async fn get(&self, path: &str, key: &str) -> Answer {
        self.asked(Method::GET, path, Some(key), &Json::Null).await
    }

    /// The id of a new workspace.
    async fn workspace(&self, name: &str) -> String {
        let made = self.post("/api/v1/workspaces", &self.operator, &json!({ "name": name })).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["id"].as_str().expect("an id").to_owned()
    }

    /// A new key: its text and its id.
    async fn key(&self, asked: &Json) -> (String, String) {
        let made = self.post("/api/v1/keys", &self.operator, asked).await;
        assert_eq!(made.status, 201, "{made:?}");
        let json = made.json();
        let text = |value: &Json| value.as_str().unwrap_or_else(|| panic!("{json}")).to_owned();
        (text(&json["secret"]), text(&json["key"]["id"]))
    }

    async fn key_of(&self, workspace: &str, role: &str) -> String {
        self.key(&json!({ "name": "k", "workspace": workspace, "role": role })).await.0
    }
}
