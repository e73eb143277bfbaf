//! Rows and the calls that wait for them: one slot per item, filled by address, never by arrival.
//!
//! Owns what a caller sees of its rows; must not know queues, batches or upstreams.

use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use crate::call::CallId;
use crate::error::CallError;

/// Position of an item in its own request, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Seq(pub(crate) u32);

/// Where a row is delivered. The only thing that decides which text gets which vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RowAddress {
    pub(crate) call: CallId,
    pub(crate) seq: Seq,
}

/// How an item was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum How {
    /// From memory; nothing travelled.
    Hit,
    /// By a row that was waiting or in the air already.
    Joined,
    /// By a row of this call's own.
    Computed,
}

/// An item's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivered<V> {
    pub(crate) value: V,
    pub(crate) how: How,
    /// Tokens of the upstream's invoice that this caller pays: 0 unless computed.
    pub(crate) billed: u64,
}

/// Why an item has no answer.
#[derive(Debug, Clone)]
pub(crate) enum RowFailure {
    /// The upstream rejects this very item.
    Poison(CallError),
    /// Not asked any more: its call has failed already.
    Moot,
    /// Everything else; the call fails with it at once.
    Lost(CallError),
}

/// What happened to one row, told to everybody who waits for it.
pub(crate) type RowEnd<V> = Result<Delivered<V>, RowFailure>;

/// Why a call has no vectors.
#[derive(Debug, Clone)]
pub(crate) struct CollectError {
    /// The item that is to blame, if one is.
    pub(crate) item: Option<Seq>,
    pub(crate) error: CallError,
}

#[derive(Debug)]
struct Slots<V> {
    rows: Vec<Option<RowEnd<V>>>,
    missing: usize,
    lost: Option<CallError>,
    waker: Option<Waker>,
}

/// The rows of one call as they come home.
#[derive(Debug)]
pub(crate) struct Collector<V> {
    call: CallId,
    slots: Mutex<Slots<V>>,
    /// From this place on no row can change how the call ends. Read by the queue under its own lock, so not
    /// behind ours.
    decided_from: AtomicU32,
}

impl<V> Collector<V> {
    /// Waits for `items` rows.
    pub(crate) fn new(call: CallId, items: usize) -> Self {
        let rows = std::iter::repeat_with(|| None).take(items).collect();
        let slots = Slots { rows, missing: items, lost: None, waker: None };
        Self { call, slots: Mutex::new(slots), decided_from: AtomicU32::new(u32::MAX) }
    }

    pub(crate) const fn call(&self) -> CallId {
        self.call
    }

    /// True if the call has failed, and the row at `seq` cannot change with what.
    pub(crate) fn is_decided(&self, seq: Seq) -> bool {
        seq.0 >= self.decided_from.load(Ordering::Acquire)
    }

    /// Fills the slot at `address`. The first delivery counts; false if it was not wanted here.
    pub(crate) fn deliver(&self, address: RowAddress, end: RowEnd<V>) -> bool {
        if address.call != self.call {
            return false;
        }
        let mut slots = self.slots.lock();
        let Some(slot @ None) = slots.rows.get_mut(address.seq.0 as usize) else { return false };
        let lost = match &end {
            Err(RowFailure::Lost(error)) => Some(error.clone()),
            Err(RowFailure::Poison(_)) => {
                self.decided_from.fetch_min(address.seq.0 + 1, Ordering::AcqRel);
                None
            }
            Ok(_) | Err(RowFailure::Moot) => None,
        };
        *slot = Some(end);
        slots.missing -= 1;
        if let Some(error) = lost {
            self.decided_from.store(0, Ordering::Release);
            slots.lost.get_or_insert(error);
        } else if slots.missing > 0 {
            return true;
        }
        Self::wake(slots)
    }

    fn wake(mut slots: parking_lot::MutexGuard<'_, Slots<V>>) -> bool {
        let waker = slots.waker.take();
        drop(slots);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Waits for every row, and gives them in the order of the items.
    ///
    /// # Errors
    /// A lost row ends the wait at once. Of rejected items the first in the request is named, whatever
    /// the order in which their batches came home, so the wait goes on until all are known.
    pub(crate) async fn collect(&self) -> Result<Vec<Delivered<V>>, CollectError> {
        std::future::poll_fn(|cx| {
            let mut slots = self.slots.lock();
            if slots.missing > 0 && slots.lost.is_none() {
                match &mut slots.waker {
                    Some(old) => old.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                return Poll::Pending;
            }
            Poll::Ready(slots.take())
        })
        .await
    }
}

impl<V> Slots<V> {
    fn take(&mut self) -> Result<Vec<Delivered<V>>, CollectError> {
        if let Some(error) = self.lost.clone() {
            return Err(CollectError { item: None, error });
        }
        let mut rows = Vec::with_capacity(self.rows.len());
        let mut unasked = false;
        for (at, slot) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            match slot {
                Some(Ok(row)) => rows.push(row),
                Some(Err(RowFailure::Poison(error) | RowFailure::Lost(error))) => {
                    return Err(CollectError { item: Some(Seq(at as u32)), error });
                }
                Some(Err(RowFailure::Moot)) | None => unasked = true,
            }
        }
        // A row is given up only when its call has failed, and that failure was returned above.
        debug_assert!(!unasked, "a row was given up and none failed");
        if unasked {
            let error = CallError::lane_lost(crate::error::Stage::Group, "batch");
            return Err(CollectError { item: None, error });
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    use super::*;
    use crate::error::Stage;
    use crate::ports::provider::{Fault, FaultKind};

    fn row(value: u32) -> RowEnd<u32> {
        Ok(Delivered { value, how: How::Computed, billed: 0 })
    }

    fn poison(what: &str) -> RowEnd<u32> {
        let fault = Fault::new(FaultKind::Rejected { status: 400 }, what);
        Err(RowFailure::Poison(CallError::upstream("up/m".into(), fault, 1)))
    }

    fn collected(collector: &Collector<u32>) -> Poll<Result<Vec<u32>, String>> {
        let mut cx = Context::from_waker(Waker::noop());
        let polled = pin!(collector.collect()).poll(&mut cx);
        polled.map(|rows| match rows {
            Ok(rows) => Ok(rows.into_iter().map(|row| row.value).collect()),
            Err(failed) => Err(format!("{:?} {}", failed.item, failed.error)),
        })
    }

    #[test]
    fn rows_come_out_in_the_order_of_the_items_whatever_order_they_came_home() {
        let call = CallId::fresh();
        let collector = Collector::new(call, 3);
        for seq in [2, 0, 1] {
            assert_eq!(collected(&collector), Poll::Pending);
            assert!(collector.deliver(RowAddress { call, seq: Seq(seq) }, row(seq * 10)));
        }
        assert_eq!(collected(&collector), Poll::Ready(Ok(vec![0, 10, 20])));
    }

    #[test]
    fn a_row_of_another_call_a_second_one_and_one_out_of_range_change_nothing() {
        let call = CallId::fresh();
        let collector = Collector::new(call, 1);
        assert!(!collector.deliver(RowAddress { call: CallId::fresh(), seq: Seq(0) }, row(7)));
        assert!(!collector.deliver(RowAddress { call, seq: Seq(1) }, row(8)));
        assert!(collector.deliver(RowAddress { call, seq: Seq(0) }, row(9)));
        assert!(!collector.deliver(RowAddress { call, seq: Seq(0) }, row(10)));
        assert_eq!(collected(&collector), Poll::Ready(Ok(vec![9])));
    }

    #[test]
    fn the_first_rejected_item_is_named_even_if_a_later_one_was_found_before_it() {
        let call = CallId::fresh();
        let collector = Collector::new(call, 3);
        collector.deliver(RowAddress { call, seq: Seq(2) }, poison("late"));
        assert_eq!(collected(&collector), Poll::Pending, "an earlier item may be rejected too");
        collector.deliver(RowAddress { call, seq: Seq(0) }, row(0));
        collector.deliver(RowAddress { call, seq: Seq(1) }, poison("early"));
        let Poll::Ready(Err(said)) = collected(&collector) else { panic!("two items were rejected") };
        assert!(said.contains("Seq(1)") && said.contains("early"), "{said}");
    }

    #[test]
    fn a_lost_row_ends_the_wait_at_once() {
        let call = CallId::fresh();
        let collector = Collector::new(call, 2);
        let lost = RowFailure::Lost(CallError::lane_lost(Stage::Group, "batcher"));
        collector.deliver(RowAddress { call, seq: Seq(1) }, Err(lost));
        assert!(matches!(collected(&collector), Poll::Ready(Err(_))));
    }

    #[tokio::test]
    async fn a_caller_that_waits_already_is_woken_by_its_last_row() {
        let call = CallId::fresh();
        let collector = std::sync::Arc::new(Collector::new(call, 2));
        let waiting = tokio::spawn({
            let collector = std::sync::Arc::clone(&collector);
            async move { collector.collect().await.map(|rows| rows.len()) }
        });
        tokio::task::yield_now().await;
        collector.deliver(RowAddress { call, seq: Seq(0) }, row(0));
        tokio::task::yield_now().await;
        collector.deliver(RowAddress { call, seq: Seq(1) }, row(1));
        assert_eq!(waiting.await.expect("no panic").expect("two rows"), 2);
    }
}
