//! Owns what keys and workspaces have used of their limits: a call enters if all of them allow it, and what it reserved is
//! settled when the books hear of it. Must not know doors; everything here answers at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tidegate_actors::CallId;
use tidegate_actors::ports::clock::Tick;
use tidegate_actors::ports::ledger::{AttemptEnd, AttemptRow, Ledger, Opening, Refusal};
use tidegate_actors::record::CallRecord;

use super::limit::{Bucket, LimitName, Quota};

/// The limits of one key or workspace, and what of them is used. Outlives the roster's tables.
#[derive(Debug)]
pub struct Meter {
    subject: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    requests_per_minute: Option<u64>,
    tokens_per_minute: Option<u64>,
    concurrent_calls: Option<u64>,
    requests: Bucket,
    tokens: Bucket,
    running: u64,
}

impl State {
    /// Gives the request back that was counted.
    fn unask(&mut self) {
        if self.requests_per_minute.is_some() {
            self.requests.give(1);
        }
    }
}

/// A limit that is used up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of {subject}: used {used} of {limit}", name.name())]
pub struct Exceeded {
    /// Which.
    pub name: LimitName,
    /// Whose.
    pub subject: String,
    /// How much of it is used.
    pub used: u64,
    /// How much there is.
    pub limit: u64,
    /// When it may be asked again; never if the call alone is more than the limit.
    pub wait: Duration,
}

/// The tightest quotas a call entered under.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Of requests.
    pub requests: Option<Quota>,
    /// Of tokens.
    pub tokens: Option<Quota>,
}

impl Meter {
    /// A meter of `subject`, as refusals name it.
    pub(super) fn of(subject: String) -> Self {
        Self { subject, state: Mutex::default() }
    }

    /// Limits from here on; what is used stays used.
    pub(super) fn limit(&self, of: impl Fn(LimitName) -> Option<u64>) {
        let mut state = self.state.lock();
        state.requests_per_minute = of(LimitName::RequestsPerMinute);
        state.tokens_per_minute = of(LimitName::TokensPerMinute);
        state.concurrent_calls = of(LimitName::ConcurrentCalls);
    }

    fn enter(&self, tokens: u64, now: Tick) -> Result<(), Exceeded> {
        let mut state = self.state.lock();
        let exceeded = |name, used, limit, wait| {
            Err(Exceeded { name, subject: self.subject.clone(), used, limit, wait })
        };
        if let Some(limit) = state.concurrent_calls
            && state.running >= limit
        {
            // When one of them ends nobody knows.
            return exceeded(LimitName::ConcurrentCalls, state.running, limit, Duration::from_secs(1));
        }
        if let Some(limit) = state.requests_per_minute
            && let Err(wait) = state.requests.take(1, limit, now)
        {
            let used = limit - state.requests.quota(limit, now).remaining;
            return exceeded(LimitName::RequestsPerMinute, used, limit, wait);
        }
        if let Some(limit) = state.tokens_per_minute
            && let Err(wait) = state.tokens.take(tokens, limit, now)
        {
            state.unask();
            let used = limit - state.tokens.quota(limit, now).remaining;
            return exceeded(LimitName::TokensPerMinute, used, limit, wait);
        }
        state.running += 1;
        Ok(())
    }

    /// As if the call had never entered.
    fn undo(&self, tokens: u64) {
        let mut state = self.state.lock();
        state.unask();
        state.tokens.give(tokens);
        state.running = state.running.saturating_sub(1);
    }

    fn leave(&self) {
        let mut state = self.state.lock();
        state.running = state.running.saturating_sub(1);
    }

    fn settle(&self, reserved: u64, used: u64) {
        let mut state = self.state.lock();
        if state.tokens_per_minute.is_some() {
            state.tokens.give(reserved);
            state.tokens.charge(used);
        }
    }

    fn quotas(&self, now: Tick) -> Quotas {
        let mut state = self.state.lock();
        Quotas {
            requests: state.requests_per_minute.map(|limit| state.requests.quota(limit, now)),
            tokens: state.tokens_per_minute.map(|limit| state.tokens.quota(limit, now)),
        }
    }
}

/// Calls that have reserved tokens and are not told yet.
#[derive(Debug, Default)]
pub struct Till {
    open: Mutex<HashMap<CallId, Reserved>>,
    /// How many those are, so that a call without limits takes no lock.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Reserved {
    meters: Box<[Arc<Meter>]>,
    tokens: u64,
}

/// A call under limits, from its entry to its end.
#[derive(Debug)]
pub struct Turn {
    call: CallId,
    meters: Box<[Arc<Meter>]>,
    till: Arc<Till>,
    /// What it entered under.
    pub quotas: Quotas,
}

impl Till {
    /// Lets a call in that all of `meters` allow, with an estimate of its tokens. Nothing to hold where there are none.
    ///
    /// # Errors
    /// The first limit that is used up; nothing of any was used then.
    pub fn enter(
        self: &Arc<Self>,
        meters: &[Arc<Meter>],
        call: CallId,
        tokens: u64,
        now: Tick,
    ) -> Result<Option<Turn>, Exceeded> {
        if meters.is_empty() {
            return Ok(None);
        }
        for (at, meter) in meters.iter().enumerate() {
            if let Err(exceeded) = meter.enter(tokens, now) {
                meters[..at].iter().for_each(|meter| meter.undo(tokens));
                return Err(exceeded);
            }
        }
        let quotas = meters.iter().map(|meter| meter.quotas(now)).fold(Quotas::default(), Quotas::tighter);
        self.open.lock().insert(call, Reserved { meters: meters.into(), tokens });
        self.count.fetch_add(1, Ordering::AcqRel);
        Ok(Some(Turn { call, meters: meters.into(), till: Arc::clone(self), quotas }))
    }

    /// The call was told, with so many tokens that it paid for.
    fn settle(&self, call: CallId, used: u64) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let Some(Reserved { meters, tokens }) = self.open.lock().remove(&call) else { return };
        self.count.fetch_sub(1, Ordering::AcqRel);
        meters.iter().for_each(|meter| meter.settle(tokens, used));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.meters.iter().for_each(|meter| meter.leave());
        // What the books never heard of used nothing.
        self.till.settle(self.call, 0);
    }
}

impl Quotas {
    fn tighter(self, other: Self) -> Self {
        let less = |one: Option<Quota>, other: Option<Quota>| match (one, other) {
            (Some(one), Some(other)) => Some(if other.remaining < one.remaining { other } else { one }),
            (one, other) => one.or(other),
        };
        Self { requests: less(self.requests, other.requests), tokens: less(self.tokens, other.tokens) }
    }
}

/// The books, and the till that settles what they hear of.
pub struct SettlingLedger {
    books: Arc<dyn Ledger>,
    till: Arc<Till>,
}

impl SettlingLedger {
    /// Writes into `books` and settles in `till`.
    #[must_use]
    pub fn new(books: Arc<dyn Ledger>, till: Arc<Till>) -> Self {
        Self { books, till }
    }
}

impl Ledger for SettlingLedger {
    fn reserve(&self) -> Result<(), Refusal> {
        self.books.reserve()
    }

    fn open(&self, row: &AttemptRow) -> Result<Opening, Refusal> {
        self.books.open(row)
    }

    fn close(&self, row: &AttemptRow, place: u32, end: AttemptEnd) {
        self.books.close(row, place, end);
    }

    fn tell(&self, record: &CallRecord) {
        self.books.tell(record);
        let used = record.usage.filter(|_| record.payer.is_none() && record.outcome != "hit");
        self.till.settle(record.id, used.map_or(0, |usage| usage.input.saturating_add(usage.output)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(requests: Option<u64>, tokens: Option<u64>, concurrent: Option<u64>) -> Arc<Meter> {
        let meter = Meter::of("key k".to_owned());
        meter.limit(|name| match name {
            LimitName::RequestsPerMinute => requests,
            LimitName::TokensPerMinute => tokens,
            LimitName::ConcurrentCalls => concurrent,
        });
        Arc::new(meter)
    }

    const NOW: Tick = Tick(5);

    /// Sixteen threads at one moment, as many as there are callers: neither one too many nor one too few.
    #[test]
    fn of_many_callers_at_a_stopped_clock_exactly_the_limit_passes() {
        let (till, meter) = (Arc::new(Till::default()), meter(Some(100), None, None));
        let passed = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let meters = std::slice::from_ref(&meter);
                        let entered = till.enter(meters, CallId::fresh(), 1, NOW).is_ok();
                        passed.fetch_add(usize::from(entered), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 100);
    }

    #[test]
    fn a_call_that_one_limit_refuses_uses_nothing_of_the_others() {
        let till = Arc::new(Till::default());
        let (key, workspace) = (meter(Some(10), Some(100), Some(10)), meter(None, Some(50), None));
        let meters = [Arc::clone(&key), Arc::clone(&workspace)];
        let refused = till.enter(&meters, CallId::fresh(), 60, NOW).expect_err("more than the workspace has");
        assert_eq!((refused.name, refused.used, refused.limit), (LimitName::TokensPerMinute, 0, 50));
        let quotas = key.quotas(NOW);
        assert_eq!(quotas.requests.expect("a limit").remaining, 10);
        assert_eq!(quotas.tokens.expect("a limit").remaining, 100);
        let turn = till.enter(&meters, CallId::fresh(), 20, NOW).expect("there is room").expect("limits");
        let tightest = turn.quotas.tokens.expect("a limit");
        assert_eq!((tightest.limit, tightest.remaining), (50, 30));
    }

    #[test]
    fn what_a_call_reserved_is_settled_once_and_what_never_was_told_is_given_back() {
        let (till, meter) = (Arc::new(Till::default()), meter(None, Some(100), None));
        let enter = |call| till.enter(std::slice::from_ref(&meter), call, 60, NOW);
        let left = || meter.quotas(NOW).tokens.expect("a limit").remaining;
        let told = CallId::fresh();
        let turn = enter(told).expect("there is room");
        till.settle(told, 10);
        assert_eq!(left(), 90);
        drop(turn);
        assert_eq!(left(), 90, "once");
        drop(enter(CallId::fresh()).expect("there is room"));
        assert_eq!(left(), 90);
        assert_eq!(till.count.load(Ordering::Relaxed), 0, "nothing stays behind");
    }

    #[test]
    fn a_place_is_free_again_when_its_call_has_ended() {
        let (till, meter) = (Arc::new(Till::default()), meter(None, None, Some(1)));
        let enter = || till.enter(std::slice::from_ref(&meter), CallId::fresh(), 0, NOW);
        let turn = enter().expect("nobody is there");
        let refused = enter().expect_err("one is");
        assert_eq!(refused.to_string(), "concurrent_calls of key k: used 1 of 1");
        drop(turn);
        assert!(enter().is_ok());
    }
}
