//! Rules of pages: judged together with what they allow, and no more often than they can change.

use futures_util::future::join_all;

use super::*;

const TILL: &str = r#"spec is "1.0"

flow "open": requires true
  set state.tickets is 5
  return true

flow "take":
  set state.tickets is state.tickets - 1
  return state.tickets

page "office":
  button "Open":
    calls flow "open"

page "till": requires state.tickets is at least 1
  button "Take":
    calls flow "take"

page "staff": requires identity.role is "staff"
  button "Reopen":
    calls flow "open"

page "guests": requires identity.role is "guest"
  button "Close":
    calls flow "open"
"#;

fn site() -> Site {
    Site::with(TILL, None, &[("N3_IDENTITY_ROLE", "staff"), ("N3_OBSERVABILITY", "1")])
}

async fn press(site: &Site, id: &str) -> Answer {
    site.post("/api/action", &json!({"id": format!("page.{id}")})).await
}

fn pages(manifest: &Json) -> Vec<&str> {
    let pages = manifest["pages"].as_array().expect("a list");
    pages.iter().map(|page| page["name"].as_str().expect("a name")).collect()
}

/// Between the run of a rule and the run of its action another action could go, and the last ticket was sold twice.
#[actix_rt::test]
async fn what_a_rule_allowed_is_done_before_anything_else_can_change() {
    let site = site();
    assert_eq!(press(&site, "office.button.open").await.status, 200);
    let presses = join_all((0..20).map(|_| press(&site, "till.button.take"))).await;
    let (taken, refused): (Vec<_>, Vec<_>) = presses.iter().partition(|answer| answer.status == 200);
    let mut left: Vec<_> = taken.iter().filter_map(|answer| answer.json()["result"].as_u64()).collect();
    left.sort_unstable();
    assert_eq!((left, refused.len()), (vec![0, 1, 2, 3, 4], 15));
    assert!(refused.iter().all(|answer| answer.status == 403), "{refused:?}");
    assert_eq!(site.get("/api/ui/state").await.json()["state"]["values"]["tickets"], 0);
}

#[actix_rt::test]
async fn an_action_answers_with_the_pages_of_the_moment_after_it() {
    let site = site();
    assert_eq!(pages(&site.get("/api/ui").await.json()), ["office", "staff"]);
    let opened = press(&site, "office.button.open").await.json();
    assert_eq!(pages(&opened["ui"]), ["office", "till", "staff"]);
    for _ in 0..4 {
        assert_eq!(pages(&press(&site, "till.button.take").await.json()["ui"]), ["office", "till", "staff"]);
    }
    let last = press(&site, "till.button.take").await.json();
    assert_eq!((pages(&last["ui"]), &last["result"]), (vec!["office", "staff"], &json!(0)));
    assert_eq!(pages(&site.get("/api/ui").await.json()), ["office", "staff"]);
}

#[actix_rt::test]
async fn a_rule_that_cannot_change_is_judged_once() {
    let site = site();
    for _ in 0..3 {
        site.get("/api/ui").await;
        assert_eq!(press(&site, "staff.button.reopen").await.status, 200);
        assert_eq!(press(&site, "guests.button.close").await.status, 403, "and who it refuses is told so");
    }
    let traces = site.get("/api/traces").await.json();
    let spans = traces["spans"].as_array().expect("a list");
    let runs =
        |flow: &str| spans.iter().filter(|span| span["kind"] == "flow" && span["name"] == flow).count();
    assert_eq!(runs("page staff"), 1, "{traces}");
    assert_eq!(
        runs("page till"),
        9,
        "at each look: three times the pages were asked for, six times something was done"
    );
}
