//! A cache actor that dies: misses, never wrong answers, never a caller without one.

use tidegate_actors::engine::Placement;
use tidegate_actors::sim::{Ask, Fault, Heard, ManualClock, Play, World};
use tidegate_actors::{Blame, Site, Stage, SuperviseLimits};

fn offline(world: &World) -> u64 {
    world.metric("tidegate_cache_events_total", &[("event", "offline")])
}

/// What was kept is gone with the actor, and everybody is answered by the upstream meanwhile.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_cache_that_dies_costs_misses_and_no_answers() {
    let world = World::new().start();
    let before = world.chat("kept").await.expect("answered");
    assert_eq!(world.chat("kept").await.expect("answered").how(), "hit");

    world.fault(Site::CacheJoin, Fault::PanicOn(1));
    let witness = world.chat("asked while it dies").await.expect("computed without the cache");
    assert_eq!(witness.how(), "miss");
    assert_eq!(offline(&world), 1, "a call without the cache is counted");

    let after = world.chat("kept").await.expect("answered");
    assert_eq!((after.how(), &after.pieces), ("miss", &before.pieces), "the index went with its writer");
    world.until("the next generation is up", |world| world.engine().read().cache.online).await;
    let again = world.chat("kept again").await.expect("answered");
    assert_eq!(world.chat("kept again").await.expect("answered").pieces, again.pieces);
    assert_eq!(world.metric("tidegate_restarts_total", &[("child", "cache"), ("cause", "panic")]), 1);
    world.assert_quiet().await;
}

/// Followers hold on to their flight, not to the actor that introduced them.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn flights_in_the_air_answer_their_followers_although_the_cache_died() {
    let world = World::new().start();
    world.script().on("shared", Play::hang());
    let followers: Vec<_> = (0..3).map(|_| world.caller("shared")).collect();
    world.script().asked_times(1).await;
    world.until("all three follow", |world| world.engine().read().active_operations == 3).await;

    world.fault(Site::CacheJoin, Fault::PanicOn(1));
    world.chat("kills the cache").await.expect("answered");
    world.script().release();

    let mut heard: Vec<Heard> = Vec::new();
    for follower in followers {
        heard.push(follower.await.expect("not aborted").expect("answered"));
    }
    assert!(heard.iter().all(|answer| answer.pieces == heard[0].pieces), "{heard:?}");
    assert_eq!(world.script().asks(), 2, "one for the three, one for the witness");
    world.assert_quiet().await;
}

/// The answer is there, the actor dies with it in its hands: it is told, and not kept.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_cache_that_dies_at_keep_loses_the_entry_and_not_the_answer() {
    let world = World::new().fault(Site::CacheKeep, Fault::PanicOn(1)).start();
    world.script().always(Play::answer().after_ms(10));

    let answers = world.call_all(["same", "same", "same"]).await;

    let answers: Vec<Heard> = answers.into_iter().map(|answer| answer.expect("answered")).collect();
    assert!(answers.iter().all(|answer| answer.pieces == answers[0].pieces));
    assert_eq!(world.script().asks(), 1);
    world.until("the next generation is up", |world| world.engine().read().cache.online).await;
    let next = world.chat("same").await.expect("answered");
    assert_eq!((next.how(), &next.pieces), ("miss", &answers[0].pieces), "nothing was kept");
    assert_eq!(world.chat("same").await.expect("answered").how(), "hit");
    world.assert_quiet().await;
}

/// A cache that never comes back is a gateway without a cache: every call computed, none refused.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_cache_whose_restart_budget_is_spent_leaves_a_gateway_without_one() {
    let world = World::new().fault(Site::CacheJoin, Fault::PanicFrom(1)).start();
    for round in 0..12 {
        world.chat("the same each time").await.expect("answered");
        world.pass_ms(1_000 * round).await;
    }
    assert!(!world.engine().read().cache.online);
    assert_eq!(world.script().asks(), 12);
    assert_eq!(offline(&world), 12);
    world.assert_quiet().await;
}

/// An operator's restart is a death like any other: supervised, counted, and nobody goes without an answer.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_cache_that_is_restarted_forgets_everything_and_loses_no_answer() {
    let world = World::new().start();
    let before = world.chat("kept").await.expect("answered");
    world.script().on("in the air", Play::hang());
    let caller = world.caller("in the air");
    world.script().asked_times(2).await;

    assert!(world.engine().restart_cache());
    world.until("the writer is gone", |world| !world.engine().read().cache.online).await;
    assert!(!world.engine().restart_cache(), "nobody is there to end");
    world.script().release();
    caller.await.expect("not aborted").expect("answered although its cache died");

    world.until("the next generation is up", |world| world.engine().read().cache.online).await;
    let after = world.chat("kept").await.expect("answered");
    assert_eq!((after.how(), &after.pieces), ("miss", &before.pieces));
    assert_eq!(world.metric("tidegate_restarts_total", &[("child", "cache"), ("cause", "stopped")]), 1);
    world.assert_quiet().await;
}

/// An actor that is stuck answers nobody and drops nothing: the caller's own patience ends the wait.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_cache_that_is_stuck_holds_no_caller_beyond_its_patience() {
    let world = World::new().fault(Site::CacheDoorbell, Fault::DeafFrom(1)).start();
    let asked = world.now();

    let late = world.chat(Ask::new("joins").patience_ms(300)).await.expect_err("nobody answers the join");

    assert_eq!((late.kind.name(), late.stage, late.blame), ("deadline_exceeded", Stage::Join, Blame::Us));
    assert_eq!(world.now().since(asked).as_millis(), 300);
    world.chat(Ask::new("alone").undeclared()).await.expect("needs no cache");
    world.assert_quiet().await;
}

/// How often `child` was replaced because it was stuck.
fn stalls(world: &World, child: &str) -> u64 {
    let restarts = world.engine().read().restarts;
    let stalled = restarts.iter().filter(|restarts| (restarts.child, restarts.cause) == (child, "stalled"));
    stalled.map(|restarts| restarts.count).sum()
}

/// An actor that does not hear its bell is given up: who waits for it goes on without a cache, and another one comes.
#[actix_rt::test]
async fn a_deaf_cache_is_replaced_and_whoever_waits_for_it_is_answered_without_one() {
    let clock = ManualClock::new();
    let world = World::new().clock(&clock).start();
    world.chat("kept").await.expect("answered");
    world.fault(Site::CacheDoorbell, Fault::DeafFrom(1));
    let ignored = world.caller(Ask::new("ignored").patience_ms(600_000));
    world.until("it is in progress", |world| world.engine().read().active_operations == 1).await;

    let stalled = |world: &World| {
        clock.advance_ms(10);
        stalls(world, "cache") == 1
    };
    world.until("the supervisor sees that it is stuck", stalled).await;
    let ignored = ignored.await.expect("not aborted").expect("computed without the cache");
    assert_eq!((ignored.how(), offline(&world)), ("miss", 1));
    assert!(!world.engine().read().cache.online, "nothing is read while nobody can evict or purge");

    world.heal(Site::CacheDoorbell);
    clock.advance_ms(50); // the pause
    world.until("the next generation is up", |world| world.engine().read().cache.online).await;
    let hows =
        [world.chat("kept").await, world.chat("kept").await].map(|answer| answer.expect("answered").how());
    assert_eq!((hows, stalls(&world, "cache")), (["miss", "hit"], 1));
    world.assert_quiet().await;
}

/// The whole thread stands still, with an answer in the cache's hands. When it moves again, another generation
/// owns the index: the answer is told, and the entry nobody would ever evict is not published.
#[actix_rt::test]
async fn a_cache_that_wakes_up_after_it_was_replaced_publishes_nothing() {
    let clock = ManualClock::new();
    // Without a pause: from the moment the last one is replaced the clock stands still.
    let supervise = SuperviseLimits { backoff_ms: 0, ..SuperviseLimits::default() };
    let world = World::new().clock(&clock).config(|config| {
        (config.placement, config.supervise) = (Placement::Own, supervise);
    });
    let world = world.fault(Site::CacheKeep, Fault::HangOn(1)).start();
    let held = world.caller(Ask::new("held").patience_ms(600_000));
    let answered = |world: &World| world.script().asks() == 1 && world.books().open_attempts() == 0;
    world.until("its answer is there", answered).await;

    let behind = world.caller(Ask::new("behind").patience_ms(600_000));
    for child in ["cache", "interactive"] {
        let stalled = |world: &World| {
            clock.advance_ms(10);
            stalls(world, child) == 1
        };
        world.until("the supervisor sees that both are stuck", stalled).await;
    }
    behind.await.expect("not aborted").expect("answered, by actors on other threads");
    world.until("the next generation is up", |world| world.engine().read().cache.online).await;
    assert!(!held.is_finished(), "the order in its hands waits with it");

    world.heal(Site::CacheKeep);
    held.await.expect("not aborted").expect("told");
    assert_eq!(world.chat("held").await.expect("answered").how(), "miss", "and not kept");
    assert_eq!(world.chat("held").await.expect("answered").how(), "hit");
    world.assert_quiet().await;
}
