//! Tests of answers that are heard as they come: hearing them changes nothing, and they come when they are said.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::time::{Instant, advance};

use super::*;

const TALKS: &str = r#"spec is "1.0"
capabilities:
  performance
  streaming

ai "helper":
  model is "m"
  memory:
    short_term is 4

flow "talks":
  let replies is list:
  repeat up to 3 times:
    ask ai "helper" with stream: true and input: input.q as answer
    set replies is list append replies with answer
  set state.last is answer
  return replies

flow "counts":
  try:
    let n is state.n
  with catch e:
    let n is 0
  set state.n is n + 1
  return state.n

flow "slow":
  try:
    let n is state.n
  with catch e:
    let n is 0
  ask ai "helper" with stream: true and input: "x" as answer
  set state.n is n + 1
  return state.n
"#;

/// When each token came, by whom it was asked for, and its text.
type Heard = Rc<RefCell<Vec<(u64, u64, String)>>>;

fn hearing() -> (Tell, Heard) {
    let (began, heard) = (Instant::now(), Heard::default());
    let tokens = Rc::clone(&heard);
    let tell = move |news| {
        if let News::Token(token) = news {
            let at = u64::try_from(began.elapsed().as_millis()).expect("a short test");
            tokens.borrow_mut().push((at, token.ask, token.output));
        }
    };
    (Rc::new(tell), heard)
}

/// Result, state, memory, steps and counters of a run, with what was heard of it.
async fn traced(settings: &Performance, tell: Option<Tell>) -> String {
    let host = host(TALKS, settings, 10);
    let mut trace = String::new();
    for _ in 0..2 {
        let asked = question("talks", Value::fields([("q", "why?".into())]));
        let ran = host.run_telling(asked, tell.clone()).await.expect("it was not refused");
        let result = ran.outcome.result.expect("a result").to_json(JsonStyle::Compact);
        trace += &format!("{result} {:?} {:?}\n", ran.outcome.shown_state, ran.outcome.steps);
        trace += &format!("{:?}\n", ran.told.iter().map(|told| told.outcome).collect::<Vec<_>>());
    }
    let memory = host.look(|kept| kept.memory.to_value()).await.expect("it is there");
    let counters = host.counters().read().into_iter().filter(|(name, ..)| !name.ends_with("_ms"));
    trace + &memory.to_json(JsonStyle::Compact) + &format!("{:?}", counters.collect::<Vec<_>>())
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn whether_tokens_are_heard_changes_nothing_of_a_run() {
    for settings in [Performance::default(), MANY] {
        let (tell, heard) = hearing();
        assert_eq!(traced(&settings, Some(tell)).await, traced(&settings, None).await);
        assert!(heard.borrow().len() > 20, "three answers of several words, twice: {heard:?}");
    }
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn tokens_come_when_they_are_said_and_make_the_answer() {
    let host = host(TALKS, &Performance::default(), 400);
    let (tell, heard) = hearing();
    let asked = question("talks", Value::fields([("q", "why?".into())]));
    let ran = host.run_telling(asked, Some(tell)).await.expect("it was not refused");
    let heard = heard.borrow();
    let first: Vec<_> = heard.iter().take(4).map(|(at, ask, text)| (*at, *ask, text.as_str())).collect();
    assert_eq!(first, [(100, 1, "[m] "), (200, 1, "why? "), (300, 1, "| "), (400, 1, "mem:st=0")]);
    let answer = |ask| {
        let tokens = heard.iter().filter(|token| token.1 == ask);
        Value::text(tokens.map(|token| token.2.as_str()).collect::<String>())
    };
    let answers = Value::list((1..=3).map(answer).collect());
    assert_eq!(ran.outcome.result.expect("a result"), answers);
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_run_that_lets_others_go_first_tells_each_token_once() {
    let host = host(TALKS, &Performance::default(), 400);
    let (tell, heard) = hearing();
    let slow = {
        let host = Arc::clone(&host);
        let told = async move { host.run_telling(question("slow", Value::fields([])), Some(tell)).await };
        tokio::task::spawn_local(told)
    };
    settle().await;
    advance(Duration::from_millis(250)).await;
    settle().await;
    assert_eq!(heard.borrow().len(), 2, "it is being answered");
    assert_eq!(result(&host, "counts", Value::fields([])).await, "1");
    let ran = slow.await.expect("it ended").expect("it was not refused");
    assert_eq!(ran.outcome.result.expect("a result").to_json(JsonStyle::Compact), "2");
    let text: String = heard.borrow().iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!((text.as_str(), heard.borrow().len()), ("[m] x | mem:st=0", 4));
}
