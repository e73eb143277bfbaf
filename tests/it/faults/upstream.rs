//! Providers that panic, fail, are busy or break off in the middle of a sentence.

use std::time::Duration;

use tidegate_actors::call::Memory;
use tidegate_actors::ports::provider::{Fault, FaultKind};
use tidegate_actors::sim::{Ask, Play, Script, World};
use tidegate_actors::{Blame, Body, BreakerRules, ErrorKind, Retry, RetryRules, Step, UpstreamLimits};

fn no_retries() -> UpstreamLimits {
    UpstreamLimits { retry: RetryRules { retries: 0, ..RetryRules::default() }, ..UpstreamLimits::default() }
}

/// A bug in an adapter costs its own callers an answer and nobody a slot.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_provider_that_panics_loses_its_answer_and_gives_back_what_it_held() {
    let world = World::new().lane(1, 8).start();
    world.script().on("bug", Play::panic().after_ms(5));

    let answers = world.call_all(["bug", "bug", "fine"]).await;

    for lost in &answers[..2] {
        let lost = lost.as_ref().expect_err("its task died");
        assert_eq!((lost.kind.name(), lost.retry, lost.blame), ("lane_lost", Retry::Safe, Blame::Us));
    }
    assert!(answers[2].is_ok(), "the slot came home: {:?}", answers[2]);
    world.assert_quiet().await;
    let interrupted = world.books().attempts().iter().filter(|(_, end)| end.status == "interrupted").count();
    assert_eq!(interrupted, 1, "the request that died is closed in the books");
}

/// The wish of a busy upstream is honoured to the millisecond, and the caller sees only the answer.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_busy_upstream_is_asked_again_when_it_said() {
    let world = World::new().start();
    let busy = Fault::new(Script::BUSY, "429").with_retry_after(Some(Duration::from_millis(700)));
    world.script().next(Play::fault(busy));

    let heard = world.chat("patience").await.expect("the second attempt answers");

    let asked = world.script().asked();
    assert_eq!(asked.iter().map(|asked| asked.attempt).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(asked[1].at.since(asked[0].at), Duration::from_millis(700));
    assert_eq!(world.books().record(heard.id).expect("told").attempts, 2);
    let ends: Vec<_> = world.books().attempts().iter().map(|(_, end)| end.status).collect();
    assert_eq!(ends, ["upstream_busy", "ok"]);
    world.assert_quiet().await;
}

/// A wish longer than we wait is passed on to the caller instead of being ignored.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_wish_longer_than_we_wait_is_passed_on() {
    let world = World::new().start();
    let wish = Duration::from_secs(3_600);
    world.script().always(Play::fault(Fault::new(Script::BUSY, "429").with_retry_after(Some(wish))));

    let refused = world.chat("patience").await.expect_err("an hour is too long");

    assert_eq!((refused.kind.name(), refused.retry), ("upstream_busy", Retry::After(wish)));
    assert_eq!(world.script().asks(), 1);
    world.assert_quiet().await;
}

/// Retries are paid from a budget, so that an upstream in trouble is not asked three times as often.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn retries_stop_when_their_budget_is_spent() {
    let retry =
        RetryRules { retries: 2, budget: 0.0, budget_per_s: 1.0, base_ms: 1, ..RetryRules::default() };
    let breaker = BreakerRules { failures: 1_000, ..BreakerRules::default() };
    let world = World::new().limits(UpstreamLimits { retry, breaker, ..UpstreamLimits::default() }).start();
    world.script().always(Play::fail(Script::BROKEN));

    for text in ["a", "b", "c", "d"] {
        let broken = world.chat(text).await.expect_err("the upstream is down");
        assert_eq!(broken.kind.name(), "upstream_broken");
    }

    assert_eq!(world.script().asks(), 4 + 2, "two seconds' grant of one a second");
    world.assert_quiet().await;
}

/// What the upstream calls wrong is wrong everywhere: neither asked again nor elsewhere.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_rejected_request_is_asked_once_and_blamed_on_the_caller() {
    let world = World::new().model("test-model", &["a", "b"]).start();
    for provider in ["a", "b"] {
        world.script_of(provider).always(Play::fail(Script::REJECTED));
    }
    let rejected = world.chat("nonsense").await.expect_err("it is wrong");
    assert_eq!((rejected.kind.name(), rejected.blame), ("upstream_rejected", Blame::Caller));
    assert_eq!(world.script_of("a").asks() + world.script_of("b").asks(), 1);
    world.assert_quiet().await;
}

/// An answer nobody can take, however often it is given: neither asked again nor elsewhere, and no reason to leave a
/// provider alone that answers others.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn an_unusable_answer_is_asked_for_once_and_blamed_on_the_upstream() {
    let world = World::new().model("test-model", &["a", "b"]).start();
    for provider in ["a", "b"] {
        world.script_of(provider).always(Play::fail(FaultKind::Unusable));
    }
    for n in 1..=20 {
        let unusable = world.chat(format!("large {n}")).await.expect_err("nobody takes it");
        assert_eq!((unusable.kind.name(), unusable.blame), ("upstream_unusable", Blame::Upstream));
        assert_eq!(unusable.retry, Retry::Never);
        assert_eq!(world.script_of("a").asks() + world.script_of("b").asks(), n);
    }
    let texts = ["vectors".to_owned()];
    let asks = world.script_of("a").asks() + world.script_of("b").asks();
    let embedded = world.embed("default", &texts, Memory::Bypass("off")).await;
    assert_eq!(embedded.expect_err("nor these").kind.name(), "upstream_unusable");
    assert_eq!(world.script_of("a").asks() + world.script_of("b").asks(), asks + 1);
    assert_eq!(["a", "b"].map(|provider| world.upstream(provider).read(world.now()).breaker), ["closed"; 2]);
    world.assert_quiet().await;
}

/// A provider that only fails is left alone, tried once after the pause, and trusted again when that works.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_breaker_opens_half_opens_and_closes() {
    let breaker = BreakerRules { failures: 2, open_ms: 1_000 };
    let world = World::new().limits(UpstreamLimits { breaker, ..no_retries() }).start();
    let state = |world: &World| world.upstream("up").read(world.now()).breaker;
    world.script().next_times(2, &Play::fail(Script::BROKEN));
    world.call_all(["a", "b"]).await;
    assert_eq!(state(&world), "open");

    let refused = world.chat("c").await.expect_err("not asked");
    assert!(matches!(refused.kind, ErrorKind::BreakerOpen { .. }), "{refused}");
    assert_eq!(refused.retry, Retry::After(Duration::from_millis(1_000)));
    assert_eq!(world.script().asks(), 2);

    world.pass_ms(1_000).await;
    assert_eq!(state(&world), "half_open");
    world.script().next(Play::answer().after_ms(100));
    let answers = world.call_all(["d", "e"]).await;
    assert!(answers[0].is_ok(), "one is let through");
    assert_eq!(answers[1].as_ref().expect_err("only one").kind.name(), "breaker_open");
    assert_eq!(state(&world), "closed");
    world.chat("f").await.expect("trusted again");
    world.assert_quiet().await;
}

/// One target is down: the other answers, and its answer is kept under its own name and found again.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_failed_target_is_replaced_before_the_first_piece() {
    let world = World::new().model("test-model", &["down", "up"]).limits(no_retries()).start();
    world.script_of("down").always(Play::answer().cut_after(0));
    for n in 0..10 {
        let ask = Ask::new(&format!("question {n}")).stream();
        let heard = world.chat(ask.clone()).await.expect("the other answers");
        assert_eq!(&*heard.target, "up/upstream-name");
        let again = world.chat(ask).await.expect("answered");
        assert_eq!((again.how(), again.pieces), ("hit", heard.pieces));
    }
    assert!(world.script_of("down").asks() > 0, "some preferred the one that is down");
    assert_eq!(world.script_of("up").asks(), 10);
    world.assert_quiet().await;
}

/// Half a sentence was told already: another model's other half would be a lie.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn after_the_first_piece_nobody_else_is_asked() {
    let world = World::new().model("test-model", &["a", "b"]).start();
    for provider in ["a", "b"] {
        world.script_of(provider).always(Play::answer().events(5).cut_after(2));
    }

    let answered = world.open(Ask::new("broken off").stream()).await.expect("it began");
    let Body::Live { mut telling, .. } = answered.body else { panic!("a stream is live") };
    let mut pieces = 0;
    let end = loop {
        match telling.step().await {
            Step::Piece(_) => pieces += 1,
            Step::End(end) => break end,
        }
    };
    drop(telling);

    assert_eq!((pieces, end.expect_err("it was cut").kind.name()), (2, "upstream_cut"));
    assert_eq!(world.script_of("a").asks() + world.script_of("b").asks(), 1);
    assert_eq!(world.engine().read().cache.entries, 0, "half an answer is not kept");
    world.assert_quiet().await;
}

/// A timeout may have cost the upstream its work: it is told, not doubled.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_timeout_is_not_tried_again() {
    use tidegate_actors::ports::provider::Phase;
    let world = World::new().start();
    world.script().always(Play::fail(FaultKind::Timeout { phase: Phase::FirstToken }));
    let late = world.chat("slow").await.expect_err("it took too long");
    assert_eq!((late.kind.name(), late.blame), ("upstream_timeout", Blame::Upstream));
    assert_eq!(world.script().asks(), 1);
    world.assert_quiet().await;
}
