//! What a call is told to have used, however it ended: what the provider said, else a count of our own. The world counts letters.

use tidegate_actors::ports::provider::FaultKind;
use tidegate_actors::record::CallRecord;
use tidegate_actors::sim::{Ask, Play, World};

/// Outcome, tokens in and out, and whether they are estimated; nothing where there are none.
fn used(record: &CallRecord) -> (&'static str, Option<(u64, u64, bool)>) {
    (record.outcome, record.usage.map(|usage| (usage.input, usage.output, record.estimated)))
}

/// The only call that was told.
fn only(world: &World) -> CallRecord {
    let told = world.books().told();
    assert_eq!(told.len(), 1, "{told:?}");
    told.into_iter().next().expect("one")
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn where_the_provider_counts_nothing_we_do_and_a_hit_says_the_same() {
    let world = World::new().start();
    world.script().always(Play::answer().uncounted());
    let whole = world.chat("four").await.expect("answered");
    world.chat("four").await.expect("from memory");
    world.chat(Ask::new("seven77").stream()).await.expect("answered");
    world.chat(Ask::new("undeclared").undeclared()).await.expect("answered");
    world.assert_quiet().await;
    let told = world.books().told();
    let letters = whole.text().len() as u64;
    assert_eq!(used(&told[0]), ("miss", Some((4, letters, true))));
    assert_eq!(used(&told[1]), ("hit", Some((4, letters, true))));
    assert_eq!(used(&told[2]), ("miss", Some((7, told[2].bytes, true))));
    assert_eq!(used(&told[3]), ("bypass", Some((10, told[3].bytes, true))));
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn what_the_provider_said_is_no_estimate() {
    let world = World::new().start();
    world.chat("four").await.expect("answered");
    assert_eq!(used(&only(&world)), ("miss", Some((10, 5, false))));
    world.assert_quiet().await;
}

/// The upstream goes on to be paid when a caller has gone: such a call cost nothing once.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn who_leaves_a_stream_pays_for_what_was_told_until_then() {
    let world = World::new().start();
    world.script().always(Play::answer().events(5).hold_after(2));
    let caller = world.caller(Ask::new("four").stream());
    world.script().asked_times(1).await;
    world.pass_ms(5).await;
    caller.abort();
    world.script().left_times(1).await;
    world.assert_quiet().await;
    let record = only(&world);
    assert!(record.bytes > 0, "two events");
    assert_eq!(used(&record), ("abandoned", Some((4, record.bytes, true))));
    assert_eq!((record.target.as_deref(), record.attempts), (Some("up/upstream-name"), 1));
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn who_leaves_before_the_answer_begins_pays_for_the_question() {
    let world = World::new().start();
    world.script().always(Play::hang());
    let caller = world.caller("four");
    world.script().asked_times(1).await;
    caller.abort();
    world.script().left_times(1).await;
    world.assert_quiet().await;
    let record = only(&world);
    assert_eq!(used(&record), ("abandoned", Some((4, 0, true))));
    assert_eq!((record.target.as_deref(), record.attempts), (Some("up/upstream-name"), 1));
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn who_runs_out_of_patience_pays_too() {
    let world = World::new().start();
    world.script().always(Play::hang());
    let error = world.chat(Ask::new("four").patience_ms(50)).await.expect_err("nobody answers");
    assert_eq!(error.kind.name(), "deadline_exceeded");
    world.assert_quiet().await;
    assert_eq!(used(&only(&world)), ("failed", Some((4, 0, true))));
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn who_leaves_a_stream_to_others_pays_what_the_provider_says_in_the_end_and_they_nothing() {
    let world = World::new().start();
    world.script().always(Play::answer().events(5).every_ms(10));
    let first = world.caller(Ask::new("the same").stream());
    world.pass_ms(15).await;
    let second = world.caller(Ask::new("the same").stream());
    world.pass_ms(1).await;
    first.abort();
    world.pass_ms(1).await;
    assert_eq!(world.books().told().len(), 0, "what the first has to pay is not known yet");
    second.await.expect("not aborted").expect("heard to the end");
    world.assert_quiet().await;
    let mut told: Vec<_> = world.books().told().iter().map(used).collect();
    told.sort_unstable();
    assert_eq!(told, [("abandoned", Some((10, 5, false))), ("joined", Some((10, 5, false)))]);
}

/// Its own retry takes the flight up: the answer is paid once, by the call that began it.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_flight_that_a_retry_takes_up_is_paid_by_the_call_that_left_it() {
    let world = World::new().start();
    world.script().always(Play::hang());
    let ask = || Ask::new("four").undeclared();
    let first = world.caller(ask().attempt(0));
    world.script().asked_times(1).await;
    first.abort();
    world.pass_ms(1).await;
    let second = world.caller(ask().attempt(1));
    world.pass_ms(1).await;
    world.script().release();
    second.await.expect("not aborted").expect("answered");
    world.assert_quiet().await;
    assert_eq!(world.script().asks(), 1);
    let mut told: Vec<_> = world.books().told().iter().map(used).collect();
    told.sort_unstable();
    assert_eq!(told, [("abandoned", Some((10, 5, false))), ("joined", Some((10, 5, false)))]);
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_stream_that_breaks_off_costs_what_was_told_and_a_refusal_nothing() {
    let world = World::new().start();
    world.script().next(Play::answer().cut_after(2));
    world.chat(Ask::new("four").stream()).await.expect_err("it was cut");
    world.assert_quiet().await;
    let record = only(&world);
    assert!(record.bytes > 0, "two events");
    assert_eq!(used(&record), ("failed", Some((4, record.bytes, true))));

    world.script().always(Play::fail(FaultKind::Rejected { status: 400 }));
    world.chat("refused").await.expect_err("it was refused");
    world.assert_quiet().await;
    assert_eq!(used(&world.books().told()[1]), ("failed", None));
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_call_that_nobody_was_asked_for_costs_nothing() {
    let world = World::new().lane(1, 4).start();
    world.script().always(Play::hang());
    let first = world.caller("first");
    world.script().asked_times(1).await;
    let waiting = world.caller("waits for the lane");
    world.pass_ms(1).await;
    waiting.abort();
    world.pass_ms(1).await;
    assert_eq!(used(&only(&world)), ("abandoned", None));
    world.script().release();
    first.await.expect("not aborted").expect("answered");
    world.assert_quiet().await;
}
