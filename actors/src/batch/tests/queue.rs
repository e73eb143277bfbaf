//! What the row queue promises: bounds, order, sharing, leaving.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::batch::budget::RowBudget;
use crate::batch::cut::{CutLimits, CutReason};
use crate::batch::queue::{Cut, QueueLimits, Refused, RowQueue, Start, Stay};
use crate::batch::row::{Collector, How, Seq};
use crate::batch::table::{Asker, RowAsk, Settled};
use crate::call::{CallId, WorkspaceId};
use crate::error::{CallError, Stage};
use crate::key::Key;
use crate::ports::clock::Tick;

type Queue = Arc<RowQueue<u32, u32>>;
type Caller = (Arc<Collector<u32>>, Stay<u32, u32>);

fn limits(max_rows: usize, cut: CutLimits) -> QueueLimits {
    QueueLimits { max_rows, in_flight_batches: 2, cut }
}

fn queue(max_rows: usize, cut: CutLimits) -> Queue {
    let queue = RowQueue::new(limits(max_rows, cut), Arc::new(RowBudget::new(1_000)));
    queue.begin_generation(1);
    Arc::new(queue)
}

fn key(item: u32) -> Key {
    Key { hash: u128::from(item), sha: [0; 32] }
}

fn try_enter(queue: &Queue, workspace: &str, items: &[u32], share: bool) -> Result<Caller, Refused> {
    let collector = Arc::new(Collector::new(CallId::fresh(), items.len()));
    let workspace = WorkspaceId::new(workspace);
    let asker = Asker { collector: &collector, workspace: &workspace, share, epoch: 0, now: Tick(0) };
    let ask = |(seq, &item): (usize, &u32)| RowAsk { seq: Seq(seq as u32), key: key(item), tokens: 1, item };
    let asks = items.iter().enumerate().map(ask).collect();
    let stay = queue.enter(&asker, asks, |_| None)?;
    Ok((collector, stay))
}

fn enter(queue: &Queue, workspace: &str, items: &[u32]) -> Caller {
    try_enter(queue, workspace, items, true).expect("there is room")
}

fn cut(queue: &Queue) -> Cut<u32> {
    assert!(matches!(queue.start(1, Tick(0)), Start::Go(_)), "a batch may start");
    let cut = queue.cut(Tick(0));
    assert!(!cut.rows.is_empty(), "rows wait");
    cut
}

fn items(cut: &Cut<u32>) -> Vec<u32> {
    cut.rows.iter().map(|row| row.item).collect()
}

/// Answers every row of a batch with ten times its item.
fn answer(queue: &Queue, cut: Cut<u32>) {
    queue.settle(cut.rows.into_iter().map(|row| (row.id, Settled::Answer(row.item * 10, 1))));
    queue.release(Some(cut.ticket));
}

fn collected(caller: &Caller) -> Option<Result<Vec<(u32, How)>, CallError>> {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(caller.0.collect()).poll(&mut cx) {
        Poll::Ready(Ok(rows)) => Some(Ok(rows.into_iter().map(|row| (row.value, row.how)).collect())),
        Poll::Ready(Err(failed)) => Some(Err(failed.error)),
        Poll::Pending => None,
    }
}

fn small(max_items: usize) -> CutLimits {
    CutLimits { max_items, ..CutLimits::default() }
}

#[test]
fn a_row_asked_again_while_it_waits_or_flies_travels_once_and_answers_everybody() {
    let queue = queue(10, small(10));
    let first = enter(&queue, "a", &[1, 2]);
    let second = enter(&queue, "a", &[2, 3]);
    assert_eq!((second.1.joined, second.1.queued), (1, 1));
    let batch = cut(&queue);
    assert_eq!(items(&batch), [1, 2, 3]);
    let third = enter(&queue, "a", &[1, 1]);
    assert_eq!((third.1.joined, third.1.queued), (2, 0), "joined in the air");
    answer(&queue, batch);
    let rows = |caller| collected(caller).expect("complete").expect("answered");
    assert_eq!(rows(&first), [(10, How::Computed), (20, How::Computed)]);
    assert_eq!(rows(&second), [(20, How::Joined), (30, How::Computed)]);
    assert_eq!(rows(&third), [(10, How::Joined), (10, How::Joined)]);
}

#[test]
fn a_row_asked_twice_in_one_request_travels_once() {
    let queue = queue(10, small(10));
    let caller = enter(&queue, "a", &[5, 5]);
    answer(&queue, cut(&queue));
    assert_eq!(
        collected(&caller).expect("complete").expect("answered"),
        [(50, How::Computed), (50, How::Joined)]
    );
}

#[test]
fn rows_that_are_not_shared_all_travel() {
    let queue = queue(10, small(10));
    let shared = enter(&queue, "a", &[1]);
    let alone = try_enter(&queue, "a", &[1, 1], false).expect("there is room");
    assert_eq!((shared.1.queued, alone.1.queued, alone.1.joined), (1, 2, 0));
    assert_eq!(items(&cut(&queue)), [1, 1, 1]);
}

#[test]
fn rows_from_before_a_purge_are_not_joined_after_it() {
    let queue = queue(10, small(10));
    let old = enter(&queue, "a", &[1]);
    let collector = Arc::new(Collector::new(CallId::fresh(), 1));
    let workspace = WorkspaceId::new("a");
    let asker = Asker { collector: &collector, workspace: &workspace, share: true, epoch: 1, now: Tick(0) };
    let ask = RowAsk { seq: Seq(0), key: key(1), tokens: 1, item: 1 };
    let stay = queue.enter(&asker, vec![ask], |_| None).expect("there is room");
    assert_eq!((stay.queued, stay.joined), (1, 0));
    drop(old);
    let later = enter(&queue, "a", &[1]);
    assert_eq!(later.1.queued, 1, "an epoch that went back is not joined either");
}

#[test]
fn a_row_published_while_its_caller_was_on_the_way_is_handed_over_not_queued() {
    let queue = queue(10, small(10));
    let collector = Arc::new(Collector::new(CallId::fresh(), 2));
    let workspace = WorkspaceId::new("a");
    let asker = Asker { collector: &collector, workspace: &workspace, share: true, epoch: 0, now: Tick(0) };
    let ask = |seq| RowAsk { seq: Seq(seq), key: key(seq), tokens: 1, item: seq };
    let found = |of: &Key| (*of == key(0)).then_some(99);
    let stay = queue.enter(&asker, vec![ask(0), ask(1)], found).expect("there is room");
    assert_eq!(stay.queued, 1);
    answer(&queue, cut(&queue));
    let caller = (collector, stay);
    let rows = collected(&caller).expect("complete").expect("answered");
    assert_eq!(rows, [(99, How::Hit), (10, How::Computed)]);
}

#[test]
fn a_request_that_does_not_fit_is_refused_whole_and_told_how_much_of_the_line_is_its_own() {
    let queue = queue(3, small(10));
    let _own = enter(&queue, "a", &[1]);
    let _other = enter(&queue, "b", &[101]);
    let refused = try_enter(&queue, "a", &[2, 3], true).expect_err("one row too many");
    assert_eq!(refused, Refused::Full { limit: 3, own: 1, oldest: Some(Tick(0)) });
    assert_eq!(queue.read().waiting, 2, "nothing of it was queued");
    let joins = try_enter(&queue, "a", &[1, 1, 2], true).expect("only one of these rows has to wait");
    assert_eq!((joins.1.joined, joins.1.queued), (2, 1));
}

#[test]
fn all_queues_together_hold_no_more_rows_than_their_common_budget() {
    let budget = Arc::new(RowBudget::new(3));
    let make = || {
        let queue = RowQueue::new(limits(100, small(10)), Arc::clone(&budget));
        queue.begin_generation(1);
        Arc::new(queue)
    };
    let (one, other) = (make(), make());
    let held = enter(&one, "a", &[1, 2]);
    assert!(matches!(try_enter(&other, "a", &[1, 2], true), Err(Refused::Full { limit: 3, .. })));
    assert_eq!(budget.waiting(), 2);
    drop(held);
    assert_eq!(budget.waiting(), 0);
    let _now = enter(&other, "a", &[1, 2]);
    answer(&other, cut(&other));
    assert_eq!(budget.waiting(), 0, "a row in the air waits no more");
}

#[test]
fn a_caller_that_leaves_frees_its_places_at_once_and_its_rows_never_travel() {
    let queue = queue(2, small(10));
    let gone = enter(&queue, "a", &[1, 2]);
    let stays = enter(&queue, "a", &[2]);
    drop(gone);
    assert_eq!(queue.read().waiting, 1, "row 2 still has a caller");
    let batch = cut(&queue);
    assert_eq!(items(&batch), [2]);
    answer(&queue, batch);
    let rows = collected(&stays).expect("complete").expect("answered");
    assert_eq!(rows, [(20, How::Computed)], "who is left pays");
}

#[test]
fn workspaces_share_a_batch_evenly_when_more_waits_than_fits() {
    let queue = queue(100, small(4));
    let _flood = enter(&queue, "flood", &[1, 2, 3, 4, 5, 6]);
    let _polite = enter(&queue, "polite", &[101, 102]);
    let batch = cut(&queue);
    assert_eq!(items(&batch), [1, 101, 2, 102]);
    assert_eq!(batch.reason, CutReason::MaxItems);
    assert_eq!(items(&cut(&queue)), [3, 4, 5, 6]);
}

#[test]
fn without_batching_each_request_travels_alone_in_order_of_arrival() {
    let alone = CutLimits { mix_calls: false, ..small(10) };
    let queue = queue(100, alone);
    let _one = enter(&queue, "a", &[1, 2]);
    let _two = enter(&queue, "b", &[3]);
    let _three = enter(&queue, "a", &[4, 5]);
    let first = cut(&queue);
    assert_eq!(items(&first), [1, 2]);
    assert_eq!(items(&cut(&queue)), [3]);
    queue.release(Some(first.ticket));
    assert_eq!(items(&cut(&queue)), [4, 5]);
}

#[test]
fn one_slot_at_a_time_waits_for_its_cut_and_no_more_batches_fly_than_allowed() {
    let queue = queue(100, small(1));
    let _rows = enter(&queue, "a", &[1, 2, 3]);
    assert_eq!(queue.start(1, Tick(0)), Start::Go(1));
    assert_eq!(queue.start(1, Tick(0)), Start::No, "the first is not cut yet");
    let first = queue.cut(Tick(0));
    assert_eq!(queue.start(1, Tick(0)), Start::Go(2));
    queue.cut(Tick(0));
    assert_eq!(queue.start(1, Tick(0)), Start::No, "two are in the air");
    assert!(!queue.has_work(Tick(0)));
    assert!(queue.release(Some(first.ticket)), "a row waits for the slot");
    assert_eq!(queue.start(0, Tick(0)), Start::No, "an old generation starts nothing");
    assert_eq!(queue.start(1, Tick(0)), Start::Go(3));
}

#[test]
fn what_waits_is_divided_between_the_slots_where_rows_and_not_requests_take_the_time() {
    let queue = queue(1_000, small(1_000));
    let all: Vec<u32> = (0..100).collect();
    let _rows = enter(&queue, "a", &all);
    [1, 50, 20].into_iter().for_each(|rows| queue.learn(rows, Duration::from_millis(10 + rows)));
    let (one, other) = (cut(&queue), cut(&queue));
    assert_eq!((items(&one), one.reason), ((0..50).collect(), CutReason::Share));
    assert_eq!((items(&other), other.reason), ((50..100).collect(), CutReason::SlotFree));
}

#[test]
fn a_slot_that_comes_home_without_a_cut_lets_the_next_one_start() {
    let queue = queue(100, small(10));
    let rows = enter(&queue, "a", &[1]);
    assert_eq!(queue.start(1, Tick(0)), Start::Go(1));
    drop(rows);
    let empty = queue.cut(Tick(0));
    assert!(empty.rows.is_empty(), "everybody left");
    assert!(!queue.release(Some(empty.ticket)));
    let _again = enter(&queue, "a", &[2]);
    assert_eq!(queue.start(1, Tick(0)), Start::Go(2));
    assert!(queue.release(None), "the task died before it cut");
    assert_eq!(queue.start(1, Tick(0)), Start::Go(2));
}

#[test]
fn a_lingering_batch_starts_when_it_is_due() {
    let cut = CutLimits { max_linger: Duration::from_millis(5), ..small(2) };
    let queue = queue(100, cut);
    let _row = enter(&queue, "a", &[1]);
    let due = Tick(0).plus_ms(5);
    assert_eq!(queue.start(1, Tick(0)), Start::At(due));
    assert!(!queue.has_work(Tick(0)) && queue.has_work(due), "a batch that lingers is not stuck");
    assert_eq!(queue.start(1, due), Start::Go(1));
}

#[test]
fn a_closed_queue_answers_who_waits_refuses_who_comes_and_still_lands_what_flies() {
    let queue = queue(100, small(1));
    let flying = enter(&queue, "a", &[1]);
    let batch = cut(&queue);
    let waiting = enter(&queue, "a", &[2]);
    assert!(!queue.close_if_idle());
    queue.close(&CallError::lane_closed("batcher"));
    let refused = collected(&waiting).expect("told").expect_err("closed");
    assert_eq!(refused.kind.name(), "lane_closed");
    assert_eq!(try_enter(&queue, "a", &[3], true).err(), Some(Refused::Closed));
    answer(&queue, batch);
    assert!(collected(&flying).expect("complete").is_ok());
}

#[test]
fn a_row_is_unwanted_once_nobody_whose_call_can_succeed_waits_for_it() {
    let queue = queue(100, small(10));
    let failing = enter(&queue, "a", &[1, 2]);
    let fine = enter(&queue, "a", &[3]);
    let batch = cut(&queue);
    let [first, second, third] = [0, 1, 2].map(|at| batch.rows[at].id);
    let poison = CallError::lane_lost(Stage::Group, "test");
    queue.settle([(first, Settled::Poison(poison))]);
    assert!(queue.is_wanted(second, true), "its answer may still be kept");
    assert!(!queue.is_wanted(second, false), "its call has failed");
    assert!(queue.is_wanted(third, false));
    assert!(collected(&failing).expect("all its rows are known").is_err());
    drop(fine);
    assert!(!queue.is_wanted(third, true), "its caller left");
    assert_eq!(queue.read().in_air, 0);
}

#[test]
fn a_row_before_the_rejected_one_stays_wanted_since_the_first_rejected_item_is_named() {
    let queue = queue(100, small(10));
    let _failing = enter(&queue, "a", &[1, 2, 3]);
    let batch = cut(&queue);
    let [first, second, third] = [0, 1, 2].map(|at| batch.rows[at].id);
    queue.settle([(second, Settled::Poison(CallError::lane_lost(Stage::Group, "test")))]);
    assert!(queue.is_wanted(first, false), "it may be rejected too, and comes first");
    assert!(!queue.is_wanted(third, false));
}
