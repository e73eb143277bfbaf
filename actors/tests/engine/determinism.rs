//! The same questions have the same answers, whatever is switched on and however many ask at once.

use futures_util::{StreamExt, stream};
use tidegate_actors::call::{CacheWish, Memory};
use tidegate_actors::key::{Deny, Excused};
use tidegate_actors::sim::{Ask, Play, World, are_vectors_of};

/// How a run is set up.
#[derive(Debug, Clone, Copy)]
struct Setup {
    cache: bool,
    join: bool,
    concurrency: usize,
    deny: Deny,
}

const PLAIN: Setup = Setup { cache: false, join: false, concurrency: 1, deny: Deny::OPENAI_CHAT };

/// A key that forgot a field: what a careless edit of the list would do.
const FORGETFUL: Deny = Deny::new(&[
    Excused { field: "stream", why: "transport" },
    Excused { field: "top_p", why: "planted: it does change the answer" },
]);

/// 500 requests for 100 answers; each question in one form, neighbours differ in one field only.
fn requests() -> Vec<(String, bool)> {
    let request = |n: usize| {
        let question = (n * 37) % 100;
        let (text, top_p, streamed) = (question / 2, question % 2, question.is_multiple_of(3));
        let body = format!(
            r#"{{"temperature":0,"top_p":0.{top_p}1,"messages":[{{"role":"user","content":"question {text}"}}]}}"#
        );
        (body, streamed)
    };
    (0..500).map(request).collect()
}

async fn bodies(setup: Setup) -> (Vec<String>, usize) {
    let world = World::new().lane(64, 1_000).config(|config| config.join = setup.join).start();
    for text in 0..50 {
        let delay = (text * 7) % 13;
        world.script().on(&format!("question {text}"), Play::answer().after_ms(delay).every_ms(delay % 3));
    }
    let ask = |(body, streamed): (String, bool)| {
        let ask = Ask::body(body).deny(setup.deny);
        let ask = if streamed { ask.stream() } else { ask };
        world.chat(if setup.cache { ask } else { ask.undeclared() })
    };
    let asked = stream::iter(requests().into_iter().map(ask)).buffered(setup.concurrency);
    let bodies = asked.map(|heard| heard.expect("answered").text()).collect().await;
    world.assert_quiet().await;
    (bodies, world.script().asks())
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn five_hundred_requests_have_equal_bodies_whatever_is_switched_on() {
    let (reference, asks) = bodies(PLAIN).await;
    assert_eq!(asks, 500, "nothing is shared in the reference");
    for cache in [false, true] {
        for join in [false, true] {
            for concurrency in [1, 32] {
                let setup = Setup { cache, join, concurrency, ..PLAIN };
                let (bodies, asks) = bodies(setup).await;
                assert!(bodies == reference, "other bodies with {setup:?}");
                if cache && (join || concurrency == 1) {
                    assert_eq!(asks, 100, "each question once with {setup:?}");
                }
            }
        }
    }
}

/// The comparison above can fail: a key that leaves out one field that matters gives somebody else's answer.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_key_that_forgets_a_field_is_caught_by_the_comparison() {
    let (reference, _) = bodies(PLAIN).await;
    for concurrency in [1, 32] {
        let planted = Setup { cache: true, join: true, concurrency, deny: FORGETFUL };
        let (bodies, asks) = bodies(planted).await;
        assert!(bodies != reference && asks < 100, "the planted fault went unseen");
    }
}

/// Vectors come home in order, whoever they travelled with.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn embeddings_are_equal_whatever_travels_together() {
    for mix_calls in [false, true] {
        for memory in [Memory::Bypass("off"), Memory::Use(CacheWish::default())] {
            for concurrency in [1, 32] {
                let world = World::new().config(|config| config.batch.mix_calls = mix_calls).start();
                world.script().always(Play::answer().after_ms(3));
                let ask = |n: usize| {
                    let texts: Vec<String> =
                        (0..1 + n % 5).map(|at| format!("text {}", (n * 31 + at * 7) % 60)).collect();
                    let told = world.embed("default", &texts, memory);
                    async move { are_vectors_of(&told.await.expect("answered"), &texts) }
                };
                let right = stream::iter((0..200).map(ask)).buffered(concurrency);
                let right: Vec<bool> = right.collect().await;
                assert!(
                    right.iter().all(|right| *right),
                    "mixed {mix_calls}, {memory:?}, {concurrency} at once"
                );
                world.assert_quiet().await;
            }
        }
    }
}
