//! Workspaces that share a lane: a flood delays itself.

use std::time::Duration;

use tidegate_actors::UpstreamLimits;
use tidegate_actors::sim::{Ask, Play, World};

/// However many jobs one workspace queued, another's call waits for one job per slot and no more.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_polite_workspace_waits_one_turn_behind_a_flood() {
    let world = World::new().lane(2, 1_000).start();
    world.script().always(Play::answer().after_ms(10));
    let flood: Vec<_> =
        (0..500).map(|n| world.caller(Ask::new(&format!("flood {n}")).workspace("flood"))).collect();
    world.until("the flood queues", |world| world.engine().read().lanes[0].depth > 400).await;

    for n in 0..5 {
        let asked = world.now();
        world.chat(Ask::new(&format!("polite {n}")).workspace("polite")).await.expect("answered");
        let took = world.now().since(asked);
        assert!(took <= Duration::from_millis(30), "a turn of 10 ms, its own 10 ms, one to spare: {took:?}");
    }
    assert!(world.engine().read().lanes[0].depth > 400, "the flood still waits");
    for caller in flood {
        caller.await.expect("not aborted").expect("answered");
    }
    world.assert_quiet().await;
}

/// A flood that holds every lane slot stood in front of everybody else at a provider that was busy, first come first served.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn behind_a_busy_provider_workspaces_take_turns_too() {
    let limits = UpstreamLimits { max_in_flight: 2, ..UpstreamLimits::default() };
    let world = World::new().lane(16, 1_000).limits(limits).start();
    world.script().always(Play::answer().after_ms(10));
    let flood: Vec<_> =
        (0..200).map(|n| world.caller(Ask::new(&format!("flood {n}")).workspace("flood"))).collect();
    world.until("the flood queues", |world| world.engine().read().lanes[0].depth > 150).await;
    for n in 0..5 {
        let asked = world.now();
        world.chat(Ask::new(&format!("polite {n}")).workspace("polite")).await.expect("answered");
        let took = world.now().since(asked);
        assert!(took <= Duration::from_millis(30), "10 ms for a slot, 10 ms for its turn, its own: {took:?}");
    }
    for caller in flood {
        caller.await.expect("not aborted").expect("answered");
    }
    world.assert_quiet().await;
}

/// What a polite caller meets, milliseconds from each question to its answer, sorted.
async fn politely(flood: usize) -> Vec<u128> {
    let world = World::new().lane(4, 10_000).config(|config| config.aging_ms = 50).start();
    world.script().always(Play::answer().after_ms(10));
    let ask = |n| world.caller(Ask::new(&format!("flood {n}")).workspace("flood"));
    let flood: Vec<_> = (0..flood).map(ask).collect();
    // Long enough for all that is queued to be older than the bound.
    world.pass_ms(100).await;
    let mut waits = Vec::new();
    for round in 0..50 {
        // As many at once as are its part of the slots, at no time in step with the flood's.
        world.pass_ms(round % 7).await;
        let asked = world.now();
        let asks = (0..2).map(|n| Ask::new(&format!("polite {round} {n}")).workspace("polite"));
        for answer in world.call_all(asks).await {
            answer.expect("answered");
        }
        waits.push(world.now().since(asked).as_millis());
    }
    assert!(flood.is_empty() || world.engine().read().lanes[0].depth > 1_000, "the flood still waits");
    for caller in flood {
        caller.await.expect("not aborted").expect("answered");
    }
    world.assert_quiet().await;
    waits.sort_unstable();
    waits
}

/// The bound that is promised: p99 of the polite one's wait, from the question to the answer, stays within twice its wait alone.
/// A slot that is taken is never taken back, so a turn of the flood's is waited for, and no second one.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_flood_at_most_doubles_the_wait_of_a_workspace_that_stays_within_its_part() {
    let p99 = |waits: &[u128]| waits[waits.len() * 99 / 100];
    let (alone, flooded) = (politely(0).await, politely(4_000).await);
    let (alone, flooded) = (p99(&alone), p99(&flooded));
    assert!(flooded <= 2 * alone, "{flooded} ms beside a flood, {alone} ms alone");
}

/// Turns alone could make the second job of a quiet workspace wait for all that came later; age cannot be outrun.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_job_older_than_the_aging_bound_goes_before_younger_ones() {
    let world = World::new().lane(1, 1_000).config(|config| config.aging_ms = 200).start();
    world.script().always(Play::answer().after_ms(10));
    let mut callers = Vec::new();
    let mut ask = |text: &str, workspace: &str| {
        callers.push(world.caller(Ask::new(text).workspace(workspace)));
    };
    (0..100).for_each(|n| ask("young", &format!("young-{n}")));
    world.pass_ms(5).await;
    (0..3).for_each(|n| ask(&format!("old {n}"), "old"));
    world.pass_ms(5).await;
    (100..200).for_each(|n| ask("young", &format!("young-{n}")));
    for caller in callers {
        caller.await.expect("not aborted").expect("answered");
    }
    let asked = world.script().asked();
    let last_old = asked.iter().rposition(|asked| asked.text.starts_with("old")).expect("they ran");
    assert!(last_old < 110, "by turns alone the last would be behind all the younger: {last_old}");
    world.assert_quiet().await;
}
