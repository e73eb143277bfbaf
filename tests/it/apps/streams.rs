//! Flows that yield, and answers as events.

use super::*;

const FLOWS: &str = r#"ai "helper":
  model is "m"

flow "steps":
  yield "one"
  ask ai "helper" with input: "x" as answer
  yield answer
  yield 3
  return "done"

flow "quick":
  yield "one"
  return 2.5

flow "breaks":
  yield "one"
  return 1 / 0

flow "breaks_late":
  yield "one"
  ask ai "helper" with input: "x" as answer
  return 1 / 0

flow "plain":
  return "plain"
"#;

fn site() -> Site {
    let routes = ["steps", "quick", "breaks", "breaks_late", "plain"];
    let routes = routes.map(|flow| route(flow, "GET", &format!("/{flow}")));
    Site::of(&format!("{FLOWS}{}", routes.concat()))
}

/// Names and data of the events.
fn events(answer: &Answer) -> Vec<(String, Json)> {
    assert_eq!(answer.field("content-type"), Some("text/event-stream"), "{answer:?}");
    assert_eq!(answer.field("x-accel-buffering"), Some("no"), "a proxy must not hold events back");
    let event = |text: &str| {
        let (name, data) = text.split_once('\n').expect("two lines");
        let name = name.strip_prefix("event: ").expect("a name");
        let data = data.strip_prefix("data: ").expect("data");
        (name.to_owned(), serde_json::from_str(data).expect("JSON"))
    };
    answer.text().split_terminator("\n\n").filter(|text| !text.starts_with(':')).map(event).collect()
}

fn message(flow: &str, sequence: u64, output: Json) -> (String, Json) {
    ("yield".to_owned(), json!({"flow_name": flow, "output": output, "sequence": sequence}))
}

#[actix_rt::test]
async fn a_flow_that_yields_answers_each_message_in_order_and_then_its_result() {
    let site = site();
    let told = events(&site.get("/steps").await);
    let expected = [
        message("steps", 1, json!("one")),
        message("steps", 2, json!("[m] x | mem:st=0")),
        message("steps", 3, json!(3)),
        ("return".to_owned(), json!({"value": "done"})),
    ];
    assert_eq!(told, expected);
    let told = events(&site.get("/quick").await);
    assert_eq!(told, [message("quick", 1, json!("one")), ("return".to_owned(), json!({"value": "2.5"}))]);
}

#[actix_rt::test]
async fn a_flow_that_yields_nothing_is_told_as_events_where_they_are_wanted() {
    let site = site();
    assert_eq!(site.get("/plain").await.json(), json!({"value": "plain"}));
    let told = events(&site.get("/plain?stream=true").await);
    assert_eq!(told, [("return".to_owned(), json!({"value": "plain"}))]);
}

#[actix_rt::test]
async fn a_failure_has_its_status_until_a_message_was_sent_and_is_an_event_after() {
    let site = site();
    let answer = site.get("/breaks?stream=true").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["code"], "E-ENGINE-ENGINE_ERROR-BREAKS-RETURN-2");
    let told = events(&site.get("/breaks_late").await);
    assert_eq!(told[0], message("breaks_late", 1, json!("one")));
    assert_eq!((told[1].0.as_str(), told.len()), ("error", 2));
    assert_eq!(told[1].1["code"], "E-ENGINE-ENGINE_ERROR-BREAKS_LATE-RETURN-3");
}
