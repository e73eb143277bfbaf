//! Names used by statements and declarations must be declared somewhere in the program.

use super::super::ast::{Constraint, FlowBody, StepKind};
use super::super::ast::{
    Expr, ExprKind, FieldDecl, FlowDecl, Name, PageItem, PageItemKind, Program, Stmt, StmtKind, TypeKind,
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
        Self {
            flows: Known::new("flow", flows.chain(program.llm_calls.iter().map(|it| &it.name))),
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
            for tool in &profile.tools {
                self.tools.expect(&tool.text, tool.span, self.faults);
            }
        }
        for agent in &program.agents {
            if let Some(profile) = &agent.profile {
                self.profiles.expect(&profile.text, agent.span, self.faults);
            }
        }
        for contract in &program.contracts {
            self.flows.expect(&contract.flow.text, contract.span, self.faults);
            self.plain_types(&contract.inputs, "input");
            self.plain_types(&contract.outputs, "output");
        }
        for function in &program.functions {
            self.plain_types(&function.inputs, "input");
            self.plain_types(function.outputs.as_deref().unwrap_or_default(), "output");
        }
        for tool in &program.tools {
            self.plain_types(&tool.inputs, "input");
            self.plain_types(&tool.outputs, "output");
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

    fn plain_types(&mut self, fields: &[FieldDecl], section: &str) {
        for field in fields {
            if let TypeKind::Record(word) = &field.ty.kind {
                let text = format!("Expected {section} field type, not '{word}'.");
                self.faults.push(Fault::load(text, Some(field.ty.span)));
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
            let text = format!("Unknown route type '{word}'.");
            self.faults.push(Fault::load(text, Some(span)));
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
                self.jobs.expect(&job.text, stmt.span, self.faults);
            }
            _ => {}
        }
    }

    fn expr(&mut self, expr: &Expr) {
        let (known, name) = match &expr.kind {
            ExprKind::CallFunction { function, .. } => (&self.functions, function),
            ExprKind::CallFlow { flow, .. } => (&self.flows, flow),
            ExprKind::CallTool { tool, .. } => (&self.tools, tool),
            ExprKind::Latest(record) => (&self.records, record),
            _ => return,
        };
        known.expect(&name.text, expr.span, self.faults);
    }
}
