//! Names used by statements and declarations must be declared somewhere in the program.

use std::collections::HashSet;

use super::super::ast::{Constraint, FlowBody, StepKind};
use super::super::ast::{
    Expr, ExprKind, FieldDecl, FlowDecl, Name, PageItem, PageItemKind, Program, Stmt, StmtKind, TeamDecl,
    TypeKind,
};
use super::super::fault::{Fault, Guide};
use super::super::span::Span;
use super::Faults;
use super::names::Known;
use super::walk::{self, Node};

/// Providers a profile may name.
const PROVIDERS: [&str; 11] = [
    "mock",
    "openai",
    "anthropic",
    "gemini",
    "mistral",
    "ollama",
    "huggingface",
    "local_runner",
    "vision_gen",
    "speech",
    "third_party_apis",
];

pub(super) fn check(program: &Program, faults: &mut Faults) {
    let mut references = References::of(program, faults);
    references.declarations(program);
    program.flows.iter().for_each(|flow| references.steps(flow));
    walk::program(program, &mut |node| match node {
        Node::Stmt(stmt) => references.stmt(stmt),
        Node::Expr(expr) => references.expr(expr),
        Node::Entry(entry) => {
            references.agents.expect(&entry.agent.text, entry.span, references.faults);
        }
    });
}

struct References<'a, 'f> {
    flows: Known<'a>,
    called_flows: Known<'a>,
    records: Known<'a>,
    profiles: Known<'a>,
    agents: Known<'a>,
    functions: Known<'a>,
    tools: Known<'a>,
    jobs: Known<'a>,
    faults: &'f mut Faults,
}

impl<'a, 'f> References<'a, 'f> {
    fn of(program: &'a Program, faults: &'f mut Faults) -> Self {
        let flows = program.flows.iter().map(|it| &it.name);
        let flows = Known::new("flow", flows.chain(program.llm_calls.iter().map(|it| &it.name)));
        Self {
            called_flows: flows.as_written(),
            flows,
            records: Known::new("record", program.records.iter().map(|it| &it.name)),
            profiles: Known::new("AI profile", program.profiles.iter().map(|it| &it.name)),
            agents: Known::new("agent", program.agents.iter().map(|it| &it.name)),
            functions: Known::new("function", program.functions.iter().map(|it| &it.name)),
            tools: Known::new("tool", program.tools.iter().map(|it| &it.name)),
            jobs: Known::new("job", program.jobs.iter().map(|it| &it.name)),
            faults,
        }
    }

    fn declarations(&mut self, program: &Program) {
        for profile in &program.profiles {
            self.provider(&profile.provider, profile.span);
            let mut exposed = HashSet::new();
            for tool in &profile.tools {
                self.tools.expect(&tool.text, profile.span, self.faults);
                if !exposed.insert(&tool.text) {
                    let text = format!("Duplicate tool exposure '{}'", tool.text);
                    self.faults.push(Fault::load(text, Some(tool.span)));
                }
            }
        }
        for agent in &program.agents {
            if let Some(profile) = &agent.profile {
                self.profiles.expect(&profile.text, agent.span, self.faults);
            }
        }
        if let Some(team) = &program.team {
            self.team(team, program);
        }
        for contract in &program.contracts {
            self.flows.expect(&contract.flow.text, contract.span, self.faults);
            self.plain_types(&contract.inputs, "input", false);
            self.plain_types(&contract.outputs, "output", false);
        }
        for function in &program.functions {
            self.plain_types(&function.inputs, "input", true);
            self.plain_types(function.outputs.as_deref().unwrap_or_default(), "output", true);
        }
        for tool in &program.tools {
            self.plain_types(&tool.inputs, "input", false);
            self.plain_types(&tool.outputs, "output", false);
        }
        for route in &program.routes {
            self.flows.expect(&route.flow.text, route.span, self.faults);
            for field in route.parameters.iter().chain(&route.request).chain(&route.response) {
                self.route_type(&field.ty.kind, field.ty.span);
            }
        }
        for page in &program.pages {
            self.page_items(&page.items);
        }
        self.patterns(program);
    }

    /// A team names agents that exist, each once, and all of them.
    fn team(&mut self, team: &TeamDecl, program: &Program) {
        let mut named = HashSet::new();
        for member in &team.members {
            self.agents.expect(&member.text, member.span, self.faults);
            if !named.insert(&member.text) {
                let text = format!("Duplicate agent name '{}' in team of agents.", member.text);
                self.faults.push(Fault::load(text, Some(member.span)));
            }
        }
        for agent in program.agents.iter().filter(|agent| !named.contains(&agent.name.text)) {
            let text = format!("Agent '{}' is declared but not listed in the team.", agent.name.text);
            self.faults.push(Fault::load(text, Some(team.span)));
        }
    }

    fn provider(&mut self, provider: &Name, span: Span) {
        let name = provider.text.as_ref();
        if PROVIDERS.contains(&name.to_lowercase().as_str()) {
            return;
        }
        let guide = Guide {
            what: format!("Unknown AI provider '{name}'."),
            why: "A profile names the provider whose models it uses.".into(),
            fix: format!("Use one of {}.", PROVIDERS.join(", ")),
            example: "provider is \"mock\"".into(),
        };
        self.faults.push(Fault::load_guided(guide, Some(span)));
    }

    /// Fields are text, number, boolean or json; lists and maps where `collections` allows them.
    fn plain_types(&mut self, fields: &[FieldDecl], section: &str, collections: bool) {
        for field in fields {
            let fits = match field.ty.kind {
                TypeKind::Record(_) => false,
                TypeKind::List(_) | TypeKind::Map => collections,
                _ => true,
            };
            if !fits {
                let guide = Guide {
                    what: format!("Expected {section} field type, not '{}'.", field.ty.written),
                    why: "Only some types can be checked when values are handed over.".into(),
                    fix: "Use text, number or boolean, or json for anything.".into(),
                    example: format!("{} is json", field.name.text),
                };
                self.faults.push(Fault::load_guided(guide, Some(field.ty.span)));
            }
        }
    }

    fn route_type(&mut self, ty: &TypeKind, span: Span) {
        let mut ty = ty;
        while let TypeKind::List(Some(inner)) = ty {
            ty = inner;
        }
        if let TypeKind::Record(word) = ty
            && !self.records.has(word)
        {
            self.records.expect(word, span, self.faults);
        }
    }

    fn page_items(&mut self, items: &[PageItem]) {
        for item in items {
            match &item.kind {
                PageItemKind::Button { flow, .. } => {
                    self.flows.expect(&flow.text, item.span, self.faults);
                }
                PageItemKind::Form(record) | PageItemKind::Table(record) => {
                    self.records.expect(&record.text, item.span, self.faults);
                }
                PageItemKind::Container { items, .. } => self.page_items(items),
                PageItemKind::Title(_)
                | PageItemKind::Text(_)
                | PageItemKind::Image(_)
                | PageItemKind::Divider => {}
            }
        }
    }

    fn patterns(&mut self, program: &Program) {
        let identity = program.identity.iter().flat_map(|it| &it.fields);
        for field in program.records.iter().flat_map(|it| &it.fields).chain(identity) {
            if let Some(Constraint::Pattern(pattern)) = &field.constraint
                && regex::Regex::new(&format!("^(?:{pattern})$")).is_err()
            {
                let text = format!("Invalid pattern '{pattern}' of field '{}'.", field.name.text);
                self.faults.push(Fault::load(text, Some(field.name.span)));
            }
        }
    }

    fn steps(&mut self, flow: &FlowDecl) {
        let FlowBody::Steps { steps, .. } = &flow.body else { return };
        for step in steps {
            match &step.kind {
                StepKind::Require(_) => {}
                StepKind::Create { record, .. }
                | StepKind::Update { record, .. }
                | StepKind::Delete { record, .. } => {
                    self.records.expect(&record.text, step.span, self.faults);
                }
            }
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::AskAi { profile, .. } => {
                self.profiles.expect(&profile.text, stmt.span, self.faults);
            }
            StmtKind::Save { record, .. }
            | StmtKind::Create { record, .. }
            | StmtKind::Find { record, .. }
            | StmtKind::Update { record, .. }
            | StmtKind::Delete { record, .. }
            | StmtKind::RequireLatest { record, .. } => {
                self.records.expect(&record.text, stmt.span, self.faults);
            }
            StmtKind::Clear(records) => {
                for record in records {
                    self.records.expect(&record.text, stmt.span, self.faults);
                }
            }
            StmtKind::Enqueue { job, .. } => {
                self.jobs.expect(&job.text, job.span, self.faults);
            }
            _ => {}
        }
    }

    fn expr(&mut self, expr: &Expr) {
        let (known, name) = match &expr.kind {
            ExprKind::CallFunction { function, .. } => (&self.functions, function),
            ExprKind::CallFlow { flow, .. } => (&self.called_flows, flow),
            ExprKind::CallTool { tool, .. } => (&self.tools, tool),
            ExprKind::Latest(record) => (&self.records, record),
            _ => return,
        };
        known.expect(&name.text, expr.span, self.faults);
    }
}
