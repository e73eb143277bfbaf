//! Owns the names of an app's declarations and their positions, so that bodies can be compiled in any order.
//! Must not compile anything.

use std::collections::HashMap;
use std::sync::Arc;

use super::body::index_of;
use super::quiet;
use crate::lang::ast::Program as Tree;
use crate::lang::records::Schema;

/// Where each declaration stands.
#[derive(Debug, Default)]
pub(super) struct Index {
    flows: HashMap<Arc<str>, u32>,
    functions: HashMap<Arc<str>, u32>,
    jobs: HashMap<Arc<str>, u32>,
    schemas: HashMap<Arc<str>, u32>,
    profiles: HashMap<Arc<str>, u32>,
    agents: HashMap<Arc<str>, u32>,
    /// Per tool, whether it is pure.
    tools: HashMap<Arc<str>, bool>,
    /// Per profile, the tools it exposes.
    exposed: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// Per agent, its profile.
    agent_profiles: HashMap<Arc<str>, Arc<str>>,
    /// Flows that change nothing another branch could see.
    quiet: Vec<Arc<str>>,
    /// Flows that change nothing but state.
    calm: Vec<Arc<str>>,
}

fn positions<'a>(names: impl Iterator<Item = &'a Arc<str>>) -> HashMap<Arc<str>, u32> {
    let mut found = HashMap::new();
    for (at, name) in names.enumerate() {
        found.entry(name.clone()).or_insert(index_of(at));
    }
    found
}

impl Index {
    pub(super) fn of(tree: &Tree, schemas: &[Schema]) -> Self {
        let calls = tree.llm_calls.iter().map(|call| &call.name.text);
        Self {
            flows: positions(tree.flows.iter().map(|flow| &flow.name.text).chain(calls)),
            functions: positions(tree.functions.iter().map(|function| &function.name.text)),
            schemas: positions(schemas.iter().map(|schema| &schema.name)),
            jobs: positions(tree.jobs.iter().map(|job| &job.name.text)),
            profiles: positions(tree.profiles.iter().map(|profile| &profile.name.text)),
            agents: positions(tree.agents.iter().map(|agent| &agent.name.text)),
            tools: tree.tools.iter().map(|tool| (tool.name.text.clone(), tool.pure)).collect(),
            exposed: tree
                .profiles
                .iter()
                .map(|profile| {
                    let tools = profile.tools.iter().map(|tool| tool.text.clone()).collect();
                    (profile.name.text.clone(), tools)
                })
                .collect(),
            agent_profiles: tree
                .agents
                .iter()
                .filter_map(|agent| Some((agent.name.text.clone(), agent.profile.as_ref()?.text.clone())))
                .collect(),
            quiet: quiet::quiet_flows(tree),
            calm: quiet::calm_flows(tree),
        }
    }

    pub(super) fn flow(&self, name: &str) -> Option<u32> {
        self.flows.get(name).copied()
    }

    pub(super) fn function(&self, name: &str) -> Option<u32> {
        self.functions.get(name).copied()
    }

    pub(super) fn schema(&self, record: &str) -> Option<u32> {
        self.schemas.get(record).copied()
    }

    pub(super) fn job(&self, name: &str) -> Option<u32> {
        self.jobs.get(name).copied()
    }

    pub(super) fn profile(&self, name: &str) -> Option<u32> {
        self.profiles.get(name).copied()
    }

    pub(super) fn agent(&self, name: &str) -> Option<u32> {
        self.agents.get(name).copied()
    }

    /// Whether the flow changes nothing that a branch beside it could see.
    pub(super) fn is_quiet(&self, flow: &str) -> bool {
        self.quiet.iter().any(|name| &**name == flow)
    }

    /// Whether the flow changes nothing but state.
    pub(super) fn is_calm(&self, flow: &str) -> bool {
        self.calm.iter().any(|name| &**name == flow)
    }

    /// Whether a task may call the tool.
    pub(super) fn tool_is_pure(&self, tool: &str) -> bool {
        self.tools.get(tool).copied().unwrap_or(false)
    }

    /// Whether every tool the profile exposes is pure.
    pub(super) fn profile_is_pure(&self, profile: &str) -> bool {
        self.exposed.get(profile).is_none_or(|tools| tools.iter().all(|tool| self.tool_is_pure(tool)))
    }

    /// Whether every tool of the agent's profile is pure.
    pub(super) fn agent_is_pure(&self, agent: &str) -> bool {
        self.agent_profiles.get(agent).is_none_or(|profile| self.profile_is_pure(profile))
    }
}
