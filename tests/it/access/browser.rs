//! Signing in with a browser: cookies, and what other sites cannot do with them; demonstrations; proxies that are believed.

use super::*;

const PASSWORD: &str = "ebb and flow";

fn code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// What a browser keeps of an answer, as it sends it back.
fn kept(answer: &Answer) -> Vec<String> {
    let set = answer.fields.iter().filter(|(name, _)| name == "set-cookie");
    set.map(|(_, value)| value.split(';').next().expect("a pair").to_owned()).collect()
}

impl Guarded {
    async fn browse(&self, method: Method, path: &str, fields: &[(&str, &str)], body: &Json) -> Answer {
        let mut request = self.gateway.request(method, path).header("content-type", "application/json");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        send(request).await
    }
}

#[tokio::test]
async fn a_browser_signs_in_with_cookies_that_no_script_reads_and_no_other_site_uses() {
    let server = Guarded::start().await;
    server.user("anna", "default", "admin").await;
    let login = json!({ "username": "anna", "password": PASSWORD, "cookie": true });
    let path = "/api/v1/auth/login";
    let refused = server.browse(Method::POST, path, &[], &login).await;
    assert_eq!((refused.status, code(&refused).as_str()), (403, "cross_site"), "nobody signs a victim in");
    let csrf = ("x-tidegate-csrf", "1");
    let answer = server.browse(Method::POST, path, &[csrf, ("x-forwarded-proto", "https")], &login).await;
    let set: Vec<_> = answer.fields.iter().filter(|(name, _)| name == "set-cookie").collect();
    assert_eq!(set.len(), 2, "{answer:?}");
    for (_, cookie) in set {
        for part in ["HttpOnly", "SameSite=Strict", "; Secure"] {
            assert!(cookie.contains(part), "{cookie}");
        }
    }
    let json = answer.json();
    assert!(json.get("access_token").is_none() && json.get("refresh_token").is_none(), "{json}");
    assert_eq!(json["token_type"], "Cookie");

    let answer = server.browse(Method::POST, path, &[csrf], &login).await;
    let both = kept(&answer);
    let access = ("cookie", both[0].as_str());
    assert_eq!(server.browse(Method::GET, "/api/v1/keys", &[access], &Json::Null).await.status, 200);
    let me = server.browse(Method::GET, "/api/v1/auth/me", &[access], &Json::Null).await.json();
    assert_eq!((&me["user"]["username"], &me["workspace"]["role"]), (&"anna".into(), &"admin".into()));
    let make = json!({ "name": "k" });
    let attempts: [&[(&str, &str)]; 4] = [
        &[access],
        &[access, csrf, ("origin", "http://evil.example")],
        &[access, csrf, ("sec-fetch-site", "cross-site")],
        &[access, ("origin", "null")],
    ];
    for fields in attempts {
        let refused = server.browse(Method::POST, "/api/v1/keys", fields, &make).await;
        assert_eq!((refused.status, code(&refused).as_str()), (403, "cross_site"), "{fields:?}");
    }
    let made = server.browse(Method::POST, "/api/v1/keys", &[access, csrf], &make).await;
    assert_eq!(made.status, 201, "{made:?}");
    let asked = server.browse(Method::POST, CHAT, &[access, csrf], &ask("x")).await;
    assert_eq!(asked.status, 200, "every door takes it");
}

#[tokio::test]
async fn a_browser_renews_with_its_cookie_and_forgets_both_when_it_signs_out() {
    let server = Guarded::start().await;
    server.user("anna", "default", "read").await;
    let csrf = ("x-tidegate-csrf", "1");
    let login = json!({ "username": "anna", "password": PASSWORD, "cookie": true });
    let first = kept(&server.browse(Method::POST, "/api/v1/auth/login", &[csrf], &login).await);
    let renew = ("cookie", first[1].as_str());
    let path = "/api/v1/auth/refresh";
    assert_eq!(code(&server.browse(Method::POST, path, &[renew], &Json::Null).await), "cross_site");
    let answer = server.browse(Method::POST, path, &[renew, csrf], &Json::Null).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let second = kept(&answer);
    assert_eq!(answer.json()["token_type"], "Cookie");
    let cookies = second.join("; ");
    let both = ("cookie", cookies.as_str());
    let out = "/api/v1/auth/logout";
    assert_eq!(code(&server.browse(Method::POST, out, &[both], &Json::Null).await), "cross_site");
    let answer = server.browse(Method::POST, out, &[both, csrf], &Json::Null).await;
    assert_eq!((answer.status, &answer.json()["ended"]), (200, &true.into()));
    assert!(kept(&answer).iter().all(|cookie| cookie.ends_with('=')), "{answer:?}");
    for cookies in [first, second] {
        let access = ("cookie", cookies[0].as_str());
        assert_eq!(server.browse(Method::GET, "/v1/models", &[access], &Json::Null).await.status, 401);
    }
    let again = server.browse(Method::POST, out, &[csrf], &Json::Null).await;
    assert_eq!((again.status, &again.json()["ended"]), (200, &false.into()), "there is nothing to end");
}

#[tokio::test]
async fn everybody_may_ask_who_they_are_and_whether_they_have_to_sign_in() {
    let open = Gateway::start("");
    let me = open.get("/api/v1/auth/me").await.json();
    assert_eq!((&me["sign_in_required"], &me["kind"]), (&false.into(), &"anybody".into()), "{me}");
    assert_eq!((&me["workspace"]["id"], &me["workspace"]["role"]), (&"default".into(), &"operator".into()));

    let server = Guarded::start().await;
    let ask = |credential: Option<&str>| {
        let mut request = server.gateway.request(Method::GET, "/api/v1/auth/me");
        if let Some(credential) = credential {
            request = request.bearer_auth(credential);
        }
        send(request)
    };
    let nobody = ask(None).await.json();
    assert_eq!((&nobody["sign_in_required"], &nobody["kind"]), (&true.into(), &Json::Null));
    assert_eq!(nobody["denied"], "invalid_api_key");
    assert_eq!(ask(Some(&server.operator)).await.json()["kind"], "key");
    server.user("anna", "default", "read").await;
    let expired = server.short_token("anna").await;
    assert_eq!(ask(Some(&expired)).await.json()["denied"], "token_expired");
}

#[tokio::test]
async fn in_a_demonstration_the_fixture_user_signs_in_and_afterwards_nobody_remembers_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = Gateway::start_in(folder.path(), "access.demo = true");
    let login = json!({ "username": "test_user", "password": "test_password" }).to_string();
    let answer = demo.post("/api/v1/auth/login", login.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
    let get = |path: &str| send(demo.request(Method::GET, path).bearer_auth(&token));
    let me = get("/api/v1/auth/me").await.json();
    assert_eq!((&me["user"]["username"], &me["workspace"]["role"]), (&"test_user".into(), &"write".into()));
    assert_eq!((&me["demo"], &me["sign_in_required"]), (&true.into(), &false.into()), "as without keys");
    assert_eq!(get("/api/v1/engine").await.status, 403, "who signed in is judged as who they are");
    let named = demo.request(Method::GET, "/api/v1/auth/me").header("x-user-id", "test_user");
    assert_eq!(send(named).await.json()["user"]["username"], "test_user", "a header will do here");
    let changed = demo.post("/api/v1/users/test_user/password", json!({ "password": PASSWORD }).to_string());
    assert_eq!(changed.await.status, 400);
    let out = send(demo.posting("/api/v1/auth/logout", "").bearer_auth(&token)).await;
    assert_eq!(out.json()["ended"], true);
    assert_eq!(get("/v1/models").await.status, 401, "also where nobody has to sign in");
    let token = demo.post("/api/v1/auth/login", login.clone()).await.json()["access_token"].clone();
    demo.end();

    let plain = Gateway::start_in(folder.path(), "");
    assert_eq!(plain.post("/api/v1/auth/login", login).await.status, 401);
    let stale = plain.request(Method::GET, "/v1/models").bearer_auth(token.as_str().expect("a token"));
    assert_eq!(send(stale).await.status, 401, "nor what they signed in to");
    assert_eq!(plain.get("/v1/models").await.status, 200, "and the doors are as open as before");
}

#[tokio::test]
async fn only_a_proxy_that_is_trusted_says_who_asks_and_from_where() {
    let trusting = "access.trusted_proxies = [\"127.0.0.0/8\"]\naccess.failures_per_address = 2";
    for (toml, is_trusted) in [("access.failures_per_address = 2", false), (trusting, true)] {
        let server = Guarded::with(toml).await;
        server.user("anna", "default", "read").await;
        let asked = |fields: Vec<(&'static str, &'static str)>| {
            let server = &server;
            async move { server.browse(Method::GET, "/v1/models", &fields, &Json::Null).await.status }
        };
        let vouched = if is_trusted { 200 } else { 401 };
        assert_eq!(asked(vec![("x-user-id", "anna")]).await, vouched);
        assert_eq!(asked(vec![("x-user-id", "anna@tide.example")]).await, vouched);
        assert_eq!(asked(vec![("x-user-id", "nobody")]).await, 401);
        assert_eq!(asked(vec![("x-user-id", "anna"), ("authorization", "Bearer tg_wrong")]).await, 401);
        // Proxies that sign people in pass their own token on.
        assert_eq!(
            asked(vec![("x-user-id", "anna"), ("authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")]).await,
            vouched
        );
        let late = format!("Bearer {}", server.short_token("anna").await);
        let both = [("x-user-id", "anna"), ("authorization", late.as_str())];
        let own = server.browse(Method::GET, "/v1/models", &both, &Json::Null).await;
        assert_eq!(
            (own.status, code(&own).as_str()),
            (401, "token_expired"),
            "one of ours is judged as what it is"
        );
        let elsewhere = asked(vec![("x-user-id", "anna"), ("x-tidegate-workspace", "other")]).await;
        assert_eq!(elsewhere, if is_trusted { 403 } else { 401 });

        let login = json!({ "username": "nobody", "password": "wrong password" });
        let fail = |from: &'static str| {
            let (server, login) = (&server, &login);
            let fields = [("x-forwarded-for", from)];
            async move { server.browse(Method::POST, "/api/v1/auth/login", &fields, login).await.status }
        };
        for _ in 0..2 {
            assert_eq!(fail("198.51.100.7, 192.0.2.1").await, 401);
        }
        assert_eq!(fail("203.0.113.9, 192.0.2.1").await, 429, "the address nearest to us counts");
        assert_eq!(fail("192.0.2.2").await, if is_trusted { 401 } else { 429 });
    }
}
