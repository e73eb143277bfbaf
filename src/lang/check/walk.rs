//! Visits every statement and expression of a program, in written order.
//!
//! Recursion is bounded by the parser's limits on nesting and height.

use super::super::ast::{AgentEntry, Block, Expr, ExprKind, FlowBody, Program, StepKind, Stmt, StmtKind};

/// What a visit passes.
pub(super) enum Node<'a> {
    Stmt(&'a Stmt),
    Expr(&'a Expr),
    Entry(&'a AgentEntry),
}

/// Called for each node before its parts.
pub(super) type Visit<'v, 'a> = &'v mut dyn FnMut(Node<'a>);

/// All bodies and conditions of flows, jobs and pages, and the bodies of functions.
pub(super) fn program<'a>(program: &'a Program, visit: Visit<'_, 'a>) {
    for flow in &program.flows {
        if let Some(requires) = &flow.requires {
            expr(requires, visit);
        }
        flow_body(&flow.body, visit);
    }
    for function in &program.functions {
        block(&function.body, visit);
    }
    for job in &program.jobs {
        if let Some(when) = &job.when {
            expr(when, visit);
        }
        block(&job.body, visit);
    }
    for requires in program.pages.iter().filter_map(|page| page.requires.as_ref()) {
        expr(requires, visit);
    }
}

/// The body of one flow.
pub(super) fn flow_body<'a>(body: &'a FlowBody, visit: Visit<'_, 'a>) {
    let steps = match body {
        FlowBody::Statements(statements) => return block(statements, visit),
        FlowBody::Steps { steps, .. } => steps,
    };
    for step in steps {
        match &step.kind {
            StepKind::Require(_) => {}
            StepKind::Create { fields, .. } => fields.iter().for_each(|field| expr(&field.value, visit)),
            StepKind::Update { selector, fields, .. } => {
                expr(selector, visit);
                fields.iter().for_each(|field| expr(&field.value, visit));
            }
            StepKind::Delete { selector, .. } => expr(selector, visit),
        }
    }
}

/// All statements of a block with their parts.
pub(super) fn block<'a>(statements: &'a Block, visit: Visit<'_, 'a>) {
    for statement in statements {
        visit(Node::Stmt(statement));
        parts(&statement.kind, visit);
    }
}

fn parts<'a>(kind: &'a StmtKind, visit: Visit<'_, 'a>) {
    match kind {
        StmtKind::Let { value, .. } | StmtKind::Set { value, .. } => expr(value, visit),
        StmtKind::Return(value) | StmtKind::Keep(value) | StmtKind::Tick(value) | StmtKind::Yield(value) => {
            expr(value, visit);
        }
        StmtKind::If { .. }
        | StmtKind::RepeatTimes { .. }
        | StmtKind::RepeatWhile { .. }
        | StmtKind::ForEach { .. }
        | StmtKind::Match { .. }
        | StmtKind::Try { .. } => control(kind, visit),
        StmtKind::Parallel { tasks, .. } => tasks.iter().for_each(|task| block(&task.body, visit)),
        StmtKind::Orchestration { branches, .. } => branches.iter().for_each(|(_, call)| expr(call, visit)),
        StmtKind::AskAi { input, .. } => expr(input, visit),
        StmtKind::RunAgent { entry: one, .. } => entry(one, visit),
        StmtKind::RunAgents { entries, .. } => entries.iter().for_each(|one| entry(one, visit)),
        StmtKind::Save { fields, .. } => fields.iter().flatten().for_each(|field| expr(&field.value, visit)),
        StmtKind::Create { values, .. } => expr(values, visit),
        StmtKind::Find { predicate, .. } | StmtKind::Delete { predicate, .. } => expr(predicate, visit),
        StmtKind::Update { predicate, fields, .. } => {
            expr(predicate, visit);
            fields.iter().for_each(|field| expr(&field.value, visit));
        }
        StmtKind::Enqueue { due, input, .. } => {
            due.iter().map(|(_, at)| at).chain(input).for_each(|part| expr(part, visit));
        }
        StmtKind::Log { message, fields, .. } => {
            std::iter::once(message).chain(fields).for_each(|part| expr(part, visit));
        }
        StmtKind::Metric { value, labels, .. } => {
            value.iter().chain(labels).for_each(|part| expr(part, visit));
        }
        StmtKind::Order { .. }
        | StmtKind::Await(_)
        | StmtKind::Clear(_)
        | StmtKind::RequireLatest { .. }
        | StmtKind::Notice(_) => {}
    }
}

fn control<'a>(kind: &'a StmtKind, visit: Visit<'_, 'a>) {
    match kind {
        StmtKind::If { condition, then, otherwise } => {
            expr(condition, visit);
            block(then, visit);
            block(otherwise, visit);
        }
        StmtKind::RepeatTimes { count: head, body }
        | StmtKind::RepeatWhile { condition: head, body, .. }
        | StmtKind::ForEach { list: head, body, .. } => {
            expr(head, visit);
            block(body, visit);
        }
        StmtKind::Match { subject, cases, otherwise } => {
            expr(subject, visit);
            for (pattern, body) in cases {
                expr(pattern, visit);
                block(body, visit);
            }
            otherwise.iter().for_each(|body| block(body, visit));
        }
        StmtKind::Try { body, handler, .. } => {
            block(body, visit);
            block(handler, visit);
        }
        _ => {}
    }
}

fn entry<'a>(entry: &'a AgentEntry, visit: Visit<'_, 'a>) {
    visit(Node::Entry(entry));
    expr(&entry.input, visit);
}

/// An expression with its parts.
pub(super) fn expr<'a>(whole: &'a Expr, visit: Visit<'_, 'a>) {
    visit(Node::Expr(whole));
    match &whole.kind {
        ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Number(_)
        | ExprKind::Text(_)
        | ExprKind::Name { .. }
        | ExprKind::State(_)
        | ExprKind::Latest(_) => {}
        ExprKind::Unary(_, inner)
        | ExprKind::Attr(inner, _)
        | ExprKind::Aggregate(_, inner)
        | ExprKind::Builtin(_, inner)
        | ExprKind::Async(inner) => expr(inner, visit),
        ExprKind::Binary(_, left, right) | ExprKind::Index(left, right) => {
            expr(left, visit);
            expr(right, visit);
        }
        ExprKind::Between { value, low, high, .. } => {
            [value, low, high].into_iter().for_each(|part| expr(part, visit));
        }
        ExprKind::OneOf(value, choices) => {
            expr(value, visit);
            choices.iter().for_each(|part| expr(part, visit));
        }
        ExprKind::List(items) | ExprKind::Collection(_, items) => {
            items.iter().for_each(|part| expr(part, visit));
        }
        ExprKind::Map(entries) => entries.iter().for_each(|(_, part)| expr(part, visit)),
        ExprKind::Each { list, body, .. } => {
            expr(list, visit);
            expr(body, visit);
        }
        ExprKind::Reduce { list, start, body, .. } => {
            [list, start, body].into_iter().for_each(|part| expr(part, visit));
        }
        ExprKind::CallFunction { args, .. }
        | ExprKind::CallFlow { inputs: args, .. }
        | ExprKind::CallTool { args, .. } => args.iter().for_each(|(_, part)| expr(part, visit)),
    }
}
