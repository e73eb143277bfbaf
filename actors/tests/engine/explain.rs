//! Why an answer came out as it did.

use tidegate_actors::call::{CacheWish, Memory};
use tidegate_actors::sim::{Ask, Play, Script, World};
use tidegate_actors::{BreakerRules, RetryRules, UpstreamLimits};

fn asks(top_p: &str) -> Ask {
    Ask::body(format!(
        r#"{{"temperature":0,"top_p":{top_p},"messages":[{{"role":"user","content":"why"}}]}}"#
    ))
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_miss_names_the_field_in_which_the_nearest_call_differs() {
    let world = World::new().start();
    world.chat("something else entirely").await.expect("answered");
    let near = world.chat(asks("0.9")).await.expect("answered");
    let miss = world.chat(asks("0.8")).await.expect("answered");

    let (record, nearest) = world.engine().explain(miss.id).expect("it is recent");

    let nearest = nearest.expect("there is one to compare with");
    assert_eq!((record.reason, nearest.id), ("absent", near.id));
    let (own, other) = (record.fields.expect("a miss has a sketch"), nearest.fields.expect("and so has it"));
    assert_eq!(own.diff(&other), ["top_p"]);
    world.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn hits_and_joined_calls_point_to_the_call_that_paid() {
    let world = World::new().start();
    world.script().always(Play::answer().after_ms(20));
    let answers = world.call_all([asks("0.9"), asks("0.9")]).await;
    let id = |at: usize| answers[at].as_ref().expect("answered").id;
    let (payer, joined) = (id(0), id(1));
    let hit = world.chat(asks("0.9")).await.expect("answered").id;
    for id in [joined, hit] {
        let (record, nearest) = world.engine().explain(id).expect("it is recent");
        assert_eq!((record.payer, nearest.map(|record| record.id)), (Some(payer), Some(payer)));
    }
    world.assert_quiet().await;
}

/// The requests behind an embedding call: alone, remembered, asked again, in two batches, at another target, in vain.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn an_embedding_call_says_how_many_requests_it_took() {
    let limits = UpstreamLimits {
        retry: RetryRules { retries: 2, base_ms: 1, ..RetryRules::default() },
        breaker: BreakerRules { failures: 1_000, ..BreakerRules::default() },
        ..UpstreamLimits::default()
    };
    let world = World::new().model("test-model", &["a", "b"]).limits(limits);
    let world = world.config(|config| config.batch.max_items = 2).start();
    let attempts = |texts: &'static [&'static str]| {
        let asked = world.embed("default", texts, Memory::Use(CacheWish::default()));
        async {
            let answered = asked.await.is_ok();
            (answered, world.books().told().last().expect("told").attempts)
        }
    };
    assert_eq!(attempts(&["one"]).await, (true, 1));
    assert_eq!(attempts(&["one"]).await, (true, 0), "remembered");
    assert_eq!(attempts(&["one", "two", "three", "four"]).await, (true, 2), "two batches of two");

    for provider in ["a", "b"] {
        world.script_of(provider).next(Play::fail(Script::BROKEN));
    }
    assert_eq!(attempts(&["again"]).await, (true, 2), "the second attempt was answered");
    for provider in ["a", "b"] {
        world.script_of(provider).always(Play::fail(Script::BROKEN));
    }
    assert_eq!(attempts(&["in vain"]).await, (false, 6), "three at each of two targets");
    let before = world.script_of("a").asks();
    world.script_of("b").always(Play::answer());
    let elsewhere = attempts(&["elsewhere"]).await;
    let first = world.script_of("a").asks() - before;
    assert_eq!(elsewhere, (true, u32::try_from(first).expect("few") + 1));
    world.assert_quiet().await;
}

/// What was asked in vain was asked all the same.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_call_that_failed_says_how_many_requests_it_took() {
    let world = World::new().start();
    world.script().always(Play::fail(Script::BROKEN));
    world.chat("in vain").await.expect_err("it is broken");
    assert_eq!(world.books().told()[0].attempts as usize, world.script().asks());
    assert_eq!(world.script().asks(), 3);
    world.assert_quiet().await;
}
