//! Keys over HTTP: given once, rotated, revoked.

use super::*;

#[tokio::test]
async fn the_first_key_closes_the_doors_and_a_key_is_shown_once() {
    let gateway = Gateway::start("");
    let open = gateway.post(CHAT, ask("x").to_string()).await;
    assert_eq!(open.status, 200, "without keys this machine may call");
    let made = gateway.post("/api/v1/keys", json!({ "name": "first", "role": "admin" }).to_string()).await;
    assert_eq!((made.status, made.field("cache-control")), (201, Some("no-store")));
    let key = made.json()["secret"].as_str().expect("a key").to_owned();

    assert_eq!(gateway.post(CHAT, ask("x").to_string()).await.status, 401);
    let ways = [("authorization", format!("Bearer {key}")), ("x-api-key", key.clone())];
    for (name, value) in ways {
        let request = gateway.posting(CHAT, ask("x").to_string()).header(name, value);
        let answer = send(request).await;
        assert_eq!(
            (answer.status, answer.cache()),
            (200, "hit"),
            "what was kept before belongs to `default`"
        );
    }
    let list = send(gateway.request(Method::GET, "/api/v1/keys").bearer_auth(&key)).await;
    assert!(!list.text().contains(&key[12..]), "{}", list.text());
    assert_eq!(list.json()["keys"][0]["name"], "first");
}

#[tokio::test]
async fn a_rotated_key_is_taken_beside_the_new_one_for_as_long_as_was_said() {
    let server = Guarded::start().await;
    let (old, id) = server.key(&json!({ "name": "k", "models": ["m"] })).await;
    let rotate = |overlap: u64| {
        let (server, path) = (&server, format!("/api/v1/keys/{id}/rotate"));
        async move { server.post(&path, &server.operator, &json!({ "overlap_s": overlap })).await }
    };
    let new = rotate(3_600).await.json();
    assert_eq!(new["key"]["models"], json!(["m"]), "it is for the same");
    assert_eq!(server.post(CHAT, &old, &ask("x")).await.status, 200);
    assert_eq!(server.post(CHAT, new["secret"].as_str().expect("a key"), &ask("x")).await.status, 200);
    assert_eq!(rotate(0).await.status, 201);
    assert_eq!(server.post(CHAT, &old, &ask("x")).await.status, 401);
    assert_eq!(rotate(0).await.status, 400, "what has ended is not rotated");
}

/// The one promise of a revocation: no request is taken once it has answered.
#[tokio::test]
async fn no_call_is_taken_once_a_revocation_has_answered() {
    let server = Guarded::start().await;
    let (key, id) = server.key(&json!({ "name": "k" })).await;
    let late = server.taken_late(&key, async {
        let path = format!("/api/v1/keys/{id}/revoke");
        assert_eq!(server.post(&path, &server.operator, &Json::Null).await.status, 200);
    });
    assert_eq!(late.await, 0, "calls taken after the answer");
}

#[tokio::test]
async fn nobody_gives_more_than_they_have() {
    let server = Guarded::start().await;
    let other = server.workspace("other").await;
    let admin = server.key_of(&other, "admin").await;
    let give = |asked: Json| {
        let (server, admin) = (&server, &admin);
        async move { server.post("/api/v1/keys", admin, &asked).await }
    };
    let own = give(json!({ "name": "k" })).await;
    assert_eq!((own.status, &own.json()["key"]["workspace"]), (201, &other.clone().into()));
    assert_eq!(give(json!({ "name": "k", "role": "operator" })).await.status, 403);
    assert_eq!(
        give(json!({ "name": "k", "workspace": "default" })).await.status,
        404,
        "not even its name is told"
    );
    for (asked, words) in [
        (json!({ "name": "" }), "1 to 100 characters"),
        (json!({ "name": "k", "role": "king" }), "role must be one of read"),
        (json!({ "name": "k", "doors": ["window"] }), "doors must be of chat"),
        (json!({ "nam": "k" }), "unknown field"),
    ] {
        let refused = give(asked).await;
        assert_eq!(refused.status, 400);
        assert!(refused.text().contains(words), "{words}: {}", refused.text());
    }
}
