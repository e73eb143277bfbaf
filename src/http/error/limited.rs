//! Refusals of calls for which a limit has no room: which limit, what is used of it, and when there is room again. Must not
//! count anything.

use std::time::Duration;

use tidegate_actors::Retry;

use super::DoorError;
use crate::dialect::error::Limit;
use crate::identity::money::usd;
use crate::identity::{Exceeded, LimitName, Quotas};
use crate::telemetry::when::written;

/// OpenAI's word for money that is spent.
pub(super) const SPENT: &str = "insufficient_quota";

/// A limit that is used up, and what is left of the others.
#[derive(Debug)]
pub(super) struct Limited {
    exceeded: Exceeded,
    pub(super) quotas: Quotas,
}

/// The limit as texts.
pub(super) struct LimitTold<'a> {
    exceeded: &'a Exceeded,
    used: String,
    limit: String,
    reset_at: Option<String>,
}

impl Limited {
    pub(super) fn told(&self) -> LimitTold<'_> {
        let exceeded = &self.exceeded;
        let (used, limit) = (json(exceeded.name, exceeded.used), json(exceeded.name, exceeded.limit));
        LimitTold { exceeded, used, limit, reset_at: self.reset_us().map(written) }
    }

    /// When there is room again, to the microsecond.
    fn reset_us(&self) -> Option<i64> {
        let Exceeded { name, wait, .. } = self.exceeded;
        // When a call ends nobody knows, and more than there ever is never has room.
        let known = name != LimitName::ConcurrentCalls && wait != Duration::MAX;
        let us = i64::try_from(wait.as_nanos().div_ceil(1_000)).ok().filter(|_| known)?;
        Some(self.quotas.at_us.saturating_add(us))
    }
}

impl LimitTold<'_> {
    pub(super) fn lent(&self) -> Limit<'_> {
        let Self { exceeded, used, limit, reset_at } = self;
        let Exceeded { name, subject, .. } = exceeded;
        Limit { name: name.name(), subject, used, limit, reset_at: reset_at.as_deref() }
    }
}

/// An amount as JSON: money is a decimal text.
fn json(name: LimitName, amount: u64) -> String {
    match name.is_money() {
        true => format!("\"{}\"", usd(i64::try_from(amount).unwrap_or(i64::MAX))),
        false => amount.to_string(),
    }
}

impl DoorError {
    /// The limit that is used up; empty where none is.
    pub(crate) fn limit(&self) -> &'static str {
        self.limited.as_deref().map_or("", |limited| limited.exceeded.name.name())
    }

    /// A limit of the key or its workspace has no room for the call.
    pub(crate) fn limited(exceeded: Exceeded, quotas: Quotas) -> Self {
        let limited = Box::new(Limited { exceeded, quotas });
        let Exceeded { name, wait, asked, .. } = limited.exceeded;
        let retry = if wait == Duration::MAX { Retry::Never } else { Retry::After(wait) };
        let when = match (limited.reset_us(), retry) {
            (_, Retry::Never) => "the request alone is more than that".to_owned(),
            (Some(at), _) if name.is_money() => format!("it begins anew at {}", written(at)),
            _ => format!("there is room again in {} ms", wait.as_nanos().div_ceil(1_000_000)),
        };
        let code = if name.is_money() { SPENT } else { "rate_limit_exceeded" };
        let asked = match name {
            LimitName::Usd(_) => format!(", and the call may cost {}", name.said(asked)),
            LimitName::TokensPerMinute => format!(", and the call asks for {asked}"),
            _ => String::new(),
        };
        let message = format!("{}{asked}; {when}", limited.exceeded);
        Self { retry, limited: Some(limited), ..Self::refused(429, code, message) }
    }
}
