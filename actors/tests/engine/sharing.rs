//! One upstream request for many callers: hits, joins, and what is not shared.

use tidegate_actors::sim::{Ask, Play, World};

/// Joining is a switch of its own: without it every call asks, and answers are remembered all the same.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn with_joining_off_answers_are_still_kept() {
    let world = World::new().config(|config| config.join = false).start();
    let answers = world.call_all(["same", "same"]).await;
    assert!(answers.iter().all(|answer| answer.as_ref().expect("answered").how() == "miss"));
    assert_eq!(world.script().asks(), 2);
    assert_eq!(world.chat("same").await.expect("answered").how(), "hit");
    world.assert_quiet().await;
}

/// What was answered once is answered again from memory, byte for byte, and costs nothing.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn the_second_of_two_equal_calls_is_a_hit_with_the_same_bytes() {
    let world = World::new().start();
    for ask in [Ask::new("whole"), Ask::new("streamed").stream()] {
        let first = world.chat(ask.clone()).await.expect("answered");
        let second = world.chat(ask).await.expect("answered");
        assert_eq!((first.how(), second.how()), ("miss", "hit"));
        assert_eq!(first.pieces, second.pieces);
        assert_eq!(first.key, second.key);
    }
    assert_eq!(world.script().asks(), 2);
    world.assert_quiet().await;
}

/// Callers who ask the same at the same time share one request.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn equal_calls_at_the_same_time_share_one_request() {
    let world = World::new().start();
    world.script().always(Play::answer().after_ms(50));

    let answers = world.call_all(["same"; 100]).await;

    let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("answered")).collect();
    assert_eq!(answers.iter().filter(|answer| answer.how() == "miss").count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.how() == "joined").count(), 99);
    assert!(answers.iter().all(|answer| answer.pieces == answers[0].pieces));
    assert_eq!(world.script().asks(), 1);
    world.assert_quiet().await;
}
