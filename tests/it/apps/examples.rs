//! The examples that are to be served do what their comments say.

use super::*;

fn example(name: &str) -> Site {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/");
    let source = std::fs::read_to_string(format!("{path}{name}")).expect("the example is there");
    Site::with(&source, None, &[])
}

#[actix_rt::test]
async fn the_route_api_keeps_notes_and_counts_every_visit() {
    let site = example("05_routes.ai");
    assert_eq!(site.post("/api/notes", &json!({"body": "buy tea"})).await.json(), json!({"id": 1}));
    let shown = |visits| json!({"body": "buy tea", "visits": visits});
    assert_eq!(site.get("/api/notes/1").await.json(), shown(1));
    assert_eq!(site.get("/api/notes/1").await.json(), shown(2));
    assert_eq!(site.get("/api/notes/7").await.json(), json!({"body": null, "visits": 3}));
}

#[actix_rt::test]
async fn the_guestbook_takes_guests_and_is_cleared_by_nobody_but_a_host() {
    let site = example("08_guestbook.ai");
    let act = |id: &'static str, payload: Json| {
        let body = json!({"id": format!("page.lobby.{id}"), "payload": payload});
        let site = &site;
        async move { site.post("/api/action", &body).await }
    };
    assert_eq!(act("form.guest", json!({"values": {"name": "Ann", "seats": 2}})).await.status, 200);
    let refused = act("form.guest", json!({"values": {"seats": 0}})).await.json();
    let codes: Vec<_> =
        refused["errors"].as_array().expect("errors").iter().map(|error| &error["code"]).collect();
    assert_eq!(codes, ["present", "gte"]);
    let welcomed = act("button.welcome", json!({})).await.json();
    assert_eq!((&welcomed["result"], &welcomed["state"]["parties"]), (&json!("welcome Ann"), &json!(1)));
    assert_eq!(act("button.clear_book", json!({})).await.status, 401);
    assert_eq!(site.get("/api/state").await.json()["records"][0]["count"], 1);
}
