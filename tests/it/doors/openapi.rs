//! `docs/openapi.json` is what the code says, and what the code answers is what it says.

use std::collections::BTreeSet;

use reqwest::Method;

use super::*;

/// Set it to write the file anew: TIDEGATE_WRITE_OPENAPI=1 cargo test --test it openapi
const WRITE: &str = "TIDEGATE_WRITE_OPENAPI";

#[test]
fn the_committed_description_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let described = tidegate::http::described().expect("the description can be written");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(path, &described).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(path).expect("the file is there");
    assert!(committed == described, "docs/openapi.json is old: {WRITE}=1 cargo test --test it openapi");
}

/// The description, to hold answers against.
struct Spec(Json);

impl Spec {
    fn load() -> Self {
        Self(serde_json::from_str(&tidegate::http::described().expect("made")).expect("JSON"))
    }

    /// The schema of the answer with this status, if one is described.
    fn answer(&self, method: &Method, path: &str, status: u16) -> Option<&Json> {
        let responses = &self.0["paths"][path][method.as_str().to_lowercase()]["responses"];
        let class = format!("{}XX", status / 100);
        let response = responses.get(status.to_string()).or_else(|| responses.get(&class));
        let response = response.unwrap_or_else(|| panic!("{method} {path} does not describe {status}"));
        response["content"].as_object()?.values().next()?.get("schema")
    }

    fn resolved<'a>(&'a self, schema: &'a Json) -> &'a Json {
        match schema["$ref"].as_str() {
            Some(name) => {
                let name = name.rsplit('/').next().expect("a name");
                self.resolved(&self.0["components"]["schemas"][name])
            }
            None => schema,
        }
    }

    /// What of `value` is not as `schema` says, each with its path.
    fn faults(&self, schema: &Json, value: &Json, at: &str) -> Vec<String> {
        let schema = self.resolved(schema);
        for several in ["oneOf", "anyOf"] {
            if let Some(choices) = schema[several].as_array() {
                let mut faults = choices.iter().map(|choice| self.faults(choice, value, at));
                let least = faults.by_ref().min_by_key(Vec::len);
                return least.unwrap_or_default();
            }
        }
        if let Some(all) = schema["allOf"].as_array() {
            return all.iter().flat_map(|part| self.faults(part, value, at)).collect();
        }
        if !has_type(schema, value) {
            return vec![format!("{at}: {value} is no {}", schema["type"])];
        }
        match value {
            Json::Object(members) => self.faults_of_object(schema, members, at),
            Json::Array(items) => {
                let of = |(index, item)| self.faults(&schema["items"], item, &format!("{at}[{index}]"));
                items.iter().enumerate().flat_map(of).collect()
            }
            _ => Vec::new(),
        }
    }

    fn faults_of_object(
        &self,
        schema: &Json,
        members: &serde_json::Map<String, Json>,
        at: &str,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        for required in schema["required"].as_array().into_iter().flatten() {
            let name = required.as_str().expect("a name");
            if !members.contains_key(name) {
                faults.push(format!("{at}.{name} is missing"));
            }
        }
        // A schema without properties leaves them open.
        let members = members.iter().filter(|_| schema.get("properties").is_some());
        for (name, value) in members {
            let others = schema.get("additionalProperties").filter(|others| **others != Json::Bool(false));
            match schema["properties"].get(name).or(others) {
                Some(schema) => faults.extend(self.faults(schema, value, &format!("{at}.{name}"))),
                None => faults.push(format!("{at}.{name} is not described")),
            }
        }
        faults
    }
}

fn has_type(schema: &Json, value: &Json) -> bool {
    let wanted: Vec<&str> = match &schema["type"] {
        Json::String(one) => vec![one],
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => return true,
    };
    wanted.iter().any(|wanted| match *wanted {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no JSON type {other}"),
    })
}

/// How it is asked, the path as it is described, and as it is asked, the body.
type Question = (Method, &'static str, String, Option<String>);

fn get(path: &'static str, real: &str) -> Question {
    (Method::GET, path, real.to_owned(), None)
}

/// Questions about people; the last ones with nobody signed in where that is needed.
fn questions_about_people() -> Vec<Question> {
    let get = |path: &'static str| (Method::GET, path, path.to_owned(), None);
    let post = |path: &'static str, body: Json| {
        (Method::POST, path, path.replace("{id}", "nobody"), Some(body.to_string()))
    };
    let anna = json!({ "username": "anna", "password": "ebb and flow" });
    vec![
        get("/api/v1/users"),
        post("/api/v1/users", json!({ "username": "a b", "password": "ebb and flow" })),
        post("/api/v1/users/{id}/password", json!({ "password": "ebb and flow" })),
        post("/api/v1/users/{id}/grant", json!({ "role": "read" })),
        post("/api/v1/users/{id}/disable", json!({})),
        post("/api/v1/users/{id}/enable", json!({})),
        post("/api/v1/auth/refresh", json!({})),
        post("/api/v1/auth/refresh", json!({ "refresh_token": "x" })),
        post("/api/v1/auth/logout", json!({})),
        post("/api/v1/auth/password", json!({})),
        get("/api/v1/auth/me"),
        post("/api/v1/users", anna.clone()),
        // From here on a credential is needed.
        get("/api/v1/auth/me"),
        post("/api/v1/auth/login", anna),
        post("/api/v1/auth/login", json!({ "username": "anna", "password": "x" })),
    ]
}

/// Questions to what the ledger knows.
fn of_ledger(call: &str) -> Vec<Question> {
    vec![
        get("/api/v1/calls", "/api/v1/calls?limit=2"),
        get("/api/v1/calls", "/api/v1/calls?limit=0"),
        get("/api/v1/calls/export.jsonl", "/api/v1/calls/export.jsonl"),
        get("/api/v1/calls/export.jsonl", "/api/v1/calls/export.jsonl?since=x"),
        get("/api/v1/calls/export.csv", "/api/v1/calls/export.csv?model=none"),
        get("/api/v1/usage", "/api/v1/usage?by=hour"),
        get("/api/v1/usage", "/api/v1/usage?by=year"),
        get("/api/v1/workspaces/{id}/cache/stats", "/api/v1/workspaces/default/cache/stats"),
        get("/api/v1/workspaces/{id}/cache/stats", "/api/v1/workspaces/none/cache/stats"),
        get("/api/v1/attempts", "/api/v1/attempts"),
        get("/api/v1/attempts", "/api/v1/attempts?cursor=x"),
        get("/api/v1/calls/{id}", &format!("/api/v1/calls/{call}")),
        get("/api/v1/calls/{id}", "/api/v1/calls/none"),
        // What it answers never ends.
        get("/api/v1/calls/stream", "/api/v1/calls/stream?limit=1"),
        get("/api/v1/calls/{id}/bodies", "/api/v1/calls/none/bodies"),
        get("/api/v1/calls/{id}/bodies", &format!("/api/v1/calls/{call}/bodies")),
        get("/api/v1/calls/{id}/explain", &format!("/api/v1/calls/{call}/explain")),
        get("/api/v1/calls/{id}/explain", "/api/v1/calls/none/explain"),
    ]
}

/// One question to each described path but those of the ledger, and to some a wrong one.
fn questions() -> Vec<Question> {
    let post = |path: &'static str, body: Json| (Method::POST, path, path.to_owned(), Some(body.to_string()));
    let chat =
        json!({ "model": "mock-chat", "temperature": 0, "messages": [{ "role": "user", "content": "a" }] });
    let claude =
        json!({ "model": "mock-claude", "max_tokens": 9, "messages": [{ "role": "user", "content": "a" }] });
    let embed = |format: &str| json!({ "model": "mock-embed", "input": ["a"], "dimensions": 2, "encoding_format": format });
    let keep = |body: Json| {
        let (path, real) = ("/api/v1/workspaces/{id}", "/api/v1/workspaces/default".to_owned());
        (Method::POST, path, real, Some(body.to_string()))
    };
    vec![
        post(CHAT, chat),
        post(CHAT, json!({ "model": 1 })),
        post(MESSAGES, claude.clone()),
        post(MESSAGES, json!({})),
        post("/v1/messages/count_tokens", claude),
        post(EMBED, embed("float")),
        post(EMBED, embed("base64")),
        post(EMBED, json!({ "model": "mock-embed", "input": "" })),
        get("/v1/models", "/v1/models"),
        get("/v1/models/{id}", "/v1/models/mock-chat"),
        get("/v1/{tail}", "/v1/files"),
        get("/health", "/health"),
        get("/ready", "/ready"),
        get("/metrics", "/metrics"),
        get("/api/metrics", "/api/metrics"),
        get("/api/v1/engine", "/api/v1/engine"),
        post("/api/v1/cache/purge", json!({ "tag": "x", "dry_run": true })),
        post("/api/v1/cache/purge", json!({})),
        get("/docs/openapi.json", "/docs/openapi.json"),
        get("/docs/{file}", "/docs/index.html"),
        get("/api/v1/workspaces", "/api/v1/workspaces"),
        post("/api/v1/workspaces", json!({ "name": "one" })),
        post("/api/v1/workspaces", json!({ "name": "one" })),
        keep(json!({ "keep_bodies_days": 3 })),
        keep(json!({ "keep_bodies_days": 0 })),
        get("/api/v1/keys", "/api/v1/keys"),
        post("/api/v1/keys", json!({ "name": "k", "role": "king" })),
        (Method::POST, "/api/v1/keys/{id}/rotate", "/api/v1/keys/none/rotate".to_owned(), None),
        (Method::POST, "/api/v1/keys/{id}/revoke", "/api/v1/keys/none/revoke".to_owned(), None),
        get("/api/v1/limits", "/api/v1/limits"),
        get("/api/v1/prices", "/api/v1/prices"),
        post("/api/v1/limits", json!({ "workspace": "default", "requests_per_minute": 9 })),
        post("/api/v1/limits", json!({})),
        // From here on a key is needed.
        post("/api/v1/keys", json!({ "name": "k", "doors": ["chat"], "models": ["m"], "lifetime_s": 9 })),
        post("/api/v1/keys", json!({ "name": "k" })),
    ]
}

#[tokio::test]
async fn every_described_path_answers_as_described() {
    let spec = Spec::load();
    let gateway = Gateway::start("");
    let body = json!({ "model": "mock-embed", "input": ["a", "b"], "dimensions": 2 }).to_string();
    let keep = json!({ "keep_bodies_days": 3 }).to_string();
    assert_eq!(gateway.post("/api/v1/workspaces/default", keep).await.status, 200);
    let call = gateway.post(EMBED, body).await.field("x-request-id").expect("an id").to_owned();
    let mut asked = BTreeSet::new();
    let other = Gateway::start("");
    let of_people = questions_about_people().into_iter().map(|question| (&other, question));
    let questions = of_ledger(&call).into_iter().chain(questions()).map(|question| (&gateway, question));
    for (gateway, (method, path, real, body)) in questions.chain(of_people) {
        asked.insert(path);
        let request = match body {
            Some(body) => gateway.posting(&real, body),
            None => gateway.request(method.clone(), &real),
        };
        let answer = send(request).await;
        let Some(schema) = spec.answer(&method, path, answer.status) else { continue };
        let is_json = answer.field("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let value = if is_json { answer.json() } else { Json::String(answer.text().to_owned()) };
        let faults = spec.faults(schema, &value, "");
        assert!(faults.is_empty(), "{method} {path}: {faults:?} in {value}");
    }
    let described: BTreeSet<_> =
        spec.0["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    assert_eq!(asked, described, "every described path is asked");
}

#[tokio::test]
async fn a_model_in_either_vendors_shape_is_as_described() {
    let spec = Spec::load();
    let gateway = Gateway::start("");
    for (path, real) in [("/v1/models", "/v1/models"), ("/v1/models/{id}", "/v1/models/mock-claude")] {
        let request = gateway.request(Method::GET, real).header("anthropic-version", "2023-06-01");
        let answer = send(request).await;
        let schema = spec.answer(&Method::GET, path, 200).expect("described");
        assert_eq!(spec.faults(schema, &answer.json(), ""), Vec::<String>::new());
    }
}
