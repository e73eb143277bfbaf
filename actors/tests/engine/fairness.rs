//! Workspaces that share a lane: a flood delays itself.

use std::time::Duration;

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

/// Turns alone could starve the second job of a quiet workspace; age cannot be outrun.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_job_older_than_the_aging_bound_goes_before_every_turn() {
    let world = World::new().lane(1, 1_000).config(|config| config.aging_ms = 200).start();
    world.script().always(Play::answer().after_ms(10));
    let mut callers = Vec::new();
    for n in 0..40 {
        callers.push(world.caller(Ask::new(&format!("old {n}")).workspace("old")));
    }
    for workspace in 0..40 {
        let ask = Ask::new("young").workspace(&format!("young-{workspace}"));
        world.pass_ms(1).await;
        callers.push(world.caller(ask));
    }
    for caller in callers {
        caller.await.expect("not aborted").expect("answered");
    }
    let asked = world.script().asked();
    let order: Vec<bool> = asked.iter().map(|asked| asked.text.starts_with("old")).collect();
    let last_old = order.iter().rposition(|old| *old).expect("they ran");
    assert!(last_old < 75, "an old job waited for every younger workspace: {last_old}");
    world.assert_quiet().await;
}
