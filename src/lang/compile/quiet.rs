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
    flows_that(tree, |met| match met {
        Met::Stmt(stmt) => leaves_records(&stmt.kind) && leaves_state(&stmt.kind),
        Met::Expr(_) => true,
    })
}

/// As [`quiet_flows`], but they may write state: async calls have copies of it.
pub(super) fn calm_flows(tree: &Program) -> Vec<Arc<str>> {
    flows_that(tree, |met| match met {
        Met::Stmt(stmt) => leaves_records(&stmt.kind),
        Met::Expr(_) => true,
    })
}

/// Flows of which no run writes a record: calm, and no job can follow them.
pub(crate) fn reading_flows(tree: &Program) -> Vec<Arc<str>> {
    if tree.jobs.iter().any(|job| job.when.is_some()) {
        return Vec::new();
    }
    calm_flows(tree)
}

/// Quiet flows that neither read what other runs leave: state, records, the short-term history where any profile
/// recalls it. Such a run may go on beside any other.
pub(crate) fn solitary_flows(tree: &Program) -> Vec<Arc<str>> {
    if tree.jobs.iter().any(|job| job.when.is_some()) {
        return Vec::new(); // every run looks at the state for them
    }
    let recalls = tree.profiles.iter().any(|profile| profile.memory.short_term > 0);
    flows_that(tree, |met| match met {
        Met::Stmt(stmt) => {
            let asks = matches!(
                stmt.kind,
                StmtKind::AskAi { .. } | StmtKind::RunAgent { .. } | StmtKind::RunAgents { .. }
            );
            leaves_records(&stmt.kind)
                && leaves_state(&stmt.kind)
                && !matches!(stmt.kind, StmtKind::Find { .. })
                && !(asks && recalls)
        }
        Met::Expr(expr) => !matches!(expr.kind, ExprKind::State(_) | ExprKind::Latest(_)),
    })
}

/// Flows of which everything they meet is `fine`, and everything met by the flows they call.
fn flows_that(tree: &Program, fine: impl Fn(&Met<'_>) -> bool) -> Vec<Arc<str>> {
    let mut calls: HashMap<&Arc<str>, Vec<Arc<str>>> = HashMap::new();
    let mut quiet: HashSet<&Arc<str>> = HashSet::new();
    for flow in &tree.flows {
        let FlowBody::Statements(body) = &flow.body else { continue };
        let mut called = Vec::new();
        let mut still = task_is_apart(body);
        let mut meet = |met: Met<'_>| {
            still &= fine(&met);
            if let Met::Expr(expr) = met
                && let ExprKind::CallFlow { flow, .. } = &expr.kind
            {
                called.push(Arc::clone(&flow.text));
            }
        };
        flow.requires.iter().for_each(|needed| visit::expression(needed, &mut meet));
        visit::block(body, &mut meet);
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
