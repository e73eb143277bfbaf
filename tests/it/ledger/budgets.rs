//! Budgets of a whole server: what was spent is in the books, so no restart and no kill gives it back.

use super::*;
use crate::postgres;

/// A call of this costs 0.0035 USD: 1,000 tokens in at 2.50 a million, 100 out at 10.00.
pub(super) const MODEL: &str = "gpt-4o";
const LIMITS: &str = "/api/v1/limits";

pub(super) async fn send_to(url: &str, path: &str, body: Option<String>) -> Answer {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
    let request = match body {
        Some(body) => {
            client.post(format!("{url}{path}")).header("content-type", "application/json").body(body)
        }
        None => client.get(format!("{url}{path}")),
    };
    send(request).await
}

async fn call(url: &str, content: &str) -> Answer {
    let messages = json!([{ "role": "user", "content": content }]);
    let body = json!({ "model": MODEL, "temperature": 0, "max_tokens": 100, "messages": messages });
    send_to(url, CHAT, Some(body.to_string())).await
}

/// What is used of a limit of the workspace, USD.
pub(super) async fn used(url: &str, name: &str) -> String {
    let listed = send_to(url, LIMITS, None).await.json();
    let limits = listed["limits"].as_array().unwrap_or_else(|| panic!("{listed}"));
    let found = limits.iter().find(|limit| limit["name"] == name).unwrap_or_else(|| panic!("{listed}"));
    found["used"].as_str().unwrap_or_else(|| panic!("money is text: {listed}")).to_owned()
}

/// Both spans: a test that runs over midnight must not find a fresh day's budget.
pub(super) async fn limit(url: &str, amount: &str) -> Answer {
    let asked = json!({ "workspace": "default", "usd_per_day": amount, "usd_per_month": amount });
    send_to(url, LIMITS, Some(asked.to_string())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spent_budget_refuses_and_stays_spent_when_the_server_is_killed() {
    let home = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::answering(|seen| completion(&model(seen))).await;
    let mut server = Process::start(home.path(), &upstream);
    assert_eq!(limit(&server.url, "0.0105").await.status, 200);
    for n in 0..3 {
        assert_eq!(call(&server.url, &format!("call {n}")).await.status, 200);
    }
    assert_eq!(call(&server.url, "call 0").await.status, 429, "also what would be answered from memory");
    let refused = call(&server.url, "one more").await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (429, Some("insufficient_quota")));
    assert_eq!(refused.field("x-should-retry"), Some("false"), "an SDK cannot wait for midnight");
    assert_eq!(used(&server.url, "usd_per_month").await, "0.010500000");
    assert_eq!(upstream.seen().len(), 3);

    // The journal gathers rows for some milliseconds; a reader waits until they are written.
    let told = send_to(&server.url, "/api/v1/calls?status=ok", None).await.json();
    assert_eq!(told["calls"].as_array().map(Vec::len), Some(3), "{told}");
    server.kill();
    let server = Process::start(home.path(), &upstream);
    assert_eq!(used(&server.url, "usd_per_month").await, "0.010500000");
    assert_eq!(call(&server.url, "after the kill").await.status, 429);
    assert_eq!(limit(&server.url, "0.014").await.status, 200);
    assert_eq!(call(&server.url, "with more money").await.status, 200);
    assert_eq!(call(&server.url, "and no more").await.status, 429);
    assert_eq!(upstream.seen().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_is_set_later_begins_with_what_was_spent_before() {
    let upstream = Upstream::answering(|seen| completion(&model(seen))).await;
    let server = Gateway::start(&any_model_at(&upstream));
    let url = format!("http://{}", server.address());
    assert_eq!(call(&url, "x").await.status, 200);
    while call(&url, "x").await.cache() != "hit" {}
    let told = limit(&url, "1").await;
    assert_eq!(told.status, 200, "{told:?}");
    assert_eq!(used(&url, "usd_per_month").await, "0.003500000", "hits cost nothing");
    assert_eq!(call(&url, "y").await.status, 200);
    assert_eq!(used(&url, "usd_per_month").await, "0.007000000");
    assert_eq!(call(&url, "y").await.cache(), "hit");
    assert_eq!(used(&url, "usd_per_month").await, "0.007000000");
}

/// What `tidegate limit list` prints, beside a server or without one.
fn listed(data: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["limit", "list", "--data"]).arg(data).env_clear().current_dir(data);
    let done = command.output().expect("the program can be started");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_ledger_what_is_noted_outlives_the_server_and_commands_show_it() {
    let home = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::answering(|seen| completion(&model(seen))).await;
    let config = format!("ledger.enabled = false\n{}", any_model_at(&upstream));
    let server = Gateway::start_in(home.path(), &config);
    let url = format!("http://{}", server.address());
    assert_eq!(limit(&url, "0.007").await.status, 200);
    assert_eq!(call(&url, "x").await.status, 200);
    let noted = |text: &String| text.contains("usd_per_month") && text.contains("0.0035 USD");
    let mut shown = listed(home.path());
    // A server notes it about once a second.
    while !noted(&shown) {
        shown = listed(home.path());
    }
    assert_eq!(call(&url, "y").await.status, 200);
    server.end();
    let line = listed(home.path());
    let line = line.lines().find(|line| line.contains("usd_per_month")).expect("a limit");
    let cells: Vec<_> = line.split_whitespace().collect();
    assert_eq!(cells[..7], ["workspace", "default", "usd_per_month", "0.007", "USD", "0.007", "USD"]);
    assert!(cells[7].ends_with("-01T00:00:00Z"), "{line}");

    let server = Gateway::start_in(home.path(), &config);
    let url = format!("http://{}", server.address());
    assert_eq!(used(&url, "usd_per_month").await, "0.007000000");
    assert_eq!(call(&url, "z").await.status, 429);
}

#[tokio::test]
async fn what_is_made_up_costs_nothing_whatever_it_is_asked_as() {
    let server = Gateway::start("");
    let url = format!("http://{}", server.address());
    assert_eq!(limit(&url, "0.000000001").await.status, 200);
    for n in 0..3 {
        assert_eq!(call(&url, &format!("call {n}")).await.status, 200);
    }
    assert_eq!(used(&url, "usd_per_month").await, "0.000000000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soft_budget_warns_and_refuses_nobody() {
    let upstream = Upstream::answering(|seen| completion(&model(seen))).await;
    let server = Gateway::start(&any_model_at(&upstream));
    let url = format!("http://{}", server.address());
    let asked = json!({ "workspace": "default", "soft_usd_per_month": "0.006" });
    assert_eq!(send_to(&url, LIMITS, Some(asked.to_string())).await.status, 200);
    let warning = |answer: &Answer| answer.field("x-tidegate-budget-warning").map(str::to_owned);
    assert_eq!(warning(&call(&url, "1").await), None);
    assert_eq!(warning(&call(&url, "2").await), None, "0.0035 USD, and what this one may cost");
    let third = call(&url, "3").await;
    let told = warning(&third).expect("0.0070 USD are more than 0.006");
    let (what, reset) = told.split_once("; reset=").expect("when it begins anew");
    assert_eq!(third.status, 200);
    assert!(what.starts_with("soft_usd_per_month; used=0.00") && what.ends_with("; limit=0.006"), "{told}");
    assert!(reset.ends_with("-01T00:00:00Z"), "{told}");
}

/// Each server counted for itself while it ran, so that two of them spent a budget twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_one_database_hold_one_budget_together() {
    let upstream = Upstream::answering(|seen| completion(&model(seen))).await;
    let config = format!("database.url = \"{}\"\n{}", postgres::new_database(), any_model_at(&upstream));
    let (one, other) = (Gateway::start(&config), Gateway::start(&config));
    let [first, second] = [&one, &other].map(|server| format!("http://{}", server.address()));
    assert_eq!(limit(&first, "0.0105").await.status, 200);
    let spent = |amount: &'static str| {
        move |told: &Json| {
            let limits = told["limits"].as_array().cloned().unwrap_or_default();
            limits.iter().any(|limit| limit["name"] == "usd_per_month" && limit["used"] == amount)
        }
    };
    other.until(LIMITS, spent("0.000000000")).await; // it has heard of the budget
    assert_eq!(call(&first, "1").await.status, 200);
    assert_eq!(call(&first, "2").await.status, 200);
    other.until(LIMITS, spent("0.007000000")).await;
    assert_eq!(call(&second, "3").await.status, 200, "there is room for one more");
    assert_eq!(call(&second, "4").await.status, 429);
    one.until(LIMITS, spent("0.010500000")).await;
    assert_eq!(call(&first, "5").await.status, 429);
    assert_eq!(upstream.seen().len(), 3);

    one.end();
    let again = Gateway::start(&config);
    again.until(LIMITS, spent("0.010500000")).await;
    assert_eq!(call(&format!("http://{}", again.address()), "6").await.status, 429, "nor after a restart");
    assert_eq!(used(&second, "usd_per_month").await, "0.010500000", "and nothing is counted twice");
}
