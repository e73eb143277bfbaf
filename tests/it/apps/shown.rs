//! A served app's lanes and calls are shown where those of the gateway are.

use super::*;
use crate::promtool;

const ASKS: &str = r#"spec is "1.0"

capabilities:
  performance

ai "helper":
  model is "m"

flow "asks":
  ask ai "helper" with input: input.q as one
  ask ai "helper" with input: one as two
  return two

page "home":
  button "Ask":
    calls flow "asks"
"#;

fn site() -> Site {
    let toml = "[performance]\nasync_runtime = true\nmax_concurrency = 6\n";
    Site::with(&format!("{ASKS}{}", route("asks", "GET", "/asks")), Some(toml), &[])
}

/// The ids its answer gives, the one of the answer itself first.
fn calls(answer: &Answer) -> Vec<String> {
    let named = answer.field("x-tidegate-calls").expect("the calls of the run");
    let named: Vec<String> = named.split(", ").map(str::to_owned).collect();
    assert_eq!(answer.field("x-request-id"), Some(named[0].as_str()), "{answer:?}");
    named
}

#[actix_rt::test]
async fn metrics_show_an_apps_engine_under_its_name_in_the_families_of_the_gateway() {
    let site = site();
    site.get("/asks?q=a").await;
    site.get("/asks?q=a").await;
    let metrics = site.get("/metrics").await;
    for line in [
        r#"tidegate_calls_total{app="app",kind="chat",outcome="miss"} 2"#,
        r#"tidegate_calls_total{app="app",kind="chat",outcome="hit"} 2"#,
        r#"tidegate_calls_total{kind="chat",outcome="miss"} 0"#,
        r#"tidegate_lane_in_flight_limit{app="app",lane="interactive"} 3"#,
        r#"tidegate_cache_entries{app="app"} 2"#,
        r#"tidegate_app_runs_waiting{app="app"} 0"#,
        r#"tidegate_app_runs_waiting_limit{app="app"} 4096"#,
        r#"performance_ai_cache_hit{app="app"} 2"#,
        "performance_ai_cache_hit 0",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{line} in {}", metrics.text());
    }
    promtool::accepts(metrics.text());
    let request =
        site.gateway.request(Method::GET, "/metrics").header("accept", "application/openmetrics-text");
    let open = send(request).await;
    assert!(open.text().contains(r#"tidegate_calls_total{app="app",kind="chat",outcome="hit"} 2"#));
    assert_eq!(open.text().matches("# TYPE tidegate_calls counter").count(), 1, "one family for both");
}

#[actix_rt::test]
async fn ready_and_the_engine_name_the_lanes_of_an_app() {
    let site = site();
    site.get("/asks?q=a").await;
    let ready = site.get("/ready").await.json();
    let parts = ready["parts"].as_array().expect("a list");
    for lane in ["lane interactive of app app", "lane heavy of app app"] {
        assert!(parts.contains(&json!({"part": lane, "ready": true, "why": ""})), "{lane} in {ready}");
    }
    let app = &site.get("/api/v1/engine").await.json()["app"];
    assert_eq!((&app["name"], &app["operations"]["completed"]), (&json!("app"), &json!(2)), "{app}");
    assert_eq!(
        (&app["lanes"][0]["in_flight_limit"], &app["lanes"][1]["in_flight_limit"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(app["runs_waiting"], json!({"held": 0, "limit": 4096}));
}

#[actix_rt::test]
async fn a_run_names_its_calls_and_each_can_be_explained() {
    let site = site();
    let of_route = calls(&site.get("/asks?q=a").await);
    let action = json!({"id": "page.home.button.ask", "payload": {"q": "a"}});
    let of_action = calls(&site.post("/api/action", &action).await);
    let mut outcomes = Vec::new();
    for call in of_route.iter().chain(&of_action) {
        let told = site.get(&format!("/api/v1/calls/{call}/explain")).await.json();
        assert_eq!((&told["id"], &told["target"]), (&json!(call), &json!("mock/m")), "{told}");
        outcomes.push(told["outcome"].clone());
    }
    assert_eq!(outcomes, ["miss", "miss", "hit", "hit"]);
    let asked_nobody = site.get("/api/state").await;
    assert_eq!(asked_nobody.field("x-tidegate-calls"), None);
}

#[actix_rt::test]
async fn a_run_that_failed_names_its_calls_too() {
    let source = "ai \"helper\":\n  model is \"m\"\n\nflow \"fails\":\n  ask ai \"helper\" with input: \"x\" as a\n  return 1 / 0\n";
    let site = Site::of(&format!("{source}{}", route("fails", "GET", "/fails")));
    let answer = site.get("/fails").await;
    assert_eq!((answer.status, calls(&answer).len()), (400, 1));
}
