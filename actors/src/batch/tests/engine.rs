//! Embedding calls through a whole engine.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;

use super::harness::{Told, Twist, World, assert_flavour, assert_vectors};
use crate::cache::PurgeFilter;
use crate::call::{CacheWish, Call, EmbedWork, Memory};
use crate::engine::{Engine, Placement};
use crate::error::{Blame, Retry};
use crate::pipeline::Outcome;

fn error_of(told: Told) -> (&'static str, String) {
    let error = told.expect_err("it must fail");
    (error.kind.name(), error.to_string())
}

fn counts(told: &Told) -> (u32, u32, u32) {
    let items = told.as_ref().expect("answered").items;
    (items.hit, items.joined, items.miss)
}

#[actix_rt::test]
async fn two_hundred_clients_with_a_text_each_share_a_few_requests_and_get_their_own_vectors() {
    let world = World::new(|_| {});
    world.up.hold();
    let texts: Vec<String> = (0..200).map(|client| format!("text of client {client}")).collect();
    let calls: Vec<_> = texts.iter().map(|text| world.spawn(world.call("default", &[text]))).collect();
    world.settle().await;
    world.up.release();
    for (call, text) in calls.into_iter().zip(&texts) {
        let told = call.await.expect("no panic").expect("answered");
        assert_eq!(told.outcome, Outcome::Miss);
        assert_vectors(&told, &[text]);
    }
    let asks = world.up.asked();
    assert!(asks.len() <= 3, "200 rows travelled in {} requests", asks.len());
    assert_eq!(asks.iter().map(Vec::len).sum::<usize>(), 200, "each exactly once");
    world.assert_quiet().await;
}

#[actix_rt::test]
async fn hits_joined_rows_and_misses_of_one_call_come_back_in_the_order_of_its_items() {
    let world = World::new(|_| {});
    assert_eq!(counts(&world.embed(&["a", "b"]).await), (0, 0, 2));
    world.up.hold();
    let other = world.spawn(world.call("default", &["c"]));
    world.settle().await;
    let mixed = world.spawn(world.call("default", &["d", "c", "b", "a", "d"]));
    world.settle().await;
    world.up.release();
    let mixed = mixed.await.expect("no panic");
    assert_eq!(counts(&mixed), (2, 2, 1), "a and b are remembered, c and the second d shared");
    let mixed = mixed.expect("answered");
    assert_eq!(mixed.outcome, Outcome::Mixed);
    assert_vectors(&mixed, &["d", "c", "b", "a", "d"]);
    assert_vectors(&other.await.expect("no panic").expect("answered"), &["c"]);
    assert_eq!(world.up.asked(), [vec!["a", "b"], vec!["c"], vec!["d"]]);
    let again = world.embed(&["d", "c", "b", "a"]).await.expect("answered");
    assert_eq!(again.outcome, Outcome::Hit);
    assert_vectors(&again, &["d", "c", "b", "a"]);
    world.assert_quiet().await;
}

#[actix_rt::test]
async fn a_rejected_item_is_named_by_its_place_and_all_others_are_answered_and_kept() {
    let world = World::new(|_| {});
    world.up.hold();
    let opening = world.spawn(world.call("default", &["first"]));
    world.settle().await; // the next rows wait together for the second slot's batch
    let texts = ["w", "x", "poison", "y", "z"];
    let bad = world.spawn(world.call("default", &texts));
    let good = world.spawn(world.call("default", &["x", "fine"]));
    world.settle().await;
    world.up.release();
    let (name, said) = error_of(bad.await.expect("no panic"));
    assert_eq!(name, "upstream_rejected");
    assert!(said.contains("input[2]: not allowed"), "{said}");
    assert_vectors(&good.await.expect("no panic").expect("answered"), &["x", "fine"]);
    assert_vectors(&opening.await.expect("no panic").expect("answered"), &["first"]);
    let asks = world.up.asked().len();
    let kept = world.embed(&["w", "x", "y", "z"]).await;
    assert_eq!(counts(&kept), (4, 0, 0));
    assert_eq!(world.up.asked().len(), asks);
    world.assert_quiet().await;
}

#[actix_rt::test]
async fn the_only_item_of_a_call_gets_the_upstreams_own_words() {
    let world = World::new(|_| {});
    let error = world.embed(&["poison"]).await.expect_err("rejected");
    assert_eq!((error.blame, error.retry), (Blame::Caller, Retry::Never));
    let crate::error::ErrorKind::Upstream { fault, .. } = error.kind else { panic!("not the upstream's") };
    assert_eq!((fault.item, fault.what.as_str()), (Some(0), "not allowed"));
    assert!(fault.body.is_some());
    assert_eq!(world.up.asked().len(), 1);
}

#[actix_rt::test]
async fn a_request_wrong_as_a_whole_costs_one_descent_and_not_two_requests_an_item() {
    let world = World::new(|_| {});
    let texts: Vec<String> = (0..64).map(|item| format!("poison {item}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (_, said) = error_of(world.embed(&texts).await);
    assert!(said.contains("input[0]"), "{said}");
    assert_eq!(world.up.asked().len(), 8, "64, 32, 16, 8, 4, 2, 1 and its neighbour");
    world.assert_quiet().await;
}

#[actix_rt::test]
async fn an_answer_that_makes_no_sense_is_the_upstreams_fault_nothing_of_it_is_kept_and_a_retry_works() {
    for (twist, said) in [
        (Twist::OneShort, "1 vectors for 2 items"),
        (Twist::NotFinite, "not finite"),
        (Twist::Broken, "it broke"),
        (Twist::Busy, "busy"),
    ] {
        let world = World::new(|_| {});
        world.up.twist(&[twist]);
        world.spare.twist(&[twist]);
        let (name, text) = error_of(world.embed(&["a", "b"]).await);
        assert!(name.starts_with("upstream_") && text.contains(said), "{name} {text}");
        let again = world.embed(&["a", "b"]).await;
        assert_eq!(counts(&again), (0, 0, 2));
        assert_vectors(&again.expect("answered"), &["a", "b"]);
        world.assert_quiet().await;
    }
}

#[actix_rt::test]
async fn when_a_target_fails_all_vectors_of_the_call_come_from_the_next() {
    let world = World::new(|_| {});
    assert!(world.embed(&["a"]).await.is_ok());
    world.up.twist(&[Twist::Broken]);
    let texts = ["a", "b"];
    let told = world.embed(&texts).await.expect("the spare answers");
    assert_eq!(&*told.target, "spare/m");
    assert_flavour(&told, &texts, u64::MAX);
    assert_eq!(world.spare.asked(), [vec!["a", "b"]], "vectors of two models are never mixed");
}

#[actix_rt::test]
async fn rows_of_a_caller_that_left_never_travel_and_a_batch_nobody_waits_for_is_cancelled() {
    let world = World::new(|config| config.batch.in_flight_batches = 1);
    world.up.hold();
    let flying = world.spawn(world.call("default", &["a"]));
    world.settle().await;
    let waiting = world.spawn(world.call("default", &["b"]));
    world.settle().await;
    waiting.abort();
    world.settle().await;
    assert_eq!(world.engine.read().rows_waiting.0, 0);
    flying.abort();
    world.settle().await;
    assert_eq!(world.up.cancelled.load(Ordering::SeqCst), 1);
    assert_eq!(world.up.asked(), [vec!["a"]]);
    world.assert_quiet().await;
}

#[actix_rt::test]
async fn a_caller_that_may_come_back_finds_its_row_still_in_the_air() {
    let world = World::new(|_| {});
    world.up.hold();
    let mut call = world.call("default", &["a"]);
    call.client_attempt = Some(0);
    let gone = world.spawn(call);
    world.settle().await;
    gone.abort();
    world.settle().await;
    let back = world.spawn(world.call("default", &["a"]));
    world.settle().await;
    tokio::time::advance(Duration::from_secs(10)).await; // the grace is over, and somebody waits
    world.settle().await;
    world.up.release();
    assert_vectors(&back.await.expect("no panic").expect("answered"), &["a"]);
    assert_eq!(world.up.asked().len(), 1);
    world.assert_quiet().await;
}

#[actix_rt::test]
async fn a_call_that_does_not_fit_is_refused_whole_with_what_it_needs_to_know() {
    let world = World::new(|config| {
        config.batch.max_rows = 4;
        config.batch.in_flight_batches = 1;
    });
    world.up.hold();
    let flying = world.spawn(world.call("default", &["a"]));
    world.settle().await;
    let waiting = world.spawn(world.call("default", &["b", "c"]));
    world.settle().await;
    let refused = world.embed(&["d", "e", "f"]).await.expect_err("three rows too many");
    assert_eq!((refused.kind.name(), refused.blame, refused.retry.name()), ("rows_full", Blame::Us, "after"));
    assert!(refused.to_string().contains("4 embedding rows"), "{refused}");
    assert!(refused.to_string().contains("2 waiting rows are yours"), "{refused}");
    world.up.release();
    assert!(flying.await.expect("no panic").is_ok() && waiting.await.expect("no panic").is_ok());
    world.assert_quiet().await;
}

#[actix_rt::test]
async fn a_full_lane_refuses_the_rows_that_wait_for_it() {
    let world = World::new(|config| {
        config.max_concurrency = 2;
        config.queue_jobs = 1;
    });
    world.up.hold();
    let mut calls = Vec::new();
    for variant in ["a", "b", "c"] {
        let mut call = world.call("default", &["x"]);
        call.affecting = [(Box::from("openai-beta"), Box::from(variant))].into(); // a batcher each
        calls.push(world.spawn(call));
        world.settle().await;
    }
    let third = calls.pop().expect("three were made");
    let (name, _) = error_of(third.await.expect("no panic"));
    assert_eq!(name, "lane_full", "one flies, one waits in the lane");
    world.up.release();
    for call in calls {
        assert_vectors(&call.await.expect("no panic").expect("answered"), &["x"]);
    }
    world.assert_quiet().await;
}

#[actix_rt::test]
async fn with_batching_sharing_and_memory_on_or_off_the_vectors_are_the_same() {
    let texts: Vec<Vec<String>> =
        (0..40).map(|call| (0..=call % 5).map(|item| format!("t{}", (call * item) % 13)).collect()).collect();
    for switches in 0..8 {
        let world = World::new(|config| {
            config.batch.mix_calls = switches & 1 == 0;
            config.join = switches & 2 == 0;
        });
        let spawn = |texts: &Vec<String>| {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let mut call = world.call("default", &texts);
            if switches & 4 != 0 {
                call.memory = Memory::Bypass("off");
            }
            world.spawn(call)
        };
        let calls: Vec<_> = texts.iter().map(spawn).collect();
        for (call, texts) in calls.into_iter().zip(&texts) {
            let told = call.await.expect("no panic").expect("answered");
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            assert_vectors(&told, &texts);
            let tokens: usize = texts.iter().map(|text| text.len() * 2).sum();
            assert_eq!(told.tokens(), tokens as u64, "switches {switches:03b}");
        }
        if switches & 1 != 0 {
            assert!(world.up.asked().len() <= texts.len(), "no call is torn apart");
        }
        world.assert_quiet().await;
    }
}

#[actix_rt::test]
async fn workspaces_never_share_a_row() {
    let world = World::new(|_| {});
    world.up.hold();
    let calls = ["one", "two"].map(|workspace| world.spawn(world.call(workspace, &["a"])));
    world.settle().await;
    world.up.release();
    for call in calls {
        assert_eq!(counts(&call.await.expect("no panic")), (0, 0, 1));
    }
    assert_eq!(world.up.asked().concat(), ["a", "a"]);
}

#[actix_rt::test]
async fn only_kept_and_purged_items_are_what_they_say() {
    let world = World::new(|_| {});
    assert!(world.embed(&["a"]).await.is_ok());
    let mut call = world.call("default", &["a", "b"]);
    call.memory = Memory::Use(CacheWish { only_kept: true, ..CacheWish::default() });
    assert_eq!(error_of(world.engine.embed(call.clone()).await).0, "not_cached");
    world.up.hold();
    let flying = world.spawn(world.call("default", &["b"]));
    world.settle().await;
    let purged = world.engine.purge(&PurgeFilter::default(), false).await;
    assert_eq!(purged.expect("the cache lives"), 1);
    world.up.release();
    assert!(flying.await.expect("no panic").is_ok(), "its caller asked before the purge");
    assert_eq!(counts(&world.embed(&["a", "b"]).await), (0, 0, 2), "and nothing of it was kept");
    world.assert_quiet().await;
}

#[actix_rt::test]
async fn a_batcher_leaves_when_it_was_idle_and_the_next_call_makes_a_new_one() {
    let world = World::new(|config| config.batch.idle_ms = 1_000);
    assert!(world.embed(&["a"]).await.is_ok());
    assert_eq!(world.engine.read().batchers.len(), 1);
    let clock = world.engine.clock();
    clock.sleep_until(clock.now().plus_ms(2_500)).await;
    world.settle().await;
    assert_eq!(world.engine.read().batchers, []);
    assert_vectors(&world.embed(&["b"]).await.expect("answered"), &["b"]);
}

#[actix_rt::test]
async fn of_more_batchers_than_allowed_an_idle_one_makes_room_and_a_busy_one_does_not() {
    let world = World::new(|config| config.batch.max_batchers = 1);
    let variant = |value: &str| {
        let mut call = world.call("default", &["x"]);
        call.affecting = [(Box::from("openai-beta"), Box::from(value))].into();
        call
    };
    assert!(world.engine.embed(variant("1")).await.is_ok());
    assert!(world.engine.embed(variant("2")).await.is_ok(), "the first was idle");
    world.up.hold();
    let busy = world.spawn(variant("3"));
    world.settle().await;
    let (name, said) = error_of(world.engine.embed(variant("4")).await);
    assert!(name == "rows_full" && said.contains("1 embedding batchers"), "{said}");
    world.up.release();
    assert!(busy.await.expect("no panic").is_ok());
    world.assert_quiet().await;
}

/// Callers on threads of their own, rows shared across them, some callers leaving: whatever the timing, each
/// that stays gets the vectors of its texts, and nothing is left behind.
#[actix_rt::test]
async fn callers_on_many_threads_get_their_own_vectors_whatever_the_timing() {
    let world = World::new(|config| {
        config.placement = Placement::Own;
        config.batch.max_items = 5;
    });
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            let calls: Vec<_> = (0..250_u64).map(|call| crowd_call(&world, thread, call)).collect();
            let engine = world.engine.clone();
            std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
                runtime.block_on(crowd(&engine, calls));
            })
        })
        .collect();
    while !threads.iter().all(std::thread::JoinHandle::is_finished) {
        tokio::task::yield_now().await;
    }
    for thread in threads {
        thread.join().expect("every vector was right");
    }
    while world.engine.read().batchers.iter().any(|batcher| batcher.batches + batcher.in_air > 0) {
        tokio::task::yield_now().await; // the last batch nobody waits for lands on its own thread
    }
    let mut answered = world.up.answered.lock().clone();
    let all = answered.len();
    answered.sort_unstable();
    answered.dedup();
    assert_eq!(answered.len(), all, "a row that landed is found before it leaves the air");
    world.assert_quiet().await;
}

/// A call of up to four of 300 texts, and whether its caller leaves at once.
fn crowd_call(world: &World, thread: u64, call: u64) -> (Call<EmbedWork>, Vec<String>, bool) {
    let draw = xxhash_rust::xxh3::xxh3_64(&[thread.to_le_bytes(), call.to_le_bytes()].concat());
    let texts: Vec<String> =
        (0..=draw % 4).map(|item| format!("text {}", (draw >> (8 * item)) % 300)).collect();
    let words: Vec<&str> = texts.iter().map(String::as_str).collect();
    (world.call("default", &words), texts, draw.is_multiple_of(7))
}

async fn crowd(engine: &Engine, calls: Vec<(Call<EmbedWork>, Vec<String>, bool)>) {
    let calls = calls.into_iter().map(|(call, texts, leaves)| async move {
        let answer = engine.embed(call);
        if leaves {
            tokio::pin!(answer);
            return drop(futures_util::poll!(&mut answer)); // asked once and dropped
        }
        let told = answer.await.expect("the upstream answers everything");
        assert_vectors(&told, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    });
    // Eight at once, so that rows of one thread meet as well.
    let mut waves = futures_util::stream::iter(calls).buffer_unordered(8);
    while waves.next().await.is_some() {}
}
