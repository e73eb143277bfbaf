//! Clocks that jump.

use std::time::Duration;

use tidegate_actors::sim::{Ask, Play, World};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// An hour lost or won on the wall ends no patience, expires no entry and makes no call look long.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_wall_clock_that_jumps_changes_nothing() {
    let world = World::new().start();
    world.chat("kept").await.expect("answered");
    world.script().on("slow", Play::answer().after_ms(500));
    let slow = world.caller(Ask::new("slow").patience_ms(1_000));
    world.script().asked_times(2).await;

    for forward in [true, false, false, true] {
        world.jump_wall(YEAR, forward);
        world.pass_ms(10).await;
        let kept = world.chat("kept").await.expect("answered");
        assert_eq!(kept.how(), "hit", "an entry's time is monotonic");
    }

    slow.await.expect("not aborted").expect("its patience is monotonic");
    let (_, _, mean_s) = world.engine().read().operations;
    assert!(mean_s < 1.0, "a jump is no duration: {mean_s}");
    world.assert_quiet().await;
}

/// The caller's patience is kept to the millisecond, however long the engine would go on.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_deadline_ends_the_wait_at_its_moment_and_cancels_the_request() {
    let world = World::new().start();
    world.script().always(Play::hang());
    let asked = world.now();

    let late = world.chat(Ask::new("never").patience_ms(300)).await.expect_err("nobody answers");

    assert_eq!(
        (late.kind.name(), late.stage.name(), late.blame.name()),
        ("deadline_exceeded", "act", "upstream")
    );
    assert_eq!(world.now().since(asked), Duration::from_millis(300));
    world.script().left_times(1).await;
    world.assert_quiet().await;
}

/// A deadline that passes in the queue is our doing: the upstream was never asked.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_deadline_that_passes_in_the_queue_is_not_blamed_on_the_upstream() {
    let world = World::new().lane(1, 8).start();
    world.script().on("running", Play::hang());
    let running = world.caller("running");
    world.script().asked_times(1).await;

    let late = world.chat(Ask::new("queued").patience_ms(300)).await.expect_err("the slot is taken");

    assert_eq!((late.kind.name(), late.stage.name(), late.blame.name()), ("deadline_exceeded", "lane", "us"));
    assert_eq!(world.script().asks(), 1);
    world.script().release();
    running.await.expect("not aborted").expect("answered");
    world.assert_quiet().await;
}

/// Patience is for the beginning of an answer: a stream that has begun is heard to its end.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_stream_that_began_in_time_may_last_longer_than_the_patience() {
    let world = World::new().start();
    world.script().always(Play::answer().events(20).every_ms(100));
    let heard = world.chat(Ask::new("long").stream().patience_ms(300)).await.expect("heard to the end");
    assert_eq!(heard.pieces.len(), 20);
    world.assert_quiet().await;
}
