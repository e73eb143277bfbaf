//! Owns what may be limited, and the arithmetic of a limit per minute: the generic cell rate algorithm (GCRA, ITU-T I.371)
//! with a burst of the whole limit, in whole numbers, so that at a stopped clock exactly as many pass as the limit says.
//! Must not know whose limit it is.

use std::time::Duration;

use tidegate_actors::ports::clock::Tick;

use super::budget::Span;
use super::money::short_usd;

/// What may be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitName {
    /// Calls that begin.
    RequestsPerMinute,
    /// Tokens read and written by providers.
    TokensPerMinute,
    /// Calls that have begun and not ended.
    ConcurrentCalls,
    /// Money in a UTC day or month, nano-USD: where nothing more passes.
    Usd(Span),
    /// The same: where it is warned.
    SoftUsd(Span),
    /// Days that what a workspace's calls ask and are told is kept; without it nothing of it is.
    BodyDays,
}

impl LimitName {
    /// Every limit.
    pub const ALL: [Self; 8] = [
        Self::RequestsPerMinute,
        Self::TokensPerMinute,
        Self::ConcurrentCalls,
        Self::Usd(Span::Day),
        Self::Usd(Span::Month),
        Self::SoftUsd(Span::Day),
        Self::SoftUsd(Span::Month),
        Self::BodyDays,
    ];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequestsPerMinute => "requests_per_minute",
            Self::TokensPerMinute => "tokens_per_minute",
            Self::ConcurrentCalls => "concurrent_calls",
            Self::Usd(Span::Day) => "usd_per_day",
            Self::Usd(Span::Month) => "usd_per_month",
            Self::SoftUsd(Span::Day) => "soft_usd_per_day",
            Self::SoftUsd(Span::Month) => "soft_usd_per_month",
            Self::BodyDays => "body_days",
        }
    }

    /// Whether it limits money.
    #[must_use]
    pub const fn is_money(self) -> bool {
        matches!(self, Self::Usd(_) | Self::SoftUsd(_))
    }

    /// Whether it refuses calls; what does not warns, or says what is kept.
    #[must_use]
    pub const fn refuses(self) -> bool {
        !matches!(self, Self::SoftUsd(_) | Self::BodyDays)
    }

    /// So much of it as people read it.
    #[must_use]
    pub fn said(self, amount: u64) -> String {
        match self.is_money() {
            true => format!("{} USD", short_usd(i64::try_from(amount).unwrap_or(i64::MAX))),
            false => amount.to_string(),
        }
    }

    /// The limit of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == word)
    }
}

/// A minute in nanoseconds, and what one unit weighs: with the limit as the rate at which weight leaves, nothing is rounded.
const MINUTE: u128 = 60_000_000_000;

/// What of a limit per minute is used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    weight: u128,
    at: Tick,
}

/// A limit per minute at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Units per minute.
    pub limit: u64,
    /// Units left.
    pub remaining: u64,
    /// Until all are there again.
    pub reset: Duration,
}

impl Bucket {
    /// Uses `units` if so many are left.
    ///
    /// # Errors
    /// How long until they are; forever where they are more than the limit.
    pub(super) fn take(&mut self, units: u64, limit: u64, now: Tick) -> Result<(), Duration> {
        self.leak(limit, now);
        let wanted = self.weight + u128::from(units) * MINUTE;
        let most = u128::from(limit) * MINUTE;
        if wanted <= most {
            self.weight = wanted;
            return Ok(());
        }
        Err(if units > limit { Duration::MAX } else { lasting(wanted - most, limit) })
    }

    /// Gives units back that were not used.
    pub(super) fn give(&mut self, units: u64) {
        self.weight = self.weight.saturating_sub(u128::from(units) * MINUTE);
    }

    /// Uses units that were used already, also more than are left.
    pub(super) fn charge(&mut self, units: u64) {
        self.weight += u128::from(units) * MINUTE;
    }

    /// What is left of `limit`.
    pub(super) fn quota(&mut self, limit: u64, now: Tick) -> Quota {
        self.leak(limit, now);
        let left = (u128::from(limit) * MINUTE).saturating_sub(self.weight) / MINUTE;
        Quota { limit, remaining: u64::try_from(left).unwrap_or(limit), reset: lasting(self.weight, limit) }
    }

    fn leak(&mut self, limit: u64, now: Tick) {
        let gone = u128::from(now.nanos_since(self.at)) * u128::from(limit);
        self.weight = self.weight.saturating_sub(gone);
        self.at = self.at.max(now);
    }
}

/// How long a weight takes to leave.
fn lasting(weight: u128, limit: u64) -> Duration {
    let nanos = weight.div_ceil(u128::from(limit.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_ms(ms: u64) -> Tick {
        Tick(1_000_000).plus_ms(ms)
    }

    #[test]
    fn at_a_stopped_clock_exactly_as_many_pass_as_the_limit_says() {
        for limit in [1, 7, 60, 100, 6_999_999, 40_000_000] {
            let mut bucket = Bucket::default();
            let half = limit / 2;
            assert_eq!(bucket.take(half, limit, after_ms(0)), Ok(()));
            assert_eq!(bucket.take(limit - half, limit, after_ms(0)), Ok(()), "{limit}");
            assert!(bucket.take(1, limit, after_ms(0)).is_err(), "one more than {limit}");
            assert_eq!(bucket.quota(limit, after_ms(0)).remaining, 0);
        }
    }

    #[test]
    fn a_refusal_says_when_there_is_room_and_then_there_is() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(100, 100, after_ms(0)), Ok(()));
        assert_eq!(bucket.take(1, 100, after_ms(0)), Err(Duration::from_millis(600)));
        assert!(bucket.take(1, 100, after_ms(599)).is_err(), "a millisecond early");
        assert_eq!(bucket.take(1, 100, after_ms(600)), Ok(()));
        assert_eq!(bucket.take(101, 100, after_ms(600)), Err(Duration::MAX), "never so many at once");
        let quota = bucket.quota(100, after_ms(30_600));
        assert_eq!((quota.remaining, quota.reset), (50, Duration::from_secs(30)));
    }

    #[test]
    fn what_was_reserved_is_settled_both_ways() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(60, 100, after_ms(0)), Ok(()));
        bucket.give(50);
        assert_eq!(bucket.quota(100, after_ms(0)).remaining, 90);
        bucket.charge(200);
        assert_eq!(bucket.quota(100, after_ms(0)).remaining, 0);
        assert_eq!(
            bucket.take(1, 100, after_ms(0)),
            Err(Duration::from_millis(111 * 600)),
            "the debt is paid first"
        );
    }
}
