//! People over HTTP: added, signed in, renewed, kept out.

use super::*;

const PASSWORD: &str = "ebb and flow";

/// Who one is.
async fn me(server: &Guarded, token: &str) -> Json {
    server.get("/api/v1/auth/me", token).await.json()
}

fn code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_person_signs_in_by_name_or_address_calls_and_signs_out() {
    let server = Guarded::start().await;
    let team = server.workspace("team").await;
    let id = server.user("Anna", &team, "write").await;
    let mut bodies = vec![json!({ "username": "anna", "password": PASSWORD })];
    bodies.push(json!({ "email": "ANNA@tide.example", "password": PASSWORD, "workspace": "team" }));
    for body in bodies {
        let answer = server.gateway.post("/api/v1/auth/login", body.to_string()).await;
        assert_eq!((answer.status, answer.field("cache-control")), (200, Some("no-store")), "{answer:?}");
        let json = answer.json();
        assert_eq!((&json["token_type"], &json["expires_in"]), (&"Bearer".into(), &900.into()), "{json}");
        assert_eq!(
            (&json["user"]["id"], &json["workspace"]["id"]),
            (&id.clone().into(), &team.clone().into())
        );
        assert!(json["refresh_token"].is_string() && json["refresh_expires_in"] == 1_209_600, "{json}");
        let token = json["access_token"].as_str().expect("a token").to_owned();
        let told = me(&server, &token).await;
        assert_eq!((&told["kind"], &told["user"]["username"]), (&"person".into(), &"anna".into()), "{told}");
        assert_eq!(
            (&told["workspace"]["name"], &told["workspace"]["role"]),
            (&"team".into(), &"write".into())
        );

        assert_eq!(server.post(CHAT, &token, &ask("x")).await.status, 200);
        let calls = server.get("/api/v1/calls", &token).await.json();
        assert_eq!(calls["calls"][0]["workspace"], team);
        assert_eq!(calls["calls"][0]["credential_id"], id, "{calls}");
        let out = server.post("/api/v1/auth/logout", &token, &Json::Null).await;
        assert_eq!((out.status, &out.json()["ended"]), (200, &true.into()));
        let after = server.post(CHAT, &token, &ask("x")).await;
        assert_eq!((after.status, code(&after).as_str()), (401, "signed_out"));
        let refresh = json!({ "refresh_token": json["refresh_token"] });
        let refused = server.gateway.post("/api/v1/auth/refresh", refresh.to_string()).await;
        assert_eq!((refused.status, code(&refused).as_str()), (401, "signed_out"), "nor does it go on");
    }
}

#[tokio::test]
async fn who_is_not_known_and_who_has_another_password_hear_the_same() {
    let server = Guarded::start().await;
    server.user("anna", "default", "write").await;
    server.user("gone", "default", "write").await;
    assert_eq!(server.post("/api/v1/users/gone/disable", &server.operator, &Json::Null).await.status, 200);
    let mut texts = Vec::new();
    for (name, password) in [("anna", "wrong password"), ("nobody", PASSWORD), ("gone", PASSWORD), ("", "")] {
        let body = json!({ "username": name, "password": password }).to_string();
        let answer = server.gateway.post("/api/v1/auth/login", body).await;
        assert_eq!((answer.status, code(&answer).as_str()), (401, "invalid_credentials"));
        texts.push(answer.json()["error"]["message"].clone());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

/// Lines of `/metrics` that begin so, without that.
async fn counted(server: &Guarded, name: &str) -> Vec<String> {
    let text = server.get("/metrics", &server.operator).await.text().to_owned();
    let lines = text.lines().filter_map(|line| line.strip_prefix(name));
    let mut lines: Vec<String> = lines.map(|line| line.replace(['"', '{', '}'], "")).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn who_comes_in_and_who_does_not_is_counted_by_why_and_without_a_name() {
    let server = Guarded::with("access.failures_per_account = 3").await;
    for name in ["anna", "gone"] {
        server.user(name, "default", "write").await;
    }
    server.post("/api/v1/users/gone/disable", &server.operator, &Json::Null).await;
    let login = |name: &str, password: &str, workspace: Option<&str>| {
        let body = json!({ "username": name, "password": password, "workspace": workspace }).to_string();
        server.gateway.post("/api/v1/auth/login", body)
    };
    let renew = login("anna", PASSWORD, None).await.json()["refresh_token"].clone();
    login("anna", PASSWORD, Some("elsewhere")).await;
    login("gone", PASSWORD, None).await;
    for _ in 0..4 {
        login("nobody", PASSWORD, None).await;
    }
    for _ in 0..2 {
        let body = json!({ "refresh_token": renew }).to_string();
        server.gateway.post("/api/v1/auth/refresh", body).await;
    }
    server.gateway.post("/api/v1/auth/refresh", json!({ "refresh_token": "made up" }).to_string()).await;
    assert_eq!(
        counted(&server, "tidegate_sign_ins_total").await,
        [
            "outcome=disabled 1",
            "outcome=failed 0",
            "outcome=no_workspace 1",
            "outcome=ok 1",
            "outcome=throttled 1",
            "outcome=wrong_password 3"
        ]
    );
    assert_eq!(
        counted(&server, "tidegate_session_renewals_total").await,
        ["outcome=ended 1", "outcome=failed 0", "outcome=ok 1", "outcome=reused 1"]
    );
}

#[tokio::test]
async fn after_so_many_failures_nobody_may_try_for_a_while_not_even_the_right_one() {
    let server = Guarded::with("access.failures_per_account = 3").await;
    server.user("anna", "default", "write").await;
    let login = |name: &str, password: &str| {
        let body = json!({ "username": name, "password": password }).to_string();
        server.gateway.post("/api/v1/auth/login", body)
    };
    for name in ["anna", "nobody"] {
        for _ in 0..3 {
            assert_eq!(login(name, "wrong password").await.status, 401);
        }
        let refused = login(name, PASSWORD).await;
        assert_eq!((refused.status, code(&refused).as_str()), (429, "too_many_sign_ins"), "{refused:?}");
        assert!(refused.field("retry-after").is_some());
    }
    server.user("bert", "default", "write").await;
    for _ in 0..5 {
        assert_eq!(login("bert", PASSWORD).await.status, 200, "others are not held up, nor who is right");
    }
}

#[tokio::test]
async fn a_token_that_renews_is_good_once_and_the_second_time_ends_the_session() {
    let server = Guarded::start().await;
    server.user("anna", "default", "write").await;
    let first = server.login("anna").await;
    let refresh = |token: &Json| {
        let body = json!({ "refresh_token": token }).to_string();
        server.gateway.post("/api/v1/auth/refresh", body)
    };
    let second = refresh(&first["refresh_token"]).await.json();
    let third = refresh(&second["refresh_token"]).await.json();
    let token = third["access_token"].as_str().expect("a token");
    for token in [&first, &second, &third] {
        let token = token["access_token"].as_str().expect("a token");
        assert_eq!(server.get("/v1/models", token).await.status, 200, "of a session that goes on");
    }
    let other = server.login("anna").await;
    let used = refresh(&first["refresh_token"]).await;
    assert_eq!((used.status, code(&used).as_str()), (401, "token_used"));
    let ended = server.get("/v1/models", token).await;
    assert_eq!((ended.status, code(&ended).as_str()), (401, "signed_out"), "whoever has it");
    assert_eq!(refresh(&third["refresh_token"]).await.status, 401);
    let token = other["access_token"].as_str().expect("a token");
    assert_eq!(server.get("/v1/models", token).await.status, 200, "another session is another");
    assert_eq!(refresh(&"eyJx".into()).await.status, 401);
    assert_eq!(refresh(&other["access_token"]).await.status, 401, "what comes in does not renew");
    let renews = other["refresh_token"].as_str().expect("a token");
    assert_eq!(server.get("/v1/models", renews).await.status, 401, "what renews does not come in");
}

/// The promise of a key's revocation, for each way in which a session ends.
#[tokio::test]
async fn no_call_is_taken_once_the_end_of_a_session_has_answered() {
    let server = Guarded::start().await;
    server.user("anna", "default", "write").await;
    let ends = [
        ("/api/v1/auth/logout", Json::Null),
        ("/api/v1/users/anna/password", json!({ "password": PASSWORD })),
        ("/api/v1/users/anna/disable", Json::Null),
    ];
    for (path, body) in ends {
        let token = server.token("anna").await;
        let by = if path.ends_with("logout") { &token } else { &server.operator };
        let late = server.taken_late(&token, async {
            assert_eq!(server.post(path, by, &body).await.status, 200, "{path}");
        });
        assert_eq!(late.await, 0, "calls taken after {path} answered");
    }
    assert_eq!(server.post("/api/v1/users/anna/enable", &server.operator, &Json::Null).await.status, 200);
    server.token("anna").await;
}

#[tokio::test]
async fn a_person_of_several_workspaces_is_in_the_one_they_name_and_what_they_may_changes_at_once() {
    let server = Guarded::start().await;
    let (one, two) = (server.workspace("one").await, server.workspace("two").await);
    server.user("anna", &one, "admin").await;
    let grant = json!({ "workspace": "two", "role": "read" });
    assert_eq!(server.post("/api/v1/users/anna/grant", &server.operator, &grant).await.status, 200);
    let token = server.token("anna").await;
    let told = me(&server, &token).await;
    assert_eq!(told["workspaces"].as_array().expect("a list").len(), 2, "{told}");
    assert_eq!(told["workspace"]["id"], one, "the oldest, if none is named");

    let named = |workspace: &str| {
        let request = server.gateway.posting(CHAT, ask("x").to_string()).bearer_auth(&token);
        send(request.header("x-tidegate-workspace", workspace))
    };
    assert_eq!(named("one").await.status, 200);
    assert_eq!(code(&named("two").await), "role_too_low");
    for other in ["default", "nowhere", ""] {
        let refused = named(other).await;
        assert_eq!((refused.status, code(&refused).as_str()), (403, "other_workspace"), "{other:?}");
    }
    let grant = json!({ "workspace": two, "role": "write" });
    assert_eq!(server.post("/api/v1/users/anna/grant", &server.operator, &grant).await.status, 200);
    assert_eq!(named("two").await.status, 200, "with the token there was");
    let login = |workspace: &str| {
        let body = json!({ "username": "anna", "password": PASSWORD, "workspace": workspace }).to_string();
        server.gateway.post("/api/v1/auth/login", body)
    };
    assert_eq!(login("two").await.json()["workspace"]["role"], "write");
    assert_eq!((login("default").await.status, login("nowhere").await.status), (403, 403));
    let out = json!({ "workspace": "one", "role": "none" });
    assert_eq!(server.post("/api/v1/users/anna/grant", &server.operator, &out).await.status, 200);
    let ended = server.post(CHAT, &token, &ask("x")).await;
    assert_eq!((ended.status, code(&ended).as_str()), (401, "signed_out"), "no member any more");

    let key = server.key_of(&one, "write").await;
    let with_key = |workspace: &str| {
        let request = server.gateway.posting(CHAT, ask("x").to_string()).bearer_auth(&key);
        send(request.header("x-tidegate-workspace", workspace))
    };
    assert_eq!((with_key("one").await.status, with_key(&two).await.status), (200, 403), "a key is of one");
}

#[tokio::test]
async fn an_operator_is_one_in_every_workspace_and_an_admin_in_their_own() {
    let server = Guarded::start().await;
    let (one, two) = (server.workspace("one").await, server.workspace("two").await);
    server.user("chief", "default", "operator").await;
    server.user("anna", &one, "admin").await;
    server.user("bert", &one, "read").await;
    let other = server.user("cleo", &two, "read").await;
    let (chief, anna) = (server.token("chief").await, server.token("anna").await);
    assert_eq!(me(&server, &chief).await["workspaces"].as_array().map(Vec::len), Some(3));
    assert_eq!(server.get("/api/v1/engine", &chief).await.status, 200);

    let seen = server.get("/api/v1/users", &anna).await;
    assert!(seen.text().contains("bert") && !seen.text().contains("cleo"), "{}", seen.text());
    assert!(!seen.text().contains("argon2"), "{}", seen.text());
    let grant = |token: &str, name: &str, body: Json| {
        let (server, token, path) = (&server, token.to_owned(), format!("/api/v1/users/{name}/grant"));
        async move { server.post(&path, &token, &body).await }
    };
    assert_eq!(grant(&anna, "bert", json!({ "role": "admin" })).await.status, 200);
    assert_eq!(grant(&anna, "bert", json!({ "role": "operator" })).await.status, 403);
    assert_eq!(grant(&anna, "bert", json!({ "operator": true })).await.status, 403);
    assert_eq!(grant(&anna, "bert", json!({ "role": "read", "workspace": two })).await.status, 404);
    for name in ["cleo", &other, "nobody"] {
        let refused = grant(&anna, name, json!({ "role": "read" })).await;
        assert_eq!((refused.status, code(&refused).as_str()), (404, "not_found"), "{name}");
    }
    assert_eq!(grant(&chief, "anna", json!({ "operator": true })).await.status, 200);
    assert_eq!(server.get("/api/v1/engine", &anna).await.status, 200, "at once");
    assert_eq!(grant(&chief, "anna", json!({ "role": "king" })).await.status, 400);
    assert_eq!(grant(&chief, "anna", json!({})).await.status, 400);
}

#[tokio::test]
async fn people_are_told_what_cannot_be_their_name_or_password() {
    let server = Guarded::start().await;
    server.user("anna", "default", "read").await;
    let make = |body: Json| {
        let server = &server;
        async move { server.post("/api/v1/users", &server.operator, &body).await }
    };
    for (body, words) in [
        (json!({ "username": "a b", "password": PASSWORD }), "no spaces"),
        (json!({ "username": "a@b", "password": PASSWORD }), "has no @"),
        (json!({ "username": "ANNA", "password": PASSWORD }), "anna\\\" already"),
        (json!({ "username": "b", "password": PASSWORD, "email": "anna@tide.example" }), "already"),
        (json!({ "username": "b", "password": PASSWORD, "email": "here" }), "is like name@host"),
        (json!({ "username": "b", "password": "short" }), "8 to 1024 bytes"),
        (json!({ "username": "b", "password": PASSWORD, "workspace": "nowhere" }), "no workspace"),
        (json!({ "username": "b", "password": PASSWORD, "role": "king" }), "role must be one of"),
    ] {
        let refused = make(body).await;
        assert!(matches!(refused.status, 400 | 404), "{refused:?}");
        assert!(refused.text().contains(words), "{words}: {}", refused.text());
    }
    let own = json!({ "username": "anna", "password": PASSWORD, "new_password": "flow and ebb" }).to_string();
    let token = server.token("anna").await;
    assert_eq!(server.gateway.post("/api/v1/auth/password", own.clone()).await.status, 204);
    assert_eq!(server.get("/v1/models", &token).await.status, 401, "all sessions have ended");
    assert_eq!(server.gateway.post("/api/v1/auth/password", own).await.status, 401, "it is another now");
}

#[tokio::test]
async fn what_was_signed_in_to_outlives_the_server_and_the_keys_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Guarded { operator: String::new(), gateway: Gateway::start_in(folder.path(), "") };
    let asked = json!({ "username": "anna", "password": PASSWORD, "role": "operator" }).to_string();
    assert_eq!(server.gateway.post("/api/v1/users", asked).await.status, 201, "as long as nobody is there");
    assert_eq!(server.gateway.get("/v1/models").await.status, 401, "the first person closes the doors");
    let session = server.login("anna").await;
    let token = session["access_token"].as_str().expect("a token");
    server.gateway.end();
    let again = Guarded { operator: String::new(), gateway: Gateway::start_in(folder.path(), "") };
    assert_eq!(again.get("/v1/models", token).await.status, 200);
    let body = json!({ "refresh_token": session["refresh_token"] }).to_string();
    assert_eq!(again.gateway.post("/api/v1/auth/refresh", body).await.status, 200);
}
