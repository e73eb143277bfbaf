//! Owns what one key or workspace has used of its limits: a call enters if all of them allow it. Must not know doors or other
//! keys; everything here answers at once.

use std::time::Duration;

use parking_lot::Mutex;
use tidegate_actors::WorkspaceId;
use tidegate_actors::ports::clock::Tick;

use super::budget::{Budget, Period, Span, Spent};
use super::limit::{Bucket, LimitName, Quota};
use super::money::short_usd;

/// Whose limits they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// As refusals name it.
    pub name: String,
    /// The id of the key or workspace.
    pub id: String,
    /// The workspace, or that of the key.
    pub workspace: WorkspaceId,
    /// The key's calls in the books; nothing for a workspace.
    pub credential: Option<u64>,
}

/// The limits of one key or workspace, and what of them is used. Outlives the roster's tables.
#[derive(Debug)]
pub struct Meter {
    whose: Whose,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    requests_per_minute: Option<u64>,
    tokens_per_minute: Option<u64>,
    concurrent_calls: Option<u64>,
    requests: Bucket,
    tokens: Bucket,
    running: u64,
    /// In the order of [`Span::ALL`].
    budgets: [Budget; 2],
    /// What was spent before this meter was made is in the budgets.
    begun: bool,
}

/// What a call is to be let in with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its tokens, by estimate.
    pub tokens: u64,
    /// What they may cost, nano-USD.
    pub nano: i64,
    /// Now.
    pub now: Tick,
    /// Now, microseconds since 1970 UTC.
    pub now_us: i64,
}

/// What a call turned out to use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) tokens: u64,
    pub(super) nano: i64,
}

/// A limit that is used up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of {subject}: used {} of {}", name.name(), name.said(*used), name.said(*limit))]
pub struct Exceeded {
    /// Which.
    pub name: LimitName,
    /// Whose.
    pub subject: String,
    /// How much of it is used; money in nano-USD.
    pub used: u64,
    /// How much there is; likewise.
    pub limit: u64,
    /// How much the call asked for; likewise.
    pub asked: u64,
    /// When it may be asked again; never if the call alone is more than the limit.
    pub wait: Duration,
}

/// A soft limit that is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warned {
    /// Which.
    pub name: LimitName,
    /// How much is used, nano-USD.
    pub used: i64,
    /// How much was meant to be.
    pub limit: i64,
    /// When it begins anew, microseconds since 1970 UTC.
    pub reset_us: i64,
}

/// The tightest quotas a call entered under.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Of requests.
    pub requests: Option<Quota>,
    /// Of tokens.
    pub tokens: Option<Quota>,
    /// A soft limit that is passed.
    pub warned: Option<Warned>,
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
}

/// A limit, and what of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Which.
    pub name: LimitName,
    /// How much there is; money in nano-USD.
    pub limit: u64,
    /// How much of it is used; likewise.
    pub used: u64,
    /// When all of it is there again, microseconds since 1970 UTC; nothing where nobody knows.
    pub reset_us: Option<i64>,
}

impl State {
    /// Gives the request back that was counted.
    fn unask(&mut self) {
        if self.requests_per_minute.is_some() {
            self.requests.give(1);
        }
    }

    /// The first budget in which there is no room, with its name, what is used and what there is.
    fn spent(&mut self, entry: &Entry) -> Option<(LimitName, u64, u64, Duration)> {
        for (span, budget) in Span::ALL.into_iter().zip(&mut self.budgets) {
            if budget.has_room(entry.nano, entry.now_us) {
                continue;
            }
            let (hard, Spent { used, period, .. }) = (budget.hard?, budget.read(entry.now_us));
            let wait = match entry.nano > hard {
                true => Duration::MAX,
                false => between(entry.now_us, period),
            };
            return Some((LimitName::Usd(span), amount(used), amount(hard), wait));
        }
        None
    }
}

fn between(now_us: i64, period: Period) -> Duration {
    Duration::from_micros(amount(period.until_us.saturating_sub(now_us)))
}

/// What is never below nothing.
fn amount(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

impl Meter {
    /// A meter that has counted nothing.
    pub(super) fn of(whose: Whose) -> Self {
        let state = State {
            requests_per_minute: None,
            tokens_per_minute: None,
            concurrent_calls: None,
            requests: Bucket::default(),
            tokens: Bucket::default(),
            running: 0,
            budgets: Span::ALL.map(Budget::of),
            begun: false,
        };
        Self { whose, state: Mutex::new(state) }
    }

    /// Whose limits these are.
    #[must_use]
    pub fn whose(&self) -> &Whose {
        &self.whose
    }

    /// Limits from here on; what is used stays used.
    pub(super) fn limit(&self, of: impl Fn(LimitName) -> Option<u64>) {
        let mut state = self.state.lock();
        state.requests_per_minute = of(LimitName::RequestsPerMinute);
        state.tokens_per_minute = of(LimitName::TokensPerMinute);
        state.concurrent_calls = of(LimitName::ConcurrentCalls);
        let money = |name| of(name).map(|nano| i64::try_from(nano).unwrap_or(i64::MAX));
        for (span, budget) in Span::ALL.into_iter().zip(&mut state.budgets) {
            budget.hard = money(LimitName::Usd(span));
            budget.soft = money(LimitName::SoftUsd(span));
        }
    }

    pub(super) fn enter(&self, entry: &Entry) -> Result<(), Exceeded> {
        let mut state = self.state.lock();
        let exceeded = |(name, used, limit, wait)| {
            let asked = match name {
                LimitName::TokensPerMinute => entry.tokens,
                LimitName::RequestsPerMinute | LimitName::ConcurrentCalls => 1,
                LimitName::Usd(_) | LimitName::SoftUsd(_) => amount(entry.nano),
                LimitName::BodyDays => 0,
            };
            Err(Exceeded { name, subject: self.whose.name.clone(), used, limit, asked, wait })
        };
        if let Some(limit) = state.concurrent_calls
            && state.running >= limit
        {
            // When one of them ends nobody knows.
            return exceeded((LimitName::ConcurrentCalls, state.running, limit, Duration::from_secs(1)));
        }
        if let Some(spent) = state.spent(entry) {
            return exceeded(spent);
        }
        if let Some(limit) = state.requests_per_minute
            && let Err(wait) = state.requests.take(1, limit, entry.now)
        {
            let used = limit - state.requests.quota(limit, entry.now).remaining;
            return exceeded((LimitName::RequestsPerMinute, used, limit, wait));
        }
        if let Some(limit) = state.tokens_per_minute
            && let Err(wait) = state.tokens.take(entry.tokens, limit, entry.now)
        {
            state.unask();
            let used = limit - state.tokens.quota(limit, entry.now).remaining;
            return exceeded((LimitName::TokensPerMinute, used, limit, wait));
        }
        state.running += 1;
        state.budgets.iter_mut().for_each(|budget| budget.reserve(entry.nano, entry.now_us));
        Ok(())
    }

    /// As if the call had never entered.
    pub(super) fn undo(&self, entry: &Entry) {
        let mut state = self.state.lock();
        state.unask();
        state.tokens.give(entry.tokens);
        state.running = state.running.saturating_sub(1);
        state.budgets.iter_mut().for_each(|budget| budget.settle(entry.nano, 0, entry.now_us));
    }

    pub(super) fn leave(&self) {
        let mut state = self.state.lock();
        state.running = state.running.saturating_sub(1);
    }

    pub(super) fn settle(&self, entry: &Entry, used: Used) {
        let mut state = self.state.lock();
        if state.tokens_per_minute.is_some() {
            state.tokens.give(entry.tokens);
            state.tokens.charge(used.tokens);
        }
        state.budgets.iter_mut().for_each(|budget| budget.settle(entry.nano, used.nano, entry.now_us));
    }

    /// What was settled so far in the periods of a moment, if nobody has said yet what was spent before.
    pub(super) fn counted(&self, now_us: i64) -> Option<[Spent; 2]> {
        let mut state = self.state.lock();
        let has_budget = state.budgets.iter().any(|budget| budget.hard.is_some() || budget.soft.is_some());
        let unknown = has_budget && !state.begun;
        unknown.then(|| state.budgets.each_mut().map(|budget| budget.read(now_us)))
    }

    /// What was spent in the periods of a moment, where that is counted and known.
    pub(super) fn spent(&self, now_us: i64) -> Option<[Spent; 2]> {
        let mut state = self.state.lock();
        let is_known = state.begun;
        is_known.then(|| state.budgets.each_mut().map(|budget| budget.read(now_us)))
    }

    /// So much was spent in the periods of `at_us` before anything was counted here.
    pub(super) fn begin(&self, nano: [i64; 2], at_us: i64) {
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.begun, true) {
            state.budgets.iter_mut().zip(nano).for_each(|(budget, nano)| budget.begin(nano, at_us));
        }
    }

    /// Other servers have spent so much in the period of this span that began at a moment.
    pub(super) fn elsewhere(&self, span: Span, nano: i64, from_us: i64) {
        let mut state = self.state.lock();
        let of_span = Span::ALL.into_iter().zip(&mut state.budgets).filter(|(known, _)| *known == span);
        of_span.for_each(|(_, budget)| budget.elsewhere(nano, from_us));
    }

    pub(super) fn quotas(&self, now: Tick, now_us: i64) -> Quotas {
        let mut state = self.state.lock();
        let state = &mut *state;
        let requests = state.requests_per_minute.map(|limit| state.requests.quota(limit, now));
        let tokens = state.tokens_per_minute.map(|limit| state.tokens.quota(limit, now));
        let mut warned = None;
        for (span, budget) in Span::ALL.into_iter().zip(&mut state.budgets) {
            let (Some(limit), Spent { used, period, .. }) = (budget.soft, budget.read(now_us)) else {
                continue;
            };
            if used < limit {
                continue;
            }
            let (name, reset_us) = (LimitName::SoftUsd(span), period.until_us);
            warned = warned.or(Some(Warned { name, used, limit, reset_us }));
            if budget.warns(now_us) {
                let Whose { name: whose, .. } = &self.whose;
                let (used, limit) = (short_usd(used), short_usd(limit));
                tracing::warn!(limit_name = name.name(), used, limit, "a soft budget of {whose} is passed");
            }
        }
        Quotas { requests, tokens, warned, at_us: now_us }
    }

    /// Every limit, and what of it is used.
    #[must_use]
    pub fn read(&self, now: Tick, now_us: i64) -> Vec<Reading> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let ends =
            |quota: &Quota| now_us.saturating_add(i64::try_from(quota.reset.as_micros()).unwrap_or(i64::MAX));
        let of_quota = |name, quota: Quota| {
            let used = quota.limit - quota.remaining;
            Reading { name, limit: quota.limit, used, reset_us: Some(ends(&quota)) }
        };
        let mut all = Vec::new();
        let requests = state.requests_per_minute.map(|limit| state.requests.quota(limit, now));
        all.extend(requests.map(|quota| of_quota(LimitName::RequestsPerMinute, quota)));
        let tokens = state.tokens_per_minute.map(|limit| state.tokens.quota(limit, now));
        all.extend(tokens.map(|quota| of_quota(LimitName::TokensPerMinute, quota)));
        let (name, used) = (LimitName::ConcurrentCalls, state.running);
        all.extend(state.concurrent_calls.map(|limit| Reading { name, limit, used, reset_us: None }));
        for (span, budget) in Span::ALL.into_iter().zip(&mut state.budgets) {
            let Spent { used, period, .. } = budget.read(now_us);
            let (used, reset_us) = (amount(used), Some(period.until_us));
            let named = [(LimitName::Usd(span), budget.hard), (LimitName::SoftUsd(span), budget.soft)];
            let set = named.into_iter().filter_map(|(name, limit)| Some((name, amount(limit?))));
            all.extend(set.map(|(name, limit)| Reading { name, limit, used, reset_us }));
        }
        all
    }
}

impl Quotas {
    /// What is tighter of both.
    pub(super) fn tighter(self, other: Self) -> Self {
        let less = |one: Option<Quota>, other: Option<Quota>| match (one, other) {
            (Some(one), Some(other)) => Some(if other.remaining < one.remaining { other } else { one }),
            (one, other) => one.or(other),
        };
        Self {
            requests: less(self.requests, other.requests),
            tokens: less(self.tokens, other.tokens),
            warned: self.warned.or(other.warned),
            at_us: self.at_us.max(other.at_us),
        }
    }
}
