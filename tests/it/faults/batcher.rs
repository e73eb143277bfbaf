//! Batches and batchers that die: typed errors, and a retry that gets the right vectors.

use futures_util::future::join_all;
use tidegate_actors::call::{CacheWish, Memory};
use tidegate_actors::sim::{Fault, Play, Script, World, are_vectors_of};
use tidegate_actors::{Blame, CallError, Embedded, Retry, Site};

const KEPT: Memory = Memory::Use(CacheWish { read: true, keep: true, only_kept: false, max_age_ms: None });

/// `calls` calls at once, each for two texts of its own and one that all share.
async fn ask_at_once(world: &World, calls: usize) -> Vec<(Vec<String>, Result<Embedded, CallError>)> {
    let texts = |n: usize| vec![format!("own {n}"), "shared".to_owned(), format!("also own {n}")];
    let ask = |n| async move {
        let texts = texts(n);
        let told = world.embed("default", &texts, KEPT).await;
        (texts, told)
    };
    join_all((0..calls).map(ask)).await
}

/// The rows in the batch's hands are lost with it; whoever asks again gets the right vectors.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_batch_that_dies_between_cut_and_reply_is_a_typed_error_and_a_retry_works() {
    for site in [Site::BatchAfterCut, Site::BatchBeforeReply] {
        let world = World::new().fault(site, Fault::PanicOn(1)).start();
        world.script().always(Play::answer().after_ms(5));

        let told = ask_at_once(&world, 20).await;

        let mut lost = 0;
        for (texts, told) in told {
            match told {
                Ok(embedded) => assert!(are_vectors_of(&embedded, &texts), "{site:?}: {texts:?}"),
                Err(error) => {
                    assert_eq!(
                        (error.kind.name(), error.retry, error.blame),
                        ("lane_lost", Retry::Safe, Blame::Us)
                    );
                    lost += 1;
                }
            }
        }
        assert!(lost > 0, "{site:?} lost nothing");
        for (texts, told) in ask_at_once(&world, 20).await {
            assert!(are_vectors_of(&told.expect("a retry works"), &texts));
        }
        world.assert_quiet().await;
    }
}

/// The batcher's actor holds no rows: its death is not seen by anybody who waits.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_batcher_that_dies_is_replaced_and_its_rows_are_answered() {
    let world = World::new().fault(Site::BatcherDoorbell, Fault::PanicOn(1)).start();
    for (texts, told) in ask_at_once(&world, 20).await {
        assert!(are_vectors_of(&told.expect("answered by the next generation"), &texts));
    }
    world.assert_quiet().await;
}

/// An upstream that gives one vector too few answers nobody: no row is shifted to another's place.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_missing_vector_is_an_error_for_all_and_never_a_shifted_row() {
    let world = World::new().start();
    world.script().always(Play::answer().bent(|rows| drop(rows.vectors.pop())));
    for (_, told) in ask_at_once(&world, 4).await {
        let error = told.expect_err("a count that is wrong says nothing about any row");
        assert_eq!((error.kind.name(), error.blame), ("upstream_broken", Blame::Upstream));
    }
    assert_eq!(world.engine().read().cache.entries, 0);
    world.assert_quiet().await;
}

/// One item the upstream rejects is found by halving, and costs nobody else an answer.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_rejected_item_fails_its_own_call_alone() {
    let world = World::new().start();
    world.script().on("also own 7", Play::fail(Script::REJECTED));
    for (n, (texts, told)) in ask_at_once(&world, 20).await.into_iter().enumerate() {
        match told {
            Ok(embedded) => assert!(n != 7 && are_vectors_of(&embedded, &texts), "call {n}"),
            Err(error) => assert_eq!((n, error.kind.name()), (7, "upstream_rejected")),
        }
    }
    world.assert_quiet().await;
}
