//! How several results become one: the policies of `parallel:`, `orchestration:` and `run agents in parallel:`.

use super::{Expr, Name};
use crate::lang::span::Span;

/// What happens when two tasks write one local.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalMerge {
    /// Refused.
    Conflict,
    /// The first name wins.
    Precedence,
    /// The last name wins.
    Override,
}

/// How the results of branches become one.
#[derive(Debug, Clone, PartialEq)]
pub struct BranchMerge {
    /// The rule.
    pub policy: BranchPolicy,
    /// `precedence is list: ...`, for `prefer`.
    pub precedence: Vec<Name>,
    /// The `merge` token.
    pub span: Span,
}

/// The rule of a `BranchMerge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BranchPolicy {
    /// The first branch that did not fail.
    FirstOk,
    /// A list; all must succeed.
    AllOk,
    /// A map by branch; all must succeed.
    Strict,
    /// The first success in order of precedence.
    Prefer,
    /// A list of what became of each.
    Collect,
}

impl BranchPolicy {
    /// The word used in programs and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstOk => "first_ok",
            Self::AllOk => "all_ok",
            Self::Strict => "strict",
            Self::Prefer => "prefer",
            Self::Collect => "collect",
        }
    }
}

/// How the input of `ask ai` is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskMode {
    /// A text, or a map with a text `text`.
    Text,
    /// Any value, sent as canonical JSON.
    Structured,
}

/// One agent with its input.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentEntry {
    /// The agent.
    pub agent: Name,
    /// How the input is read.
    pub mode: AskMode,
    /// The input.
    pub input: Expr,
    /// The first token, where failures of this entry are reported.
    pub span: Span,
}

/// How the answers of agents become one.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentMerge {
    /// The rule.
    pub policy: AgentPolicy,
    /// `require_keys is list: ...`
    pub require_keys: Vec<Name>,
    /// `require_non_empty is true`
    pub require_non_empty: bool,
    /// `score_key is "k"`
    pub score_key: Option<Name>,
    /// `score_rule is "text_length"`
    pub score_rule: Option<Name>,
    /// `min_consensus is N`
    pub min_consensus: Option<u64>,
    /// `consensus_key is "k"`
    pub consensus_key: Option<Name>,
    /// The `merge` token.
    pub span: Span,
}

impl AgentMerge {
    /// Gives the list, as a block without `merge:` does.
    #[must_use]
    pub fn all(span: Span) -> Self {
        Self {
            policy: AgentPolicy::All,
            require_keys: Vec::new(),
            require_non_empty: false,
            score_key: None,
            score_rule: None,
            min_consensus: None,
            consensus_key: None,
            span,
        }
    }
}

/// The rule of an `AgentMerge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentPolicy {
    /// The list.
    All,
    /// The first that passes.
    FirstValid,
    /// The one with the highest score.
    Ranked,
    /// The text most agree on.
    Consensus,
}

impl AgentPolicy {
    /// The word used in programs and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::FirstValid => "first_valid",
            Self::Ranked => "ranked",
            Self::Consensus => "consensus",
        }
    }
}
