//! What the calls of the last minutes come to, as consoles are shown it. Plain values.

use serde::Serialize;
use utoipa::ToSchema;

/// The calls of the last minutes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sight {
    /// How long back this goes: 300 at most, less where nobody looked before or there were many calls.
    pub(crate) seconds: f64,
    /// Calls it is made of.
    pub(crate) calls: u64,
    /// Calls that were told and are not in it, as there were too many a second.
    pub(crate) unseen: u64,
    pub(crate) outcomes: Vec<OutcomeSight>,
    /// Each stage that a call reached, in the order of the path: the time spent in it.
    pub(crate) stages: Vec<StageSight>,
    /// From admission until the answer began.
    pub(crate) first: Option<Quantiles>,
    /// The same, of streamed answers that a provider gave: the time to the first token.
    pub(crate) first_token: Option<Quantiles>,
    /// From admission until the answer had ended.
    pub(crate) total: Option<Quantiles>,
    /// What came of failures, the most frequent first.
    pub(crate) failures: Vec<FailureSight>,
    /// Workspaces with calls that failed, the most first.
    pub(crate) affected: Vec<AffectedSight>,
    pub(crate) spent: Spent,
    pub(crate) saved: Vec<Saved>,
}

/// Calls of one outcome.
#[derive(Debug, Serialize, ToSchema, PartialEq, Eq)]
pub(crate) struct OutcomeSight {
    /// `hit`, `joined`, `miss`, `mixed`, `bypass`, `failed` or `abandoned`.
    pub(crate) outcome: String,
    pub(crate) calls: u64,
}

/// Time spent in one stage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StageSight {
    #[schema(example = "lookup")]
    pub(crate) stage: &'static str,
    pub(crate) took: Quantiles,
}

/// Times in milliseconds that one of two, of a hundred, of a thousand calls took longer than, and the longest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Quantiles {
    /// Calls this is of.
    pub(crate) calls: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
}

/// Calls that failed in the same way.
#[derive(Debug, Serialize, ToSchema, PartialEq, Eq)]
pub(crate) struct FailureSight {
    pub(crate) stage: String,
    pub(crate) code: String,
    /// `caller`, `us` or `upstream`.
    pub(crate) blame: String,
    pub(crate) calls: u64,
    /// The latest of them.
    pub(crate) last: String,
}

/// A workspace with calls that failed.
#[derive(Debug, Serialize, ToSchema, PartialEq, Eq)]
pub(crate) struct AffectedSight {
    pub(crate) workspace: String,
    pub(crate) failed: u64,
    pub(crate) calls: u64,
}

/// What calls cost.
#[derive(Debug, Serialize, ToSchema, PartialEq, Eq)]
pub(crate) struct Spent {
    /// USD, as far as prices are known.
    pub(crate) usd: String,
    pub(crate) tokens_in: u64,
    pub(crate) tokens_out: u64,
}

/// What calls would have cost.
#[derive(Debug, Serialize, ToSchema, PartialEq)]
pub(crate) struct Saved {
    /// `exact`: answered from memory; `joined`: one answer for many; `batched`: items that travelled together, which saves
    /// requests and no money.
    pub(crate) by: &'static str,
    pub(crate) calls: u64,
    /// USD, as far as prices are known.
    pub(crate) usd: String,
    pub(crate) tokens: u64,
    /// Time not waited: what calls of the same model that paid took in the middle, less what these took.
    pub(crate) ms: f64,
}
