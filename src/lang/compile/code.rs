//! Owns the compiled form of an app: one [`Code`] per body, and the units that name them. Must not know the
//! syntax tree nor run anything.

use std::collections::HashMap;
use std::sync::Arc;

use super::form::{
    AskForm, CallForm, EnqueueForm, ForkForm, GuardForm, LogForm, MetricForm, OrderForm, Path, RecordForm,
    StatePath, ToolForm, TopStatement,
};
use super::op::{Op, Pc, Slot};
use crate::lang::ast::{FieldDecl, ProfileDecl};
use crate::lang::records::Schema;
use crate::lang::span::Span;
use crate::lang::value::Value;

/// One compiled body with its tables.
#[derive(Debug, Default)]
pub(crate) struct Code {
    pub(crate) ops: Vec<Op>,
    /// Where a failure of each instruction is reported.
    pub(crate) spans: Vec<Span>,
    /// Where locals stand that an instruction reads itself, by instruction and in order.
    pub(crate) operand_spans: Vec<(Pc, Slot, Span)>,
    pub(crate) consts: Vec<Value>,
    /// Names of the slots.
    pub(crate) names: Vec<Arc<str>>,
    /// Words of attributes and map keys.
    pub(crate) words: Vec<Arc<str>>,
    pub(crate) paths: Vec<Path>,
    pub(crate) states: Vec<StatePath>,
    pub(crate) choices: Vec<Vec<Value>>,
    pub(crate) statements: Vec<TopStatement>,
    pub(crate) calls: Vec<CallForm>,
    pub(crate) tools: Vec<ToolForm>,
    pub(crate) asks: Vec<AskForm>,
    pub(crate) forks: Vec<ForkForm>,
    pub(crate) guards: Vec<GuardForm>,
    pub(crate) records: Vec<RecordForm>,
    pub(crate) orders: Vec<OrderForm>,
    pub(crate) enqueues: Vec<EnqueueForm>,
    pub(crate) logs: Vec<LogForm>,
    pub(crate) metrics: Vec<MetricForm>,
    pub(crate) inputs: Vec<Vec<FieldDecl>>,
    /// Instructions of `ask ai` statements: whatever fails there is an AI failure.
    pub(crate) ai_ranges: Vec<(Pc, Pc)>,
}

impl Code {
    /// The slot of a name, if the body ever mentions it.
    pub(crate) fn slot(&self, name: &str) -> Option<Slot> {
        self.names.iter().position(|known| &**known == name).and_then(|index| Slot::try_from(index).ok())
    }

    /// Where the local stands that the instruction reads itself.
    pub(crate) fn operand_span(&self, pc: Pc, slot: Slot) -> Option<Span> {
        let start = self.operand_spans.partition_point(|(at, ..)| *at < pc);
        let own = self.operand_spans[start..].iter().take_while(|(at, ..)| *at == pc);
        own.filter(|(_, name, _)| *name == slot).map(|(.., span)| *span).next()
    }

    /// Whether the instruction belongs to an `ask ai`.
    pub(crate) fn asks_at(&self, pc: Pc) -> bool {
        self.ai_ranges.iter().any(|(start, end)| (*start..*end).contains(&pc))
    }
}

/// An access rule with what a check of it must know.
#[derive(Debug)]
pub(crate) struct Requires {
    pub(crate) code: Code,
    /// Whether it looks at `mutation`, and so is asked per write only.
    pub(crate) per_write: bool,
    /// Whether it looks at the caller.
    pub(crate) identity: bool,
}

/// Input and output fields of a flow or function.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contract {
    pub(crate) inputs: Vec<FieldDecl>,
    pub(crate) outputs: Option<Vec<FieldDecl>>,
}

/// A flow.
#[derive(Debug)]
pub(crate) struct FlowUnit {
    pub(crate) name: Arc<str>,
    pub(crate) code: Code,
    pub(crate) requires: Option<Requires>,
    pub(crate) contract: Option<Contract>,
    /// The `flow` token.
    pub(crate) span: Span,
}

/// A function.
#[derive(Debug)]
pub(crate) struct FunctionUnit {
    pub(crate) name: Arc<str>,
    pub(crate) code: Code,
    pub(crate) contract: Contract,
}

/// A job.
#[derive(Debug)]
pub(crate) struct JobUnit {
    pub(crate) name: Arc<str>,
    pub(crate) code: Code,
    pub(crate) when: Option<Code>,
    pub(crate) span: Span,
}

/// An agent with the profile it uses.
#[derive(Debug)]
pub(crate) struct AgentUnit {
    pub(crate) name: Arc<str>,
    /// Index into the profiles; none when it names none that exists.
    pub(crate) profile: Option<u32>,
    pub(crate) system_prompt: Option<Arc<str>>,
}

/// A tool, as far as calls of it need.
#[derive(Debug)]
pub(crate) struct ToolUnit {
    pub(crate) name: Arc<str>,
    pub(crate) runner: Arc<str>,
    pub(crate) inputs: Vec<FieldDecl>,
}

/// What the caller's identity must be.
#[derive(Debug)]
pub(crate) struct CallerUnit {
    pub(crate) schema: Schema,
    pub(crate) trust_levels: Option<Vec<Arc<str>>>,
    pub(crate) span: Span,
}

/// A whole app, ready to run.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) spec: Option<Arc<str>>,
    pub(crate) flows: Vec<FlowUnit>,
    pub(crate) functions: Vec<FunctionUnit>,
    pub(crate) jobs: Vec<JobUnit>,
    pub(crate) profiles: Vec<ProfileDecl>,
    pub(crate) agents: Vec<AgentUnit>,
    pub(crate) tools: HashMap<Arc<str>, ToolUnit>,
    pub(crate) schemas: Vec<Schema>,
    /// What the caller's identity must be, from `identity "user":`.
    pub(crate) caller: Option<CallerUnit>,
    pub(crate) jobs_allowed: bool,
    pub(crate) scheduling_allowed: bool,
}

impl Program {
    /// Index of a flow by name.
    pub(crate) fn flow(&self, name: &str) -> Option<usize> {
        self.flows.iter().position(|flow| &*flow.name == name)
    }
}
