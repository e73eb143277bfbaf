//! The tree of one program, as written and after sugar is expanded: declarations, statements, expressions.
//!
//! Owns shapes and places, no meaning: names are not resolved, numbers are not computed, and nothing is checked that the
//! parser did not need. `let:`, `calc:` and `set state.x with:` blocks are already one statement per line here.

mod decl;
mod expr;
mod merge;
mod page;
mod stmt;

use std::sync::Arc;

pub use decl::*;
pub use expr::*;
pub use merge::*;
pub use page::*;
pub use stmt::*;

use super::span::Span;

/// A word or a quoted text that names something, with the place of its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name without quotes or backticks.
    pub text: Arc<str>,
    /// Its token (the first one of a name of several words).
    pub span: Span,
}

impl Name {
    /// A name that stands at `span`.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>, span: Span) -> Self {
        Self { text: text.into(), span }
    }
}

/// Statements one after the other.
pub type Block = Vec<Stmt>;

/// One whole program. Each list is in written order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Program {
    /// The version of the `spec is "..."` line; only `1.0` may run.
    pub spec: Option<Name>,
    /// Names of the `capabilities:` block.
    pub capabilities: Vec<Name>,
    /// The `identity "user":` block.
    pub identity: Option<IdentityDecl>,
    /// `record` declarations; of two with one name the last counts.
    pub records: Vec<RecordDecl>,
    /// `ai` profiles.
    pub profiles: Vec<ProfileDecl>,
    /// `agent` declarations, those of a team included.
    pub agents: Vec<AgentDecl>,
    /// The `team of agents`.
    pub team: Option<TeamDecl>,
    /// `tool` declarations.
    pub tools: Vec<ToolDecl>,
    /// `define function` declarations.
    pub functions: Vec<FunctionDecl>,
    /// `contract flow` declarations.
    pub contracts: Vec<ContractDecl>,
    /// Flows, both forms.
    pub flows: Vec<FlowDecl>,
    /// `llm_call` declarations: each is a flow of its own.
    pub llm_calls: Vec<LlmCallDecl>,
    /// `prompt` declarations.
    pub prompts: Vec<PromptDecl>,
    /// `route` declarations.
    pub routes: Vec<RouteDecl>,
    /// `job` declarations.
    pub jobs: Vec<JobDecl>,
    /// `page` declarations.
    pub pages: Vec<PageDecl>,
}
