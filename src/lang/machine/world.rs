//! Owns what a run is given, what it waits for and what it gives back. Must not run anything.

use std::sync::Arc;

use super::effects::{Logged, Measured, Step, Yielded};
use super::limits::Limits;
use crate::lang::cache_key::{CacheKeyParts, cache_key};
use crate::lang::fault::{Fault, FaultKind};
use crate::lang::memory::{Item, Memory};
use crate::lang::records::{Store, Want};
use crate::lang::span::Span;
use crate::lang::value::{Map, Value};

/// What a run is given.
pub struct World {
    /// The caller; none when nothing is known about it.
    pub identity: Option<Map>,
    /// The state left by the run before.
    pub state: Map,
    /// The records. No transaction may be open.
    pub store: Store,
    /// The short-term history.
    pub memory: Memory,
    /// What the run may use.
    pub limits: Limits,
    /// Whether log lines and metric points are kept.
    pub observing: bool,
    /// Milliseconds of the driver's clock, for records that expire; without it nothing does.
    pub now_ms: Option<i64>,
}

/// A call of a model that the run waits for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What [`super::Machine::resolve`] takes.
    pub id: u64,
    /// The profile asked.
    pub profile: Arc<str>,
    /// The agent that speaks, for `run agent`.
    pub agent: Option<Arc<str>>,
    /// The provider, in lower case.
    pub provider: Arc<str>,
    /// The model.
    pub model: Arc<str>,
    /// The prompt that applies: the agent's if it has one, otherwise the profile's.
    pub system_prompt: Option<Arc<str>>,
    /// Tools the profile exposes.
    pub tools: Vec<Arc<str>>,
    /// The text, or the canonical JSON of a structured input.
    pub input: Arc<str>,
    /// What the call recalls; none for one-shot calls, which have no memory and are never cached.
    pub recalled: Option<Vec<Item>>,
    /// Whether the answer is wanted token by token.
    pub stream: bool,
    /// The flow that asks.
    pub flow: Arc<str>,
    /// The `ask` or `run` token.
    pub span: Span,
}

impl Ask {
    /// How many items the mock reports; none where it does not report memory.
    #[must_use]
    pub fn mock_recalled(&self) -> Option<usize> {
        self.recalled.as_ref().filter(|_| self.tools.is_empty()).map(Vec::len)
    }

    /// The key of the language's AI cache.
    #[must_use]
    pub fn cache_key(&self) -> String {
        let tools: Vec<&str> = self.tools.iter().map(AsRef::as_ref).collect();
        cache_key(CacheKeyParts {
            provider: &self.provider,
            model: &self.model,
            system_prompt: self.system_prompt.as_deref(),
            tools: &tools,
            user_input: &self.input,
            recalled: self.recalled.as_deref().unwrap_or_default(),
        })
    }

    /// Whether the AI cache may answer: profiles with tools and one-shot calls always reach the provider.
    #[must_use]
    pub fn cacheable(&self) -> bool {
        self.tools.is_empty() && self.recalled.is_some()
    }
}

/// Why an ask has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskFault {
    /// What went wrong, as a sentence.
    pub message: String,
    /// Whether it failed, the provider is to blame, or a limit had no room for it.
    pub kind: FaultKind,
}

/// What a run came to.
pub struct Outcome {
    /// The flow.
    pub flow: Arc<str>,
    /// The result as it is reported, or the fault that ended the run.
    pub result: Result<Value, Box<Fault>>,
    /// The state as it goes on to the next run; after a fault the state the run began with.
    pub state: Map,
    /// The state as it is reported: `{text}` maps of answers unwrapped.
    pub shown_state: Value,
    /// Messages of `yield`.
    pub yields: Vec<Yielded>,
    /// Log lines, where they are kept.
    pub logs: Vec<Logged>,
    /// Metric points, where they are kept.
    pub metrics: Vec<Measured>,
    /// What the run did, in serial order.
    pub steps: Vec<Step>,
    /// The short-term history after the run.
    pub memory: Memory,
    /// The records: committed, or rolled back after a fault.
    pub store: Store,
    /// Instructions carried out.
    pub instructions: u64,
}

/// What [`super::Machine::advance`] came to.
pub enum Progress {
    /// Every strand waits. These asks are new since the last time; older ones may be open too.
    Blocked(Vec<Ask>),
    /// The run wants this of the archive of its records, see [`super::Machine::supply`]; until then it is blocked. Never
    /// of records that end with the process.
    Wants(Want),
    /// The budget is used up; call again.
    Spent,
    /// The run is over.
    Done(Box<Outcome>),
}
