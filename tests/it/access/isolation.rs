//! What one workspace can see of another: nothing.

use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::events::Events;

#[tokio::test]
async fn an_answer_of_one_workspace_is_never_given_to_another() {
    let server = Guarded::start().await;
    let (one, two) = (server.workspace("one").await, server.workspace("two").await);
    let (first, second) = (server.key_of(&one, "write").await, server.key_of(&two, "write").await);
    assert_eq!(server.post(CHAT, &first, &ask("x")).await.cache(), "miss");
    for _ in 0..2 {
        assert_eq!(server.post(CHAT, &first, &ask("x")).await.cache(), "hit");
    }
    let other = server.post(CHAT, &second, &ask("x")).await;
    assert_eq!(other.cache(), "miss", "the same question of another workspace");
    let key = |answer: &Answer| answer.field("x-tidegate-key").expect("a key").to_owned();
    assert_ne!(key(&other), key(&server.post(CHAT, &first, &ask("x")).await));
}

/// Compared as words, `admin` is less than `read`, and who reads would be given what was made for admins.
#[tokio::test]
async fn in_a_workspace_all_who_may_call_share_answers_and_who_may_only_read_gets_none() {
    let server = Guarded::start().await;
    let roles = ["read", "write", "admin"];
    for role in roles {
        server.user(role, "default", role).await;
    }
    let tokens = [server.token("read").await, server.token("write").await, server.token("admin").await];
    for (made_by, maker) in tokens.iter().enumerate() {
        let question = ask(&format!("made by {}", roles[made_by]));
        let made = server.post(CHAT, maker, &question).await;
        assert_eq!(made.status, if made_by == 0 { 403 } else { 200 });
        for (asked_by, asker) in tokens.iter().enumerate() {
            let answer = server.post(CHAT, asker, &question).await;
            match (made_by, asked_by) {
                (_, 0) => assert_eq!(answer.status, 403, "{} of {}", roles[asked_by], roles[made_by]),
                (0, _) => assert_eq!(answer.status, 200, "nobody was refused for another"),
                _ => assert_eq!(answer.cache(), "hit", "{} of {}", roles[asked_by], roles[made_by]),
            }
        }
    }
}

#[tokio::test]
async fn calls_keys_and_workspaces_of_others_are_as_if_they_were_not_there() {
    let server = Guarded::start().await;
    let (one, two) = (server.workspace("one").await, server.workspace("two").await);
    let (first, key_id) =
        server.key(&json!({ "name": "secret name", "workspace": one, "role": "admin" })).await;
    let second = server.key_of(&two, "admin").await;
    let answer = server.post(CHAT, &first, &ask("x")).await;
    let call = format!("/api/v1/calls/{}/explain", answer.field("x-request-id").expect("an id"));
    assert_eq!(server.get(&call, &first).await.status, 200);
    let unknown = server.get(&call, &second).await;
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &"call_not_found".into()));
    assert_eq!(server.get(&call, &server.operator).await.status, 200);

    let id = answer.field("x-request-id").expect("an id").to_owned();
    let booked = format!("/api/v1/calls/{id}");
    assert_eq!(
        (server.get(&booked, &first).await.status, server.get(&booked, &second).await.status),
        (200, 404)
    );
    for list in ["/api/v1/calls", "/api/v1/attempts"] {
        assert!(server.get(list, &first).await.text().contains(&id), "{list}");
        assert!(!server.get(list, &second).await.text().contains(&id), "{list}");
        let of_one = format!("{list}?workspace={one}");
        assert_eq!(server.get(&of_one, &second).await.status, 403, "{list}");
        assert!(server.get(&of_one, &server.operator).await.text().contains(&id), "{list}");
    }
    for path in ["/api/v1/keys", "/api/v1/workspaces"] {
        let seen = server.get(path, &second).await;
        assert!(seen.text().contains(&two), "{path}: {}", seen.text());
        for of_others in [one.as_str(), "secret name", "default", "ops"] {
            assert!(!seen.text().contains(of_others), "{path} tells {of_others}: {}", seen.text());
        }
    }
    for action in ["rotate", "revoke"] {
        let refused = server.post(&format!("/api/v1/keys/{key_id}/{action}"), &second, &Json::Null).await;
        assert_eq!(refused.status, 404, "{action}: {refused:?}");
    }
    assert_eq!(server.post(CHAT, &first, &ask("x")).await.status, 200, "it still is a key");
}

#[tokio::test]
async fn what_calls_asked_is_shown_to_those_who_may_write_in_their_workspace_and_to_nobody_else() {
    let server = Guarded::start().await;
    let (one, two) = (server.workspace("one").await, server.workspace("two").await);
    let (admin, reader) = (server.key_of(&one, "admin").await, server.key_of(&one, "read").await);
    let other = server.key_of(&two, "admin").await;
    let keep = json!({ "keep_bodies_days": 3 });
    let of_one = format!("/api/v1/workspaces/{one}");
    assert_eq!(server.post(&of_one, &other, &keep).await.status, 404, "it is not there for others");
    assert_eq!(server.post(&of_one, &reader, &keep).await.status, 403);
    assert_eq!(server.post(&of_one, &admin, &keep).await.status, 200);
    let answer = server.post(CHAT, &admin, &ask("our secret")).await;
    let call = format!("/api/v1/calls/{}", answer.field("x-request-id").expect("an id"));
    for path in [call.clone(), format!("{call}/bodies")] {
        let (own, operator) = (server.get(&path, &admin).await, server.get(&path, &server.operator).await);
        assert!(own.text().contains("our secret") && operator.text().contains("our secret"), "{own:?}");
        for key in [&reader, &other] {
            let told = server.get(&path, key).await;
            assert!(!told.text().contains("our secret"), "{path}: {told:?}");
        }
    }
    let shown = server.get(&call, &reader).await;
    assert_eq!((shown.status, &shown.json()["bodies"]), (200, &Json::Null), "the call, without its bodies");
    assert_eq!(server.get(&format!("{call}/bodies"), &other).await.status, 404);
}

/// The next event of a stream that has one.
async fn heard(stream: &mut reqwest::Response) -> String {
    let mut text = String::new();
    while !text.contains("event: ") || !text.ends_with("\n\n") {
        let chunk = stream.chunk().await.expect("the stream goes on").expect("it has not ended");
        text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
    }
    text
}

#[tokio::test]
async fn who_listens_hears_the_own_workspace_and_nothing_any_more_once_the_key_is_taken_back() {
    let server = Guarded::start().await;
    let (one, two) = (server.workspace("one").await, server.workspace("two").await);
    let (first, id) = server.key(&json!({ "name": "k", "workspace": one, "role": "read" })).await;
    let (own, other) = (server.key_of(&one, "write").await, server.key_of(&two, "write").await);
    let listen = async |key: &str, query: &str| {
        let path = format!("/api/v1/calls/stream{query}");
        let request = server.gateway.request(Method::GET, &path).bearer_auth(key);
        request.send().await.expect("the server answers")
    };
    assert_eq!(listen(&first, &format!("?workspace={two}")).await.status(), 403);
    let mut listening = listen(&first, "").await;
    let mut everybody = listen(&server.operator, "").await;
    let begun = listening.chunk().await.expect("it begins");
    assert_eq!(begun.as_deref(), everybody.chunk().await.expect("it begins").as_deref());

    let of_other = server.post(CHAT, &other, &ask("x")).await;
    let id_of = |answer: &Answer| answer.field("x-request-id").expect("an id").to_owned();
    assert!(heard(&mut everybody).await.contains(&id_of(&of_other)), "operators hear all");
    let of_own = server.post(CHAT, &own, &ask("x")).await;
    let told = heard(&mut listening).await;
    assert!(told.contains(&id_of(&of_own)) && !told.contains(&id_of(&of_other)), "{told}");

    let revoke = format!("/api/v1/keys/{id}/revoke");
    assert_eq!(server.post(&revoke, &server.operator, &Json::Null).await.status, 200);
    assert_eq!(server.post(CHAT, &own, &ask("y")).await.status, 200);
    assert_eq!(listening.chunk().await.expect("it ends well"), None, "not one more");
}

#[tokio::test]
async fn a_console_shows_ones_own_workspace_and_operators_everything() {
    let server = Guarded::start().await;
    let (one, two) = (server.workspace("one").await, server.workspace("two").await);
    let (reader, other) = (server.key_of(&one, "read").await, server.key_of(&two, "write").await);
    let look = async |key: &str| {
        let request = server.gateway.request(Method::GET, "/api/v1/console/stream");
        Events::of(request.bearer_auth(key)).await
    };
    let (mut own, mut all) = (look(&reader).await, look(&server.operator).await);
    assert_eq!(own.next().await.expect("it begins").1["engine"], Json::Null, "the instance is for operators");
    assert!(all.next().await.expect("it begins").1["engine"].is_object());
    assert_eq!(server.post(CHAT, &other, &ask("x")).await.status, 200);
    let heard = async |events: &mut Events| loop {
        let (name, data) = events.next().await.expect("it goes on");
        if name == "call" || data["recent"]["calls"] == 1 {
            return data;
        }
    };
    heard(&mut all).await;
    let of_own = server.key_of(&one, "write").await;
    assert_eq!(server.post(CHAT, &of_own, &ask("x")).await.status, 200);
    let told = heard(&mut own).await;
    assert!(told["workspace"] == one.as_str() || told["recent"]["outcomes"][0]["calls"] == 1, "{told}");
}

#[tokio::test]
async fn a_purge_reaches_ones_own_answers_alone() {
    let server = Guarded::start().await;
    let (one, two) = (server.workspace("one").await, server.workspace("two").await);
    let (first, second) = (server.key_of(&one, "admin").await, server.key_of(&two, "admin").await);
    for key in [&first, &second] {
        assert_eq!(server.post(CHAT, key, &ask("x")).await.cache(), "miss");
        while server.post(CHAT, key, &ask("x")).await.cache() != "hit" {}
    }
    let purge = |key: &str, what: Json| {
        let (server, key) = (&server, key.to_owned());
        async move { server.post("/api/v1/cache/purge", &key, &what).await }
    };
    let refused = purge(&second, json!({ "workspace": one })).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (403, &"other_workspace".into()));
    assert_eq!(purge(&second, json!({ "model": "m" })).await.json()["purged"], 1);
    assert_eq!(server.post(CHAT, &first, &ask("x")).await.cache(), "hit");
    assert_eq!(server.post(CHAT, &second, &ask("x")).await.cache(), "miss");
    assert_eq!(purge(&server.operator, json!({ "workspace": one })).await.json()["purged"], 1);
}

/// A team with everything others must not learn of it.
struct Team {
    id: String,
    key: String,
    /// Of its admin, who signed in.
    token: String,
    /// Its admin.
    person: String,
    /// Words that stand in nothing but what this team sent, made or is.
    marks: Vec<String>,
    /// The last call it made.
    call: Option<String>,
}

/// What a team asks, by number.
fn question(team: &Team, other: &Team, what: usize) -> (Method, String, Json) {
    let get = |path: String| (Method::GET, path, Json::Null);
    let post = |path: &str, body: Json| (Method::POST, path.to_owned(), body);
    let mark = &team.marks[0];
    let call = |team: &Team| team.call.clone().unwrap_or_else(|| "none".to_owned());
    match what {
        0 => post(CHAT, ask(mark)),
        1 => post(CHAT, ask("what everybody asks")),
        2 => post("/v1/embeddings", json!({ "model": "m", "input": [mark, "common"], "dimensions": 2 })),
        3 => post(
            "/v1/messages",
            json!({ "model": "m", "max_tokens": 9, "temperature": 0,
            "messages": [{ "role": "user", "content": mark }] }),
        ),
        4 => get("/api/v1/calls?limit=1000".to_owned()),
        5 => get("/api/v1/attempts?limit=1000".to_owned()),
        6 => get(format!("/api/v1/calls/{}/explain", call(team))),
        7 => get(format!("/api/v1/calls/{}/explain", call(other))),
        8 => get(format!("/api/v1/calls/{}", call(other))),
        9 => get("/api/v1/keys".to_owned()),
        10 => get("/api/v1/workspaces".to_owned()),
        11 => get("/api/v1/limits".to_owned()),
        12 => get("/api/v1/usage".to_owned()),
        13 => get(format!("/api/v1/usage?workspace={}", other.id)),
        14 => get(format!("/api/v1/workspaces/{}/cache/stats", other.id)),
        15 => post("/api/v1/cache/purge", json!({ "model": "m" })),
        16 => post("/api/v1/cache/purge", json!({ "workspace": other.id })),
        17 => post("/v1/responses", json!({ "model": "m", "input": mark })),
        18 => get("/metrics".to_owned()),
        19 => get("/api/v1/engine".to_owned()),
        20 => get("/v1/models".to_owned()),
        21 => get("/api/v1/users".to_owned()),
        22 => get("/api/v1/auth/me".to_owned()),
        23 => post(&format!("/api/v1/users/{}/grant", other.person), json!({ "role": "admin" })),
        24 => post(&format!("/api/v1/users/{}/disable", other.person), Json::Null),
        25 => post("/api/v1/keys", json!({ "name": format!("key-{mark}"), "workspace": other.id })),
        _ => post("/api/v1/limits", json!({ "workspace": other.id, "concurrent_calls": 1 })),
    }
}

const QUESTIONS: usize = 27;

/// Questions of which nothing may come but a refusal.
const REFUSED: [usize; 11] = [7, 8, 13, 14, 16, 18, 19, 23, 24, 25, 26];

async fn team(server: &Guarded, name: &str) -> Team {
    let id = server.workspace(&format!("workspace-{name}")).await;
    let asked = json!({ "name": format!("key-{name}"), "workspace": id, "role": "admin" });
    let (key, key_id) = server.key(&asked).await;
    let short = key[3..11].to_owned();
    let person = server.user(&format!("person-{name}"), &id, "admin").await;
    let token = server.token(&format!("person-{name}")).await;
    let names = [
        format!("secret-of-{name}"),
        format!("workspace-{name}"),
        format!("key-{name}"),
        format!("person-{name}"),
    ];
    let marks = names.into_iter().chain([id.clone(), key_id, short, person.clone()]).collect();
    Team { id, key, token, person, marks, call: None }
}

/// With what a team asks: a key, a person who signed in, or a person who names another team's workspace.
const WAYS: usize = 3;

/// Who, of whom, what, and with what.
type Step = (usize, usize, usize, usize);

/// Asks one question and looks at all of the answer for what another team's is. What the asker sent itself it may see.
async fn look(server: &Guarded, teams: &mut [Team], (who, whom, what, way): Step) {
    let other = &teams[(who + 1 + whom) % teams.len()];
    let (method, path, body) = question(&teams[who], other, what);
    let elsewhere = if way == 2 { other.id.clone() } else { String::new() };
    let sent = format!("{path} {body} {elsewhere}");
    let is_open = path == "/api/v1/auth/me";
    let credential = if way == 0 { &teams[who].key } else { &teams[who].token };
    let mut request = server.gateway.request(method, &path).header("content-type", "application/json");
    if way == 2 {
        request = request.header("x-tidegate-workspace", elsewhere);
    }
    if !body.is_null() {
        request = request.body(body.to_string());
    }
    let answer = send(request.bearer_auth(credential)).await;
    let all = format!("{:?} {}", answer.fields, String::from_utf8_lossy(&answer.body));
    for (at, team) in teams.iter().enumerate().filter(|(at, _)| *at != who) {
        let marks = team.marks.iter().chain(&team.call).filter(|mark| !sent.contains(mark.as_str()));
        for mark in marks {
            assert!(!all.contains(mark.as_str()), "team {who} learned {mark} of team {at} by {sent}: {all}");
        }
    }
    if REFUSED.contains(&what) || (way == 2 && !is_open) {
        assert!(matches!(answer.status, 403 | 404), "team {who} asked {sent}: {answer:?}");
    }
    if what < 4 && way < 2 {
        teams[who].call = answer.field("x-request-id").map(str::to_owned);
    }
}

/// Any requests of three teams in any order, through the whole server.
#[test]
fn whatever_three_teams_ask_none_learns_anything_of_another() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(Guarded::start());
    let named = async |name: &str| team(&server, name).await;
    let teams = runtime.block_on(async { vec![named("ant").await, named("bee").await, named("cat").await] });
    let teams = std::cell::RefCell::new(teams);
    let steps = proptest::collection::vec((0..3_usize, 0..2_usize, 0..QUESTIONS, 0..WAYS), 1..40);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(24) });
    let walked = runner.run(&steps, |steps| {
        for step in steps {
            runtime.block_on(look(&server, &mut teams.borrow_mut(), step));
        }
        Ok(())
    });
    walked.unwrap_or_else(|fault| panic!("{fault}"));
}
