//! Requests beside each other leave what they would leave one after the other.

use std::io::{Read, Write};
use std::net::TcpStream;

use futures_util::future::join_all;

use super::*;

const COUNT: &str = r#"record "Visit":
  n is number

flow "count": requires true
  try:
    let n is state.n
  with catch err:
    let n is 0
  repeat up to 500 times:
    let busy is 1 + 1
  set state.n is n + 1
  let values is map:
    "n" is n
  create "Visit" with values as visit
  return state.n
"#;

fn counter() -> Site {
    let page = "\npage \"home\": requires true\n  button \"Count\":\n    calls flow \"count\"\n";
    Site::of(&format!("{COUNT}{}{page}", route("count", "POST", "/count")))
}

#[actix_rt::test]
async fn fifty_requests_at_once_count_to_fifty() {
    let site = counter();
    let action = json!({"id": "page.home.button.count"});
    let (site, action) = (&site, &action);
    let asks = (0..50).map(|n| async move {
        let answer = match n % 2 {
            0 => site.post("/count", &json!({})).await.json()["value"].clone(),
            _ => site.post("/api/action", action).await.json()["result"].clone(),
        };
        answer.as_u64().expect("a count")
    });
    let asks: Vec<_> = asks.collect();
    let mut seen = join_all(asks).await;
    seen.sort_unstable();
    assert_eq!(seen, (1..=50).collect::<Vec<u64>>(), "each saw the one before");
    let state = site.get("/api/state").await.json();
    assert_eq!((&state["state"]["n"], &state["records"][0]["count"]), (&json!(50), &json!(50)));
}

const BANK: &str = r#"flow "open": requires true
  set state.a is 100
  set state.b is 100
  return true

flow "move": requires true
  set state.a is state.a - 1
  if input.late:
    let nothing is 1 / 0
  set state.b is state.b + 1
  return true

flow "sum":
  return state.a + state.b
"#;

/// Every third transfer fails in the middle and must leave no trace.
#[actix_rt::test]
async fn nobody_sees_half_of_a_run_nor_anything_of_one_that_failed() {
    let routes = [("open", "POST"), ("move", "POST"), ("sum", "GET")];
    let routes = routes.map(|(flow, method)| route(flow, method, &format!("/{flow}"))).concat();
    let site = Site::of(&format!("{BANK}{routes}"));
    site.post("/open", &json!({})).await;
    let site = &site;
    let asks = (0..60).map(|n| async move {
        match n % 3 {
            0 => assert_eq!(site.get("/sum").await.json(), json!({"value": 200})),
            1 => assert_eq!(site.post("/move", &json!({"late": false})).await.status, 200),
            _ => assert_eq!(site.post("/move", &json!({"late": true})).await.status, 400),
        }
    });
    join_all(asks.collect::<Vec<_>>()).await;
    assert_eq!(site.get("/api/state").await.json()["state"], json!({"a": 80, "b": 120}));
}

const SLOW: &str = r#"ai "slow":
  model is "m"

flow "remember": requires true
  try:
    let n is state.n
  with catch err:
    let n is 0
  yield "begun"
  ask ai "slow" with input: "think" as thought
  set state.n is n + 1
  return state.n

flow "think":
  ask ai "slow" with input: "think" as thought
  return thought

flow "plain":
  return 1

flow "learn":
  try:
    let n is state.n
  with catch err:
    let n is 0
  ask ai "slow" with input: "learn" as lesson
  set state.n is n + 1
  return state.n

flow "bump":
  try:
    let n is state.n
  with catch err:
    let n is 0
  set state.n is n + 1
  return state.n
"#;

/// A server whose mock takes its time.
fn slow(delay_ms: u64) -> Site {
    slow_with(delay_ms, "")
}

fn slow_with(delay_ms: u64, more: &str) -> Site {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let routes = [
        ("remember", "POST", "/remember"),
        ("plain", "GET", "/plain"),
        ("think", "GET", "/think"),
        ("learn", "POST", "/learn"),
        ("bump", "POST", "/bump"),
    ];
    let routes = routes.map(|(flow, method, path)| route(flow, method, path)).concat();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("app.ai", &format!("spec is \"1.0\"\n{SLOW}{routes}"));
    write("tidegate.toml", &format!("[providers.mock]\nkind = \"mock\"\ndelay_ms = {delay_ms}\n{more}"));
    let gateway = Gateway::serving(folder.path(), &[]);
    Site { gateway, folder }
}

/// A request whose run is in the middle, with everything the app keeps in its hands.
fn begun(site: &Site) -> TcpStream {
    let mut socket = TcpStream::connect(site.gateway.address()).expect("the server listens");
    let request = "POST /remember HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}";
    socket.write_all(request.as_bytes()).expect("the server reads");
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("begun") {
        let mut piece = [0; 512];
        let read = socket.read(&mut piece).expect("the server answers");
        assert!(read > 0, "the answer ended: {}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&piece[..read]);
    }
    socket
}

/// A run that ended with its caller would take state and records with it, and every later run would find nothing.
#[actix_rt::test]
async fn a_client_that_leaves_in_the_middle_of_a_run_loses_nothing() {
    let site = slow(50);
    drop(begun(&site));
    let next = site.post("/remember", &json!({})).await;
    assert!(
        next.text().contains(
            r#"event: return
data: {"value":2}"#
                .replace("\\n", "\n")
                .as_str()
        ),
        "{}",
        next.text()
    );
    assert_eq!(site.get("/api/state").await.json()["state"]["n"], 2);
}

#[actix_rt::test]
async fn a_run_that_changes_nothing_goes_on_beside_one_that_does() {
    let site = slow(60_000);
    let mut thinking = begun(&site);
    for _ in 0..20 {
        assert_eq!(site.get("/plain").await.json(), json!({"value": 1}));
    }
    thinking.set_nonblocking(true).expect("a socket can");
    assert!(thinking.read(&mut [0; 16]).is_err(), "it still thinks");
}

/// While one model thought, every request that changed anything waited for it.
#[actix_rt::test]
async fn a_run_that_waits_for_a_model_lets_others_change_what_it_will_change() {
    let site = slow(60_000);
    let empty = json!({});
    let bumps = async {
        site.gateway.until("/api/v1/engine", |engine| engine["app"]["operations"]["active"] == 1).await;
        for n in 1..=20 {
            assert_eq!(site.post("/bump", &empty).await.json(), json!({"value": n}));
        }
    };
    tokio::select! {
        biased;
        learnt = site.post("/learn", &empty) => assert!(learnt.text().is_empty(), "it still waits: {learnt:?}"),
        () = bumps => {}
    }
}

#[actix_rt::test]
async fn a_line_before_the_records_that_is_full_is_told_when_to_come_back() {
    let site = slow_with(60_000, "[lanes]\nqueue_jobs = 1\n");
    let _thinking = begun(&site); // with the turn in its hands, as it has told a message
    let empty = json!({});
    let (one, other) = (site.post("/bump", &empty), site.post("/bump", &empty));
    let (one, other) = (std::pin::pin!(one), std::pin::pin!(other));
    let (refused, _waits) = futures_util::future::select(one, other).await.factor_first();
    assert_eq!((refused.status, refused.field("retry-after")), (429, Some("1")), "{refused:?}");
    assert!(refused.text().contains("lanes.queue_jobs"), "{}", refused.text());
}

#[actix_rt::test]
async fn what_was_said_is_kept_beside_the_app_when_the_server_ends() {
    let Site { gateway, folder } = slow(0);
    let answer = send(gateway.posting("/remember", "{}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    gateway.end();
    assert!(folder.path().join(".namel3ss/memory/short_term.json").exists());
}

/// Workers take what they are doing with them: a run whose caller had left was cut off when the server was told to end.
#[actix_rt::test]
async fn a_run_nobody_listens_to_ends_before_the_server_does() {
    let site = slow(50);
    drop(begun(&site));
    let Site { gateway, folder } = site;
    gateway.end();
    let kept = std::fs::read_to_string(folder.path().join(".namel3ss/memory/short_term.json"));
    assert!(kept.expect("what was said is kept").contains("think"));
}
