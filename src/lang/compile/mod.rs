//! Owns the way from the syntax tree to instructions: one body of [`op::Op`] per flow, function and job, names
//! resolved to slots, a place in the source for every instruction. Must not run anything.
//!
//! The tree is expected to have passed the checks; what cannot be compiled is refused here once more.

mod body;
pub(crate) mod code;
mod expr;
mod fork;
pub(crate) mod form;
mod index;
pub(crate) mod op;
mod quiet;
mod records;
mod refused;
mod stmt;
mod visit;

use std::collections::HashMap;
use std::sync::Arc;

use self::body::Body;
use self::code::{
    AgentUnit, CallerUnit, Code, Contract, FlowUnit, FunctionUnit, JobUnit, Program, Requires, ToolUnit,
};
use self::index::Index;
pub(crate) use self::quiet::{reading_flows, solitary_flows};
use crate::lang::ast::{
    Expr, ExprKind, FlowBody, FlowDecl, FunctionDecl, JobDecl, LlmCallDecl, MemoryDecl, Name, ProfileDecl,
    Program as Tree, RecordDecl,
};
use crate::lang::fault::Fault;
use crate::lang::records::Schema;
use crate::lang::span::Span;

/// Compiles a whole app.
///
/// # Errors
/// Names that mean nothing; a checked tree has none.
pub(crate) fn program(tree: &Tree) -> Result<Program, Vec<Fault>> {
    let (schemas, faults) = schemas(tree);
    let mut writer = Writer { tree, index: Index::of(tree, &schemas), faults };
    let mut flows: Vec<FlowUnit> = tree.flows.iter().map(|flow| writer.flow(flow)).collect();
    let mut profiles = tree.profiles.clone();
    for call in &tree.llm_calls {
        flows.push(writer.llm_call(call, profiles.len()));
        profiles.push(llm_profile(tree, call));
    }
    let functions = tree.functions.iter().map(|function| writer.function(function)).collect();
    let jobs = tree.jobs.iter().map(|job| writer.job(job)).collect();
    let allowed = |name: &str| tree.capabilities.iter().any(|capability| &*capability.text == name);
    let program = Program {
        spec: tree.spec.as_ref().map(|spec| spec.text.clone()),
        flows,
        functions,
        jobs,
        profiles,
        agents: writer.agents(),
        tools: writer.tools(),
        schemas,
        caller: writer.caller(),
        jobs_allowed: allowed("jobs"),
        scheduling_allowed: allowed("scheduling"),
    };
    if writer.faults.is_empty() { Ok(program) } else { Err(writer.faults) }
}

/// The schema of each record; of two with one name the last counts.
fn schemas(tree: &Tree) -> (Vec<Schema>, Vec<Fault>) {
    let mut last: HashMap<&Arc<str>, usize> = HashMap::new();
    for (at, record) in tree.records.iter().enumerate() {
        last.insert(&record.name.text, at);
    }
    let (mut schemas, mut faults) = (Vec::new(), Vec::new());
    for (at, record) in tree.records.iter().enumerate() {
        if last.get(&record.name.text) == Some(&at) {
            match Schema::new(record) {
                Ok(schema) => schemas.push(schema),
                Err(fault) => faults.push(fault.at(record.span)),
            }
        }
    }
    (schemas, faults)
}

struct Writer<'t> {
    tree: &'t Tree,
    index: Index,
    faults: Vec<Fault>,
}

impl Writer<'_> {
    fn body(&mut self, given: &[Arc<str>], span: Span, write: impl FnOnce(&mut Body<'_>)) -> Code {
        let mut body = Body::new(&self.index, given);
        write(&mut body);
        body.close(span, &mut self.faults)
    }

    fn flow(&mut self, flow: &FlowDecl) -> FlowUnit {
        let code = self.body(&given(), flow.span, |body| match &flow.body {
            FlowBody::Statements(block) => body.whole(block),
            FlowBody::Steps { inputs, steps } => body.steps(inputs, steps, flow.span),
        });
        let contract = self.tree.contracts.iter().find(|contract| contract.flow.text == flow.name.text);
        FlowUnit {
            name: flow.name.text.clone(),
            code,
            requires: flow.requires.as_ref().map(|rule| self.requires(rule)),
            contract: contract.map(|contract| Contract {
                inputs: contract.inputs.clone(),
                outputs: Some(contract.outputs.clone()),
            }),
            span: flow.span,
        }
    }

    fn llm_call(&mut self, call: &LlmCallDecl, profile: usize) -> FlowUnit {
        let profile = body::index_of(profile);
        let code = self.body(&given(), call.span, |body| body.one_shot(profile, call.span));
        FlowUnit { name: call.name.text.clone(), code, requires: None, contract: None, span: call.span }
    }

    fn requires(&mut self, rule: &Expr) -> Requires {
        let code = self.value(rule);
        Requires {
            per_write: mentions(rule, |root| root == "mutation"),
            identity: mentions(rule, |root| root == "identity") || asks_caller(rule),
            code,
        }
    }

    /// A body that is one expression.
    fn value(&mut self, expr: &Expr) -> Code {
        self.body(&given(), expr.span, |body| {
            body.expr(expr);
            body.emit(op::Op::Return, expr.span);
        })
    }

    fn function(&mut self, function: &FunctionDecl) -> FunctionUnit {
        let inputs: Vec<Arc<str>> = function.inputs.iter().map(|input| input.name.text.clone()).collect();
        let code = self.body(&inputs, function.span, |body| {
            let missing = function.inputs.iter().filter(|input| input.optional);
            missing.for_each(|input| body.doubt(&input.name.text));
            body.whole(&function.body);
        });
        FunctionUnit {
            name: function.name.text.clone(),
            code,
            contract: Contract { inputs: function.inputs.clone(), outputs: function.outputs.clone() },
        }
    }

    fn job(&mut self, job: &JobDecl) -> JobUnit {
        let code = self.body(&given(), job.span, |body| body.whole(&job.body));
        let when = job.when.as_ref().map(|when| self.value(when));
        JobUnit { name: job.name.text.clone(), code, when, span: job.span }
    }

    fn agents(&self) -> Vec<AgentUnit> {
        let unit = |agent: &crate::lang::ast::AgentDecl| AgentUnit {
            name: agent.name.text.clone(),
            profile: agent.profile.as_ref().and_then(|profile| self.index.profile(&profile.text)),
            system_prompt: agent.system_prompt.clone(),
        };
        self.tree.agents.iter().map(unit).collect()
    }

    fn caller(&mut self) -> Option<CallerUnit> {
        let declared = self.tree.identity.as_ref()?;
        let record = RecordDecl {
            name: declared.name.clone(),
            fields: declared.fields.clone(),
            tenant_key: None,
            ttl_hours: None,
            version: None,
            shared: false,
            span: declared.span,
        };
        let levels = declared.trust_levels.as_ref();
        let trust_levels = levels.map(|levels| levels.iter().map(|level| level.text.clone()).collect());
        match Schema::new(&record) {
            Ok(schema) => Some(CallerUnit { schema, trust_levels, span: declared.span }),
            Err(fault) => {
                self.faults.push(fault.at(declared.span));
                None
            }
        }
    }

    fn tools(&self) -> HashMap<Arc<str>, ToolUnit> {
        let unit = |tool: &crate::lang::ast::ToolDecl| ToolUnit {
            name: tool.name.text.clone(),
            runner: tool.runner.text.clone(),
            inputs: tool.inputs.clone(),
        };
        self.tree.tools.iter().map(|tool| (tool.name.text.clone(), unit(tool))).collect()
    }
}

/// Names every flow and job starts with.
fn given() -> [Arc<str>; 2] {
    [Arc::from("input"), Arc::from("secrets")]
}

/// The profile an `llm_call` asks: its model, with the prompt as system prompt.
fn llm_profile(tree: &Tree, call: &LlmCallDecl) -> ProfileDecl {
    let prompt = tree.prompts.iter().find(|prompt| prompt.name.text == call.prompt);
    ProfileDecl {
        name: call.name.clone(),
        provider: Name::new("mock", call.span),
        model: Name::new(call.model.clone(), call.span),
        system_prompt: Some(prompt.map_or_else(|| call.prompt.clone(), |prompt| prompt.text.clone())),
        tools: Vec::new(),
        memory: MemoryDecl::default(),
        span: call.span,
    }
}

fn mentions(rule: &Expr, is: impl Fn(&str) -> bool) -> bool {
    let mut found = false;
    visit::expression(rule, &mut |met| {
        if let visit::Met::Expr(Expr { kind: ExprKind::Name { root, .. }, .. }) = met {
            found |= is(root);
        }
    });
    found
}

fn asks_caller(rule: &Expr) -> bool {
    let mut found = false;
    visit::expression(rule, &mut |met| {
        if let visit::Met::Expr(Expr { kind: ExprKind::Builtin(..), .. }) = met {
            found = true;
        }
    });
    found
}
