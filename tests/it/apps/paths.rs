//! Which paths are the app's, which the gateway's, and how each refuses.

use super::*;

const PLAIN: &str = "flow \"hi\":\n  return \"hi \" + input.who\n";

#[actix_rt::test]
async fn the_gateway_answers_its_own_paths_beside_an_app() {
    let site = Site::of(&format!("{PLAIN}{}", route("hi", "GET", "/{a}/{who}")));
    assert_eq!(site.get("/x/Ann").await.json(), json!({"value": "hi Ann"}));
    assert_eq!(site.get("/v1/models").await.status, 200);
    assert_eq!(site.get("/x/a%20b+c").await.json(), json!({"value": "hi a%20b+c"}), "as it was sent");
    assert_eq!(site.get("/api/state").await.json()["ok"], true, "a path of the server keeps its meaning");
    assert_eq!(site.get("/api/v1/engine").await.status, 200);
    assert_eq!(site.get("/health").await.json(), json!({"status": "ok"}));
    assert_eq!(site.get("/ready").await.status, 200);
    assert!(site.get("/metrics").await.text().contains("http_requests_total"));
}

#[actix_rt::test]
async fn a_route_that_names_a_path_word_for_word_has_it() {
    let site = Site::of(&format!("flow \"mine\":\n  return 7\n{}", route("mine", "GET", "/api/health")));
    assert_eq!(site.get("/api/health").await.json(), json!({"value": 7}));
}

#[actix_rt::test]
async fn every_method_reaches_its_route() {
    let flows = ["PUT", "PATCH", "DELETE", "GET", "POST"].map(|method| {
        format!("flow \"{method}\":\n  return \"{method}\"\n{}\n", route(method, method, "/thing"))
    });
    let site = Site::of(&flows.join("\n"));
    for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::GET, Method::POST] {
        let answer = site.ask(method.clone(), "/thing/", None).await;
        assert_eq!(answer.json(), json!({"value": method.as_str()}));
    }
}

#[actix_rt::test]
async fn nothing_at_a_path_is_a_page_for_people_and_an_unknown_version_is_told_so() {
    let site = Site::of(PLAIN);
    let answer = site.get("/nowhere").await;
    assert_eq!(answer.status, 404);
    assert!(answer.field("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    let answer = site.get("/api/v2/ui").await;
    assert_eq!((answer.status, &answer.json()["message"]), (404, &json!("Unsupported API version.")));
    assert_eq!(site.get("/api/vegetables").await.status, 404);
    assert_eq!(site.get("/v1/nothing").await.json()["error"]["type"], "not_found_error");
}

#[actix_rt::test]
async fn an_app_that_does_not_load_answers_why_and_the_gateway_goes_on() {
    let site = Site::of("flow \"hi\":\n  return 1 +\n");
    for path in ["/", "/api/ui", "/anything", "/api/v1/ui"] {
        let answer = site.get(path).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("load_error")), "{path}");
        assert!(answer.json()["message"].as_str().is_some_and(|text| text.starts_with("[line 4")), "{path}");
    }
    assert_eq!(site.get("/v1/models").await.status, 200);
    let reserved = Site::of(&format!("{PLAIN}{}", route("hi", "GET", "/v1/mine")));
    let answer = reserved.get("/api/ui").await;
    assert!(answer.text().contains("reserved path '/v1/mine'"), "{}", answer.text());
}

#[actix_rt::test]
async fn an_answer_is_compact_json_with_sorted_keys_and_escapes() {
    let source = "flow \"f\":\n  return map:\n    \"z\" is \"gr\u{fc}n\"\n    \"a\" is 1\n";
    let site = Site::of(&format!("{source}{}", route("f", "GET", "/f")));
    let answer = site.get("/f").await;
    assert_eq!(answer.text(), r#"{"a":1,"z":"gr\u00fcn"}"#);
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert!(answer.field("x-request-id").is_some());
}

#[actix_rt::test]
async fn a_caller_of_whom_nothing_is_known_is_told_so_and_one_who_may_not_something_else() {
    let source = "flow \"known\": requires identity.role is \"a\"\n  return 1\n";
    let source = format!("spec is \"1.0\"\n{source}{}", route("known", "GET", "/known"));
    for (env, status, words) in [
        (&[][..], 401, "Identity is missing 'role'."),
        (&[("N3_IDENTITY_JSON", "{\"role\": \"b\"}")][..], 403, "access is not permitted."),
        (&[("N3_IDENTITY_ROLE", "a")][..], 200, "1"),
    ] {
        let answer = Site::with(&source, None, env).get("/known").await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().contains(words), "{}", answer.text());
        assert!(status == 200 || answer.json()["remediation"].is_string(), "{}", answer.text());
    }
}

#[actix_rt::test]
async fn a_rule_that_asks_for_a_role_of_nobody_wants_to_know_who_calls() {
    let source = "flow \"known\": requires has_role(\"a\")\n  return 1\n";
    let answer = Site::of(&format!("{source}{}", route("known", "GET", "/known"))).get("/known").await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert!(answer.text().contains("requires authentication."), "{}", answer.text());
}

#[actix_rt::test]
async fn a_body_that_is_too_large_or_from_elsewhere_is_refused_in_the_shape_of_apps() {
    let site = Site::of(&format!("{PLAIN}{}", route("hi", "POST", "/hi")));
    let large = site.gateway.request(Method::POST, "/hi").header("content-length", "99999999999");
    let answer = send(large.body("x")).await;
    assert!(answer.status == 413 || answer.status == 400, "{answer:?}");
    let foreign = site.gateway.request(Method::POST, "/hi").header("origin", "https://elsewhere.example");
    let answer = send(foreign.body("{}")).await;
    assert_eq!(answer.status, 403);
    assert!(answer.json()["code"].is_string() && answer.json()["message"].is_string(), "{}", answer.text());
    let answer = site.ask(Method::POST, "/api/action", Some("[1]".to_owned())).await;
    assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("Body must be a JSON object.")));
    let answer = site.ask(Method::POST, "/api/action", Some("nope".to_owned())).await;
    assert_eq!((answer.status, &answer.json()["ok"]), (400, &json!(false)));
    assert_eq!(answer.json()["error"], json!("Invalid JSON body."));
}

#[actix_rt::test]
async fn a_wrong_method_on_a_fixed_path_is_told_which_is_right() {
    let site = Site::of(PLAIN);
    let answer = site.get("/api/action").await;
    assert_eq!((answer.status, answer.field("allow")), (405, Some("POST, OPTIONS")));
    assert_eq!(site.post("/api/ui", &json!({})).await.status, 405);
    assert_eq!(site.ask(Method::HEAD, "/api/ui", None).await.status, 200);
}

const SHOP: &str = r#"spec is "1.0"
capabilities:
  performance

record "Item":
  name is text must be unique

flow "note":
  metric counter "notes" increment with map:
    "kind" is "a"
  metric timing "pace" record 3
  metric timing "pace" record 2000
  log warn "careful" with map:
    "n" is 1
  return "noted"

page "home": requires true
  button "Note":
    calls flow "note"
  form is "Item"

page "staff": requires identity.role is "staff"
  button "Note":
    calls flow "note"
"#;

#[actix_rt::test]
async fn metrics_logs_and_spans_gather_over_runs_where_they_are_wanted() {
    let watched = Site::with(
        SHOP,
        Some("[performance]\nmetrics_endpoint = \"/my/metrics\"\n"),
        &[("N3_OBSERVABILITY", "1")],
    );
    let action = json!({"id": "page.home.button.note"});
    for _ in 0..2 {
        assert_eq!(watched.post("/api/action", &action).await.json()["result"], "noted");
    }
    let metrics = watched.get("/my/metrics").await.json();
    assert_eq!(metrics, watched.get("/api/metrics").await.json());
    assert_eq!(metrics["counters"], json!([{"labels": {"kind": "a"}, "name": "notes", "value": 2.0}]));
    let pace = &metrics["timings"][0];
    assert_eq!(
        (&pace["count"], &pace["total_steps"], &pace["unit"]),
        (&json!(4), &json!(4006.0), &json!("steps"))
    );
    assert_eq!(
        (&pace["min_steps"], &pace["max_steps"], &pace["last_steps"]),
        (&json!(3.0), &json!(2000.0), &json!(2000.0))
    );
    assert_eq!(
        (&pace["buckets"][3], &pace["buckets"][11]),
        (&json!({"count": 2, "le": 5}), &json!({"count": 2, "gt": 1000}))
    );
    let logs = watched.get("/api/logs").await.json();
    assert_eq!(logs["count"], 2);
    assert_eq!(
        (&logs["logs"][1]["id"], &logs["logs"][1]["level"], &logs["logs"][1]["fields"]),
        (&json!("log:0002"), &json!("warn"), &json!({"n": 1}))
    );
    assert!(watched.get("/api/traces").await.json()["count"].as_u64().is_some_and(|count| count >= 2));
    let unwatched = Site::with(SHOP, None, &[]);
    unwatched.post("/api/action", &action).await;
    assert_eq!(
        unwatched.get("/api/metrics").await.json(),
        json!({"counters": [], "ok": true, "timings": []})
    );
    assert_eq!(unwatched.get("/api/logs").await.json(), json!({"count": 0, "logs": [], "ok": true}));
}

#[actix_rt::test]
async fn pages_a_caller_may_not_see_are_not_told_and_not_used() {
    let site = Site::with(SHOP, None, &[]);
    let manifest = site.get("/api/ui").await.json();
    assert_eq!(manifest["pages"].as_array().expect("pages").len(), 1);
    assert_eq!(site.get("/api/ui/actions").await.json()["actions"].as_array().expect("actions").len(), 2);
    let answer = site.post("/api/action", &json!({"id": "page.staff.button.note"})).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    let staff = Site::with(SHOP, None, &[("N3_IDENTITY_ROLE", "staff")]);
    assert_eq!(staff.get("/api/ui").await.json()["pages"].as_array().expect("pages").len(), 2);
    assert_eq!(staff.post("/api/action", &json!({"id": "page.staff.button.note"})).await.status, 200);
}

#[actix_rt::test]
async fn the_versioned_paths_say_the_same_with_a_hash() {
    let site = Site::with(SHOP, None, &[]);
    let told = site.get("/api/v1/ui").await.json();
    assert_eq!(told["manifest"], site.get("/api/ui").await.json());
    assert_eq!(told["hash"].as_str().expect("a hash").len(), 64);
    let path = "/api/v1/actions/page.home.form.item";
    let answer = site.post(path, &json!({"payload": {"values": {"name": "a"}}})).await;
    assert_eq!((answer.status, &answer.json()["result"]), (200, &json!({"id": 1, "record": "Item"})));
    let again = site.post(path, &json!({"payload": {"name": "a"}})).await;
    assert_eq!((again.status, &again.json()["errors"][0]["code"]), (400, &json!("unique")));
    assert_eq!(site.get("/api/ui/state").await.json()["state"]["errors"][0]["field"], "name");
    assert_eq!(site.get("/api/v1/actions").await.status, 404);
}

#[actix_rt::test]
async fn the_root_is_the_consoles_unless_the_app_has_a_page_there() {
    let site = Site::of(&format!("{PLAIN}{}", route("hi", "GET", "/hi/{who}")));
    assert!(site.get("/").await.text().contains("Tidegate"), "led to the console");
    let own = Site::of(&format!("flow \"home\":\n  return 7\n{}", route("home", "GET", "/")));
    assert_eq!(own.get("/").await.json(), json!({"value": 7}));
    let wide = Site::of(&format!("{PLAIN}{}", route("hi", "GET", "/{who}")));
    assert!(wide.get("/console").await.text().contains("Tidegate"), "a path of the server keeps its meaning");
}
