//! Tests of runs that share what an app keeps: each leaves what it would have left alone, none waits for another's model,
//! and a run that breaks off leaves nothing.

use std::cell::Cell;
use std::rc::Rc;

use tokio::time::{Instant, advance};

use super::*;

const WRITES: &str = r#"spec is "1.0"

record "Note":
  text is text

ai "helper":
  model is "m"

flow "writes": requires true
  save "Note" with:
    text is input.text
  set state.last is input.text
  yield "written"
  ask ai "helper" with input: input.text as answer
  return answer
"#;

/// State, texts of the records and what was said, as the next run finds them.
async fn seen(host: &Host) -> (String, Vec<String>, crate::lang::memory::Memory) {
    let record = &host.app().tree().records[0];
    let schema = crate::lang::records::Schema::new(record).expect("a usable record");
    let look = |kept: &Kept| {
        let rows = kept.store.rows(&schema);
        let texts = rows.iter().filter_map(|row| row.fields.get("text")?.as_text().map(ToString::to_string));
        (Value::Map(kept.state.clone()).to_json(JsonStyle::Compact), texts.collect(), kept.memory.clone())
    };
    host.look(look).await.expect("what is kept is there")
}

fn note(text: &str) -> Question {
    question("writes", Value::fields([("text", text.into())]))
}

/// After one panic every later request was answered 503 until the server was started again.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_run_that_panics_gives_back_what_it_had_as_it_was() {
    let host = host(WRITES, &Performance::default(), 10);
    host.run(note("kept")).await.expect("a run").outcome.result.expect("a result");
    let before = seen(&host).await;
    assert_eq!(
        (before.0.as_str(), before.1.as_slice()),
        (r#"{"last":"kept"}"#, ["kept".to_owned()].as_slice())
    );

    let torn = host.run_telling(note("torn"), Some(Rc::new(|_| panic!("planted")))).await;
    assert!(matches!(torn, Err(Refusal::BrokeOff)), "its caller is told");
    assert!(seen(&host).await == before, "state, records and memory are those of the run before");

    host.run(note("after")).await.expect("a run").outcome.result.expect("the next run is served");
    assert_eq!(seen(&host).await.1, ["kept", "after"]);
}

/// A worker that stops drops the tasks on its thread; other workers go on.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_run_whose_thread_stops_gives_back_what_it_had_as_it_was() {
    let host = host(WRITES, &Performance::default(), 10);
    host.run(note("kept")).await.expect("a run").outcome.result.expect("a result");
    let before = seen(&host).await;

    let thread = tokio::task::LocalSet::new();
    let (asking, asks) = tokio::sync::oneshot::channel();
    let asking = Cell::new(Some(asking));
    let tell: Tell = Rc::new(move |_| {
        asking
            .take()
            .into_iter()
            .for_each(|asking: tokio::sync::oneshot::Sender<()>| asking.send(()).unwrap_or_default())
    });
    let run = {
        let host = Arc::clone(&host);
        async move { host.run_telling(note("torn"), Some(tell)).await }
    };
    thread.spawn_local(run);
    thread.run_until(asks).await.expect("it has written and asks");
    drop(thread);

    assert!(seen(&host).await == before, "state, records and memory are those of the run before");
}

const COUNTS: &str = r#"spec is "1.0"

ai "helper":
  model is "m"

flow "slow":
  try:
    let n is state.n
  with catch e:
    let n is 0
  ask ai "helper" with input: input.q as answer
  set state.n is n + 1
  return state.n

flow "quick":
  try:
    let n is state.n
  with catch e:
    let n is 0
  set state.n is n + 1
  return state.n
"#;

fn q(text: &str) -> Value {
    Value::fields([("q", text.into())])
}

async fn state(host: &Host) -> String {
    let look = |kept: &Kept| Value::Map(kept.state.clone()).to_json(JsonStyle::Compact);
    host.look(look).await.expect("what is kept is there")
}

/// A run as it is started by somebody else.
fn started(host: &Arc<Host>, flow: &str, input: Value) -> tokio::task::JoinHandle<Ran> {
    let (host, question) = (Arc::clone(host), question(flow, input));
    tokio::task::spawn_local(async move { host.run(question).await.expect("it was not refused") })
}

fn told(ran: &Ran) -> Vec<&str> {
    ran.told.iter().map(|told| &*told.ask.input).collect()
}

fn came(ran: Ran) -> String {
    ran.outcome.result.expect("a result").to_json(JsonStyle::Compact)
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn runs_that_change_the_state_lose_no_update() {
    let host = host(COUNTS, &Performance::default(), 10);
    let counts = (0..50).map(|_| result(&host, "slow", q("x")));
    let mut counts: Vec<u32> = join_all(counts).await.iter().map(|n| n.parse().expect("a count")).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=50).collect::<Vec<u32>>(), "each saw all that came before it");
}

/// A model that took a minute kept every other request of its app waiting for a minute.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_run_whose_model_is_slow_lets_others_go_first_and_asks_once() {
    let host = host(COUNTS, &Performance::default(), 60_000);
    let began = Instant::now();
    let slow = started(&host, "slow", q("x"));
    settle().await;
    assert_eq!(result(&host, "quick", q("")).await, "1");
    assert_eq!(result(&host, "quick", q("")).await, "2");
    assert!(began.elapsed() < Duration::from_secs(1), "nobody waited for the model: {:?}", began.elapsed());

    let ran = slow.await.expect("it ended");
    assert_eq!(told(&ran), ["x"], "one call, however often the run was attempted");
    assert_eq!(came(ran), "3", "it counts on from what was there when it ended");
    assert_eq!(began.elapsed(), Duration::from_secs(60));
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn slow_models_of_several_runs_are_waited_for_at_the_same_time() {
    let host = host(COUNTS, &Performance::default(), 60_000);
    let began = Instant::now();
    let runs: Vec<_> = (0..4).map(|n| started(&host, "slow", q(&format!("q{n}")))).collect();
    for run in runs {
        run.await.expect("it ended");
    }
    assert_eq!((state(&host).await.as_str(), began.elapsed()), (r#"{"n":4}"#, Duration::from_secs(60)));
}

const ECHOES: &str = r#"spec is "1.0"

ai "helper":
  model is "m"

flow "says":
  set state.text is input.q

flow "repeats":
  ask ai "helper" with input: state.text as answer
  set state.answer is answer
  return answer

flow "twice":
  ask ai "helper" with input: "same" as one
  ask ai "helper" with input: "same" as two
  set state.answer is two
  return one

flow "tells":
  set state.text is "told"
  yield "begun"
  ask ai "helper" with input: "x" as one
  ask ai "helper" with input: "y" as two
  return state.text

flow "many":
  let n is 0
  repeat up to 12 times:
    ask ai "helper" with input: "x" as answer
    set n is n + 1
  set state.n is n
  return n
"#;

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_question_that_others_changed_is_asked_again_and_then_nobody_goes_first() {
    let host = host(ECHOES, &Performance::default(), 1_000);
    result(&host, "says", q("old")).await;
    let began = Instant::now();
    let repeats = started(&host, "repeats", q(""));
    settle().await;
    result(&host, "says", q("new")).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    advance(Duration::from_millis(1_100)).await; // the first answer is there, and the second question open
    settle().await;
    result(&host, "says", q("newest")).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "it waited for the second answer");

    let ran = repeats.await.expect("it ended");
    assert_eq!(told(&ran), ["old", "new"], "both were asked, and both are told");
    assert_eq!(came(ran), r#""[m] new | mem:st=0""#);
    assert_eq!(state(&host).await, r#"{"answer":"[m] new | mem:st=0","text":"newest"}"#);
}

/// Without a cache equal questions are different calls, and each has its own answer in every attempt.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn equal_questions_of_a_run_that_is_attempted_again_are_paid_once_each() {
    let host = host(ECHOES, &Performance::default(), 1_000);
    let twice = started(&host, "twice", q(""));
    for n in 0..2 {
        settle().await;
        result(&host, "says", q(&format!("{n}"))).await;
        advance(Duration::from_millis(1_001)).await;
    }
    assert_eq!(told(&twice.await.expect("it ended")), ["same", "same"]);
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_run_that_has_told_a_message_is_not_attempted_again() {
    let host = host(ECHOES, &Performance::default(), 1_000);
    let messages = Rc::new(Cell::new(0));
    let heard = Rc::clone(&messages);
    let tell: Tell = Rc::new(move |_| heard.set(heard.get() + 1));
    let teller = Arc::clone(&host);
    let tells = tokio::task::spawn_local(async move {
        teller.run_telling(question("tells", q("")), Some(tell)).await.expect("it was not refused")
    });
    settle().await;
    result(&host, "says", q("new")).await;
    assert_eq!(came(tells.await.expect("it ended")), r#""told""#);
    assert_eq!((state(&host).await.as_str(), messages.get()), (r#"{"text":"new"}"#, 1));
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_run_of_many_asks_gives_way_eight_times_and_then_ends() {
    let host = host(ECHOES, &Performance::default(), 1_000);
    let many = started(&host, "many", q(""));
    let mut waits = Vec::new();
    for n in 0..10 {
        settle().await;
        let began = Instant::now();
        result(&host, "says", q(&format!("{n}"))).await;
        waits.push(began.elapsed().as_secs());
        advance(Duration::from_millis(1_001)).await;
    }
    assert_eq!(waits[..8], [0; 8], "it gives way");
    assert_eq!(waits[8], 4, "it keeps the turn for the four asks that are left");
    let ran = many.await.expect("it ended");
    assert_eq!((told(&ran).len(), came(ran).as_str()), (12, "12"));
}

/// A caller that leaves the line must not count, and one that leaves in the middle must.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn who_leaves_while_waiting_gives_up_the_place_and_who_leaves_in_the_middle_does_not_stop_the_run() {
    let host = host(COUNTS, &Performance::default(), 100);
    {
        let mut first = Box::pin(result(&host, "slow", q("x")));
        let mut second = Box::pin(result(&host, "slow", q("x")));
        assert!(futures_util::poll!(&mut first).is_pending(), "it has the turn");
        assert!(futures_util::poll!(&mut second).is_pending(), "it waits");
        advance(Duration::from_millis(10)).await; // the first asks by now; then both leave
    }
    host.close().await;
    let n = host.look_now(|kept| kept.state.get("n").cloned()).expect("nothing is lost");
    assert_eq!(n, Some(Value::int(1)), "the first ended unheard, the second never began");
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_line_that_is_full_a_wait_that_is_too_long_and_a_server_that_ends_are_refused() {
    let host = host_with(ECHOES, &Performance::default(), 500, 1, 600);
    // Its message keeps the turn in its hands until the model has answered twice.
    let tells = {
        let (host, question) = (Arc::clone(&host), question("tells", q("")));
        let told = async move { host.run_telling(question, Some(Rc::new(drop))).await };
        tokio::task::spawn_local(async move { told.await.expect("it was not refused") })
    };
    settle().await;
    let waits = host.run(question("says", q("waits")));
    tokio::pin!(waits);
    assert!(futures_util::poll!(&mut waits).is_pending());
    assert_eq!(host.waiting(), (1, 1));
    let full = host.run(question("says", q("full"))).await;
    assert!(matches!(full, Err(Refusal::LineFull { limit: 1 })), "one may wait");
    let late = waits.await;
    assert!(matches!(late, Err(Refusal::Late { after_ms: 600 })), "no call may take longer either");
    assert_eq!(host.waiting().0, 0, "who was refused left the line");

    let closing = {
        let host = Arc::clone(&host);
        tokio::task::spawn_local(async move { host.close().await })
    };
    settle().await;
    let newcomer = host.run(question("says", q("newcomer"))).await;
    assert!(matches!(newcomer, Err(Refusal::Closing)));
    assert!(!closing.is_finished(), "a run is under way still");
    closing.await.expect("it closed");
    assert!(tells.is_finished(), "and only then");
}
