//! Who may do what, asked of a whole server: every row of the table with every kind of credential, and what one workspace can
//! see of another.

#![expect(clippy::panic, reason = "helpers of tests fail the way tests do")]

mod browser;
mod commands;
mod isolation;
mod keys;
mod limits;
mod people;
mod refusals;
mod table;
mod users;

use std::sync::atomic::{AtomicBool, Ordering};

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
        Self::with("").await
    }

    /// As [`Guarded::start`], with this configuration.
    async fn with(toml: &str) -> Self {
        let gateway = Gateway::start(toml);
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

    /// How many calls of this credential were taken that began after `end` had answered: eight callers ask all the time, and three
    /// times more each from then on.
    async fn taken_late(&self, credential: &str, end: impl Future<Output = ()>) -> u32 {
        let ended = AtomicBool::new(false);
        let callers = (0..8).map(|n| {
            let ended = &ended;
            async move {
                let (mut asked, mut late) = (0, 0);
                while asked < 3 {
                    let is_late = ended.load(Ordering::Acquire);
                    let answer = self.post(CHAT, credential, &ask(&format!("caller {n}"))).await;
                    asked += u32::from(is_late);
                    late += u32::from(is_late && answer.status != 401);
                }
                late
            }
        });
        let end = async {
            for _ in 0..20 {
                assert_eq!(self.post(CHAT, credential, &ask("meanwhile")).await.status, 200);
            }
            end.await;
            ended.store(true, Ordering::Release);
        };
        let (late, ()) = tokio::join!(futures_util::future::join_all(callers), end);
        late.iter().sum()
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

    /// The id of a new person, whose password is `ebb and flow`.
    async fn user(&self, name: &str, workspace: &str, role: &str) -> String {
        let email = format!("{name}@tide.example");
        let asked = json!({ "username": name, "email": email, "password": "ebb and flow",
            "workspace": workspace, "role": role });
        let made = self.post("/api/v1/users", &self.operator, &asked).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["id"].as_str().expect("an id").to_owned()
    }

    /// What a person is given that signs in.
    async fn login(&self, name: &str) -> Json {
        self.logged_in(json!({ "username": name, "password": "ebb and flow" })).await
    }

    async fn logged_in(&self, asked: Json) -> Json {
        let answer = self.gateway.post("/api/v1/auth/login", asked.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// A token of a person.
    async fn token(&self, name: &str) -> String {
        self.login(name).await["access_token"].as_str().expect("a token").to_owned()
    }

    /// A token of a person whose time is over.
    async fn short_token(&self, name: &str) -> String {
        let asked = json!({ "username": name, "password": "ebb and flow", "lifetime_s": 0 });
        self.logged_in(asked).await["access_token"].as_str().expect("a token").to_owned()
    }

    async fn key_of(&self, workspace: &str, role: &str) -> String {
        self.key(&json!({ "name": "k", "workspace": workspace, "role": role })).await.0
    }
}
