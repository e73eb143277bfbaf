//! What callers see when a batcher, a batch or the cache dies at the worst moment.

use std::sync::Arc;

use super::harness::{World, assert_vectors};
use crate::error::Retry;
use crate::sim::{Fault, FaultPlan};
use crate::sites::{Site, Sites};

fn world(site: Site, fault: Fault) -> (World, Arc<FaultPlan>) {
    let plan = Arc::new(FaultPlan::default());
    plan.plan(site, fault);
    let world =
        World::with(|config| config.batch.in_flight_batches = 1, Sites { plan: Some(Arc::clone(&plan)) });
    (world, plan)
}

/// A batch that dies takes its own rows along, never those that wait.
#[actix_rt::test]
async fn a_batch_that_dies_after_its_cut_or_before_its_reply_is_a_typed_error_and_waiting_rows_go_on() {
    for site in [Site::BatchAfterCut, Site::BatchBeforeReply] {
        let (world, _) = world(site, Fault::PanicOn(1));
        world.up.hold();
        let first = world.spawn(world.call("default", &["a", "b"]));
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let second = world.spawn(world.call("default", &["c"]));
        world.settle().await;
        world.up.release();
        let lost = first.await.expect("no panic").expect_err("its batch died");
        assert_eq!((lost.kind.name(), lost.retry), ("lane_lost", Retry::Safe), "{site:?}");
        let second = second.await.expect("no panic");
        if let Ok(told) = &second {
            assert_vectors(told, &["c"]);
        }
        assert_vectors(&world.embed(&["a", "b", "c"]).await.expect("a retry works"), &["a", "b", "c"]);
        world.assert_quiet().await;
    }
}

/// The actor holds no row: its death costs a pause.
#[actix_rt::test]
async fn rows_that_wait_when_the_batcher_dies_are_answered_by_its_next_generation() {
    let (world, _) = world(Site::BatcherDoorbell, Fault::PanicOn(1));
    assert_vectors(&world.embed(&["a", "b"]).await.expect("answered"), &["a", "b"]);
    world.assert_quiet().await;
}

#[actix_rt::test]
async fn a_batcher_that_only_dies_is_closed_and_says_so() {
    let (world, plan) = world(Site::BatcherDoorbell, Fault::PanicFrom(1));
    for _ in 0..2 {
        let closed = world.embed(&["a"]).await.expect_err("no batcher is left");
        assert_eq!(closed.kind.name(), "lane_closed");
    }
    assert!(world.engine.read().batchers[0].closed);
    plan.heal(Site::BatcherDoorbell);
    world.assert_quiet().await;
}

#[actix_rt::test]
async fn a_batcher_that_is_stuck_is_replaced_and_its_rows_are_answered() {
    let (world, plan) = world(Site::BatcherDoorbell, Fault::DeafFrom(1));
    let call = world.spawn(world.call("default", &["a"]));
    world.settle().await;
    assert!(!call.is_finished(), "nobody listens");
    plan.heal(Site::BatcherDoorbell);
    assert_vectors(&call.await.expect("no panic").expect("answered by the next generation"), &["a"]);
    world.assert_quiet().await;
}

/// The cache actor dies with the batch's entries in its hands: nothing is kept, everybody is told.
#[actix_rt::test]
async fn when_the_cache_dies_while_it_publishes_the_rows_are_told_and_only_not_kept() {
    let (world, _) = world(Site::CacheKeep, Fault::PanicOn(1));
    assert_vectors(&world.embed(&["a"]).await.expect("answered"), &["a"]);
    let again = world.embed(&["a"]).await.expect("answered");
    assert_vectors(&again, &["a"]);
    assert_eq!(again.items.miss, 1);
    world.assert_quiet().await;
}
