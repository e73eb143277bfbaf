//! `/health` lives with the process; `/ready` names what is not.

use super::*;
use crate::upstream::Gate;

fn parts(ready: &Json) -> Vec<(&str, bool)> {
    let parts = ready["parts"].as_array().expect("a list");
    parts
        .iter()
        .map(|part| (part["part"].as_str().expect("a name"), part["ready"].as_bool().expect("a flag")))
        .collect()
}

#[tokio::test]
async fn a_fresh_server_is_ready_in_all_its_parts() {
    let (_upstream, gateway) = talking().await;
    let ready = gateway.get("/ready").await;
    let wanted = [
        ("lane interactive", true),
        ("lane heavy", true),
        ("admission", true),
        ("cache", true),
        ("provider up", true),
    ];
    assert_eq!((ready.status, parts(&ready.json())), (200, wanted.to_vec()));
}

#[tokio::test]
async fn the_only_provider_is_named_when_its_breaker_opens() {
    let upstream = Upstream::always(Script::json(500, "{}")).await;
    let more = "breaker_failures = 2\nbreaker_open_ms = 600000\n";
    let toml =
        crate::server::pointing_at(&upstream).replace("retries = 0\n", &format!("retries = 0\n{more}"));
    let gateway = Gateway::start(&toml);
    for call in 0..2 {
        assert_eq!(gateway.post(CHAT, ask(&format!("call {call}"))).await.status, 502);
    }
    let ready = gateway.get("/ready").await;
    let json = ready.json();
    assert_eq!((ready.status, &json["ready"]), (503, &false.into()));
    let closed: Vec<_> = parts(&json).into_iter().filter(|(_, fine)| !fine).collect();
    assert_eq!(closed, [("provider up", false)]);
    assert_eq!(json["parts"][4]["why"], "open");
    assert_eq!(gateway.get("/health").await.status, 200);
    let refused = gateway.post(CHAT, ask("later")).await;
    assert_eq!((refused.status, upstream.seen().len()), (503, 2), "nothing is sent while it is open");
    let pause: u64 = refused.field("retry-after-ms").expect("a pause").parse().expect("a number");
    assert_eq!(pause, 60_000, "ten minutes are told as one");
    assert_eq!(refused.field("retry-after"), Some("60"));
    let provider = &gateway.get("/api/v1/engine").await.json()["providers"][0];
    assert_eq!((&provider["name"], &provider["breaker"]), (&"up".into(), &"open".into()));
}

#[tokio::test]
async fn a_stopping_server_answers_what_it_admitted_and_refuses_the_rest() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream =
        Upstream::answering(move |_| Script::json(200, "").wait(&held).send(completion("late"))).await;
    let mut gateway = Gateway::before(&upstream, "");
    let call = tokio::spawn(send(gateway.posting(CHAT, ask("x"))));
    upstream.asked(1).await;
    gateway.stop();
    let ready = gateway.until("/ready", |ready| ready["ready"] == false).await;
    assert_eq!(gateway.get("/ready").await.status, 503);
    let closed: Vec<_> = parts(&ready).into_iter().filter(|(_, fine)| !fine).collect();
    assert_eq!((closed, &ready["parts"][2]["why"]), (vec![("admission", false)], &"draining".into()));
    let refused = gateway.post(CHAT, ask("y")).await;
    assert_eq!((refused.status, code(&refused).as_str()), (503, "shutting_down"));
    assert_eq!(refused.field("x-should-retry"), Some("true"), "another instance can answer");
    assert_eq!(gateway.get("/api/v1/engine").await.json()["draining"], true);
    gate.open();
    let answer = call.await.expect("no panic");
    assert_eq!((answer.status, answer.text()), (200, completion("late").as_str()));
}

#[tokio::test]
async fn a_provider_that_is_down_is_named_while_another_can_answer() {
    let down = Upstream::always(Script::json(500, "{}")).await;
    let up = Upstream::answering(said).await;
    let other = format!("[providers.other]\nkind = \"openai\"\nbase_url = \"{}/v1\"\n", up.url());
    let other = format!("{other}[models.n]\ntargets = [{{ provider = \"other\" }}]\n");
    let more = "retries = 0\nbreaker_failures = 1\nbreaker_open_ms = 600000\n";
    let toml = crate::server::pointing_at(&down).replace("retries = 0\n", more);
    let gateway = Gateway::start(&format!("{toml}{other}"));
    assert_eq!(gateway.post(CHAT, ask("x")).await.status, 502);
    let ready = gateway.get("/ready").await;
    let json = ready.json();
    assert_eq!((ready.status, &json["ready"]), (200, &true.into()));
    let closed: Vec<_> = parts(&json).into_iter().filter(|(_, fine)| !fine).collect();
    assert_eq!(closed, [("provider up", false)]);
    assert_eq!(gateway.post(CHAT, ask("x").replace("\"m\"", "\"n\"")).await.status, 200);
}
