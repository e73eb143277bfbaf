//! Statements. The span of a statement is its first token; some carry a second place where a failure of them is reported.

use std::sync::Arc;

use super::{AgentEntry, AgentMerge, AskMode, Block, BranchMerge, Expr, LocalMerge, Name};
use crate::lang::span::Span;

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Its first token. A line of a `let:`, `calc:` or `with:` block begins at the name it binds.
    pub span: Span,
}

/// The forms of a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum StmtKind {
    /// `let x is E [constant]`, a line of `let:`, a line `x = E` of `calc:`
    Let {
        /// The local.
        name: Name,
        /// Its value.
        value: Expr,
        /// Whether `set` is refused afterwards.
        constant: bool,
    },
    /// `set x is E`, `set state.a.b is E`, a line of `set state.a with:`, a line `state.p = E` of `calc:`
    Set {
        /// What is written.
        target: Target,
        /// Its value.
        value: Expr,
    },
    /// `return E`
    Return(Expr),
    /// `if E:` and `else:` (empty when absent)
    If {
        /// The condition.
        condition: Expr,
        /// Runs when it is true.
        then: Block,
        /// Runs when it is false.
        otherwise: Block,
    },
    /// `repeat up to E times:`
    RepeatTimes {
        /// How often; evaluated once.
        count: Expr,
        /// What is repeated.
        body: Block,
    },
    /// `repeat while E limit N:`
    RepeatWhile {
        /// Evaluated before each round.
        condition: Expr,
        /// Rounds after which the loop fails; at least one.
        limit: u64,
        /// The number's token, where that failure is reported.
        limit_span: Span,
        /// What is repeated.
        body: Block,
    },
    /// `for each x in E:`
    ForEach {
        /// The item's local; stays defined.
        item: Name,
        /// The list.
        list: Expr,
        /// What is done for each.
        body: Block,
    },
    /// `match E:`
    Match {
        /// The value looked at.
        subject: Expr,
        /// `when P:` cases in order; each pattern is a literal, a name or a state path.
        cases: Vec<(Expr, Block)>,
        /// `otherwise:`; without it nothing happens when no case fits.
        otherwise: Option<Block>,
    },
    /// `try:` with `with catch e:`, and `attempt:` with `otherwise:` (no name)
    Try {
        /// What is tried.
        body: Block,
        /// The local that holds the fault.
        catch: Option<Name>,
        /// What runs after a fault.
        handler: Block,
    },
    /// `order T by f from highest to lowest`
    Order {
        /// A list of maps.
        target: Target,
        /// The field compared.
        field: Name,
        /// `from highest to lowest`
        descending: bool,
    },
    /// `keep first E items`
    Keep(Expr),
    /// `parallel:`
    Parallel {
        /// In written order; they run in order of their names.
        tasks: Vec<Task>,
        /// What happens when two tasks write one local.
        policy: Option<(LocalMerge, Span)>,
    },
    /// `orchestration:`
    Orchestration {
        /// In written order; each holds one flow call.
        branches: Vec<(Name, Expr)>,
        /// How the results become one.
        merge: BranchMerge,
        /// `as x`
        target: Name,
    },
    /// `await f`
    Await(Name),
    /// `ask ai "p" with input: E as r`
    AskAi {
        /// The profile.
        profile: Name,
        /// How the input is read.
        mode: AskMode,
        /// The input.
        input: Expr,
        /// `with stream: true`
        stream: bool,
        /// The local that takes the answer.
        target: Name,
    },
    /// `run agent "a" with input: E as r`, `planner drafts E as r`
    RunAgent {
        /// Who and with what.
        entry: AgentEntry,
        /// The local that takes `{text}`.
        target: Name,
    },
    /// `run agents in parallel:`
    RunAgents {
        /// In written order.
        entries: Vec<AgentEntry>,
        /// How the answers become one; none gives the list.
        merge: Option<AgentMerge>,
        /// The local that takes the result.
        target: Name,
    },
    /// `save "R"` (no fields) and `save "R" with:`
    Save {
        /// The record.
        record: Name,
        /// Lines of the block; `None` takes the map from the state.
        fields: Option<Vec<FieldValue>>,
    },
    /// `create "R" with E as x`
    Create {
        /// The record.
        record: Name,
        /// A map.
        values: Expr,
        /// The local that takes the stored map.
        target: Name,
    },
    /// `find "R" where P`
    Find {
        /// The record.
        record: Name,
        /// Evaluated per record.
        predicate: Expr,
    },
    /// `update "R" where P set:`
    Update {
        /// The record.
        record: Name,
        /// Evaluated per record.
        predicate: Expr,
        /// Lines of the block; they see the record's fields.
        fields: Vec<FieldValue>,
    },
    /// `delete "R" where P`
    Delete {
        /// The record.
        record: Name,
        /// Evaluated per record.
        predicate: Expr,
    },
    /// `clear "R"`, `clear:` with names
    Clear(Vec<Name>),
    /// `require latest "R" as x otherwise "msg"`
    RequireLatest {
        /// The record.
        record: Name,
        /// The local that takes it.
        target: Name,
        /// What `state.status.message` says when there is none.
        message: Arc<str>,
    },
    /// `notice "msg"`
    Notice(Arc<str>),
    /// `enqueue job "j" [after N | at N] [with input: E]`
    Enqueue {
        /// The job.
        job: Name,
        /// When it is due; none is now.
        due: Option<(DueKind, Expr)>,
        /// What it gets as `input`.
        input: Option<Expr>,
    },
    /// `tick N`
    Tick(Expr),
    /// `log info E [with MAP]`
    Log {
        /// How loud.
        level: LogLevel,
        /// The message.
        message: Expr,
        /// More fields.
        fields: Option<Expr>,
    },
    /// `metric counter "n" add E [with MAP]`, `metric timing "n" record E`
    Metric {
        /// What is counted or timed.
        name: Name,
        /// How it changes.
        op: MetricOp,
        /// By how much; only `increment` may go without.
        value: Option<Expr>,
        /// Labels.
        labels: Option<Expr>,
    },
    /// `yield E`
    Yield(Expr),
}

impl Stmt {
    /// The kind's name in reports and error ids, lower case (`let`, `ask_ai`).
    #[must_use]
    pub const fn kind_name(&self) -> &'static str {
        match &self.kind {
            StmtKind::Let { .. } => "let",
            StmtKind::Set { .. } => "set",
            StmtKind::Return(_) => "return",
            StmtKind::If { .. } => "if",
            StmtKind::RepeatTimes { .. } => "repeat",
            StmtKind::RepeatWhile { .. } => "repeat_while",
            StmtKind::ForEach { .. } => "for_each",
            StmtKind::Match { .. } => "match",
            StmtKind::Try { .. } => "try",
            StmtKind::Order { .. } => "order",
            StmtKind::Keep(_) => "keep",
            StmtKind::Parallel { .. } => "parallel",
            StmtKind::Orchestration { .. } => "orchestration",
            StmtKind::Await(_) => "await",
            StmtKind::AskAi { .. } => "ask_ai",
            StmtKind::RunAgent { .. } => "run_agent",
            StmtKind::RunAgents { .. } => "run_agents",
            StmtKind::Save { .. } => "save",
            StmtKind::Create { .. } => "create",
            StmtKind::Find { .. } => "find",
            StmtKind::Update { .. } => "update",
            StmtKind::Delete { .. } => "delete",
            StmtKind::Clear(_) => "clear",
            StmtKind::RequireLatest { .. } => "require_latest",
            StmtKind::Notice(_) => "notice",
            StmtKind::Enqueue { .. } => "enqueue_job",
            StmtKind::Tick(_) => "tick",
            StmtKind::Log { .. } => "log",
            StmtKind::Metric { .. } => "metric",
            StmtKind::Yield(_) => "yield",
        }
    }

    /// How many numbers the statement takes when statements are counted for a report: a `save` with fields counts one
    /// per field and one for itself.
    #[must_use]
    pub fn weight(&self) -> usize {
        match &self.kind {
            StmtKind::Save { fields: Some(fields), .. } => fields.len() + 1,
            _ => 1,
        }
    }
}

/// What `set` and `order` write to.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A local.
    Local(Name),
    /// A path below `state`; at least one word.
    State(Vec<Name>),
}

/// One task of a `parallel:` block.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its name; bare statements are named `step_1`, `step_2`, ...
    pub name: Name,
    /// What it does.
    pub body: Block,
}

/// One line `f is E` of a record write. A dotted name nests.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldValue {
    /// The words between the dots; at least one.
    pub path: Vec<Name>,
    /// The value.
    pub value: Expr,
}

/// How the moment of a job is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueKind {
    /// `after N`: from now.
    After,
    /// `at N`: on the logical clock.
    At,
}

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `warn`
    Warn,
    /// `error`
    Error,
}

impl LogLevel {
    /// The word used in programs and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// How a metric changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricOp {
    /// `counter "n" increment [E]`
    Increment,
    /// `counter "n" add E`
    Add,
    /// `counter "n" set E`
    Set,
    /// `timing "n" record E`
    Record,
}
