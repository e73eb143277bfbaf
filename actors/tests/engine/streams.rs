//! Many readers of one stream.

use tidegate_actors::sim::{Ask, Play, World};

/// A fixed sequence that looks random, so that a failure can be run again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A thousand readers come while the stream runs, fifty leave in the middle: one request, nobody harmed, and
/// whoever came late has the whole from the first event on.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_thousand_equal_streams_cost_one_request_and_leavers_harm_nobody() {
    let world = World::new().start();
    world.script().always(Play::answer().events(40).every_ms(10));
    let mut dice = Dice(11);
    let mut readers = Vec::new();
    for n in 0..1_000 {
        readers.push(Some(world.caller(Ask::new("the same").stream())));
        if n % 4 == 0 {
            world.pass_ms(1).await;
        }
        if n % 20 == 19 {
            let leaver = readers[dice.below(n + 1) as usize].take();
            leaver.inspect(|reader| reader.abort());
        }
    }

    let mut heard = Vec::new();
    for reader in readers.into_iter().flatten() {
        heard.push(reader.await.expect("not aborted").expect("heard to the end"));
    }

    assert_eq!((world.script().asks(), world.script().left()), (1, 0));
    assert!(heard.len() >= 950, "{} stayed", heard.len());
    let whole = &heard[0].pieces;
    assert_eq!(whole.len(), 40);
    assert!(heard.iter().all(|reader| reader.pieces == *whole), "everybody has the same events");
    assert_eq!(heard.iter().filter(|reader| reader.how() == "miss").count(), 1);
    world.assert_quiet().await;
}

/// The payer is one of them: its leaving harms nobody either.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn the_first_reader_may_leave_its_stream_to_the_others() {
    let world = World::new().start();
    world.script().always(Play::answer().events(5).every_ms(10));
    let first = world.caller(Ask::new("the same").stream());
    world.pass_ms(15).await;
    let second = world.caller(Ask::new("the same").stream());
    world.pass_ms(1).await;
    first.abort();
    let heard = second.await.expect("not aborted").expect("heard to the end");
    assert_eq!((heard.how(), heard.pieces.len(), world.script().asks()), ("joined", 5, 1));
    world.assert_quiet().await;
}

/// A slow reader of an answer over the limit holds its writer back instead of filling memory.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn an_answer_over_the_limit_is_neither_shared_nor_kept_and_arrives_whole() {
    let world = World::new().config(|config| config.flight_max_bytes = 256).start();
    world.script().always(Play::answer().events(100).every_ms(1));
    let first = world.caller(Ask::new("long").stream());
    world.pass_ms(50).await;
    let late = world.chat(Ask::new("long").stream()).await.expect("heard to the end");
    let first = first.await.expect("not aborted").expect("heard to the end");
    assert_eq!((first.how(), late.how(), world.script().asks()), ("miss", "miss", 2));
    assert_eq!((first.pieces.len(), &first.pieces), (100, &late.pieces));
    assert_eq!(world.engine().read().cache.entries, 0);
    world.assert_quiet().await;
}

/// A caller that wants a body and one that wants a stream share the entry, in the form it was recorded in.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn stream_and_body_callers_share_one_entry() {
    let world = World::new().start();
    let streamed = world.chat(Ask::new("either").stream()).await.expect("answered");
    let whole = world.chat(Ask::new("either")).await.expect("answered");
    assert_eq!((whole.how(), &whole.shape, &whole.pieces), ("hit", &streamed.shape, &streamed.pieces));
    assert_eq!(world.script().asks(), 1);
    world.assert_quiet().await;
}
