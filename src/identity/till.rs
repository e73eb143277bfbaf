//! Owns calls under limits from their entry to their end: what each reserved is settled once, when the books hear of it. Must
//! not know doors or prices.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tidegate_actors::CallId;
use tidegate_actors::ports::ledger::{AttemptEnd, AttemptRow, Ledger, Opening, Refusal};
use tidegate_actors::ports::provider::Usage;
use tidegate_actors::record::CallRecord;

use super::meter::{Entry, Exceeded, Meter, Quotas, Used};

/// Calls that have reserved something and are not told yet.
#[derive(Debug, Default)]
pub struct Till {
    open: Mutex<HashMap<CallId, Reserved>>,
    /// How many those are, so that a call without limits takes no lock.
    count: AtomicUsize,
    /// The latest moment anybody entered at: a clock that is set back must not mix days up.
    latest_us: AtomicI64,
}

#[derive(Debug)]
struct Reserved {
    meters: Box<[Arc<Meter>]>,
    entry: Entry,
    /// The books will hear of its end, maybe after its caller has left.
    is_booked: bool,
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

/// What tokens cost.
pub trait Tariff: Send + Sync + 'static {
    /// The nano-USD for a usage of `provider/model`; nothing where no price is known.
    fn cost(&self, target: &str, usage: Usage) -> Option<i64>;

    /// Every price there is.
    fn rows(&self) -> Vec<PriceRow>;
}

/// What a million tokens of a model cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRow {
    /// As its provider calls it.
    pub model: String,
    /// nano-USD for tokens in, in from and to the provider's memory, and out.
    pub million: [i64; 4],
    /// As of when it is known.
    pub date: String,
    /// Where its provider publishes it.
    pub source: String,
}

impl Till {
    /// Lets a call in that all of `meters` allow. Nothing to hold where there are none.
    ///
    /// # Errors
    /// The first limit that is used up, with the quotas there are; nothing of any was used then.
    pub fn enter(
        self: &Arc<Self>,
        meters: &[Arc<Meter>],
        call: CallId,
        entry: Entry,
    ) -> Result<Option<Turn>, (Exceeded, Quotas)> {
        if meters.is_empty() {
            return Ok(None);
        }
        let now_us = self.latest_us.fetch_max(entry.now_us, Ordering::AcqRel).max(entry.now_us);
        let entry = Entry { now_us, ..entry };
        let quotas = || {
            let all = meters.iter().map(|meter| meter.quotas(entry.now, now_us));
            all.fold(Quotas::default(), Quotas::tighter)
        };
        for (at, meter) in meters.iter().enumerate() {
            if let Err(exceeded) = meter.enter(&entry) {
                meters[..at].iter().for_each(|meter| meter.undo(&entry));
                return Err((exceeded, quotas()));
            }
        }
        self.open.lock().insert(call, Reserved { meters: meters.into(), entry, is_booked: false });
        self.count.fetch_add(1, Ordering::AcqRel);
        Ok(Some(Turn { call, meters: meters.into(), till: Arc::clone(self), quotas: quotas() }))
    }

    /// Whether anybody is in whose end has to be settled. Takes no lock.
    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// The books have a place for the call, and will hear what it used.
    fn book(&self, call: CallId) {
        if !self.is_empty()
            && let Some(reserved) = self.open.lock().get_mut(&call)
        {
            reserved.is_booked = true;
        }
    }

    /// The caller has left; what the books never hear of used nothing.
    fn leave(&self, call: CallId) {
        let is_unheard = |reserved: &Reserved| !reserved.is_booked;
        if self.open.lock().get(&call).is_some_and(is_unheard) {
            self.settle(call, Used::default);
        }
    }

    /// The call was told, and used so much of what it entered with.
    fn settle(&self, call: CallId, used: impl FnOnce() -> Used) {
        if self.is_empty() {
            return;
        }
        let Some(Reserved { meters, entry, .. }) = self.open.lock().remove(&call) else { return };
        self.count.fetch_sub(1, Ordering::AcqRel);
        let used = used();
        meters.iter().for_each(|meter| meter.settle(&entry, used));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.meters.iter().for_each(|meter| meter.leave());
        self.till.leave(self.call);
    }
}

/// The books, and the till that settles what they hear of.
pub struct SettlingLedger {
    books: Arc<dyn Ledger>,
    till: Arc<Till>,
    tariff: Arc<dyn Tariff>,
}

impl SettlingLedger {
    /// Writes into `books` and settles in `till` what calls cost by `tariff`.
    #[must_use]
    pub fn new(books: Arc<dyn Ledger>, till: Arc<Till>, tariff: Arc<dyn Tariff>) -> Self {
        Self { books, till, tariff }
    }
}

impl SettlingLedger {
    /// What a call used: what its row says.
    fn used(&self, record: &CallRecord) -> Used {
        let Some(usage) = record.usage.filter(|_| !record.is_free()) else { return Used::default() };
        let cost = |target| self.tariff.cost(target, usage);
        Used {
            tokens: usage.input.saturating_add(usage.output),
            nano: record.target.as_deref().and_then(cost).unwrap_or(0),
        }
    }
}

impl Ledger for SettlingLedger {
    fn reserve(&self, call: CallId) -> Result<(), Refusal> {
        self.books.reserve(call).inspect(|()| self.till.book(call))
    }

    fn reserve_spare(&self) -> Result<(), Refusal> {
        self.books.reserve_spare()
    }

    fn open(&self, row: &AttemptRow) -> Result<Opening, Refusal> {
        self.books.open(row)
    }

    fn close(&self, row: &AttemptRow, place: u32, end: AttemptEnd) {
        self.books.close(row, place, end);
    }

    fn tell(&self, record: &CallRecord) {
        self.books.tell(record);
        self.till.settle(record.id, || self.used(record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidegate_actors::WorkspaceId;
    use tidegate_actors::ports::clock::Tick;

    use crate::identity::{LimitName, Span, Whose};

    fn meter(limits: &[(LimitName, u64)]) -> Arc<Meter> {
        let workspace = WorkspaceId::default_workspace();
        let meter =
            Meter::of(Whose { name: "key k".into(), id: "key_k".into(), workspace, credential: None });
        meter.limit(|name| limits.iter().find(|(known, _)| *known == name).map(|(_, limit)| *limit));
        Arc::new(meter)
    }

    const NOW: Tick = Tick(5);
    const DAILY: LimitName = LimitName::Usd(Span::Day);

    fn entry(tokens: u64, nano: i64) -> Entry {
        Entry { tokens, nano, now: NOW, now_us: 5 }
    }

    fn used(tokens: u64, nano: i64) -> Used {
        Used { tokens, nano }
    }

    /// How much of a limit is used.
    fn read(meter: &Meter, name: LimitName) -> u64 {
        let readings = meter.read(NOW, 5);
        readings.iter().find(|reading| reading.name == name).expect("a limit").used
    }

    /// How many of 800 callers on sixteen threads pass at one moment.
    fn passed(meter: &Arc<Meter>, entry: Entry) -> usize {
        let (till, passed) = (Arc::new(Till::default()), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let entered = till.enter(std::slice::from_ref(meter), CallId::fresh(), entry);
                        let turn = entered.ok().flatten();
                        passed.fetch_add(usize::from(turn.is_some()), Ordering::Relaxed);
                        std::mem::forget(turn); // it has not ended
                    }
                });
            }
        });
        passed.into_inner()
    }

    #[test]
    fn of_many_callers_at_a_stopped_clock_exactly_the_limit_passes() {
        assert_eq!(passed(&meter(&[(LimitName::RequestsPerMinute, 100)]), entry(1, 0)), 100);
        assert_eq!(passed(&meter(&[(LimitName::ConcurrentCalls, 100)]), entry(1, 0)), 100);
    }

    #[test]
    fn of_many_callers_as_many_pass_as_the_budget_pays_for() {
        let meter = meter(&[(DAILY, 1_000)]);
        assert_eq!(passed(&meter, entry(1, 10)), 100);
        assert_eq!(read(&meter, DAILY), 1_000);
    }

    #[test]
    fn a_call_that_one_limit_refuses_uses_nothing_of_the_others() {
        let till = Arc::new(Till::default());
        let key = meter(&[
            (LimitName::RequestsPerMinute, 10),
            (LimitName::TokensPerMinute, 100),
            (LimitName::ConcurrentCalls, 10),
            (DAILY, 1_000),
        ]);
        let workspace = meter(&[(LimitName::TokensPerMinute, 50)]);
        let meters = [Arc::clone(&key), Arc::clone(&workspace)];
        let (refused, quotas) =
            till.enter(&meters, CallId::fresh(), entry(60, 7)).expect_err("more than the workspace has");
        assert_eq!((refused.name, refused.used, refused.limit), (LimitName::TokensPerMinute, 0, 50));
        assert_eq!(quotas.requests.expect("a limit").remaining, 10);
        assert_eq!(quotas.tokens.expect("a limit").limit, 50, "the tighter one");
        assert!(key.read(NOW, 5).iter().all(|reading| reading.used == 0), "{:?}", key.read(NOW, 5));
        let turn =
            till.enter(&meters, CallId::fresh(), entry(20, 7)).expect("there is room").expect("limits");
        let tightest = turn.quotas.tokens.expect("a limit");
        assert_eq!((tightest.limit, tightest.remaining), (50, 30));
    }

    #[test]
    fn what_a_call_reserved_is_settled_once_and_what_never_was_told_is_given_back() {
        let till = Arc::new(Till::default());
        let meter = meter(&[(LimitName::TokensPerMinute, 100), (DAILY, 100)]);
        let enter = |call| till.enter(std::slice::from_ref(&meter), call, entry(60, 60));
        let used_now = || (read(&meter, LimitName::TokensPerMinute), read(&meter, DAILY));
        let told = CallId::fresh();
        let turn = enter(told).expect("there is room");
        assert_eq!(used_now(), (60, 60));
        till.settle(told, || used(10, 15));
        assert_eq!(used_now(), (10, 15));
        drop(turn);
        assert_eq!(used_now(), (10, 15), "once");
        drop(enter(CallId::fresh()).expect("there is room"));
        assert_eq!(used_now(), (10, 15));
        assert!(till.is_empty(), "nothing stays behind");
    }

    #[test]
    fn a_place_is_free_again_when_its_call_has_ended() {
        let (till, meter) = (Arc::new(Till::default()), meter(&[(LimitName::ConcurrentCalls, 1)]));
        let enter = || till.enter(std::slice::from_ref(&meter), CallId::fresh(), entry(0, 0));
        let turn = enter().expect("nobody is there");
        let (refused, _) = enter().expect_err("one is");
        assert_eq!(refused.to_string(), "concurrent_calls of key k: used 1 of 1");
        drop(turn);
        assert!(enter().is_ok());
    }

    #[test]
    fn a_spent_budget_says_what_is_used_and_when_it_begins_anew() {
        let (till, meter) = (Arc::new(Till::default()), meter(&[(DAILY, 2_500_000_000)]));
        let enter = |nano| till.enter(std::slice::from_ref(&meter), CallId::fresh(), entry(0, nano));
        let _turn = enter(2_000_000_000).expect("there is room");
        let (refused, _) = enter(600_000_000).expect_err("there is not");
        assert_eq!(refused.to_string(), "usd_per_day of key k: used 2.00 USD of 2.50 USD");
        assert_eq!(refused.wait.as_micros(), 86_400_000_000 - 5, "midnight UTC");
        let (refused, _) = enter(2_600_000_000).expect_err("more than there ever is");
        assert_eq!(refused.wait, std::time::Duration::MAX);
        assert!(enter(500_000_000).is_ok(), "all of it may be used");
    }

    #[test]
    fn what_was_spent_before_counts_once() {
        let meter = meter(&[(DAILY, 100), (LimitName::SoftUsd(Span::Month), 100)]);
        meter.begin([30, 70], 5);
        assert_eq!(meter.counted(5), None, "it is known");
        meter.begin([30, 70], 5);
        assert_eq!((read(&meter, DAILY), read(&meter, LimitName::SoftUsd(Span::Month))), (30, 70));
    }

    proptest! {
        /// Calls come, are told and leave in any order; what is used is always what is reserved and what was paid.
        #[test]
        fn in_whatever_order_calls_come_and_end_nothing_is_lost_or_below_nothing(
            steps in proptest::collection::vec((0u8..4, 0i64..100, 0usize..16), 1..200)
        ) {
            let (till, meter) = (Arc::new(Till::default()), meter(&[(DAILY, 1_000)]));
            let (mut open, mut paid): (Vec<(CallId, i64, Turn)>, i64) = (Vec::new(), 0);
            for (step, nano, which) in steps {
                match step {
                    0 | 1 => {
                        let call = CallId::fresh();
                        let reserved: i64 = open.iter().map(|(_, nano, _)| nano).sum();
                        let entered = till.enter(std::slice::from_ref(&meter), call, entry(0, nano));
                        let fits = paid + reserved < 1_000 && paid + reserved + nano <= 1_000;
                        prop_assert_eq!(entered.is_ok(), fits);
                        open.extend(entered.ok().flatten().map(|turn| (call, nano, turn)));
                    }
                    _ if open.is_empty() => {}
                    2 => {
                        let (call, _, turn) = open.remove(which % open.len());
                        till.settle(call, || used(0, nano));
                        drop(turn);
                        paid += nano;
                    }
                    _ => drop(open.remove(which % open.len())),
                }
                let reserved: i64 = open.iter().map(|(_, nano, _)| nano).sum();
                prop_assert_eq!(read(&meter, DAILY), u64::try_from(paid + reserved).expect("never below nothing"));
            }
            open.clear();
            prop_assert!(till.is_empty());
        }
    }
}
