//! Answers behind memory: an earlier process asked, this one is answered, and a purge reaches them all.

use std::sync::Arc;

use tidegate_actors::call::{CacheWish, Memory};
use tidegate_actors::sim::{Ask, Shelf, World, are_vectors_of};
use tidegate_actors::{Body, PurgeFilter, Tier};

fn world(shelf: &Shelf) -> World {
    World::new().config(|config| config.ttl_ms = [10_000; 3]).tier(Arc::new(shelf.clone())).start()
}

/// How the answer came, and from where if it was kept.
async fn how(world: &World, ask: impl Into<Ask>) -> (&'static str, Option<Tier>) {
    let answered = world.open(ask.into()).await.expect("answered");
    let tier = match &answered.body {
        Body::Kept(entry) => Some(entry.tier()),
        _ => None,
    };
    let how = match answered.outcome {
        tidegate_actors::Outcome::Hit => "hit",
        _ => "asked",
    };
    (how, tier)
}

const WARM: (&str, Option<Tier>) = ("hit", Some(Tier::Warm));
const HOT: (&str, Option<Tier>) = ("hit", Some(Tier::Hot));
const ASKED: (&str, Option<Tier>) = ("asked", None);

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn an_answer_of_an_earlier_process_is_a_hit_and_then_one_from_memory() {
    let shelf = Shelf::default();
    let before = world(&shelf);
    assert_eq!(how(&before, "a").await, ASKED);
    before.until("it is handed over", |_| shelf.kept() == 1).await;
    assert_eq!(how(&before, "a").await, HOT);
    before.assert_quiet().await;

    let after = world(&shelf);
    assert_eq!(how(&after, "a").await, WARM);
    after.until("it is remembered", |world| world.engine().read().cache.entries == 1).await;
    assert_eq!(how(&after, "a").await, HOT);
    assert_eq!(how(&after, "b").await, ASKED);
    assert_eq!((shelf.reads(), shelf.kept()), (1, 2), "what came from there is not handed back");
    assert_eq!(after.script().asks(), 1, "only for b");
    after.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn what_comes_back_lives_no_longer_and_obeys_the_wishes_of_its_caller() {
    let shelf = Shelf::default();
    let before = world(&shelf);
    assert_eq!(how(&before, "a").await, ASKED);
    before.assert_quiet().await;

    let after = world(&shelf);
    after.pass_ms(4_000).await;
    let wish = |change: fn(&mut CacheWish)| {
        let mut wish = CacheWish::default();
        change(&mut wish);
        Ask::new("a").wish(wish)
    };
    let private = how(&after, Ask::new("a").workspace("other")).await;
    assert_eq!(private, ASKED, "another workspace has another key");
    assert_eq!(how(&after, wish(|wish| wish.only_kept = true)).await, WARM, "nobody is asked for it");
    after.pass_ms(6_000).await;
    assert_eq!(how(&after, "a").await, ASKED, "its time was over when it would have been in memory");
    after.assert_quiet().await;

    let shelf = Shelf::default();
    let before = world(&shelf);
    assert_eq!(how(&before, "a").await, ASKED);
    before.assert_quiet().await;
    let fresh = world(&shelf);
    fresh.pass_ms(600).await;
    assert_eq!(how(&fresh, wish(|wish| wish.max_age_ms = Some(500))).await, ASKED);
    assert_eq!(how(&fresh, wish(|wish| wish.read = false)).await, ASKED);
    fresh.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn items_of_an_embedding_are_found_one_by_one() {
    let shelf = Shelf::default();
    let before = world(&shelf);
    let keeping = Memory::Use(CacheWish::default());
    before.embed("default", &["a", "b"], keeping).await.expect("vectors");
    before.assert_quiet().await;

    let after = world(&shelf);
    let texts = ["b", "c", "a"];
    let embedded = after.embed("default", &texts, keeping).await.expect("vectors");
    assert!(are_vectors_of(&embedded, &texts));
    assert_eq!((embedded.items.hit, embedded.items.miss), (2, 1));
    assert_eq!(
        embedded.rows.iter().map(|row| row.tier()).collect::<Vec<_>>(),
        [Tier::Warm, Tier::Hot, Tier::Warm]
    );
    after.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_purge_reaches_what_is_behind_memory_before_it_returns() {
    let shelf = Shelf::default();
    let before = world(&shelf);
    for text in ["a", "b"] {
        how(&before, Ask::new(text).tag(text)).await;
    }
    before.assert_quiet().await;

    let after = world(&shelf);
    let only_a = PurgeFilter { tag: Some("a".into()), ..PurgeFilter::default() };
    assert_eq!(after.engine().purge(&only_a, true).await.expect("counted"), 1);
    assert_eq!(after.engine().purge(&only_a, false).await.expect("purged"), 1);
    assert_eq!(how(&after, Ask::new("a").tag("a")).await, ASKED);
    assert_eq!(how(&after, Ask::new("b").tag("b")).await, WARM);
    after.assert_quiet().await;
}

/// A read that had begun before a purge would put the answer back into memory after it.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn what_was_on_its_way_from_behind_memory_is_purged_too() {
    let shelf = Shelf::default();
    let before = world(&shelf);
    how(&before, "a").await;
    before.assert_quiet().await;

    let after = world(&shelf);
    shelf.hold();
    let caller = after.caller("a");
    after.until("it reads", |_| shelf.reads() == 1).await;
    assert_eq!(after.engine().purge(&PurgeFilter::default(), false).await.expect("purged"), 1);
    shelf.let_go();
    let heard = caller.await.expect("it ended").expect("answered");
    assert_eq!((heard.how(), after.script().asks()), ("miss", 1));
    after.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_store_that_does_not_answer_is_not_waited_for() {
    let shelf = Shelf::default();
    let before = world(&shelf);
    how(&before, "a").await;
    before.assert_quiet().await;

    let after = world(&shelf);
    shelf.hold();
    let began = after.now();
    assert_eq!(how(&after, "a").await, ASKED);
    assert_eq!(after.now().since(began).as_millis(), 500);
    shelf.let_go();
    after.assert_quiet().await;
}
