//! Callers that leave, at every point where they could be waiting.

use std::task::Poll;

use futures_util::poll;
use tidegate_actors::sim::{Ask, Play, World};
use tidegate_actors::{Body, Step};

/// Wherever the future is dropped, what it held comes home: every point it can wait at is tried.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_caller_may_leave_at_every_point_of_the_path() {
    let world = World::new().lane(1, 8).start();
    world.script().always(Play::answer().after_ms(3).events(3).every_ms(2));
    let mut finished = 0;
    for turns in 0..40 {
        for ask in [Ask::new("whole"), Ask::new("streamed").stream(), Ask::new("alone").undeclared()] {
            let call = world.chat(ask.tag(&turns.to_string()).header("turn", &turns.to_string()));
            tokio::pin!(call);
            for _ in 0..turns {
                if let Poll::Ready(answer) = poll!(call.as_mut()) {
                    answer.expect("answered");
                    finished += 1;
                    break;
                }
                world.engine().clock().sleep_until(world.now().plus_ms(1)).await;
            }
        }
    }
    assert!(finished > 10, "some stayed to the end: {finished}");
    world.assert_quiet().await;
}

/// A place in the queue is given up at once, not when its turn comes.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_caller_that_leaves_the_queue_frees_its_place_at_once() {
    let world = World::new().lane(1, 1).start();
    world.script().on("running", Play::hang());
    let running = world.caller("running");
    world.script().asked_times(1).await;
    let queued = world.caller("queued");
    world.until("it waits", |world| world.engine().read().lanes[0].depth == 1).await;
    let before = world.now();

    queued.abort();
    while world.engine().read().lanes[0].depth > 0 {
        tokio::task::yield_now().await;
    }

    assert_eq!(world.now(), before, "no time passed");
    let next = world.caller("takes the free place");
    world.until("it waits", |world| world.engine().read().lanes[0].depth == 1).await;
    world.script().release();
    running.await.expect("not aborted").expect("answered");
    next.await.expect("not aborted").expect("answered");
    assert!(world.script().asked().iter().all(|asked| asked.text != "queued"), "never sent");
    world.assert_quiet().await;
}

/// Nobody waits any more: the upstream request is cancelled, and the row says so.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_caller_that_leaves_alone_cancels_its_request() {
    let world = World::new().start();
    world.script().always(Play::hang());
    for ask in [Ask::new("declared"), Ask::new("undeclared").undeclared()] {
        let left = world.script().left();
        let caller = world.caller(ask);
        world.script().asked_times(left + 1).await;
        caller.abort();
        world.script().left_times(left + 1).await;
    }
    world.assert_quiet().await;
    assert!(world.books().attempts().iter().all(|(_, end)| end.status == "interrupted"));
    assert!(world.books().told().iter().all(|record| record.outcome == "abandoned"));
}

/// Somebody else waits for the same answer: the request goes on.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_caller_that_leaves_followers_behind_cancels_nothing() {
    let world = World::new().start();
    world.script().always(Play::hang());
    let payer = world.caller("shared");
    world.script().asked_times(1).await;
    let follower = world.caller("shared");
    world.until("both wait", |world| world.engine().read().active_operations == 2).await;

    payer.abort();
    world.pass_ms(100).await;
    assert_eq!((world.script().left(), world.engine().read().active_operations), (0, 1));
    world.script().release();

    let heard = follower.await.expect("not aborted").expect("answered");
    assert_eq!(heard.how(), "joined");
    assert_eq!(world.script().asks(), 1);
    world.assert_quiet().await;
}

/// A stream whose reader goes away mid-way is told as abandoned, and its request stopped.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_reader_that_drops_its_stream_stops_the_request() {
    let world = World::new().start();
    world.script().always(Play::answer().events(10).hold_after(2));
    let answered = world.open(Ask::new("streamed").stream()).await.expect("it began");
    let id = answered.id;
    let Body::Live { mut telling, .. } = answered.body else { panic!("a stream is live") };
    for _ in 0..2 {
        assert!(matches!(telling.step().await, Step::Piece(_)));
    }

    drop(telling);

    world.script().left_times(1).await;
    world.assert_quiet().await;
    assert_eq!(world.books().record(id).expect("told").outcome, "abandoned");
}
