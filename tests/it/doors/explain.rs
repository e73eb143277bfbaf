//! `GET /api/v1/calls/{id}/explain`: why an answer came out as it did.

use super::*;

async fn explain(gateway: &Gateway, answer: &Answer) -> Json {
    let id = answer.field("x-request-id").expect("an id");
    let explained = gateway.get(&format!("/api/v1/calls/{id}/explain")).await;
    assert_eq!(explained.status, 200, "{explained:?}");
    explained.json()
}

#[tokio::test]
async fn a_miss_names_the_nearest_request_and_the_path_that_differs() {
    let (_upstream, gateway) = talking().await;
    let first = gateway.post(CHAT, ask("one")).await;
    let request = gateway.posting(CHAT, ask("two")).header("x-tidegate-tags", "team-a");
    let second = send(request).await;
    let told = explain(&gateway, &second).await;
    assert_eq!((&told["outcome"], &told["reason"]), (&"miss".into(), &"absent".into()));
    assert_eq!(told["key"].as_str(), second.field("x-tidegate-key"));
    assert_eq!(
        (&told["workspace"], &told["door"], &told["kind"], &told["model"]),
        (&"default".into(), &"openai.chat".into(), &"chat".into(), &"m".into())
    );
    assert_eq!(
        (&told["target"], &told["attempts"], &told["tags"]),
        (&"up/up-m".into(), &1.into(), &json!(["team-a"]))
    );
    let at = told["at"].as_str().expect("a time");
    assert!(at.starts_with("20") && at.ends_with('Z') && at.contains('T'), "RFC 3339 in UTC: {at}");
    assert_eq!((&told["usage"]["input"], &told["usage"]["output"]), (&5.into(), &2.into()));
    assert_eq!(told["nearest"]["id"].as_str(), first.field("x-request-id"));
    let differs = told["nearest"]["differs"].as_array().expect("paths");
    assert_eq!(differs.len(), 1, "{told}");
    assert!(differs[0].as_str().expect("a path").contains("content"), "{told}");
    let fields = told["fields"].as_array().expect("paths");
    assert!(fields.iter().any(|field| field == "temperature"), "{told}");
}

#[tokio::test]
async fn an_embedding_call_names_its_requests_and_its_items() {
    let gateway = Gateway::start("");
    for attempts in [1, 0] {
        let asked = gateway.post(EMBED, r#"{"model":"mock-embed","input":["one","two"]}"#).await;
        let told = explain(&gateway, &asked).await;
        assert_eq!((&told["kind"], &told["attempts"]), (&"embed".into(), &attempts.into()), "{told}");
    }
}

#[tokio::test]
async fn a_hit_names_who_paid_and_every_stage_it_reached() {
    let (_upstream, gateway) = talking().await;
    let first = gateway.post(CHAT, ask("one")).await;
    let hit = gateway.post(CHAT, ask("one")).await;
    let told = explain(&gateway, &hit).await;
    assert_eq!(
        (&told["outcome"], &told["reason"], &told["attempts"]),
        (&"hit".into(), &"".into(), &0.into())
    );
    assert_eq!(told["payer"].as_str(), first.field("x-request-id"));
    assert!(!told["fields"].as_array().expect("paths").is_empty(), "those of the call that paid: {told}");
    let names = |told: &Json| -> Vec<String> {
        let stages = told["stages"].as_array().expect("stages");
        stages.iter().map(|stage| stage["stage"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&told), ["admit", "authorise", "key", "lookup", "tell"]);
    let missed = explain(&gateway, &first).await;
    assert!(names(&missed).contains(&"act".to_owned()), "{missed}");
    let ends: Vec<_> = missed["stages"]
        .as_array()
        .expect("stages")
        .iter()
        .map(|stage| stage["at_us"].as_f64().expect("a number"))
        .collect();
    assert!(ends.windows(2).all(|two| two[0] <= two[1]), "stages end in order: {ends:?}");
}

#[tokio::test]
async fn a_bypass_and_a_failure_say_why() {
    let refusal = r#"{"error":{"message":"no","type":"x","param":null,"code":null}}"#;
    let upstream =
        Upstream::scripted(vec![Script::json(200, completion("x")), Script::json(400, refusal)]).await;
    let gateway = Gateway::before(&upstream, "");
    let bypass = gateway.post(CHAT, undeclared("x")).await;
    let told = explain(&gateway, &bypass).await;
    assert_eq!((&told["outcome"], &told["reason"]), (&"bypass".into(), &"not_declared".into()));
    let failed = gateway.post(CHAT, ask("y")).await;
    let told = explain(&gateway, &failed).await;
    assert_eq!(
        (&told["outcome"], &told["error"]),
        (&"failed".into(), &json!({ "stage": "act", "code": "upstream_rejected", "blame": "caller" }))
    );
}

#[tokio::test]
async fn a_call_nobody_remembers_is_a_404() {
    let upstream = Upstream::answering(said).await;
    let gateway = Gateway::before(&upstream, "gateway.explain_calls = 1\nledger.enabled = false");
    let first = gateway.post(CHAT, ask("one")).await;
    explain(&gateway, &first).await;
    gateway.post(CHAT, ask("two")).await;
    for id in [first.field("x-request-id").expect("an id"), "call_nonsense"] {
        let gone = gateway.get(&format!("/api/v1/calls/{id}/explain")).await;
        assert_eq!((gone.status, code(&gone).as_str()), (404, "call_not_found"));
    }
}
