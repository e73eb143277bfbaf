//! Owns the arithmetic of a budget: money spent and reserved in a UTC day or month. A call reserves what it may cost and is
//! settled by what it did cost, in the day and month it was admitted in. Must not know whose budget it is.

use time::{Date, OffsetDateTime};

const DAY_US: i64 = 86_400 * 1_000_000;

/// Over what time money is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// A UTC day.
    Day,
    /// A UTC month.
    Month,
}

/// From this moment on and before that one, microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// Its first moment.
    pub from_us: i64,
    /// The first moment behind it.
    pub until_us: i64,
}

impl Span {
    /// Every span.
    pub const ALL: [Self; 2] = [Self::Day, Self::Month];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The span of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.name() == word)
    }

    /// The period of a moment.
    #[must_use]
    pub fn at(self, unix_us: i64) -> Period {
        let day = unix_us.div_euclid(DAY_US);
        let of_day = Period { from_us: day * DAY_US, until_us: (day + 1) * DAY_US };
        match self {
            Self::Day => of_day,
            // A clock outside the years that have dates counts by the day.
            Self::Month => month(day).unwrap_or(of_day),
        }
    }
}

fn month(day: i64) -> Option<Period> {
    let date = OffsetDateTime::from_unix_timestamp(day.checked_mul(86_400)?).ok()?.date();
    let first = date.replace_day(1).ok()?;
    let last = date.replace_day(date.month().length(date.year())).ok()?;
    let us = |date: Date| date.midnight().assume_utc().unix_timestamp() * 1_000_000;
    Some(Period { from_us: us(first), until_us: us(last) + DAY_US })
}

/// What may be spent in a span, and what of the present one is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    span: Span,
    /// Where nothing more passes, nano-USD.
    pub(super) hard: Option<i64>,
    /// Where it is warned.
    pub(super) soft: Option<i64>,
    period: Period,
    /// Before anything was counted here, and by calls here.
    spent: i64,
    /// By calls here alone.
    own: i64,
    /// By calls of other servers, as far as that is known.
    elsewhere: i64,
    reserved: i64,
    /// It was said in this period that the soft limit is passed.
    warned: bool,
}

/// A budget at a moment, nano-USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Spent and reserved.
    pub used: i64,
    /// Spent alone.
    pub settled: i64,
    /// Of that by calls here.
    pub own: i64,
    /// In which time.
    pub period: Period,
}

impl Budget {
    pub(super) fn of(span: Span) -> Self {
        let period = Period { from_us: i64::MIN, until_us: i64::MIN };
        Self {
            span,
            hard: None,
            soft: None,
            period,
            spent: 0,
            own: 0,
            elsewhere: 0,
            reserved: 0,
            warned: false,
        }
    }

    /// What of it is used.
    pub(super) fn read(&mut self, now_us: i64) -> Spent {
        self.turn(now_us);
        let settled = self.spent.saturating_add(self.elsewhere);
        Spent { used: settled.saturating_add(self.reserved), settled, own: self.own, period: self.period }
    }

    /// Whether so much more may be used.
    pub(super) fn has_room(&mut self, nano: i64, now_us: i64) -> bool {
        let used = self.read(now_us).used;
        self.hard.is_none_or(|hard| used < hard && used.saturating_add(nano) <= hard)
    }

    /// Reserves so much.
    pub(super) fn reserve(&mut self, nano: i64, now_us: i64) {
        self.turn(now_us);
        self.reserved = self.reserved.saturating_add(nano.max(0));
    }

    /// What was reserved at a moment cost so much. Of a period that is over nothing counts any more.
    pub(super) fn settle(&mut self, reserved: i64, cost: i64, at_us: i64) {
        if (self.period.from_us..self.period.until_us).contains(&at_us) {
            self.reserved = self.reserved.saturating_sub(reserved.max(0)).max(0);
            self.spent = self.spent.saturating_add(cost.max(0));
            self.own = self.own.saturating_add(cost.max(0));
        }
    }

    /// Other servers have spent so much in the period that began at a moment.
    pub(super) fn elsewhere(&mut self, nano: i64, from_us: i64) {
        if self.period.from_us == from_us {
            self.elsewhere = nano.max(0);
        }
    }

    /// So much was spent in the period of `at_us` before anything was counted here.
    pub(super) fn begin(&mut self, nano: i64, at_us: i64) {
        self.turn(at_us);
        if (self.period.from_us..self.period.until_us).contains(&at_us) {
            self.spent = self.spent.saturating_add(nano.max(0));
        }
    }

    /// True once in a period: the soft limit is passed.
    pub(super) fn warns(&mut self, now_us: i64) -> bool {
        let used = self.read(now_us).used;
        let passed = self.soft.is_some_and(|soft| used >= soft);
        passed && !std::mem::replace(&mut self.warned, true)
    }

    /// Begins a new period if the last one is over. A clock that was set back begins none.
    fn turn(&mut self, now_us: i64) {
        if now_us >= self.period.until_us {
            let Self { span, hard, soft, .. } = *self;
            *self = Self { hard, soft, period: span.at(now_us), ..Self::of(span) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-02-28T23:59:59.999999Z.
    const LAST_OF_FEBRUARY: i64 = 1_772_323_199_999_999;

    fn budget(span: Span, hard: i64) -> Budget {
        Budget { hard: Some(hard), ..Budget::of(span) }
    }

    #[test]
    fn days_and_months_begin_at_midnight_utc() {
        let day = Span::Day.at(LAST_OF_FEBRUARY);
        assert_eq!((day.until_us, day.until_us - day.from_us), (LAST_OF_FEBRUARY + 1, DAY_US));
        let month = Span::Month.at(LAST_OF_FEBRUARY);
        assert_eq!((month.until_us, month.until_us - month.from_us), (LAST_OF_FEBRUARY + 1, 28 * DAY_US));
        let march = Span::Month.at(LAST_OF_FEBRUARY + 1);
        assert_eq!((march.from_us, march.until_us - march.from_us), (LAST_OF_FEBRUARY + 1, 31 * DAY_US));
        assert_eq!(Span::Month.at(-1), Period { from_us: -31 * DAY_US, until_us: 0 });
        assert!(Span::ALL.iter().all(|span| span.at(i64::MAX / 2).from_us > 0), "no clock is too far off");
    }

    #[test]
    fn what_may_cost_more_than_is_left_has_no_room() {
        let mut budget = budget(Span::Day, 100);
        assert!(budget.has_room(100, 0) && !budget.has_room(101, 0));
        budget.reserve(60, 0);
        assert!(budget.has_room(40, 0) && !budget.has_room(41, 0));
        budget.settle(60, 100, 0);
        assert!(!budget.has_room(0, 0), "not even what may cost nothing, once all is spent");
    }

    #[test]
    fn a_new_period_begins_with_nothing_and_an_old_calls_cost_stays_in_its_own() {
        let mut budget = budget(Span::Month, 100);
        budget.reserve(70, LAST_OF_FEBRUARY);
        assert!(!budget.has_room(40, LAST_OF_FEBRUARY));
        assert!(budget.has_room(100, LAST_OF_FEBRUARY + 1));
        budget.settle(70, 70, LAST_OF_FEBRUARY);
        assert_eq!(budget.read(LAST_OF_FEBRUARY + 1).used, 0, "it was February's");
        budget.reserve(1, LAST_OF_FEBRUARY);
        assert_eq!(budget.read(LAST_OF_FEBRUARY).used, 1, "a clock set back begins no new month");
    }

    #[test]
    fn what_other_servers_spent_is_as_if_it_were_spent_here_and_is_not_told_them_again() {
        let mut budget = budget(Span::Day, 100);
        budget.reserve(20, 0);
        budget.settle(20, 20, 0);
        budget.elsewhere(50, 0);
        budget.elsewhere(60, 0); // a later word, not more money
        let Spent { used, settled, own, .. } = budget.read(0);
        assert_eq!((used, settled, own), (80, 80, 20));
        assert!(budget.has_room(20, 0) && !budget.has_room(21, 0));
        budget.elsewhere(90, DAY_US);
        assert_eq!(budget.read(0).used, 80, "of another day");
        assert_eq!(budget.read(DAY_US).used, 0, "a new day begins with nothing, elsewhere too");
    }

    #[test]
    fn a_soft_limit_warns_once_in_a_period() {
        let mut budget = Budget { soft: Some(10), ..Budget::of(Span::Day) };
        assert!(!budget.warns(0));
        budget.reserve(10, 0);
        assert!(budget.warns(0) && !budget.warns(0) && budget.has_room(i64::MAX, 0));
        budget.reserve(10, DAY_US);
        assert!(budget.warns(DAY_US));
    }

    proptest! {
        /// A model keeps every open reservation by itself; the budget must always agree with it.
        #[test]
        fn whatever_is_reserved_and_settled_nothing_is_lost_or_below_nothing(
            steps in proptest::collection::vec((0u8..5, 0i64..1_000, 0usize..8), 1..300)
        ) {
            let mut budget = budget(Span::Day, 5_000);
            let (mut now_us, mut spent, mut open): (i64, i64, Vec<(i64, i64)>) = (0, 0, Vec::new());
            for (step, amount, which) in steps {
                match step {
                    0 | 1 => if budget.has_room(amount, now_us) {
                        budget.reserve(amount, now_us);
                        open.push((amount, now_us));
                    },
                    2 | 3 => if !open.is_empty() {
                        let (reserved, at_us) = open.remove(which % open.len());
                        budget.settle(reserved, amount, at_us);
                        if Span::Day.at(at_us) == Span::Day.at(now_us) {
                            spent += amount;
                        }
                    },
                    _ => {
                        let before = Span::Day.at(now_us);
                        now_us += DAY_US / 8 * amount / 100;
                        if Span::Day.at(now_us) != before {
                            spent = 0;
                        }
                    }
                }
                let today = Span::Day.at(now_us);
                let reserved: i64 = open.iter().filter(|(_, at)| Span::Day.at(*at) == today).map(|(nano, _)| nano).sum();
                let read = budget.read(now_us);
                prop_assert_eq!((read.settled, read.used), (spent, spent + reserved));
            }
        }
    }
}
