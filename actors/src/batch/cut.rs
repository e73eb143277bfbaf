//! What travels together: how much one batch may hold, and when it is time to send it. Pure.
//!
//! Owns the arithmetic of a batch; must not know rows, locks or slots.

use std::time::Duration;

use crate::call::CallId;
use crate::ports::clock::Tick;

/// What one batch may hold and how long it may wait for more. Zero never means "unlimited".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutLimits {
    /// Rows of one batch; at least 1.
    pub max_items: usize,
    /// Tokens of one batch; a single larger row travels alone.
    pub max_tokens: u64,
    /// How long a batch that is not full waits for company, from its oldest row; zero: not at all.
    pub max_linger: Duration,
    /// True if a batch may carry rows of several calls.
    pub mix_calls: bool,
}

impl Default for CutLimits {
    fn default() -> Self {
        Self { max_items: 256, max_tokens: 100_000, max_linger: Duration::ZERO, mix_calls: true }
    }
}

/// Why a batch was cut where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CutReason {
    /// A slot was free and nothing more was waiting.
    SlotFree,
    /// It held the most rows it may.
    MaxItems,
    /// The next row would have been too many tokens.
    MaxTokens,
    /// It had waited for company long enough.
    Linger,
    /// The next row belonged to another call, and batches do not mix calls.
    OneCall,
    /// The rest is back sooner with a slot that is free or soon will be.
    Share,
}

impl CutReason {
    /// Every reason, in the order of their labels.
    pub const ALL: [Self; 6] =
        [Self::SlotFree, Self::MaxItems, Self::MaxTokens, Self::Linger, Self::OneCall, Self::Share];

    /// The label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SlotFree => "slot_free",
            Self::MaxItems => "max_items",
            Self::MaxTokens => "max_tokens",
            Self::Linger => "linger",
            Self::OneCall => "one_call",
            Self::Share => "share",
        }
    }
}

/// What waits, as far as the decision to send needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) rows: usize,
    pub(crate) tokens: u64,
    pub(crate) oldest: Tick,
}

/// Whether to send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Now,
    /// Not before this moment, unless more comes.
    At(Tick),
}

/// Says when what waits should be sent, given that a slot is free.
pub(crate) fn when(limits: &CutLimits, waiting: Waiting, now: Tick) -> When {
    let full = waiting.rows >= limits.max_items || waiting.tokens >= limits.max_tokens;
    let due = waiting.oldest.plus(limits.max_linger);
    if full || now >= due { When::Now } else { When::At(due) }
}

/// A batch being filled, row by row, in the order in which rows are offered.
#[derive(Debug)]
pub(crate) struct Filling {
    limits: CutLimits,
    share: u64,
    rows: usize,
    tokens: u64,
    call: Option<CallId>,
    full: Option<CutReason>,
}

impl Filling {
    pub(crate) const fn new(limits: CutLimits) -> Self {
        Self { limits, share: u64::MAX, rows: 0, tokens: 0, call: None, full: None }
    }

    /// Leaves to other slots what would be more than so many tokens, if a number is given.
    pub(crate) fn sharing(self, tokens: Option<u64>) -> Self {
        Self { share: tokens.unwrap_or(u64::MAX), ..self }
    }

    /// True if the row belongs into this batch; a false is the end of it. The first row always fits.
    pub(crate) fn offer(&mut self, call: CallId, tokens: u32) -> bool {
        let sum = self.tokens.saturating_add(u64::from(tokens));
        if self.full.is_none() && self.rows > 0 {
            self.full = if self.rows >= self.limits.max_items {
                Some(CutReason::MaxItems)
            } else if sum > self.limits.max_tokens {
                Some(CutReason::MaxTokens)
            } else if !self.limits.mix_calls && self.call != Some(call) {
                Some(CutReason::OneCall)
            } else if sum > self.share {
                Some(CutReason::Share)
            } else {
                None
            };
        }
        if self.full.is_some() {
            return false;
        }
        self.rows += 1;
        self.tokens = sum;
        self.call = Some(call);
        true
    }

    /// Why the batch ended, and its tokens.
    pub(crate) fn close(self) -> (CutReason, u64) {
        let company = if self.limits.max_linger.is_zero() { CutReason::SlotFree } else { CutReason::Linger };
        let brim = (self.rows >= self.limits.max_items).then_some(CutReason::MaxItems);
        (self.full.or(brim).unwrap_or(company), self.tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> CutLimits {
        CutLimits { max_items: 3, max_tokens: 100, ..CutLimits::default() }
    }

    fn fill(limits: CutLimits, tokens: &[u32]) -> (usize, CutReason, u64) {
        let call = CallId::fresh();
        let mut filling = Filling::new(limits);
        let taken = tokens.iter().take_while(|&&tokens| filling.offer(call, tokens)).count();
        let (reason, tokens) = filling.close();
        (taken, reason, tokens)
    }

    #[test]
    fn a_batch_ends_at_its_rows_its_tokens_or_when_nothing_more_waits() {
        assert_eq!(fill(limits(), &[10, 10]), (2, CutReason::SlotFree, 20));
        assert_eq!(fill(limits(), &[10, 10, 10, 10]), (3, CutReason::MaxItems, 30));
        assert_eq!(fill(limits(), &[10, 10, 10]), (3, CutReason::MaxItems, 30));
        assert_eq!(fill(limits(), &[60, 40]), (2, CutReason::SlotFree, 100), "the limit itself is allowed");
        assert_eq!(fill(limits(), &[60, 41]), (1, CutReason::MaxTokens, 60));
    }

    #[test]
    fn a_row_larger_than_a_whole_batch_travels_alone() {
        assert_eq!(fill(limits(), &[5_000, 1]), (1, CutReason::MaxTokens, 5_000));
        assert_eq!(fill(limits(), &[1, 5_000]), (1, CutReason::MaxTokens, 1));
    }

    #[test]
    fn a_batch_leaves_what_is_more_than_its_share() {
        let call = CallId::fresh();
        let mut filling = Filling::new(limits()).sharing(Some(20));
        assert!(filling.offer(call, 10) && filling.offer(call, 10));
        assert!(!filling.offer(call, 1));
        assert_eq!(filling.close(), (CutReason::Share, 20));
    }

    #[test]
    fn without_batching_a_batch_never_mixes_calls() {
        let mut filling = Filling::new(CutLimits { mix_calls: false, ..limits() });
        let (one, other) = (CallId::fresh(), CallId::fresh());
        assert!(filling.offer(one, 1));
        assert!(filling.offer(one, 1));
        assert!(!filling.offer(other, 1));
        assert_eq!(filling.close(), (CutReason::OneCall, 2));
    }

    #[test]
    fn a_batch_waits_for_company_only_while_it_is_not_full_and_not_longer_than_its_linger() {
        let lingering = CutLimits { max_linger: Duration::from_millis(5), ..limits() };
        let waiting = |rows, tokens| Waiting { rows, tokens, oldest: Tick(0) };
        let due = Tick(0).plus_ms(5);
        assert_eq!(when(&limits(), waiting(1, 1), Tick(0)), When::Now);
        assert_eq!(when(&lingering, waiting(1, 1), Tick(0)), When::At(due));
        assert_eq!(when(&lingering, waiting(1, 1), due), When::Now);
        assert_eq!(when(&lingering, waiting(3, 3), Tick(0)), When::Now);
        assert_eq!(when(&lingering, waiting(1, 100), Tick(0)), When::Now);
    }
}
