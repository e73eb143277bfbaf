//! Owns the walk over every statement and expression of a block, in written order. Must not judge what it meets.

use crate::lang::ast::{Block, Expr, ExprKind, Stmt, StmtKind};

/// What a walk meets.
pub(super) enum Met<'t> {
    Stmt(&'t Stmt),
    Expr(&'t Expr),
}

/// Meets every statement of the block, those inside others too, and every expression; a statement before what is in
/// it.
pub(super) fn block<'t>(block: &'t Block, meet: &mut dyn FnMut(Met<'t>)) {
    for stmt in block {
        statement(stmt, meet);
    }
}

fn statement<'t>(stmt: &'t Stmt, meet: &mut dyn FnMut(Met<'t>)) {
    meet(Met::Stmt(stmt));
    own_expressions(stmt).into_iter().for_each(|inner| expression(inner, meet));
    match &stmt.kind {
        StmtKind::If { then, otherwise, .. } => {
            block(then, meet);
            block(otherwise, meet);
        }
        StmtKind::RepeatTimes { body, .. }
        | StmtKind::RepeatWhile { body, .. }
        | StmtKind::ForEach { body, .. } => block(body, meet),
        StmtKind::Match { cases, otherwise, .. } => {
            cases.iter().for_each(|(_, body)| block(body, meet));
            otherwise.iter().for_each(|body| block(body, meet));
        }
        StmtKind::Try { body, handler, .. } => {
            block(body, meet);
            block(handler, meet);
        }
        StmtKind::Parallel { tasks, .. } => tasks.iter().for_each(|task| block(&task.body, meet)),
        _ => {}
    }
}

/// The expressions a statement holds itself.
fn own_expressions(stmt: &Stmt) -> Vec<&Expr> {
    match &stmt.kind {
        StmtKind::Let { value, .. } | StmtKind::Set { value, .. } => vec![value],
        StmtKind::Return(value) | StmtKind::Keep(value) | StmtKind::Tick(value) | StmtKind::Yield(value) => {
            vec![value]
        }
        StmtKind::If { condition, .. } | StmtKind::RepeatWhile { condition, .. } => vec![condition],
        StmtKind::RepeatTimes { count, .. } => vec![count],
        StmtKind::ForEach { list, .. } => vec![list],
        StmtKind::Match { subject, cases, .. } => {
            std::iter::once(subject).chain(cases.iter().map(|(pattern, _)| pattern)).collect()
        }
        StmtKind::Orchestration { branches, .. } => branches.iter().map(|(_, call)| call).collect(),
        StmtKind::AskAi { input, .. } => vec![input],
        StmtKind::RunAgent { entry, .. } => vec![&entry.input],
        StmtKind::RunAgents { entries, .. } => entries.iter().map(|entry| &entry.input).collect(),
        StmtKind::Save { fields: Some(fields), .. } => fields.iter().map(|field| &field.value).collect(),
        StmtKind::Create { values, .. } => vec![values],
        StmtKind::Find { predicate, .. } | StmtKind::Delete { predicate, .. } => vec![predicate],
        StmtKind::Update { predicate, fields, .. } => {
            std::iter::once(predicate).chain(fields.iter().map(|field| &field.value)).collect()
        }
        StmtKind::Enqueue { due, input, .. } => {
            input.iter().chain(due.iter().map(|(_, when)| when)).collect()
        }
        StmtKind::Log { message, fields, .. } => std::iter::once(message).chain(fields).collect(),
        StmtKind::Metric { value, labels, .. } => value.iter().chain(labels).collect(),
        _ => Vec::new(),
    }
}

/// Meets the expression and everything in it.
pub(super) fn expression<'t>(expr: &'t Expr, meet: &mut dyn FnMut(Met<'t>)) {
    meet(Met::Expr(expr));
    match &expr.kind {
        ExprKind::Unary(_, inner)
        | ExprKind::OneOf(inner, _)
        | ExprKind::Attr(inner, _)
        | ExprKind::Aggregate(_, inner)
        | ExprKind::Builtin(_, inner)
        | ExprKind::Async(inner) => expression(inner, meet),
        ExprKind::Binary(_, left, right) | ExprKind::Index(left, right) => {
            expression(left, meet);
            expression(right, meet);
        }
        ExprKind::Between { value, low, high, .. } => {
            [value, low, high].into_iter().for_each(|inner| expression(inner, meet));
        }
        ExprKind::List(items) | ExprKind::Collection(_, items) => {
            items.iter().for_each(|item| expression(item, meet));
        }
        ExprKind::Map(entries) => entries.iter().for_each(|(_, value)| expression(value, meet)),
        ExprKind::Each { list, body, .. } => {
            expression(list, meet);
            expression(body, meet);
        }
        ExprKind::Reduce { list, start, body, .. } => {
            [list, start, body].into_iter().for_each(|inner| expression(inner, meet));
        }
        ExprKind::CallFunction { args, .. }
        | ExprKind::CallTool { args, .. }
        | ExprKind::CallFlow { inputs: args, .. } => {
            args.iter().for_each(|(_, value)| expression(value, meet));
        }
        _ => {}
    }
}
