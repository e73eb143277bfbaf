//! Owns what a run leaves behind besides its result: yields, log lines, metric points, the trace, and what it wants
//! remembered. A part of a fork gathers its own, so that they join in order. Must not interpret any of it.

use std::sync::Arc;

use crate::lang::ast::{LogLevel, MetricOp};
use crate::lang::compile::form::Target;
use crate::lang::span::Span;
use crate::lang::value::Value;

/// One `yield`.
#[derive(Clone, Debug, PartialEq)]
pub struct Yielded {
    /// The flow that yielded.
    pub flow: Arc<str>,
    /// What it yielded.
    pub output: Value,
    /// Number of the message in the run, from 1.
    pub sequence: u64,
}

/// One `log`.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// How loud.
    pub level: LogLevel,
    /// The message.
    pub message: Value,
    /// The map behind `with`.
    pub fields: Option<Value>,
}

/// One `metric`.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What is counted or timed.
    pub name: Arc<str>,
    /// How it changes.
    pub op: MetricOp,
    /// By how much.
    pub value: Value,
    /// The map behind `with`.
    pub labels: Option<Value>,
}

/// Something a run did, in the order in which a serial run does it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What kind of thing.
    pub kind: StepKind,
    /// What it was done to or with: a name, an input.
    pub what: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

/// Kinds of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// A flow began.
    Flow,
    /// A function was called.
    Function,
    /// A model was asked: `what` is the input.
    Ask,
    /// A model answered: `what` is the answer.
    Answer,
    /// An ask failed: `what` is the message.
    AskFailed,
    /// A task, branch, agent or async call began.
    Part,
    /// A task, branch, agent or async call ended.
    PartEnd,
    /// A record was written.
    Write,
    /// A job was put into the queue.
    Enqueued,
    /// A job ran.
    Job,
    /// A fault was caught.
    Caught,
}

impl StepKind {
    /// The word used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Function => "function",
            Self::Ask => "ask",
            Self::Answer => "answer",
            Self::AskFailed => "ask_failed",
            Self::Part => "part",
            Self::PartEnd => "part_end",
            Self::Write => "write",
            Self::Enqueued => "enqueued",
            Self::Job => "job",
            Self::Caught => "caught",
        }
    }
}

/// Steps kept of a run; a loop may do a thing a million times.
const KEPT_STEPS: usize = 20_000;

/// An answered ask whose memory waits for the parts before it.
#[derive(Clone, Debug)]
pub(super) struct Memorable {
    pub(super) session: Arc<str>,
    pub(super) short_term: u64,
    pub(super) input: Arc<str>,
    pub(super) output: Arc<str>,
}

/// What one strand left behind so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Effects {
    pub(super) yields: Vec<Yielded>,
    pub(super) logs: Vec<Logged>,
    pub(super) metrics: Vec<Measured>,
    pub(super) steps: Vec<Step>,
    /// Texts of answers that `{text}` maps stand for.
    pub(super) answers: Vec<Arc<str>>,
    pub(super) memorable: Vec<Memorable>,
    /// Agents run, where the strand is not the head.
    pub(super) agents: u32,
    /// The list last ordered.
    pub(super) ordered: Option<Target>,
}

impl Effects {
    pub(super) fn step(&mut self, kind: StepKind, what: &Arc<str>, span: Span) {
        if self.steps.len() < KEPT_STEPS {
            self.steps.push(Step { kind, what: Arc::clone(what), span });
        }
    }

    /// Takes what a part left behind, after everything this strand has. Yields are taken where the join says so.
    pub(super) fn join(&mut self, mut part: Effects, yields: bool) {
        self.logs.append(&mut part.logs);
        self.metrics.append(&mut part.metrics);
        let room = KEPT_STEPS.saturating_sub(self.steps.len());
        self.steps.extend(part.steps.into_iter().take(room));
        self.answers.append(&mut part.answers);
        self.memorable.append(&mut part.memorable);
        self.agents += part.agents;
        self.ordered = part.ordered.or(self.ordered.take());
        if yields {
            self.yields.append(&mut part.yields);
        }
    }

    /// Yields, log lines and metric points.
    pub(super) fn messages(&self) -> usize {
        self.yields.len() + self.logs.len() + self.metrics.len()
    }
}
