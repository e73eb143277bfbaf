//! What is kept, for how long, and what is not.

use tidegate_actors::sim::{Ask, Play, World};
use tidegate_actors::{CacheLimits, Capacity, call::CacheWish};

async fn how(world: &World, ask: impl Into<Ask>) -> &'static str {
    world.chat(ask).await.expect("answered").how()
}

fn wish(change: impl FnOnce(&mut CacheWish)) -> CacheWish {
    let mut wish = CacheWish::default();
    change(&mut wish);
    wish
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn an_entry_is_an_answer_until_its_time_is_over_and_then_it_goes() {
    let world = World::new().config(|config| config.ttl_ms = [1_000; 3]).start();
    assert_eq!(how(&world, "a").await, "miss");
    world.pass_ms(999).await;
    assert_eq!(how(&world, "a").await, "hit");
    world.pass_ms(1).await;
    assert_eq!(how(&world, "a").await, "miss", "its time is over");
    world.pass_ms(3_000).await;
    let cache = world.engine().read().cache;
    assert_eq!((cache.entries, cache.bytes), (0, 0), "what nobody asks for again is swept");
    assert!(cache.expired > 0);
    world.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_caller_may_refuse_answers_older_than_it_likes() {
    let world = World::new().start();
    let fresh = |ms| Ask::new("a").wish(wish(|wish| wish.max_age_ms = Some(ms)));
    assert_eq!(how(&world, "a").await, "miss");
    world.pass_ms(500).await;
    assert_eq!(how(&world, fresh(500)).await, "hit");
    assert_eq!(how(&world, fresh(499)).await, "miss");
    assert_eq!(how(&world, fresh(499)).await, "hit", "the fresh answer took the place of the old");
    world.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn only_if_cached_never_asks_anybody() {
    let world = World::new().start();
    let only = || Ask::new("a").wish(wish(|wish| wish.only_kept = true));
    let refused = world.chat(only()).await.expect_err("nothing is kept");
    assert_eq!((refused.kind.name(), world.script().asks()), ("not_cached", 0));
    assert_eq!(how(&world, "a").await, "miss");
    assert_eq!(how(&world, only()).await, "hit");
    world.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn no_store_neither_keeps_nor_shares_what_it_asked() {
    let world = World::new().start();
    world.script().always(Play::answer().after_ms(20));
    let private = || Ask::new("a").wish(wish(|wish| wish.keep = false));
    let answers = world.call_all([private(), private()]).await;
    assert!(answers.iter().all(|answer| answer.as_ref().expect("answered").how() == "miss"));
    assert_eq!((world.script().asks(), world.engine().read().cache.entries), (2, 0));
    world.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn no_cache_asks_anew_and_keeps_the_new_answer() {
    let world = World::new().start();
    assert_eq!(how(&world, "a").await, "miss");
    assert_eq!(how(&world, Ask::new("a").wish(wish(|wish| wish.read = false))).await, "miss");
    assert_eq!(how(&world, "a").await, "hit");
    assert_eq!((world.script().asks(), world.engine().read().cache.entries), (2, 1));
    world.assert_quiet().await;
}

/// `cache_size = 128`: the 129th answer takes the place of the one that was read longest ago.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_cache_of_128_entries_gives_up_the_least_recently_used() {
    let limits = CacheLimits { capacity: Capacity::Entries(128), max_entry_bytes: 1 << 20 };
    let world = World::new().config(|config| config.cache = limits).start();
    for n in 0..128 {
        assert_eq!(how(&world, format!("question {n}")).await, "miss");
    }
    assert_eq!(how(&world, "question 0").await, "hit", "read again: not the oldest any more");
    assert_eq!(how(&world, "question 128").await, "miss");
    let cache = world.engine().read().cache;
    assert_eq!((cache.entries, cache.evicted), (128, 1));
    let only = |n| Ask::new(&format!("question {n}")).wish(wish(|wish| wish.only_kept = true));
    assert!(world.chat(only(0)).await.is_ok());
    assert_eq!(world.chat(only(1)).await.expect_err("evicted").kind.name(), "not_cached");
    assert!(world.chat(only(2)).await.is_ok());
    world.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_cache_of_no_entries_keeps_nothing_and_still_joins() {
    let limits = CacheLimits { capacity: Capacity::Entries(0), max_entry_bytes: 1 << 20 };
    let world = World::new().config(|config| config.cache = limits).start();
    world.script().always(Play::answer().after_ms(20));
    let answers = world.call_all(["a", "a"]).await;
    let how_all: Vec<_> = answers.iter().map(|answer| answer.as_ref().expect("answered").how()).collect();
    assert_eq!(how_all, ["miss", "joined"]);
    assert_eq!(how(&world, "a").await, "miss");
    assert_eq!(world.engine().read().cache.entries, 0);
    world.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn an_answer_that_was_stopped_short_is_told_and_not_kept_unless_configured() {
    for (configured, second) in [(false, "miss"), (true, "hit")] {
        let world = World::new().config(|config| config.keep_cut_answers = configured).start();
        world.script().always(Play::answer().stopped_short());
        assert_eq!(how(&world, "long").await, "miss");
        assert_eq!(how(&world, "long").await, second);
        world.assert_quiet().await;
    }
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_failure_is_told_and_not_kept() {
    let world = World::new().start();
    world.script().next(Play::fail(tidegate_actors::sim::Script::REJECTED));
    assert_eq!(world.chat("a").await.expect_err("rejected").kind.name(), "upstream_rejected");
    assert_eq!(how(&world, "a").await, "miss");
    assert_eq!(how(&world, "a").await, "hit");
    world.assert_quiet().await;
}
