//! What the books say of calls that were refused before anything was done for them.

use super::*;

/// What a row says of how a call was refused.
fn told(row: &Json) -> [&str; 5] {
    let error = &row["error"];
    let fields = [&error["stage"], &error["code"], &error["blame"], &row["reason"], &row["model"]];
    fields.map(|field| field.as_str().unwrap_or_else(|| panic!("{row}")))
}

const MODELS: &str = "[providers.made]\nkind = \"mock\"\n\
    [models.m]\ntargets = [{ provider = \"made\" }]\n\
    [models.secret]\ntargets = [{ provider = \"made\" }]\n";

fn of(model: &str) -> Json {
    json!({ "model": model, "messages": [{ "role": "user", "content": "x" }] })
}

/// A server, a workspace, and a key of it for two doors and one model, which may be called once.
async fn narrow() -> (Guarded, String, String, String) {
    let server = Guarded::with(MODELS).await;
    let workspace = server.workspace("one").await;
    let scope =
        json!({ "name": "k", "workspace": workspace, "models": ["m"], "doors": ["chat", "embeddings"] });
    let (key, id) = server.key(&scope).await;
    let limited = json!({ "key": id, "requests_per_minute": 1 });
    assert_eq!(server.post("/api/v1/limits", &server.operator, &limited).await.status, 200);
    assert_eq!(server.post(CHAT, &key, &of("m")).await.status, 200);
    (server, workspace, key, id)
}

#[tokio::test]
async fn every_refused_call_of_a_known_credential_is_in_the_books_with_what_refused_it() {
    let (server, workspace, key, id) = narrow().await;
    let refused = [
        (CHAT, "m", 429, ["admit", "rate_limit_exceeded", "caller", "requests_per_minute", "m"]),
        (CHAT, "secret", 403, ["authorise", "out_of_scope", "caller", "", "secret"]),
        (CHAT, "typo", 403, ["authorise", "out_of_scope", "caller", "", ""]),
        ("/v1/messages", "m", 403, ["authorise", "out_of_scope", "caller", "", ""]),
        ("/v1/responses", "m", 403, ["authorise", "out_of_scope", "caller", "", ""]),
        ("/v1/embeddings", "m", 400, ["admit", "missing_required_parameter", "caller", "", ""]),
    ];
    let mut ids = Vec::new();
    for (path, model, status, _) in &refused {
        let answer = server.post(path, &key, &of(model)).await;
        assert_eq!(answer.status, *status, "{answer:?}");
        ids.push(answer.field("x-request-id").expect("an id").to_owned());
        assert_eq!(
            server.post(path, "tg_nobody", &of("m")).await.status,
            401,
            "nobody's call is in no books"
        );
    }
    let path = format!("/api/v1/calls?outcome=failed&workspace={workspace}&key={id}");
    let listed = server.get(&path, &server.operator).await.json();
    let rows = listed["calls"].as_array().unwrap_or_else(|| panic!("{listed}"));
    assert_eq!(rows.len(), refused.len(), "{listed}");
    for (id, (_, _, _, expected)) in ids.iter().zip(refused) {
        let row = rows.iter().find(|row| row["id"] == **id).unwrap_or_else(|| panic!("{id} in {listed}"));
        assert_eq!(told(row), expected);
        let decision = if expected[0] == "authorise" { json!("denied") } else { Json::Null };
        assert_eq!((&row["decision"], &row["attempts"], &row["cost"]), (&decision, &json!(0), &Json::Null));
    }
    let of_others = server.get("/api/v1/calls?outcome=failed", &server.operator).await.json();
    assert_eq!(of_others["calls"], json!([]), "whoever was not known has no workspace");
}

#[tokio::test]
async fn a_refused_call_can_be_explained_and_is_in_the_sums() {
    let (server, workspace, key, _) = narrow().await;
    let mut stream = of("m");
    stream["stream"] = true.into();
    let refused = server.post(CHAT, &key, &stream).await;
    let id = refused.field("x-request-id").expect("an id");
    let explained = server.get(&format!("/api/v1/calls/{id}/explain"), &server.operator).await.json();
    assert_eq!(explained["reason"], "requests_per_minute", "{explained}");
    assert_eq!((&explained["outcome"], &explained["form"]), (&json!("failed"), &json!("stream")));
    let path = format!("/api/v1/usage?workspace={workspace}");
    let usage = server.get(&path, &server.operator).await.json();
    let sum = |name: &str| -> u64 {
        let rows = usage["usage"].as_array().unwrap_or_else(|| panic!("{usage}"));
        rows.iter().filter_map(|row| row[name].as_u64()).sum()
    };
    assert_eq!((sum("calls"), sum("failed")), (2, 1), "{usage}");
}
