//! `/health` lives with the process; `/ready` names what is not.

use std::net::TcpListener;

use actix_web::{App, HttpServer, web};
use prometheus_client::registry::Registry;
use tidegate::config::{Config, ProviderKind};
use tidegate::http::{self, ByteBudget, Doors, Exposition, HttpMetrics, Metered, ModelTable, Served, Watch};
use tidegate::identity::Roster;
use tidegate::stores::ledger::Prices;
use tidegate_actors::sim::{Fault, ManualClock, World};
use tidegate_actors::{Site, SuperviseLimits};

use super::*;
use crate::upstream::Gate;

/// A server around the engine of `world`, whose provider answers every model; gives its address. It ends with the
/// test's `System`.
fn serve(world: &World) -> String {
    let (config, mut registry) = (Config::default(), Registry::default());
    let upstream = Arc::clone(world.upstream("up"));
    let served = Served { kind: ProviderKind::Openai, upstream };
    let served = config.providers.keys().map(|name| (name.clone(), served.clone())).collect();
    let watch = Arc::new(Watch::register(&mut registry));
    let doors = web::Data::new(Doors {
        engine: world.engine().clone(),
        models: ModelTable::new(config.models.clone(), served, None),
        bodies: ByteBudget::new(1 << 20),
        memos: ByteBudget::new(1 << 20),
        meter: HttpMetrics::register(&mut registry),
        exposition: Exposition::new(registry, Registry::default()),
        roster: Arc::new(Roster::open(Arc::clone(world.engine().clock()))),
        office: None,
        tariff: Arc::new(Prices::default()),
        config,
        app: None,
        backing: Vec::new(),
        books: None,
        archive: None,
        watch,
        version: String::new(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server =
        HttpServer::new(move || App::new().wrap(Metered::new(&doors)).configure(http::routes(&doors)));
    let server = server.workers(1).disable_signals().listen(listener).expect("it listens");
    actix_rt::spawn(server.run());
    format!("http://{address}")
}

/// A lane that failed too often stays closed: a balancer is told to go elsewhere, and so is each caller.
#[actix_rt::test]
async fn a_lane_whose_restart_budget_is_spent_is_named_and_its_callers_are_told_so() {
    let supervise = SuperviseLimits { restarts: 1, backoff_ms: 0, ..SuperviseLimits::default() };
    let world = World::new().clock(&ManualClock::new()).config(|config| config.supervise = supervise);
    let world = world.fault(Site::LaneBeforeStart, Fault::PanicFrom(1)).start();
    world.engine().ready().await;
    let (at, client) = (serve(&world), reqwest::Client::builder().no_proxy().build().expect("a client"));
    let post = |path: &str, body: String| {
        world.called_elsewhere(1);
        send(client.post(format!("{at}{path}")).header("content-type", "application/json").body(body))
    };
    let get = |path: &str| send(client.get(format!("{at}{path}")));
    assert_eq!(get("/ready").await.status, 200);

    let lost = post(CHAT, ask("lost")).await;
    assert_eq!((lost.status, code(&lost).as_str()), (503, "lane_lost"));
    assert_eq!(post(CHAT, ask("lost, and its lane with it")).await.status, 503);
    world.until("it is closed", |world| world.engine().read().lanes[0].closed).await;
    let refused = post(CHAT, ask("late")).await;
    assert_eq!((refused.status, code(&refused).as_str()), (503, "lane_closed"));
    assert_eq!(
        ["x-tidegate-blame", "x-should-retry", "retry-after"].map(|name| refused.field(name)),
        [Some("us"), Some("true"), Some("5")]
    );

    let ready = get("/ready").await;
    let json = ready.json();
    assert_eq!((ready.status, &json["ready"]), (503, &false.into()));
    let closed: Vec<_> = parts(&json).into_iter().filter(|(_, fine)| !fine).collect();
    assert_eq!((closed, &json["parts"][0]["why"]), (vec![("lane interactive", false)], &"closed".into()));
    assert_eq!(get("/health").await.status, 200);
    let engine = get("/api/v1/engine").await.json();
    assert_eq!((&engine["lanes"][0]["closed"], &engine["lanes"][1]["closed"]), (&true.into(), &false.into()));
    assert_eq!(engine["lanes"][0]["refused"]["closed"], 1, "{engine}");

    world.heal(Site::LaneBeforeStart);
    let embedded = post(EMBED, json!({ "model": "m", "input": "other lane" }).to_string()).await;
    assert_eq!(embedded.status, 200, "the other lane works: {embedded:?}");
    world.assert_quiet().await;
}

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
        ("database", true),
        ("ledger", true),
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
    assert_eq!(json["parts"][6]["why"], "open");
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
