//! Functions only compute: they return, never come back to themselves, and touch nothing outside.

use std::collections::HashMap;

use super::super::ast::{Expr, ExprKind, FunctionDecl, Program, Stmt, StmtKind, Target};
use super::super::fault::{Fault, Guide};
use super::super::span::Span;
use super::Faults;
use super::graph::{self, Calls};
use super::walk::{self, Node};

pub(super) fn check(program: &Program, faults: &mut Faults) {
    for function in &program.functions {
        body(function, faults);
    }
    recursion(program, faults);
}

fn body(function: &FunctionDecl, faults: &mut Faults) {
    let mut returns = false;
    walk::block(&function.body, &mut |node| {
        let refused = match node {
            Node::Stmt(stmt) => {
                returns |= matches!(stmt.kind, StmtKind::Return(_));
                refused_statement(stmt).map(|what| (what, stmt.span))
            }
            Node::Expr(expr) => refused_expression(expr).map(|what| (what, expr.span)),
            Node::Entry(_) => None,
        };
        if let Some((what, span)) = refused {
            faults.push(Fault::load_guided(only_computes(what), Some(span)));
        }
    });
    if !returns {
        let text = format!("Function \"{}\" must return a value.", function.name.text);
        faults.push(Fault::load(text, Some(function.span)));
    }
}

fn only_computes(what: &str) -> Guide {
    Guide {
        what: format!("Functions cannot {what}."),
        why: "A function computes a value from its input and nothing else.".into(),
        fix: "Do it in a flow and hand the value in.".into(),
        example: "let area is call function \"area\":\n  width is 3".into(),
    }
}

fn refused_statement(stmt: &Stmt) -> Option<&'static str> {
    Some(match &stmt.kind {
        StmtKind::AskAi { .. } | StmtKind::RunAgent { .. } | StmtKind::RunAgents { .. } => {
            "call ai or agents"
        }
        StmtKind::Save { .. }
        | StmtKind::Create { .. }
        | StmtKind::Find { .. }
        | StmtKind::Update { .. }
        | StmtKind::Delete { .. }
        | StmtKind::Clear(_)
        | StmtKind::RequireLatest { .. } => "read or write records",
        StmtKind::Parallel { .. } => "use parallel blocks",
        StmtKind::Orchestration { .. } => "use orchestration blocks",
        StmtKind::Set { target: Target::State(_), .. } | StmtKind::Notice(_) => "change state",
        StmtKind::Order { target: Target::State(_), .. } => "change state",
        StmtKind::Enqueue { .. } | StmtKind::Tick(_) => "enqueue jobs",
        _ => return None,
    })
}

fn refused_expression(expr: &Expr) -> Option<&'static str> {
    Some(match &expr.kind {
        ExprKind::CallTool { .. } => "call tools",
        ExprKind::CallFlow { .. } => "call flows",
        ExprKind::Latest(_) => "read or write records",
        ExprKind::State(_) => "read state",
        ExprKind::Name { root, .. } if **root == *"identity" => "access identity",
        ExprKind::Builtin(..) => "call builtins",
        _ => return None,
    })
}

fn recursion(program: &Program, faults: &mut Faults) {
    let functions = &program.functions;
    let index: HashMap<&str, usize> =
        functions.iter().enumerate().map(|(at, function)| (function.name.text.as_ref(), at)).collect();
    let calls: Calls = functions
        .iter()
        .map(|function| {
            let mut edges = Vec::new();
            walk::block(&function.body, &mut |node| {
                if let Node::Expr(Expr { kind: ExprKind::CallFunction { function, .. }, span }) = node
                    && let Some(callee) = index.get(function.text.as_ref())
                {
                    edges.push((*callee, *span));
                }
            });
            edges
        })
        .collect();
    for cycle in graph::cycles(&calls) {
        let first: Span = functions[cycle.path[0]].span;
        let path: Vec<&str> = cycle.path.iter().map(|at| functions[*at].name.text.as_ref()).collect();
        let guide = Guide {
            what: "Function recursion is not allowed.".into(),
            why: format!("The calls lead back: {}.", path.join(" -> ")),
            fix: "Repeat with a loop instead.".into(),
            example: "repeat while n is greater than 0 limit 100:".into(),
        };
        faults.push(Fault::load_guided(guide, Some(first)));
    }
}
