//! Owns the tables instructions point into: paths, calls, asks, forks, records, effects. Must not know the syntax tree
//! beyond the enums it shares with it, nor how an instruction is carried out.

use std::sync::Arc;

use super::op::{Mutation, Pc, Slot};
use crate::lang::ast::{AgentMerge, AskMode, BranchMerge, DueKind, LocalMerge, LogLevel, MetricOp};
use crate::lang::span::Span;

/// Where a dotted name starts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Base {
    /// A local.
    Slot(Slot),
    /// A field of the record a predicate looks at, else the local.
    Field { name: Arc<str>, slot: Slot },
    /// The caller.
    Identity,
}

/// `base.a.b`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    pub(crate) base: Base,
    pub(crate) attrs: Vec<Arc<str>>,
}

/// `state.a.b`, with the text messages print.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StatePath {
    pub(crate) keys: Vec<Arc<str>>,
    pub(crate) shown: Arc<str>,
}

/// Where the last `order` put its list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    Local(Arc<str>),
    State(StatePath),
}

/// A statement at the top of a body, for the error id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TopStatement {
    pub(crate) kind: &'static str,
    pub(crate) span: Span,
}

/// `call function`, `call flow`: what stands on the stack and what is asked back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CallForm {
    /// Index into the functions or flows of the program.
    pub(crate) callee: u32,
    /// Names of the values on the stack, in the order they were written.
    pub(crate) arguments: Vec<(Arc<str>, Span)>,
    /// Outputs a flow call lists.
    pub(crate) outputs: Vec<Arc<str>>,
}

/// A call of a declared tool.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolForm {
    pub(crate) tool: Arc<str>,
    pub(crate) arguments: Vec<(Arc<str>, Span)>,
}

/// `ask ai` and `run agent`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AskForm {
    /// Index into the profiles (or agents) of the program.
    pub(crate) target: u32,
    pub(crate) mode: AskMode,
    pub(crate) stream: bool,
    /// Where the answer goes; none inside `run agents in parallel`.
    pub(crate) into: Option<Slot>,
}

/// What the parts of a fork are and how they are joined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Join {
    Tasks(LocalMerge),
    Agents {
        merge: Option<AgentMerge>,
        into: Slot,
    },
    Branches {
        merge: BranchMerge,
        into: Slot,
    },
    /// Calls on copies of locals and state; the failure of one waits for its `await`, or for the launch of the next.
    Async {
        /// Per part the local, and whether it is a constant.
        into: Vec<(Slot, bool)>,
        /// Whether each part is a statement that counts for the error id.
        counted: bool,
    },
}

/// One task, agent or branch: instructions of the same body, run on a copy of its locals.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) name: Arc<str>,
    pub(crate) span: Span,
    pub(crate) start: Pc,
    /// A statement that may not stand in a task, found when the task is about to run.
    pub(crate) refused: Option<(&'static str, Span)>,
}

/// Parts that run in order, or together where nobody can tell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ForkForm {
    pub(crate) parts: Vec<Part>,
    pub(crate) join: Join,
    /// Whether no part can change what another one sees, except through memory and counts.
    pub(crate) apart: bool,
    /// Where the run goes on.
    pub(crate) end: Pc,
}

/// A write that asks the flow's `requires`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GuardForm {
    pub(crate) action: Mutation,
    pub(crate) record: Arc<str>,
}

/// A field that is written; dots nest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldPath {
    pub(crate) words: Vec<Arc<str>>,
    pub(crate) span: Span,
}

/// `create`, `save`, `find`, `update`, `delete`, `require latest`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RecordForm {
    /// Index into the schemas of the program.
    pub(crate) schema: u32,
    pub(crate) into: Option<Slot>,
    /// Fields of `save with` and of `update`, in order.
    pub(crate) fields: Vec<FieldPath>,
    /// Where `save` reads, what `require latest` says.
    pub(crate) path: Option<StatePath>,
    pub(crate) message: Option<Arc<str>>,
}

/// `order T by f`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderForm {
    pub(crate) target: Target,
    pub(crate) field: Arc<str>,
    pub(crate) descending: bool,
}

/// `enqueue job`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EnqueueForm {
    pub(crate) job: u32,
    pub(crate) input: bool,
    pub(crate) due: Option<DueKind>,
}

/// `log`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LogForm {
    pub(crate) level: LogLevel,
    pub(crate) fields: bool,
}

/// `metric`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MetricForm {
    pub(crate) name: Arc<str>,
    pub(crate) op: MetricOp,
    pub(crate) value: bool,
    pub(crate) labels: bool,
}
