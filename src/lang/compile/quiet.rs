//! Owns the questions whose answer lets parts of a fork run together: does a task or a flow change anything a part
//! beside it could see? Must not run anything; in doubt the answer is no.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::visit::{self, Met};
use crate::lang::ast::{Block, ExprKind, FlowBody, Program, StmtKind, Target};

/// Whether a task of `parallel:` (which cannot write state or records) leaves everything shared alone.
pub(super) fn task_is_apart(body: &Block) -> bool {
    let mut apart = true;
    visit::block(body, &mut |met| {
        apart &= match met {
            Met::Stmt(stmt) => !matches!(stmt.kind, StmtKind::Enqueue { .. } | StmtKind::Tick(_)),
            Met::Expr(expr) => !matches!(expr.kind, ExprKind::Async(_)),
        };
    });
    apart
}

/// Flows that write neither state nor records and start nothing, nor do the flows they call: branches beside each other
/// cannot tell.
pub(super) fn quiet_flows(tree: &Program) -> Vec<Arc<str>> {
    flows_that(tree, |kind| leaves_records(kind) && leaves_state(kind))
}

/// As [`quiet_flows`], but they may write state: async calls have copies of it.
pub(super) fn calm_flows(tree: &Program) -> Vec<Arc<str>> {
    flows_that(tree, leaves_records)
}

fn flows_that(tree: &Program, leaves: fn(&StmtKind) -> bool) -> Vec<Arc<str>> {
    let mut calls: HashMap<&Arc<str>, Vec<&Arc<str>>> = HashMap::new();
    let mut quiet: HashSet<&Arc<str>> = HashSet::new();
    for flow in &tree.flows {
        let FlowBody::Statements(body) = &flow.body else { continue };
        let mut called = Vec::new();
        let mut still = task_is_apart(body);
        visit::block(body, &mut |met| match met {
            Met::Stmt(stmt) => still &= leaves(&stmt.kind),
            Met::Expr(expr) => {
                if let ExprKind::CallFlow { flow, .. } = &expr.kind {
                    called.push(&flow.text);
                }
            }
        });
        if still {
            quiet.insert(&flow.name.text);
            calls.insert(&flow.name.text, called);
        }
    }
    // A flow that calls a loud one is loud; at most one flow turns loud per round.
    loop {
        let before = quiet.len();
        let loud: Vec<&Arc<str>> = quiet
            .iter()
            .filter(|name| {
                calls.get(*name).is_some_and(|called| called.iter().any(|flow| !quiet.contains(flow)))
            })
            .copied()
            .collect();
        loud.into_iter().for_each(|name| {
            quiet.remove(name);
        });
        if quiet.len() == before {
            return quiet.into_iter().cloned().collect();
        }
    }
}

fn leaves_state(kind: &StmtKind) -> bool {
    !matches!(
        kind,
        StmtKind::Set { target: Target::State(_), .. }
            | StmtKind::Order { target: Target::State(_), .. }
            | StmtKind::Keep(_)
            | StmtKind::RequireLatest { .. }
            | StmtKind::Notice(_)
    )
}

fn leaves_records(kind: &StmtKind) -> bool {
    !matches!(
        kind,
        StmtKind::Save { .. }
            | StmtKind::Create { .. }
            | StmtKind::Update { .. }
            | StmtKind::Delete { .. }
            | StmtKind::Clear(_)
    )
}
