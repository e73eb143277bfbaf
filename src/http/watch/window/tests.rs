//! What calls come to, worked out by hand. Must not need a clock or a ledger.

use tidegate_actors::CallId;
use tidegate_actors::ports::provider::Usage;
use tidegate_actors::record::ItemCounts;

use super::*;

const MS: u64 = 1_000_000;

/// A call of the second `at` that took so many milliseconds, of which a provider had all but one.
fn call(at: i64, outcome: &'static str, took_ms: u64) -> BookedCall<'static> {
    let mut marks = [0; 11];
    marks[Stage::Admit as usize] = MS;
    marks[Stage::Tell as usize] = took_ms * MS;
    let is_paid = outcome == "miss";
    if is_paid {
        marks[Stage::Act as usize] = (took_ms - 1) * MS;
    }
    let failed = outcome == "failed";
    BookedCall {
        id: CallId::fresh(),
        at_us: at * 1_000_000,
        workspace: "default".into(),
        credential: 0,
        tags: "".into(),
        door: "openai.chat".into(),
        kind: "chat".into(),
        form: "whole".into(),
        model: "m".into(),
        target: "mock/m".into(),
        outcome: outcome.into(),
        reason: "".into(),
        payer: (!is_paid && !failed).then(CallId::fresh),
        key: None,
        attempts: u32::from(is_paid),
        items: ItemCounts::default(),
        marks,
        usage: Some(Usage { input: 10, cached_read: 4, cached_write: 1, output: 5, ..Usage::default() }),
        cost: Some(if is_paid { 7 } else { 0 }),
        saved: Some(if is_paid { 0 } else { 7 }),
        estimated: false,
        batch: None,
        request_bytes: 1,
        bytes: 1,
        failure: if failed { ["lane", "lane_full", "us"] } else { ["", "", ""] }.map(Into::into),
        config: "c".into(),
    }
}

fn window(calls: Vec<BookedCall<'static>>) -> Window {
    let mut window = Window::from(0);
    calls.into_iter().for_each(|call| window.add(Arc::new(call)));
    window
}

#[test]
fn quantiles_are_by_nearest_rank_and_nothing_has_none() {
    assert_eq!(quantiles(Vec::new()), None);
    let one = quantiles(vec![2 * MS]).expect("of one");
    assert_eq!((one.p50_ms, one.p99_ms, one.max_ms), (2.0, 2.0, 2.0));
    let many = quantiles((1..=1_000).rev().map(|ms| ms * MS).collect()).expect("of many");
    assert_eq!((many.p50_ms, many.p99_ms, many.p999_ms, many.max_ms), (500.0, 990.0, 999.0, 1_000.0));
}

#[test]
fn what_was_saved_is_told_by_how_and_beside_what_was_spent() {
    let mut batched = call(1, "miss", 101);
    batched.batch = Some(tidegate_actors::ports::ledger::AttemptId::fresh());
    let calls = vec![call(1, "miss", 101), call(2, "hit", 1), call(3, "joined", 61), batched];
    let sight = window(calls).sight(None, 5_000_000);
    assert_eq!(sight.spent, Spent { usd: usd(14), tokens_in: 20, tokens_out: 10 });
    let saved: Vec<_> =
        sight.saved.iter().map(|way| (way.by, way.calls, &*way.usd, way.tokens, way.ms)).collect();
    let (seven, none) = (usd(7), usd(0));
    assert_eq!(
        saved,
        [("exact", 1, &*seven, 15, 100.0), ("joined", 1, &*seven, 15, 40.0), ("batched", 1, &*none, 0, 0.0)]
    );
}

#[test]
fn a_stage_has_the_time_since_the_one_before() {
    let sight = window(vec![call(1, "miss", 100)]).sight(None, 2_000_000);
    let stages: Vec<_> = sight.stages.iter().map(|stage| (stage.stage, stage.took.p50_ms)).collect();
    assert_eq!(stages, [("admit", 1.0), ("act", 98.0), ("tell", 1.0)]);
    assert_eq!(sight.first_token, None, "it was no stream");
}

#[test]
fn one_sees_the_calls_of_ones_workspace_alone() {
    let mut other = call(1, "failed", 1);
    other.workspace = "other".into();
    let window = window(vec![call(1, "hit", 1), other.clone(), other]);
    let own = window.sight(Some(&WorkspaceId::default_workspace()), 2_000_000);
    assert_eq!((own.calls, own.failures.len(), own.affected.len()), (1, 0, 0));
    let all = window.sight(None, 2_000_000);
    assert_eq!(all.calls, 3);
    assert_eq!((all.failures[0].code.as_str(), all.failures[0].calls), ("lane_full", 2));
    assert_eq!(all.affected, [AffectedSight { workspace: "other".to_owned(), failed: 2, calls: 2 }]);
}

#[test]
fn it_forgets_what_is_long_ago_and_holds_only_so_many() {
    let mut window = window(vec![call(1, "hit", 1), call(200, "hit", 1)]);
    window.miss(150_000_000, 3);
    window.trim(302_000_000);
    let sight = window.sight(None, 302_000_000);
    assert_eq!((sight.calls, sight.unseen, sight.seconds), (1, 3, 300.0));
    for _ in 0..MOST_CALLS {
        window.add(Arc::new(call(300, "hit", 1)));
    }
    let sight = window.sight(None, 302_000_000);
    assert_eq!((sight.calls, sight.seconds), (MOST_CALLS as u64, 102.0), "it goes back as far as it knows");
}
