//! Flights whose caller left and may come back: only the same credential takes its own up again.

use tidegate_actors::sim::{Ask, Play, World};

fn ask() -> Ask {
    Ask::new("costly").undeclared().credential(7)
}

/// Lets a caller ask and leave while its request is being worked on.
async fn leave_behind(world: &World, ask: Ask) {
    let before = world.script().asks();
    let caller = world.caller(ask);
    world.script().asked_times(before + 1).await;
    caller.abort();
    world.until("it left", |world| world.engine().read().active_operations == 0).await;
}

/// The SDK's connection broke and it asks again: the request it left is still in the air and is its own.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_retry_of_the_same_credential_takes_up_its_own_flight() {
    let world = World::new().start();
    world.script().always(Play::answer().after_ms(1_000));
    leave_behind(&world, ask().attempt(0)).await;

    let heard = world.chat(ask().attempt(1)).await.expect("answered");

    assert_eq!((heard.how(), world.script().asks()), ("joined", 1));
    world.assert_quiet().await;
}

/// The answer came while its caller was away: it waits as long as the flight would have.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_retry_takes_up_its_flight_also_after_it_completed() {
    let world = World::new().start();
    world.script().always(Play::answer().after_ms(200));
    leave_behind(&world, ask().attempt(0)).await;
    world.pass_ms(400).await;
    assert_eq!((world.script().live(), world.script().left()), (0, 0), "the answer is complete");

    let heard = world.chat(ask().attempt(1)).await.expect("answered");

    assert_eq!((heard.how(), world.script().asks()), ("joined", 1));
    world.assert_quiet().await;
}

/// What one credential asked undeclared is never shown to another.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn another_credential_never_takes_up_a_flight_that_was_left() {
    let world = World::new().start();
    world.script().always(Play::answer().after_ms(1_000));
    leave_behind(&world, ask().attempt(0)).await;

    let other = world.chat(ask().credential(8).attempt(1)).await.expect("answered");

    assert_eq!((other.how(), world.script().asks()), ("not_declared", 2));
    world.assert_quiet().await;
}

/// Only one retry takes a flight up; a second one at the same time asks for itself.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn two_retries_at_once_do_not_share_an_undeclared_answer() {
    let world = World::new().start();
    world.script().always(Play::answer().after_ms(1_000));
    leave_behind(&world, ask().attempt(0)).await;

    let answers = world.call_all([ask().attempt(1), ask().attempt(1)]).await;

    let mut how: Vec<_> = answers.into_iter().map(|answer| answer.expect("answered").how()).collect();
    how.sort_unstable();
    assert_eq!((how, world.script().asks()), (vec!["joined", "not_declared"], 2));
    world.assert_quiet().await;
}

/// Nobody came back: the request is cancelled when the grace is over, not before.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn an_orphan_nobody_comes_back_for_is_cancelled_after_its_grace() {
    let world = World::new().start();
    world.script().always(Play::hang());
    leave_behind(&world, ask().attempt(0)).await;
    let left = world.now();

    world.script().left_times(1).await;

    let waited = world.now().since(left).as_millis();
    assert!((1_490..=1_500).contains(&waited), "{waited} ms of grace");
    assert_eq!(world.metric("tidegate_flights_cancelled_total", &[]), 1);
    world.assert_quiet().await;
}

/// A first attempt is not a retry: what is not declared deterministic is never joined.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn undeclared_calls_never_join_each_other() {
    let world = World::new().start();
    world.script().always(Play::answer().after_ms(50));
    let answers = world.call_all([ask(), ask(), ask().attempt(0), ask().attempt(1)]).await;
    assert!(answers.iter().all(|answer| answer.as_ref().expect("answered").how() == "not_declared"));
    assert_eq!(world.script().asks(), 4);
    world.assert_quiet().await;
}
