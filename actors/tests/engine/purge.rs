//! Forgetting on demand.

use tidegate_actors::sim::{Ask, Play, World};
use tidegate_actors::{PurgeFilter, WorkspaceId};

fn only(change: impl FnOnce(&mut PurgeFilter)) -> PurgeFilter {
    let mut filter = PurgeFilter::default();
    change(&mut filter);
    filter
}

fn questions() -> Vec<Ask> {
    let chat = |text: &str| Ask::new(text);
    vec![
        chat("plain"),
        chat("labelled").tag("team-a"),
        chat("twice labelled").tag("team-a").tag("team-b"),
        chat("elsewhere").workspace("other"),
        chat("elsewhere labelled").workspace("other").tag("team-a"),
        chat("other model").model("model-b"),
    ]
}

async fn filled() -> World {
    let world = World::new().model("test-model", &["up"]).model("model-b", &["up"]).start();
    for ask in questions() {
        world.chat(ask).await.expect("answered");
    }
    world
}

/// Which of the questions are still answered from memory.
async fn kept(world: &World) -> Vec<bool> {
    let mut kept = Vec::new();
    for ask in questions() {
        let wish = tidegate_actors::call::CacheWish { only_kept: true, ..Default::default() };
        kept.push(world.chat(ask.wish(wish)).await.is_ok());
    }
    kept
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_purge_forgets_what_its_filter_names_and_a_dry_run_only_counts() {
    let workspace = |filter: &mut PurgeFilter| filter.workspace = Some(WorkspaceId::new("other"));
    let tagged = |filter: &mut PurgeFilter| filter.tag = Some("team-a".into());
    let cases = [
        (only(tagged), 3, [true, false, false, true, false, true]),
        (only(workspace), 2, [true, true, true, false, false, true]),
        (only(|filter| filter.model = Some("model-b".into())), 1, [true, true, true, true, true, false]),
        (
            only(|filter| {
                tagged(filter);
                workspace(filter);
            }),
            1,
            [true, true, true, true, false, true],
        ),
        (PurgeFilter::default(), 6, [false; 6]),
    ];
    for (filter, count, left) in cases {
        let world = filled().await;
        assert_eq!(world.engine().purge(&filter, true).await.expect("counted"), count, "{filter:?}");
        assert_eq!(kept(&world).await, [true; 6], "a dry run forgets nothing");
        assert_eq!(world.engine().purge(&filter, false).await.expect("purged"), count, "{filter:?}");
        assert_eq!(kept(&world).await, left, "{filter:?}");
        assert_eq!(world.engine().read().cache.purged, count as u64);
        world.assert_quiet().await;
    }
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_purge_by_key_forgets_one_entry() {
    let world = filled().await;
    let key = world.chat("plain").await.expect("answered").key.expect("a chat has a key");
    let gone = world.engine().purge(&only(|filter| filter.sha = Some(key.sha)), false).await;
    assert_eq!(gone.expect("purged"), 1);
    assert_eq!(kept(&world).await, [false, true, true, true, true, true]);
    world.assert_quiet().await;
}

/// Otherwise an answer that was asked before the purge would come back after it.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn an_answer_that_was_in_the_air_during_a_purge_is_told_and_not_kept() {
    let own = only(|filter| filter.workspace = Some(WorkspaceId::new("default")));
    let other = only(|filter| filter.workspace = Some(WorkspaceId::new("other")));
    for (filter, second) in [(PurgeFilter::default(), "miss"), (own, "miss"), (other, "hit")] {
        let world = World::new().start();
        world.script().next(Play::hang());
        let caller = world.caller("in the air");
        world.script().asked_times(1).await;
        world.engine().purge(&filter, false).await.expect("purged");
        world.script().release();
        caller.await.expect("not aborted").expect("answered");
        assert_eq!(world.chat("in the air").await.expect("answered").how(), second, "{filter:?}");
        world.assert_quiet().await;
    }
}

/// Whoever asks after the purge must not be given the answer to what was asked before it.
#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_call_after_a_purge_does_not_join_a_flight_from_before_it() {
    let world = World::new().start();
    world.script().next(Play::hang());
    let before = world.caller("in the air");
    world.script().asked_times(1).await;
    world.engine().purge(&PurgeFilter::default(), false).await.expect("purged");
    assert_eq!(world.chat("in the air").await.expect("answered").how(), "miss");
    world.script().release();
    before.await.expect("not aborted").expect("answered");
    assert_eq!(world.chat("in the air").await.expect("answered").how(), "hit", "the newer answer is kept");
    world.assert_quiet().await;
}
