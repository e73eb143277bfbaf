//! Pages of small programs: their actions, their manifest, what a form answers.

use super::Pages;
use crate::lang::machine::{Limits, Machine, World};
use crate::lang::memory::Memory;
use crate::lang::read;
use crate::lang::records::Store;
use crate::lang::value::{JsonStyle, Map, Value, parse_json};
use crate::run::routing::Reply;
use crate::run::{Begun, begin};

const APP: &str = r#"spec is "1.0"

record "Guest":
  name is text must be unique
  seats is number must be at least 1
  note is text must have length at least 2

flow "greet":
  return "hi"

page "The Lobby": requires identity.role is "host"
  title is "Lobby"
  section "Doors":
    button "Say Hi":
      calls flow "greet"
    form is "Guest"
  form is "Guest"
  table is "Guest"

page "open":
  button "Go on":
    calls flow "greet"
  button "Go_on":
    calls flow "greet"
  form is "Guest"
"#;

fn pages(source: &str) -> Pages {
    Pages::new(&read(source).expect("the program is right")).expect("and compiles")
}

fn map(json: &str) -> Map {
    parse_json(json).expect("JSON").as_map().expect("a map").clone()
}

/// Runs an action as `identity` with an empty store.
fn act(pages: &Pages, id: &str, payload: &str, identity: &str) -> Reply {
    let action = pages.action(id).expect("a known action");
    let input = action.input(map(payload));
    let flow = action.deed.guard().unwrap_or(action.deed.flow());
    let world = World {
        identity: Some(map(identity)),
        state: Map::default(),
        store: Store::new(),
        memory: Memory::new(),
        limits: Limits::default(),
        observing: false,
        now_ms: None,
    };
    let machine = Machine::start(pages.app().clone(), flow, input.clone(), world);
    let Begun::Done(outcome) = begin(machine) else { unreachable!("nothing is asked") };
    action.reply(*outcome, &input, Value::Null)
}

#[test]
fn every_action_has_an_id_of_its_page_its_kind_and_its_name() {
    let told = pages(APP).action_list().to_json(JsonStyle::Compact);
    let expected = [
        r#"{"id":"page.open.button.go_on","type":"call_flow","flow":"greet"}"#,
        r#"{"id":"page.open.form.guest","type":"submit_form","record":"Guest"}"#,
        r#"{"id":"page.the_lobby.button.say_hi","type":"call_flow","flow":"greet"}"#,
        r#"{"id":"page.the_lobby.form.guest","type":"submit_form","record":"Guest"}"#,
    ];
    let expected = parse_json(&format!("[{}]", expected.join(","))).expect("JSON");
    assert_eq!(told, expected.to_json(JsonStyle::Compact), "buttons that do the same are one action");
}

#[test]
fn the_manifest_tells_only_pages_that_are_shown_and_their_actions() {
    let manifest = pages(APP).manifest(|page| page.guard.is_none()).to_json(JsonStyle::Compact);
    assert!(manifest.contains(r#""slug":"open""#) && manifest.contains("page.open.form.guest"), "{manifest}");
    assert!(!manifest.contains("lobby"), "{manifest}");
    let all = pages(APP).manifest(|_| true).to_json(JsonStyle::Compact);
    let action = r#"{"flow":"greet","id":"page.the_lobby.button.say_hi","type":"call_flow"}"#;
    let button = format!(r#""children":[{{"action":{action},"action_id":"page.the_lobby.button.say_hi""#);
    assert!(all.contains(&button), "{all}");
}

#[test]
fn two_buttons_that_say_the_same_and_do_something_else_are_two_actions() {
    let source = APP.replacen("flow \"greet\"", "flow \"bye\":\n  return \"bye\"\n\nflow \"greet\"", 1);
    let source = source.replace(
        "  button \"Go_on\":\n    calls flow \"greet\"",
        "  button \"Go_on\":\n    calls flow \"bye\"",
    );
    let pages = pages(&source);
    assert_eq!(&**pages.action("page.open.button.go_on").expect("known").deed.flow(), "greet");
    assert_eq!(&**pages.action("page.open.button.go_on_2").expect("known").deed.flow(), "bye");
}

#[test]
fn a_form_stores_a_record_or_tells_everything_that_is_wrong() {
    let (pages, host) = (pages(APP), r#"{"role":"host"}"#);
    let id = "page.the_lobby.form.guest";
    for payload in
        [r#"{"values":{"name":"Ann","seats":2,"note":"late"}}"#, r#"{"name":"Ann","seats":2,"note":"late"}"#]
    {
        let reply = act(&pages, id, payload, host);
        assert_eq!(reply.status, 200, "{}", reply.json());
        assert!(reply.json().contains(r#""result":{"id":1,"record":"Guest"}"#), "{}", reply.json());
        assert!(reply.json().contains(r#""state":{"guest":{"#), "{}", reply.json());
    }
    let reply = act(&pages, id, r#"{"values":{"name":"Ann","seats":0,"note":"x"}}"#, host);
    assert_eq!(reply.status, 400);
    let errors =
        reply.body.as_map().expect("a map").get("errors").expect("errors").to_json(JsonStyle::Compact);
    assert!(errors.contains(r#""code":"gte""#) && errors.contains(r#""code":"min_length""#), "{errors}");
    assert!(reply.json().contains(r#""result":null"#));
}

#[test]
fn who_may_not_see_a_page_may_not_use_its_actions_and_is_told_in_words_of_the_page() {
    let pages = pages(APP);
    for id in ["page.the_lobby.form.guest", "page.the_lobby.button.say_hi"] {
        let reply = act(&pages, id, r#"{"name":"Ann"}"#, r#"{"role":"guest"}"#);
        assert_eq!(reply.status, 403, "{}", reply.json());
        assert!(reply.json().contains(r#"page \"The Lobby\" access is not permitted."#), "{}", reply.json());
    }
}

#[test]
fn a_form_on_a_page_without_requires_stores_nothing() {
    let reply = act(&pages(APP), "page.open.form.guest", r#"{"name":"Ann","seats":1,"note":"ok"}"#, "{}");
    assert_eq!(reply.status, 400);
    assert!(reply.json().contains("Mutation blocked by access control."), "{}", reply.json());
}
