//! Who pays what, through a whole engine.

use std::sync::atomic::Ordering;

use super::harness::World;

#[actix_rt::test]
async fn what_callers_pay_sums_to_the_upstreams_invoice_and_a_hit_pays_nothing() {
    let world = World::new(|_| {});
    world.up.hold();
    let first = world.spawn(world.call("default", &["a", "bb"]));
    world.settle().await;
    let second = world.spawn(world.call("default", &["bb", "cccc"]));
    world.settle().await;
    world.up.release();
    let (first, second) = (first.await.expect("no panic"), second.await.expect("no panic"));
    let (first, second) = (first.expect("answered"), second.expect("answered"));
    assert_eq!((first.tokens(), second.tokens()), (6, 12), "the body says what its vectors cost");
    let hit = world.embed(&["a", "bb"]).await.expect("answered");
    assert_eq!(hit.tokens(), 6, "as when it was computed");
    let paid = |id| world.engine.explain(id).expect("recent").0.usage.expect("known").input;
    assert_eq!([paid(first.id), paid(second.id), paid(hit.id)], [6, 8, 0]);
}

/// Our own count is the text's length here, the upstream's is words: nothing in common.
#[actix_rt::test]
async fn what_a_call_costs_does_not_depend_on_who_else_was_in_its_batch() {
    let texts = ["a", "two words", "a good deal more than two words", "incomprehensibilities"];
    let costs = |told: &super::harness::Told| told.as_ref().expect("answered").tokens();
    let apart = World::new(|config| config.batch.mix_calls = false);
    apart.up.counts_words.store(true, Ordering::SeqCst);
    let mut alone = Vec::new();
    for text in texts {
        alone.push(costs(&apart.embed(&[text]).await));
    }
    assert_eq!(alone, [1, 2, 7, 1]);

    let together = World::new(|_| {});
    together.up.counts_words.store(true, Ordering::SeqCst);
    let calls = texts.map(|text| together.spawn(together.call("default", &[text])));
    let mut mixed = Vec::new();
    for call in calls {
        mixed.push(costs(&call.await.expect("no panic")));
    }
    assert_eq!(together.up.asked().len(), 1, "all travelled together");
    assert_eq!(mixed, alone);
}
