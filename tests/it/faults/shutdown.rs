//! Shutdown: what was admitted is answered, what comes later is refused.

use std::time::Duration;

use tidegate_actors::sim::{Ask, Play, World};
use tidegate_actors::{Blame, Retry};

/// Forty calls on two slots, and the order to go down arrives in the middle of it.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_shutdown_under_load_answers_everybody_admitted_and_refuses_newcomers() {
    let world = World::new().lane(2, 64).start();
    world.script().always(Play::answer().after_ms(20).events(4).every_ms(5));
    let callers: Vec<_> = (0..40)
        .map(|n| {
            let ask = Ask::new(&format!("question {n}"));
            world.caller(if n % 2 == 0 { ask.stream() } else { ask })
        })
        .collect();
    world.script().asked_times(5).await;

    let engine = world.engine().clone();
    let drained = actix_rt::spawn(async move { engine.drain(Duration::from_secs(30)).await });
    world.until("it drains", |world| world.engine().read().draining).await;
    let late = world.chat("too late").await.expect_err("nobody is admitted any more");

    assert_eq!((late.kind.name(), late.retry, late.blame), ("shutting_down", Retry::Safe, Blame::Us));
    assert_eq!(drained.await.expect("not aborted"), 0, "nothing was left behind");
    for caller in callers {
        caller.await.expect("not aborted").expect("it was admitted, so it is answered");
    }
    world.assert_quiet().await;
}

/// A drain that runs out of patience says how much was still going on.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_drain_waits_no_longer_than_it_is_told() {
    let world = World::new().start();
    world.script().always(Play::hang());
    let caller = world.caller("never ends");
    world.script().asked_times(1).await;
    let asked = world.now();

    assert_eq!(world.engine().drain(Duration::from_millis(700)).await, 1);

    assert_eq!(world.now().since(asked), Duration::from_millis(700));
    world.script().release();
    caller.await.expect("not aborted").expect("it is answered all the same");
    world.assert_quiet().await;
}
