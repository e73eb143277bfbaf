//! Owns what may not stand in a task of `parallel:`. Must not raise anything: the machine does, when the task is
//! about to run.

use super::index::Index;
use super::visit::{self, Met};
use crate::lang::ast::{Block, Expr, ExprKind, Stmt, StmtKind, Target};
use crate::lang::span::Span;

type Refusal = (&'static str, Span);

const STATE: &str = "Parallel tasks cannot change state";
const RECORDS: &str = "Parallel tasks cannot write records";
const SAVED: &str =
    "Parallel tasks cannot change state, as the lines of a save do. Parallel tasks cannot write records";
const TOOLS: &str = "Parallel tasks only allow pure tools";

/// The first thing in a task that is refused.
pub(super) fn first(index: &Index, body: &Block) -> Option<Refusal> {
    let mut found = None;
    visit::block(body, &mut |met| {
        if found.is_none() {
            found = match met {
                Met::Stmt(stmt) => statement(index, stmt),
                Met::Expr(expr) => expression(index, expr),
            };
        }
    });
    found
}

fn statement(index: &Index, stmt: &Stmt) -> Option<Refusal> {
    let text = match &stmt.kind {
        StmtKind::Parallel { .. } => "Nested parallel blocks are not allowed",
        StmtKind::Orchestration { .. } => "Parallel tasks cannot use orchestration blocks",
        StmtKind::Set { target: Target::State(_), .. }
        | StmtKind::Order { target: Target::State(_), .. }
        | StmtKind::RequireLatest { .. }
        | StmtKind::Notice(_) => STATE,
        // The lines of the block come first.
        StmtKind::Save { fields: Some(fields), .. } => {
            let span =
                fields.first().and_then(|field| field.path.first()).map_or(stmt.span, |word| word.span);
            return Some((SAVED, span));
        }
        StmtKind::Save { .. }
        | StmtKind::Create { .. }
        | StmtKind::Update { .. }
        | StmtKind::Delete { .. }
        | StmtKind::Clear(_) => RECORDS,
        StmtKind::AskAi { profile, .. } if !index.profile_is_pure(&profile.text) => TOOLS,
        StmtKind::RunAgent { entry, .. } if !index.agent_is_pure(&entry.agent.text) => TOOLS,
        StmtKind::RunAgents { entries, .. } => {
            let impure = entries.iter().find(|entry| !index.agent_is_pure(&entry.agent.text))?;
            return Some((TOOLS, impure.span));
        }
        _ => return None,
    };
    Some((text, stmt.span))
}

fn expression(index: &Index, expr: &Expr) -> Option<Refusal> {
    match &expr.kind {
        ExprKind::CallFlow { .. } => Some(("Parallel tasks cannot call flows", expr.span)),
        ExprKind::CallTool { tool, .. } if !index.tool_is_pure(&tool.text) => Some((TOOLS, expr.span)),
        _ => None,
    }
}
