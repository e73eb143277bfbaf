//! Every path answers its methods, and says 404 or 405 in the shape of whoever asks.

use std::collections::BTreeSet;

use reqwest::Method;

use super::*;

#[tokio::test]
async fn an_unknown_path_is_a_404_in_the_shape_of_its_prefix() {
    let (_upstream, gateway) = talking().await;
    let api = gateway.get("/api/v1/nothing").await;
    let error = &api.json()["error"];
    assert_eq!(
        (api.status, &error["code"], &error["stage"], &error["blame"]),
        (404, &"not_found".into(), &"admit".into(), &"caller".into())
    );
    assert_eq!(error["call_id"].as_str(), api.field("x-request-id"));
    assert_eq!(gateway.get("/elsewhere").await.json()["error"]["code"], "not_found");
    assert_eq!(gateway.get("/docs/nothing.js").await.status, 404);
}

#[tokio::test]
async fn a_wrong_method_is_a_405_that_says_what_is_allowed() {
    let (upstream, gateway) = talking().await;
    let cases = [
        (Method::GET, CHAT, "POST, OPTIONS"),
        (Method::PUT, EMBED, "POST, OPTIONS"),
        (Method::POST, "/v1/models", "GET, HEAD, OPTIONS"),
        (Method::POST, "/health", "GET, HEAD, OPTIONS"),
        (Method::DELETE, "/api/v1/engine", "GET, HEAD, OPTIONS"),
        (Method::GET, "/api/v1/cache/purge", "POST, OPTIONS"),
        (Method::POST, "/metrics", "GET, HEAD, OPTIONS"),
        (Method::POST, "/api/metrics", "GET, HEAD, OPTIONS"),
    ];
    for (method, path, allowed) in cases {
        let answer = send(gateway.request(method.clone(), path)).await;
        assert_eq!((answer.status, answer.field("allow")), (405, Some(allowed)), "{method} {path}");
        assert_eq!(code(&answer), "method_not_allowed", "{method} {path}");
        let is_api = answer.json()["error"].get("stage").is_some();
        assert_eq!(is_api, !path.starts_with("/v1/"), "{method} {path}");
    }
    let anthropic = send(gateway.request(Method::GET, MESSAGES)).await;
    assert_eq!((anthropic.status, &anthropic.json()["type"]), (405, &"error".into()));
    assert!(upstream.seen().is_empty(), "none of it was passed through");
}

#[tokio::test]
async fn head_is_get_without_a_body_and_options_lists_the_methods() {
    let (_upstream, gateway) = talking().await;
    for path in ["/health", "/ready", "/v1/models", "/v1/models/m", "/metrics", "/api/v1/engine"] {
        let head = send(gateway.request(Method::HEAD, path)).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    let options = send(gateway.request(Method::OPTIONS, CHAT)).await;
    assert_eq!((options.status, options.field("allow")), (204, Some("POST, OPTIONS")));
    assert_eq!(options.field("access-control-allow-origin"), None, "no page may call from elsewhere");
    let foreign = gateway.request(Method::OPTIONS, CHAT).header("origin", "https://evil.example");
    assert_eq!(send(foreign).await.status, 403);
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own_under_both_names() {
    let (_upstream, gateway) = talking().await;
    let mut answers = Vec::new();
    for path in [
        "/health",
        "/ready",
        "/metrics",
        "/api/metrics",
        "/v1/models",
        "/v1/models/m",
        "/v1/files",
        "/api/v1/engine",
        "/nothing",
        "/docs/",
        "/docs/openapi.json",
    ] {
        answers.push(gateway.get(path).await);
    }
    for body in [ask("x"), ask("x"), ask_stream("x"), "{".to_owned()] {
        answers.push(gateway.post(CHAT, body).await);
    }
    answers.push(send(gateway.request(Method::GET, CHAT)).await);
    let ids: BTreeSet<_> = answers
        .iter()
        .map(|answer| answer.field("x-request-id").unwrap_or_else(|| panic!("{answer:?}")))
        .collect();
    assert_eq!(ids.len(), answers.len(), "{ids:?}");
    for answer in &answers {
        assert_eq!(answer.field("request-id"), answer.field("x-request-id"));
        assert!(answer.field("request-id").is_some_and(|id| id.starts_with("call_")), "{answer:?}");
    }
}

#[tokio::test]
async fn models_have_the_shape_of_the_vendor_that_asks() {
    let (_upstream, gateway) = talking().await;
    let openai = gateway.get("/v1/models").await.json();
    assert_eq!(
        openai,
        json!({ "object": "list", "data": [{ "id": "m", "object": "model", "created": 0, "owned_by": "up" }] })
    );
    assert_eq!(gateway.get("/v1/models/m").await.json()["id"], "m");
    let request = gateway.request(Method::GET, "/v1/models").header("anthropic-version", "2023-06-01");
    let anthropic = send(request).await.json();
    assert_eq!((&anthropic["data"][0]["type"], &anthropic["has_more"]), (&"model".into(), &false.into()));
    assert_eq!((&anthropic["first_id"], &anthropic["last_id"]), (&"m".into(), &"m".into()));
}

#[tokio::test]
async fn the_page_of_all_paths_is_served_with_its_files() {
    let (_upstream, gateway) = talking().await;
    let page = gateway.get("/docs").await;
    assert_eq!((page.status, page.field("content-type")), (200, Some("text/html")));
    assert!(page.text().contains("swagger-ui"), "{}", page.text());
    let initial = gateway.get("/docs/swagger-initializer.js").await;
    assert!(initial.text().contains("/docs/openapi.json"), "{}", initial.text());
    let spec = gateway.get("/docs/openapi.json").await;
    assert_eq!(spec.json()["openapi"], "3.1.0");
    let raw =
        gateway.raw(b"GET /docs/swagger-ui.css HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(raw.starts_with("HTTP/1.1 200"), "{}", &raw[..200]);
}
