//! Which route answers, with which input, and paths no route may have.

use super::{Routes, body, is_reserved, query};
use crate::lang::read;
use crate::lang::value::{JsonStyle, Map};

fn app(routes: &[(&str, &str, &str)]) -> String {
    let mut source = "spec is \"1.0\"\n\nflow \"f\":\n  return input\n".to_owned();
    for (name, method, path) in routes {
        source += &format!(
            "\nroute \"{name}\":\n  path is \"{path}\"\n  method is \"{method}\"\n  parameters:\n    n is number\n    \
             on is boolean\n    tags is list<text>\n    sizes is list<number>\n  request:\n    q is text\n  \
             response:\n    q is text\n  flow is \"f\"\n"
        );
    }
    source
}

fn routes(list: &[(&str, &str, &str)]) -> Routes {
    Routes::new(&read(&app(list)).expect("the program is right")).expect("no path is reserved")
}

fn name(routes: &Routes, method: &str, path: &str) -> Option<String> {
    routes.find(method, path).map(|found| found.route.name.to_string())
}

#[test]
fn the_route_whose_name_sorts_last_answers_and_a_slash_at_the_end_means_nothing() {
    let routes = routes(&[
        ("b", "GET", "/x/{n}"),
        ("c", "GET", "/{n}/y/"),
        ("a", "GET", "/x/y"),
        ("d", "PUT", "/x/y"),
    ]);
    assert_eq!(name(&routes, "GET", "/x/y").as_deref(), Some("c"));
    assert_eq!(name(&routes, "GET", "/x/y/").as_deref(), Some("c"));
    assert_eq!(name(&routes, "GET", "/x/z").as_deref(), Some("b"));
    assert_eq!(name(&routes, "PUT", "/x/y").as_deref(), Some("d"));
    for (method, path) in [("GET", "/x"), ("GET", "/x/y/z"), ("GET", "/x//"), ("POST", "/x/y"), ("GET", "/")]
    {
        assert_eq!(name(&routes, method, path), None, "{method} {path}");
    }
}

#[test]
fn what_belongs_to_the_server_never_reaches_a_route_that_takes_anything() {
    let routes = routes(&[("a", "GET", "/{n}/{m}"), ("b", "GET", "/{n}"), ("c", "GET", "/api/{v}/ui")]);
    for path in ["/v1/models", "/mcp/x", "/ws/x", "/metrics", "/mcp"] {
        assert_eq!(name(&routes, "GET", path), None, "{path}");
    }
    assert_eq!(name(&routes, "GET", "/api/v1/ui").as_deref(), Some("c"));
    assert_eq!(name(&routes, "GET", "/v1x/models").as_deref(), Some("a"));
}

#[test]
fn a_route_that_claims_a_path_of_the_server_does_not_load() {
    for path in ["/v1", "/v1/{x}", "/mcp", "/ws/a", "/metrics/", "/api/v1/engine", "/api/v1"] {
        let tree = read(&app(&[("r", "GET", path)])).expect("the language knows no server");
        let faults = Routes::new(&tree).expect_err(path);
        let message = faults[0].message();
        assert!(message.contains(&format!("Route 'r' claims the reserved path '{path}'")), "{message}");
        assert_eq!(faults[0].span.map(|span| span.line), Some(7));
    }
    assert!(!is_reserved("/api/v1/actions/x") && !is_reserved("/api/v1/ui") && !is_reserved("/api/v2/x"));
}

fn input(path: &str, query: &str, json: &str) -> String {
    let routes = routes(&[("r", "POST", "/x/{n}")]);
    let body = body(json.as_bytes()).expect("an object");
    routes.find("POST", path).expect("a route").input(query, body).to_json(JsonStyle::Compact)
}

#[test]
fn path_query_and_body_make_one_map_and_the_later_one_counts() {
    assert_eq!(input("/x/5", "q=a&q=b&page=2&format=csv", r#"{"z":1.50}"#), r#"{"n":5,"q":"a","z":1.5}"#);
    assert_eq!(input("/x/5", "n=6", ""), r#"{"n":6}"#);
    assert_eq!(input("/x/5", "n=6", r#"{"n":7}"#), r#"{"n":7}"#);
    assert_eq!(input("/x/a%20b", "", ""), r#"{"n":"a%20b"}"#, "a path is taken as it is sent");
}

#[test]
fn declared_parameters_become_what_they_are_declared_as_or_stay_text() {
    assert_eq!(
        input("/x/1", "on=Yes&tags=a,b&sizes=1,2.5,x", ""),
        r#"{"n":1,"on":true,"sizes":[1,2.5,"x"],"tags":["a","b"]}"#
    );
    assert_eq!(input("/x/-07", "on=maybe&tags=&q", ""), r#"{"n":-7,"on":"maybe"}"#);
    assert_eq!(input("/x/1", "tags=%20a%20,,b,", ""), r#"{"n":1,"tags":["a","b"]}"#);
    assert_eq!(input("/x/123456789012345678901234567890", "", ""), r#"{"n":123456789012345678901234567890}"#);
    for text in ["nan", "inf", "1e999", "5x", "+"] {
        assert_eq!(input(&format!("/x/{text}"), "", ""), format!(r#"{{"n":"{text}"}}"#));
    }
}

#[test]
fn a_body_is_an_object_or_nothing() {
    assert!(body(b"").expect("nothing is an empty object").is_empty());
    for (bytes, message) in [
        (&b"not json"[..], "Request body must be valid JSON."),
        (b"\xff", "Request body must be valid JSON."),
        (b"[1,2]", "Request body must be a JSON object."),
    ] {
        let reply = body(bytes).expect_err("refused").reply();
        assert_eq!(reply.status, 400);
        assert!(reply.json().contains(message) && reply.json().contains(r#""code":"runtime_error""#));
    }
    assert!(body(&vec![b'['; 100_000]).is_err(), "what nests too deep is refused, not followed");
    let _: Map = body(br#"{"a":1}"#).expect("an object");
}

#[test]
fn a_query_is_decoded() {
    let pairs: Vec<_> = query("a=b+c%21&d&%C3%A9=%zz&&=x").collect();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(pairs, [("a", "b c!"), ("d", ""), ("\u{e9}", "%zz"), ("", "x")]);
}

#[test]
fn records_that_cannot_be_reached_are_not_the_callers_fault() {
    let fault = crate::lang::fault::Fault::run("The disk is gone.", None);
    assert_eq!(super::status(&fault), 400);
    assert_eq!(super::status(&fault.of_kind(crate::lang::fault::FaultKind::Store)), 503);
}
