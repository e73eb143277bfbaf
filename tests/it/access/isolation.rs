//! What one workspace can see of another: nothing.

use super::*;

#[tokio::test]
async fn an_answer_of_one_workspace_is_never_given_to_another() {
    let server = Guarded::start().await;
    let (one, two) = (server.workspace("one").await, server.workspace("two").await);
    let (first, second) = (server.key_of(&one, "write").await, server.key_of(&two, "write").await);
    assert_eq!(server.post(CHAT, &first, &ask("x")).await.cache(), "miss");
    for _ in 0..2 {
        assert_eq!(server.post(CHAT, &first, &ask("x")).await.cache(), "hit");
    }
    let other = server.post(CHAT, &second, &ask("x")).await;
    assert_eq!(other.cache(), "miss", "the same question of another workspace");
    let key = |answer: &Answer| answer.field("x-tidegate-key").expect("a key").to_owned();
    assert_ne!(key(&other), key(&server.post(CHAT, &first, &ask("x")).await));
}

#[tokio::test]
async fn calls_keys_and_workspaces_of_others_are_as_if_they_were_not_there() {
    let server = Guarded::start().await;
    let (one, two) = (server.workspace("one").await, server.workspace("two").await);
    let (first, key_id) =
        server.key(&json!({ "name": "secret name", "workspace": one, "role": "admin" })).await;
    let second = server.key_of(&two, "admin").await;
    let answer = server.post(CHAT, &first, &ask("x")).await;
    let call = format!("/api/v1/calls/{}/explain", answer.field("x-request-id").expect("an id"));
    assert_eq!(server.get(&call, &first).await.status, 200);
    let unknown = server.get(&call, &second).await;
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &"call_not_found".into()));
    assert_eq!(server.get(&call, &server.operator).await.status, 200);

    let id = answer.field("x-request-id").expect("an id").to_owned();
    let booked = format!("/api/v1/calls/{id}");
    assert_eq!(
        (server.get(&booked, &first).await.status, server.get(&booked, &second).await.status),
        (200, 404)
    );
    for list in ["/api/v1/calls", "/api/v1/attempts"] {
        assert!(server.get(list, &first).await.text().contains(&id), "{list}");
        assert!(!server.get(list, &second).await.text().contains(&id), "{list}");
        let of_one = format!("{list}?workspace={one}");
        assert_eq!(server.get(&of_one, &second).await.status, 403, "{list}");
        assert!(server.get(&of_one, &server.operator).await.text().contains(&id), "{list}");
    }
    for path in ["/api/v1/keys", "/api/v1/workspaces"] {
        let seen = server.get(path, &second).await;
        assert!(seen.text().contains(&two), "{path}: {}", seen.text());
        for of_others in [one.as_str(), "secret name", "default", "ops"] {
            assert!(!seen.text().contains(of_others), "{path} tells {of_others}: {}", seen.text());
        }
    }
    for action in ["rotate", "revoke"] {
        let refused = server.post(&format!("/api/v1/keys/{key_id}/{action}"), &second, &Json::Null).await;
        assert_eq!(refused.status, 404, "{action}: {refused:?}");
    }
    assert_eq!(server.post(CHAT, &first, &ask("x")).await.status, 200, "it still is a key");
}

#[tokio::test]
async fn a_purge_reaches_ones_own_answers_alone() {
    let server = Guarded::start().await;
    let (one, two) = (server.workspace("one").await, server.workspace("two").await);
    let (first, second) = (server.key_of(&one, "admin").await, server.key_of(&two, "admin").await);
    for key in [&first, &second] {
        assert_eq!(server.post(CHAT, key, &ask("x")).await.cache(), "miss");
        while server.post(CHAT, key, &ask("x")).await.cache() != "hit" {}
    }
    let purge = |key: &str, what: Json| {
        let (server, key) = (&server, key.to_owned());
        async move { server.post("/api/v1/cache/purge", &key, &what).await }
    };
    let refused = purge(&second, json!({ "workspace": one })).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (403, &"other_workspace".into()));
    assert_eq!(purge(&second, json!({ "model": "m" })).await.json()["purged"], 1);
    assert_eq!(server.post(CHAT, &first, &ask("x")).await.cache(), "hit");
    assert_eq!(server.post(CHAT, &second, &ask("x")).await.cache(), "miss");
    assert_eq!(purge(&server.operator, json!({ "workspace": one })).await.json()["purged"], 1);
}
