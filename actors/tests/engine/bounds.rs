//! Every buffer is filled to the brim, and its own reading is held against its configured bound.

use tidegate_actors::ports::ledger::Refusal;
use tidegate_actors::ports::provider::FaultKind;
use tidegate_actors::sim::{Ask, Play, World};
use tidegate_actors::{Body, CacheLimits, Capacity};

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_full_lane_queue_reads_its_bound_and_takes_no_more() {
    let world = World::new().lane(3, 10).start();
    world.script().always(Play::hang());
    let callers: Vec<_> = (0..40).map(|n| world.caller(format!("question {n}"))).collect();
    world.until("27 are refused", |world| world.engine().read().lanes[0].refused_full == 27).await;
    let lane = &world.engine().read().lanes[0];
    assert_eq!((lane.depth, lane.queue_jobs), (10, 10));
    assert_eq!((lane.in_flight, lane.in_flight_jobs), (3, 3));
    world.script().always(Play::answer());
    world.script().release();
    for caller in callers {
        drop(caller.await.expect("not aborted"));
    }
    world.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn the_gate_admits_its_limit_and_refuses_the_next() {
    let world = World::new().config(|config| config.max_operations = 5).start();
    world.script().always(Play::hang());
    let callers: Vec<_> = (0..5).map(|n| world.caller(format!("question {n}"))).collect();
    world.script().asked_times(5).await;
    let refused = world.chat("one too many").await.expect_err("five are in progress");
    assert_eq!((refused.kind.name(), refused.stage.name()), ("overloaded", "admit"));
    let reading = world.engine().read();
    assert_eq!((reading.active_operations, reading.max_operations), (5, 5));
    world.script().release();
    for caller in callers {
        caller.await.expect("not aborted").expect("answered");
    }
    world.assert_quiet().await;
}

/// What cannot be written down is not begun: neither a call nor a request of a call that is under way.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_ledger_that_takes_no_more_rows_refuses_calls_and_requests_and_says_why() {
    let world = World::new().start();
    world.chat("kept").await.expect("answered");
    let full = Refusal::Full { rows: 7 };
    world.books().refuse(Some(full));
    let refused = world.chat("kept").await.expect_err("not even a hit goes unrecorded");
    assert_eq!((refused.kind.name(), refused.stage.name()), ("ledger_full", "admit"));
    assert_eq!(refused.retry.name(), "after");
    assert!(refused.to_string().contains("7 rows"), "{refused}");
    assert_eq!(world.metric("tidegate_calls_unbooked_total", &[]), 1);
    world.books().refuse(None);

    world.script().always(Play::fail(FaultKind::Broken { status: Some(503) }));
    let caller = world.caller("another");
    world.script().asked_times(2).await;
    world.books().refuse(Some(Refusal::Failing { why: "the disk is full".into() }));
    let refused = caller.await.expect("not aborted").expect_err("its second request cannot be written down");
    assert_eq!((refused.kind.name(), refused.stage.name()), ("ledger_failing", "act"));
    assert_eq!(world.script().asks(), 2, "the first of each call");
    world.books().refuse(None);
    world.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn the_cache_stays_within_its_bytes_however_much_is_answered() {
    let limit = 64 << 10;
    let limits = CacheLimits { capacity: Capacity::Bytes(limit), max_entry_bytes: 8 << 10 };
    let world = World::new().config(|config| config.cache = limits).start();
    let mut most = 0;
    for n in 0..400 {
        world.chat(format!("question {n}")).await.expect("answered");
        most = most.max(world.engine().read().cache.bytes);
    }
    let cache = world.engine().read().cache;
    assert!(most <= limit && most > limit / 2, "{most} of {limit} bytes");
    assert_eq!(cache.kept, 400);
    assert_eq!(cache.evicted as usize, 400 - cache.entries);
    world.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn an_answer_too_large_for_an_entry_is_told_and_not_kept() {
    let limits = CacheLimits { capacity: Capacity::Bytes(1 << 20), max_entry_bytes: 600 };
    let world = World::new().config(|config| config.cache = limits).start();
    let long = "x".repeat(1_000);
    world.chat(long.clone()).await.expect("answered");
    assert_eq!(world.chat(long).await.expect("answered").how(), "miss");
    assert_eq!(world.engine().read().cache.entries, 0);
    world.assert_quiet().await;
}

/// A reader that does not read holds its flight at the limit, not the answer's length.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_flight_holds_no_more_than_its_limit_for_a_reader_that_does_not_read() {
    let limit = 1_000;
    let world = World::new().config(|config| config.flight_max_bytes = limit).start();
    world.script().always(Play::answer().events(1_000));
    let answered = world.open(Ask::new("long").stream()).await.expect("it began");
    let Body::Live { telling, .. } = answered.body else { panic!("a stream is live") };
    world.pass_ms(100).await;

    let held = world.engine().read().flight_bytes as usize;

    let piece = 80;
    assert!(held > limit && held <= limit + piece, "{held} bytes held, {limit} allowed and one piece more");
    assert_eq!(world.metric("tidegate_flight_bytes", &[]), held as u64);
    drop(telling);
    world.assert_quiet().await;
    assert_eq!(world.engine().read().flight_bytes, 0, "and nothing when it is over");
}

/// Callers that leave give their permits home, and an answer that is complete needs no slot: what waits for them to come
/// back would pile up.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn no_more_answers_wait_for_callers_that_left_than_operations_may_be_in_progress() {
    let left = |n: usize| Ask::new(&format!("left {n}")).undeclared().credential(7);
    for complete in [false, true] {
        let world = World::new().config(|config| config.max_operations = 5).start();
        world.script().always(if complete { Play::answer().after_ms(100) } else { Play::hang() });
        let mut waiting = Vec::new();
        for n in 0..8 {
            let caller = world.caller(left(n).attempt(0));
            world.script().asked_times(n + 1).await;
            caller.abort();
            world.until("it left", |world| world.engine().read().active_operations == 0).await;
            if complete {
                world.pass_ms(110).await;
            }
            waiting.push(world.engine().read().orphans);
        }
        assert_eq!(waiting.iter().map(|(orphans, _)| *orphans).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 5, 5, 5]);
        assert!(waiting.iter().all(|(_, limit)| *limit == 5));
        let flights = world.engine().read().flights;
        assert_eq!(
            (flights, world.metric("tidegate_flights_cancelled_total", &[])),
            (if complete { 0 } else { 5 }, 3)
        );

        world.script().always(Play::answer());
        let gone = world.chat(left(7).attempt(1)).await.expect("answered");
        let (kept, ()) = tokio::join!(world.chat(left(0).attempt(1)), async {
            world.pass_ms(1).await;
            world.script().release();
        });
        assert_eq!(
            (kept.expect("answered").how(), gone.how()),
            ("joined", "not_declared"),
            "complete: {complete}"
        );
        world.assert_quiet().await;
        assert_eq!(world.engine().read().orphans.0, 0);
    }
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn the_ring_of_recent_calls_forgets_the_oldest() {
    let world = World::new().config(|config| config.explain_calls = 16).start();
    let first = world.chat("question 0").await.expect("answered").id;
    assert!(world.engine().explain(first).is_some());
    for n in 1..=16 {
        world.chat(format!("question {n}")).await.expect("answered");
    }
    assert_eq!(world.engine().read().recorded, (16, 17));
    assert!(world.engine().explain(first).is_none(), "its place was taken");
    world.assert_quiet().await;
}
