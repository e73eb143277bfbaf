//! What an app asks counts for who called the app, under the limits of the gateway's doors.

use super::*;
use crate::upstream::{Script, Upstream};

/// A flow that asks once, one that goes on when it is refused, and a button.
fn asking(provider: &str) -> String {
    let flows = r#"spec is "1.0"

ai "desk":
  provider is "PROVIDER"
  model is "gpt-4o"

flow "asks":
  ask ai "desk" with stream: false and input: "tide" as reply
  return reply

flow "careful":
  try:
    ask ai "desk" with stream: false and input: "ebb" as reply
  with catch problem:
    return problem.message
  return reply

page "home":
  button "Go":
    calls flow "asks"
"#;
    flows.replace("PROVIDER", provider)
        + &route("asks", "GET", "/asks")
        + &route("careful", "GET", "/careful")
}

async fn limit(site: &Site, limits: Json) {
    let set = site.post("/api/v1/limits", &limits).await;
    assert_eq!(set.status, 200, "{set:?}");
}

#[tokio::test]
async fn an_ask_that_a_limit_has_no_room_for_is_a_fault_of_the_program() {
    let site = Site::with(&asking("mock"), None, &[]);
    limit(&site, json!({ "workspace": "default", "requests_per_minute": 1 })).await;
    assert_eq!(site.get("/asks").await.status, 200);
    let refused = site.get("/asks").await;
    let told = refused.json();
    assert_eq!(refused.status, 429, "{told}");
    let message = told["message"].as_str().expect("a message");
    assert!(message.contains("requests_per_minute of workspace default: used 1 of 1"), "{told}");
    assert!(told["code"].as_str().is_some_and(|code| code.starts_with("E-AI-AI_LIMITED-ASKS-")), "{told}");
    let caught = site.get("/careful").await;
    assert!(caught.status == 200 && caught.text().contains("used 1 of 1"), "{caught:?}");
    let pressed = site.post("/api/action", &json!({ "id": "page.home.button.go" })).await;
    assert!(pressed.text().contains("requests_per_minute"), "{pressed:?}");

    let listed = site.get("/api/v1/calls?outcome=failed").await.json();
    let rows = listed["calls"].as_array().unwrap_or_else(|| panic!("{listed}"));
    assert_eq!(rows.len(), 3, "{listed}");
    assert!(rows.iter().all(|row| row["reason"] == "requests_per_minute"), "{listed}");
    let metrics = site.get("/metrics").await;
    assert!(metrics.text().contains("tidegate_limit_refusals_total{limit=\"requests_per_minute\"} 3"));
}

#[tokio::test]
async fn an_ask_costs_whoever_called_the_app_what_its_row_says() {
    let choice =
        json!({ "index": 0, "message": { "role": "assistant", "content": "out" }, "finish_reason": "stop" });
    let body = json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
        "usage": { "prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100 } });
    let upstream = Upstream::always(Script::json(200, body.to_string())).await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let config = format!(
        "[providers.openai]\nkind = \"openai\"\nbase_url = \"{}/v1\"\napi_key = \"k\"\n",
        upstream.url()
    );
    std::fs::write(folder.path().join("tidegate.toml"), config).expect("written");
    std::fs::write(folder.path().join("app.ai"), asking("openai")).expect("written");
    let site = Site { gateway: Gateway::serving(folder.path(), &[]), folder };
    let key = json!({ "name": "k", "role": "operator" });
    let made = site.post("/api/v1/keys", &key).await.json();
    let (secret, id) = (made["secret"].as_str().expect("a key"), made["key"]["id"].as_str().expect("an id"));
    let with_key = async |method, path: &str, body: Json| {
        let request = site.gateway.request(method, path).bearer_auth(secret);
        send(request.header("content-type", "application/json").body(body.to_string())).await
    };
    let limits = json!({ "key": id, "usd_per_month": "0.0145" });
    assert_eq!(with_key(Method::POST, "/api/v1/limits", limits).await.status, 200);
    let first = with_key(Method::GET, "/asks", json!({})).await;
    assert_eq!(first.status, 200, "{first:?}");

    let limits = with_key(Method::GET, "/api/v1/limits", Json::Null).await.json();
    assert_eq!(limits["limits"][0]["used"], "0.003500000", "{limits}");
    let calls = with_key(Method::GET, "/api/v1/calls", Json::Null).await.json();
    let row = &calls["calls"][0];
    assert_eq!((&row["cost"], &row["credential_id"]), (&json!("0.003500000"), &json!(id)), "{calls}");
    assert_eq!(with_key(Method::GET, "/asks", json!({})).await.status, 200, "0.0035 used, 0.010 reserved");
    assert_eq!(with_key(Method::GET, "/asks", json!({})).await.status, 429, "a third might cost too much");
}
