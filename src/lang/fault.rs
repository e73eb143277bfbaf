//! What can go wrong with a program, as data: the stage, the words, the place, and whether `try` may catch it.
//!
//! Owns the type and its raw text. How a fault is shown to a reader belongs to `report`; nothing here prints or logs.

use std::fmt;
use std::sync::Arc;

use super::span::Span;

/// When a fault was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A setting of the app is wrong; nothing was read or run.
    Config,
    /// Lexing, parsing or a static check; nothing has run.
    Load,
    /// A flow was running.
    Run,
}

impl Stage {
    /// The word used in reports and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Load => "load",
            Self::Run => "run",
        }
    }
}

/// Which part of the runtime refused. It decides the error id and the headline of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The language itself: values, names, statements, access.
    Engine,
    /// An AI call failed.
    AiFailed,
    /// The provider behind an AI call failed.
    AiProvider,
    /// A limit of who called the app had no room for an AI call.
    AiLimited,
    /// A tool ran and failed, or has no binding.
    ToolFailed,
    /// A tool was not allowed to run.
    ToolBlocked,
    /// The record store failed.
    Store,
    /// A limit against runaway programs was hit (steps, depth, sizes).
    Limit,
}

impl FaultKind {
    /// The word used in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::AiFailed => "ai_failed",
            Self::AiProvider => "ai_provider",
            Self::AiLimited => "ai_limited",
            Self::ToolFailed => "tool_failed",
            Self::ToolBlocked => "tool_blocked",
            Self::Store => "store",
            Self::Limit => "limit",
        }
    }

    /// Boundary and kind as they stand in an error id.
    #[must_use]
    pub const fn id_parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Engine | Self::Limit => ("ENGINE", "ENGINE_ERROR"),
            Self::AiFailed => ("AI", "AI_FAILED"),
            Self::AiProvider => ("AI", "AI_PROVIDER_ERROR"),
            Self::AiLimited => ("AI", "AI_LIMITED"),
            Self::ToolFailed => ("TOOLS", "TOOL_FAILED"),
            Self::ToolBlocked => ("TOOLS", "TOOL_BLOCKED"),
            Self::Store => ("STORE", "STORE_FAILED"),
        }
    }
}

/// The four parts of a guided text, each one line or a few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guide {
    /// What happened, as a sentence.
    pub what: String,
    /// Why it is refused.
    pub why: String,
    /// What to do.
    pub fix: String,
    /// A line of program that works.
    pub example: String,
}

/// The words of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultText {
    /// One sentence.
    Plain(String),
    /// Four labelled parts.
    Guided(Box<Guide>),
}

impl fmt::Display for FaultText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => f.write_str(text),
            Self::Guided(guide) => {
                let Guide { what, why, fix, example } = guide.as_ref();
                write!(f, "What happened: {what}\nWhy: {why}\nFix: {fix}\nExample: {example}")
            }
        }
    }
}

/// The statement a run was at: the top-level statement of its flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the flow.
    pub flow: Arc<str>,
    /// Kind of the statement, as in `Stmt::kind_name`; `none` for a `requires`.
    pub statement: &'static str,
    /// Number of the statement in the flow, from one after sugar is expanded; zero for `requires`.
    pub index: u32,
}

/// One fault of a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.located())]
pub struct Fault {
    /// When it was found.
    pub stage: Stage,
    /// Its words.
    pub text: FaultText,
    /// Where in the source, if it stands somewhere.
    pub span: Option<Span>,
    /// Which part of the runtime refused.
    pub kind: FaultKind,
    /// Whether `try` and `attempt` may catch it.
    pub catchable: bool,
    /// The statement a run was at; set once, where the fault leaves the flow.
    pub place: Option<Box<Place>>,
}

impl Fault {
    /// A load fault with one sentence.
    #[must_use]
    pub fn load(text: impl Into<String>, span: Option<Span>) -> Self {
        Self::plain(Stage::Load, text.into(), span)
    }

    /// A load fault in four parts.
    #[must_use]
    pub fn load_guided(guide: Guide, span: Option<Span>) -> Self {
        Self { text: FaultText::Guided(Box::new(guide)), ..Self::load(String::new(), span) }
    }

    /// A catchable run fault of the engine with one sentence.
    #[must_use]
    pub fn run(text: impl Into<String>, span: Option<Span>) -> Self {
        Self::plain(Stage::Run, text.into(), span)
    }

    /// A catchable run fault of the engine in four parts.
    #[must_use]
    pub fn run_guided(guide: Guide, span: Option<Span>) -> Self {
        Self { text: FaultText::Guided(Box::new(guide)), ..Self::run(String::new(), span) }
    }

    /// A fault of the app's settings.
    #[must_use]
    pub fn config(text: impl Into<String>) -> Self {
        Self::plain(Stage::Config, text.into(), None)
    }

    fn plain(stage: Stage, text: String, span: Option<Span>) -> Self {
        Self {
            stage,
            text: FaultText::Plain(text),
            span,
            kind: FaultKind::Engine,
            catchable: stage == Stage::Run,
            place: None,
        }
    }

    /// The same fault with another kind.
    #[must_use]
    pub fn of_kind(mut self, kind: FaultKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same fault, but `try` does not catch it.
    #[must_use]
    pub fn uncatchable(mut self) -> Self {
        self.catchable = false;
        self
    }

    /// The same fault, placed at `span` unless it already stands somewhere.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// The raw text: what `e.message` holds.
    #[must_use]
    pub fn message(&self) -> String {
        self.text.to_string()
    }

    /// The raw text behind `[line L, col C]`.
    #[must_use]
    pub fn located(&self) -> String {
        match self.span {
            Some(Span { line, column, .. }) => format!("[line {line}, col {column}] {}", self.text),
            None => self.message(),
        }
    }
}
