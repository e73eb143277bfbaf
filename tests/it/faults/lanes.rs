//! Lanes that die, fall deaf or may not come back.

use tidegate_actors::sim::{Ask, Fault, ManualClock, Play, World};
use tidegate_actors::{Blame, ErrorKind, Retry, Site, SuperviseLimits};

/// A lane that dies may lose the job in its hands, never the jobs in its queue.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn queued_jobs_survive_a_lane_panic() {
    let world = World::new().lane(1, 8).fault(Site::LaneBeforeStart, Fault::PanicOn(1)).start();

    let answers = world.call_all(["a", "b", "c"]).await;

    let lost = answers[0].as_ref().expect_err("the first job died with its lane");
    assert_eq!((lost.kind.name(), lost.retry, lost.blame), ("lane_lost", Retry::Safe, Blame::Us));
    assert!(answers[1..].iter().all(Result::is_ok), "queued jobs must reach the new lane: {answers:?}");
    assert_eq!(world.metric("tidegate_restarts_total", &[("child", "interactive"), ("cause", "panic")]), 1);
    assert_eq!(world.script().asks(), 2, "the lost job was never sent");
    world.assert_quiet().await;
}

/// The slot of the job that died with its lane comes home: otherwise a lane of one slot is dead for good.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_lane_of_one_slot_works_again_after_each_of_three_panics() {
    let world = World::new().lane(1, 8).start();
    for round in 0..3 {
        world.fault(Site::LaneBeforeStart, Fault::PanicOn(1));
        let lost = world.chat(format!("lost {round}")).await.expect_err("its lane died");
        assert_eq!(lost.kind.name(), "lane_lost");
        let answer = world.chat(format!("kept {round}")).await.expect("the next generation works");
        assert_eq!(answer.how(), "miss");
    }
    world.assert_quiet().await;
}

/// A spent restart budget closes the lane: everybody is told so, and nobody goes past it to the upstream.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_lane_whose_restart_budget_is_spent_refuses_everybody_and_asks_nobody() {
    let budget = SuperviseLimits { restarts: 2, ..SuperviseLimits::default() };
    let world = World::new()
        .lane(1, 8)
        .config(|config| config.supervise = budget)
        .fault(Site::LaneBeforeStart, Fault::PanicFrom(1))
        .start();

    let answers = world.call_all(["a", "b", "c", "d", "e"]).await;

    let kinds: Vec<_> = answers.iter().map(|a| a.as_ref().expect_err("no lane works").kind.name()).collect();
    assert_eq!(kinds, ["lane_lost", "lane_lost", "lane_lost", "lane_closed", "lane_closed"]);
    let late = world.chat("late").await.expect_err("the lane stays closed");
    assert!(matches!(late.kind, ErrorKind::LaneClosed { lane: "interactive" }), "{late}");
    assert!(matches!(late.retry, Retry::After(_)), "{:?}", late.retry);
    let reading = world.engine().read();
    assert_eq!(reading.lanes.map(|lane| lane.closed), [true, false], "only the lane that failed is closed");
    assert_eq!(world.script().asks(), 0, "no silent way past a closed lane");
    world.assert_quiet().await;
}

/// A full queue refuses before anything starts, and says which lane, how full, and how much of it is one's own.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_full_lane_names_itself_its_limit_and_the_callers_own_share() {
    let world = World::new().lane(1, 2).start();
    world.script().on("running", Play::hang());
    let running = world.caller("running");
    world.script().asked_times(1).await;
    let waiting = [world.caller("mine"), world.caller(Ask::new("theirs").workspace("other"))];
    world.until("two wait", |world| world.engine().read().lanes[0].depth == 2).await;

    let full = world.chat("one too many").await.expect_err("two may wait");

    assert!(matches!(full.kind, ErrorKind::LaneFull { lane: "interactive", limit: 2, own: 1 }), "{full}");
    assert!(matches!(full.retry, Retry::After(_)) && full.blame == Blame::Us, "{full:?}");
    assert_eq!(world.script().asks(), 1, "nothing was started for it");
    assert_eq!(world.engine().read().lanes[0].refused_full, 1);
    world.script().release();
    assert!(running.await.expect("not aborted").is_ok());
    for waiting in waiting {
        assert!(waiting.await.expect("not aborted").is_ok());
    }
    world.assert_quiet().await;
}

/// A lane that does not hear its bell has work and does none: it is replaced on a thread of its own, and the
/// job it ignored is done by its successor. The old generation is fenced, so that nothing runs twice.
#[actix_rt::test]
async fn a_deaf_lane_is_replaced_and_its_successor_does_its_work() {
    let clock = ManualClock::new();
    let world = World::new().clock(&clock).lane(1, 8).start();
    world.fault(Site::LaneDoorbell, Fault::DeafFrom(1));
    let ignored = world.caller(Ask::new("ignored").patience_ms(600_000));
    world.until("it waits", |world| world.engine().read().lanes[0].depth == 1).await;

    let stalled = |world: &World| {
        clock.advance_ms(10);
        world.metric("tidegate_restarts_total", &[("child", "interactive"), ("cause", "stalled")]) == 1
    };
    world.until("the supervisor sees that it is stuck", stalled).await;
    assert!(!ignored.is_finished() && world.script().asks() == 0);
    world.heal(Site::LaneDoorbell);
    clock.advance_ms(50); // the pause; not more, or the successor's thread looks stuck before it has started
    world.script().asked_times(1).await;

    ignored.await.expect("not aborted").expect("answered by the successor");
    world.chat("next").await.expect("answered");
    assert_eq!(world.script().asks(), 2, "each job ran once");
    world.assert_quiet().await;
}
