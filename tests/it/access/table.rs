//! The table row by row.

use tidegate::http::access::{Access, TABLE};
use tidegate::identity::Role;

use super::*;

/// A request that a row is about, with as much of a body as it takes to be judged.
fn request(row: &Access) -> (Method, String, Json) {
    let path = row
        .path
        .replace("{id:.+}", "m")
        .replace("{tail:.*}", "responses")
        .replace("{file:.*}", "")
        .replace("{path:.*}", "");
    let path = path.replace("{id}", "nobody");
    let method = match row.method {
        // What never ends has a head.
        "GET" if row.path.ends_with("/stream") => Method::HEAD,
        "GET" => Method::GET,
        _ => Method::POST,
    };
    let body =
        if method == Method::GET || method == Method::HEAD { Json::Null } else { json!({ "model": "m" }) };
    (method, path, body)
}

fn code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn every_row_lets_in_who_may_and_nobody_else() {
    let server = Guarded::start().await;
    let mut keys = Vec::new();
    for role in Role::ALL {
        keys.push((role, server.key_of("default", role.name()).await));
    }
    let (expired, _) = server.key(&json!({ "name": "k", "role": "operator", "lifetime_s": 0 })).await;
    let (revoked, id) = server.key(&json!({ "name": "k", "role": "operator" })).await;
    let path = format!("/api/v1/keys/{id}/revoke");
    assert_eq!(server.post(&path, &server.operator, &Json::Null).await.status, 200);
    let (rest, last) = server.operator.split_at(server.operator.len() - 1);
    let forged = format!("{rest}{}", if last == "x" { "y" } else { "x" });
    let mut people = Vec::new();
    for role in Role::ALL {
        server.user(role.name(), "default", role.name()).await;
        people.push((role, server.token(role.name()).await));
    }
    let (late, out) = (server.short_token("operator").await, server.token("operator").await);
    assert_eq!(server.post("/api/v1/auth/logout", &out, &Json::Null).await.status, 200);
    let (head, signature) = people[3].1.rsplit_once('.').expect("parts");
    let signed_by_others = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let strangers = [None, Some("sk-anything"), Some(&*forged), Some(&*expired), Some(&*revoked)];
    let strangers = strangers.into_iter().chain([Some(&*late), Some(&*out), Some(&*signed_by_others)]);
    let strangers: Vec<_> = strangers.collect();
    keys.extend(people);

    for row in &TABLE {
        let (method, path, body) = request(row);
        let Some(needed) = row.role else {
            let answer = server.asked(method, &path, None, &body).await;
            assert!(!matches!(answer.status, 401 | 403), "{row:?} is for everybody: {answer:?}");
            continue;
        };
        for stranger in &strangers {
            let answer = server.asked(method.clone(), &path, *stranger, &body).await;
            assert_eq!(answer.status, 401, "{row:?} with {stranger:?}: {answer:?}");
            assert!(answer.field("www-authenticate").is_some(), "{answer:?}");
            assert_eq!(answer.field("x-should-retry"), Some("false"));
        }
        for (role, key) in &keys {
            let answer = server.asked(method.clone(), &path, Some(key), &body).await;
            match *role >= needed {
                true => assert!(!matches!(answer.status, 401 | 403), "{row:?} as {role}: {answer:?}"),
                false => assert_eq!(answer.status, 403, "{row:?} as {role}: {answer:?}"),
            }
            let elsewhere = server.gateway.request(method.clone(), &path).bearer_auth(key);
            let elsewhere = elsewhere.header("x-tidegate-workspace", "another").body(body.to_string());
            let answer = send(elsewhere).await;
            assert_eq!(answer.status, 403, "{row:?} as {role}: {answer:?}");
            let is_told = method == Method::HEAD || answer.text().contains("not for the workspace");
            assert!(is_told, "{row:?} as {role}: {answer:?}");
        }
    }
}

/// SDKs tell a wrong key by its status, people by its text.
#[tokio::test]
async fn a_refusal_has_the_shape_of_the_door_and_says_what_is_wrong() {
    let server = Guarded::start().await;
    let none = server.asked(Method::POST, CHAT, None, &ask("x")).await;
    let error = &none.json()["error"];
    assert_eq!((&error["type"], &error["param"]), (&"invalid_request_error".into(), &Json::Null));
    assert_eq!(error["code"], "invalid_api_key");
    assert!(error["message"].as_str().expect("a text").contains("no API key came with the request"));

    let messages =
        server.gateway.posting("/v1/messages", ask("x").to_string()).header("x-api-key", "sk-ant-1");
    let wrong = send(messages).await;
    let json = wrong.json();
    assert_eq!((wrong.status, &json["type"]), (401, &"error".into()));
    assert_eq!(json["error"]["type"], "authentication_error");

    let reader = server.key_of("default", "read").await;
    let low = server.post(CHAT, &reader, &ask("x")).await;
    assert_eq!((low.status, code(&low).as_str()), (403, "role_too_low"));
    assert_eq!(low.json()["error"]["type"], "permission_error");
}

#[tokio::test]
async fn a_key_opens_the_doors_and_names_the_models_of_its_scope() {
    let server = Guarded::start().await;
    let scope = json!({ "name": "k", "doors": ["chat", "models", "forward"], "models": ["m", "mock-*"] });
    let (key, _) = server.key(&scope).await;
    assert_eq!(server.post(CHAT, &key, &ask("x")).await.status, 200);
    let embed = server.post("/v1/embeddings", &key, &json!({ "model": "m", "input": "x" })).await;
    assert_eq!((embed.status, code(&embed).as_str()), (403, "out_of_scope"));
    let mut other = ask("x");
    other["model"] = "gpt-4o".into();
    for path in [CHAT, "/v1/responses"] {
        let refused = server.post(path, &key, &other).await;
        assert_eq!((refused.status, code(&refused).as_str()), (403, "out_of_scope"), "{path}");
    }
    let models = server.get("/v1/models", &key).await.json();
    let names: Vec<_> = models["data"].as_array().expect("a list").iter().map(|model| &model["id"]).collect();
    assert_eq!(names, ["mock-chat", "mock-claude", "mock-embed"]);
    assert_eq!(server.get("/v1/models/gpt-4o", &key).await.status, 404);
}

/// Files and batches lie at the provider, where all workspaces are one account.
#[tokio::test]
async fn what_all_workspaces_share_at_a_provider_has_to_be_in_the_scope_by_name() {
    let server = Guarded::start().await;
    let plain = server.key_of("default", "operator").await;
    let refused = server.get("/v1/files", &plain).await;
    assert_eq!((refused.status, code(&refused).as_str()), (403, "out_of_scope"));
    let (named, _) = server.key(&json!({ "name": "k", "doors": ["forward", "account"] })).await;
    assert!(!matches!(server.get("/v1/files", &named).await.status, 401 | 403));
}
