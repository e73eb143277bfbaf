//! How long an upstream takes for a batch, learned from those that came back, and how much of what waits is best
//! left for a slot that is about to be free. Pure.
//!
//! Owns what is in the air as far as this needs it; must not know rows, locks or callers.

use std::time::Duration;

use crate::ports::clock::Tick;

/// What an older observation counts beside the next newer one.
const MEMORY: f64 = 0.9;
/// Sizes must vary by this part of their mean before a cost per token can be told from them.
const VARIETY: f64 = 0.1;
/// Observations (the older the less) of one size alone after which another size is tried, and the part of it.
const MONOTONY: f64 = 5.0;
const TRIAL: f64 = 0.33;
/// Dividing must save this part of a request's fixed time, or it is not worth the request.
const WORTH: f64 = 0.25;

/// Seconds a batch takes: `fixed + per_token * tokens`, by least squares that forget.
#[derive(Debug, Default)]
struct Pace {
    weight: f64,
    tokens: f64,
    seconds: f64,
    tokens_squared: f64,
    tokens_seconds: f64,
    /// Unknown while all batches were of one size.
    per_token: Option<f64>,
}

impl Pace {
    fn learn(&mut self, tokens: f64, seconds: f64) {
        self.weight = self.weight * MEMORY + 1.0;
        self.tokens = self.tokens * MEMORY + tokens;
        self.seconds = self.seconds * MEMORY + seconds;
        self.tokens_squared = self.tokens_squared * MEMORY + tokens * tokens;
        self.tokens_seconds = self.tokens_seconds * MEMORY + tokens * seconds;
        let mean = self.tokens / self.weight;
        let spread = self.tokens_squared / self.weight - mean * mean;
        // Batches of one size say nothing about a token: what was known before still stands.
        if spread > (VARIETY * mean).powi(2) {
            let together = self.tokens_seconds / self.weight - mean * self.seconds / self.weight;
            self.per_token = Some((together / spread).max(0.0));
        }
    }

    /// The fixed part, where a token costs this.
    fn fixed(&self, per_token: f64) -> f64 {
        if self.weight == 0.0 {
            0.0
        } else {
            ((self.seconds - per_token * self.tokens) / self.weight).max(0.0)
        }
    }
}

/// One batch on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

#[derive(Debug)]
struct Flying {
    ticket: Ticket,
    since: Tick,
    tokens: f64,
}

/// The batches of one batcher on their way, and what those before them taught.
#[derive(Debug, Default)]
pub(crate) struct Air {
    pace: Pace,
    flying: Vec<Flying>,
    tickets: u64,
}

impl Air {
    /// A batch of so many tokens leaves.
    pub(crate) fn depart(&mut self, tokens: u64, now: Tick) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.flying.push(Flying { ticket, since: now, tokens: tokens as f64 });
        ticket
    }

    /// It is back, whatever came of it.
    pub(crate) fn arrive(&mut self, ticket: Ticket) {
        self.flying.retain(|flying| flying.ticket != ticket);
    }

    /// The upstream answered a request of so many tokens in this time, at the first attempt.
    pub(crate) fn learn(&mut self, tokens: u64, took: Duration) {
        self.pace.learn(tokens as f64, took.as_secs_f64());
    }

    /// How many of the `waiting` tokens a batch that leaves now should take, so that all of them are back soonest;
    /// `None`: all. The rest goes with the next of the batcher's `slots`. Costs the slots' number times its logarithm.
    pub(crate) fn share(&self, waiting: u64, slots: usize, now: Tick) -> Option<u64> {
        let free = slots.saturating_sub(1 + self.flying.len());
        let waiting = waiting as f64;
        let own = match self.pace.per_token {
            None if free > 0 && self.pace.weight > MONOTONY => waiting * TRIAL,
            Some(per_token) if per_token > 0.0 => self.own(waiting, per_token, free, now)?,
            _ => return None,
        };
        // Tokens of rows in memory: far below 2^52.
        Some(own.round() as u64)
    }

    /// The tokens to take oneself, if leaving the rest is worth a request.
    fn own(&self, waiting: f64, per_token: f64, free: usize, now: Tick) -> Option<f64> {
        let (fixed, work) = (self.pace.fixed(per_token), waiting * per_token);
        let patience = fixed + work; // what all that waits would take alone
        let remaining = |flying: &Flying| {
            let left = fixed + per_token * flying.tokens - now.since(flying.since).as_secs_f64();
            // One that is overdue by more than that is not counted on.
            (left > -patience).then(|| left.max(0.0))
        };
        let mut others = vec![0.0; free];
        others.extend(self.flying.iter().filter_map(remaining));
        others.sort_unstable_by(f64::total_cmp);
        let own = level(work, others);
        (work - own > WORTH * fixed).then(|| own / per_token)
    }
}

/// Seconds of `work` to take oneself when others, free after so many seconds (ascending), take the rest and all are
/// to end together.
fn level(work: f64, others: Vec<f64>) -> f64 {
    let (mut own, mut hands, mut sum) = (work, 1.0, work);
    for free_after in others {
        if free_after >= own {
            break; // it would come when everything is done
        }
        hands += 1.0;
        sum += free_after;
        own = sum / hands;
    }
    own
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taught(fixed_ms: f64, token_ms: f64) -> Air {
        let mut air = Air::default();
        for tokens in [1, 200, 50, 400] {
            air.learn(tokens, Duration::from_secs_f64((fixed_ms + token_ms * tokens as f64) / 1000.0));
        }
        air
    }

    #[test]
    fn time_is_learned_as_a_fixed_part_and_a_part_per_token() {
        let pace = taught(5.0, 0.1).pace;
        let per_token = pace.per_token.expect("sizes varied");
        assert!((per_token - 0.000_1).abs() < 1e-8, "{pace:?}");
        assert!((pace.fixed(per_token) - 0.005).abs() < 1e-6, "{pace:?}");
    }

    #[test]
    fn where_all_batches_are_of_one_size_another_is_tried_but_only_with_a_free_slot() {
        let mut air = Air::default();
        (0..7).for_each(|_| air.learn(512, Duration::from_micros(56_200)));
        assert_eq!(air.share(512, 2, Tick(0)), Some(169));
        air.depart(169, Tick(0));
        assert_eq!(air.share(343, 2, Tick(0)), None, "the rest goes at once");
        air.learn(169, Duration::from_micros(21_900));
        assert_eq!(air.share(0, 2, Tick(0)), None);
        assert!(air.pace.per_token.is_some());
    }

    #[test]
    fn batches_of_one_size_do_not_unteach_the_cost_per_token() {
        let mut air = taught(5.0, 0.1);
        (0..500).for_each(|_| air.learn(256, Duration::from_micros(30_600)));
        assert_eq!(air.share(500, 2, Tick(0)), Some(250));
    }

    #[test]
    fn free_slots_share_equally_and_a_busy_one_takes_less_the_longer_it_is_busy() {
        let mut air = taught(5.0, 0.1);
        assert_eq!(air.share(510, 2, Tick(0)), Some(255));
        assert_eq!(air.share(510, 3, Tick(0)), Some(170));
        let one = air.depart(100, Tick(0)); // 15 ms: as long as 150 tokens
        assert_eq!(air.share(510, 2, Tick(0)), Some(330));
        assert_eq!(air.share(510, 2, Tick(0).plus_ms(10)), Some(280));
        air.arrive(one);
        air.depart(900, Tick(0)); // back when all of it is done
        assert_eq!(air.share(510, 2, Tick(0)), None);
    }

    #[test]
    fn nothing_is_left_for_a_slot_that_is_long_overdue() {
        let mut air = taught(5.0, 0.1);
        air.depart(100, Tick(0)); // 15 ms; all of what waits alone: 56 ms
        assert_eq!(air.share(510, 2, Tick(0).plus_ms(70)), Some(255), "any moment now");
        assert_eq!(air.share(510, 2, Tick(0).plus_ms(72)), None);
    }

    #[test]
    fn a_batch_is_not_divided_where_the_request_costs_more_than_its_tokens() {
        let air = taught(200.0, 0.1);
        assert_eq!(air.share(510, 2, Tick(0)), None, "25 ms saved are not worth 200");
        assert!(air.share(5_000, 2, Tick(0)).is_some());
        assert_eq!(Air::default().share(5_000, 2, Tick(0)), None, "nothing is known yet");
        assert_eq!(taught(5.0, 0.1).share(510, 1, Tick(0)), None, "there is no other slot");
    }

    proptest! {
        #[test]
        fn a_share_is_part_of_what_waits_and_everybody_ends_together(
            work in 0.001_f64..10.0, mut others in proptest::collection::vec(0.0_f64..10.0, 0..6),
        ) {
            others.sort_unstable_by(f64::total_cmp);
            let own = level(work, others.clone());
            let rest: f64 = others.iter().map(|free_after| (own - free_after).max(0.0)).sum();
            prop_assert!(own > 0.0 && own <= work + 1e-9);
            prop_assert!((own + rest - work).abs() < 1e-6, "{own} + {rest} is not {work}");
        }
    }
}
