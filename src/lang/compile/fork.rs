//! Owns how asks, agents and everything with parts (`parallel:`, `orchestration:`, `run agents in parallel:`, async
//! calls) become instructions. Must not decide which parts run when; the machine does.

use std::sync::Arc;

use super::body::{Body, push};
use super::form::{AskForm, ForkForm, Join, Part};
use super::op::Op;
use super::{quiet, refused};
use crate::lang::ast::{AgentEntry, AskMode, Expr, ExprKind, LocalMerge, Name, Stmt, StmtKind, Task};
use crate::lang::span::Span;

impl Body<'_> {
    /// Writes `ask ai` or `run agent`.
    pub(super) fn ask(&mut self, stmt: &Stmt) {
        let span = stmt.span;
        match &stmt.kind {
            StmtKind::AskAi { profile, mode, input, stream, target } => {
                let Some(unit) = self.index.profile(&profile.text) else {
                    return self.unknown("AI profile", profile, span);
                };
                let start = self.here();
                self.expr(input);
                let into = Some(self.slot(&target.text));
                let form = AskForm { target: unit, mode: *mode, stream: *stream, into };
                let at = push(&mut self.code.asks, form);
                self.emit(Op::Ask(at), span);
                self.code.ai_ranges.push((start, self.here()));
            }
            StmtKind::RunAgent { entry, target } => {
                let into = self.slot(&target.text);
                self.run_agent(entry, Some(into), span);
            }
            _ => {}
        }
    }

    fn run_agent(&mut self, entry: &AgentEntry, into: Option<u32>, span: Span) {
        let Some(unit) = self.index.agent(&entry.agent.text) else {
            return self.unknown("agent", &entry.agent, span);
        };
        // The call is counted before its input is looked at.
        self.emit(Op::CountAgent, span);
        self.expr(&entry.input);
        let form = AskForm { target: unit, mode: entry.mode, stream: false, into };
        let at = push(&mut self.code.asks, form);
        self.emit(Op::RunAgent(at), span);
    }

    /// The one ask of an `llm_call` flow: the whole input, without memory.
    pub(super) fn one_shot(&mut self, profile: u32, span: Span) {
        self.load(&Arc::from("input"), &[], span);
        let form = AskForm { target: profile, mode: AskMode::Structured, stream: false, into: None };
        let at = push(&mut self.code.asks, form);
        let asked = self.emit(Op::AskOnce(at), span);
        self.code.ai_ranges.push((asked, self.here()));
        self.emit(Op::Return, span);
    }

    /// Writes a statement with parts.
    pub(super) fn fork(&mut self, stmt: &Stmt) {
        let span = stmt.span;
        match &stmt.kind {
            StmtKind::Parallel { tasks, policy } => {
                let merge = policy.map_or(LocalMerge::Conflict, |(merge, _)| merge);
                self.tasks(tasks, merge, span);
            }
            StmtKind::Orchestration { branches, merge, target } => {
                let into = self.slot(&target.text);
                let apart = branches.iter().all(|(_, call)| self.call_is_quiet(call));
                let join = Join::Branches { merge: merge.clone(), into };
                let fork = self.open_fork(join, apart, merge.span);
                for (name, call) in branches {
                    self.part(fork, &name.text, call.span, None);
                    self.expr(call);
                    self.emit(Op::PartEnd, call.span);
                }
                self.close_fork(fork);
            }
            StmtKind::RunAgents { entries, merge, target } => {
                let into = self.slot(&target.text);
                let at = merge.as_ref().map_or(span, |merge| merge.span);
                let fork = self.open_fork(Join::Agents { merge: merge.clone(), into }, true, at);
                for entry in entries {
                    self.part(fork, &entry.agent.text, entry.span, None);
                    self.run_agent(entry, None, entry.span);
                    self.emit(Op::PartEnd, entry.span);
                }
                self.close_fork(fork);
            }
            _ => {}
        }
    }

    fn call_is_quiet(&self, call: &Expr) -> bool {
        matches!(&call.kind, ExprKind::CallFlow { flow, inputs, .. }
            if self.index.is_quiet(&flow.text) && inputs.iter().all(|(_, value)| plain(value)))
    }

    fn tasks(&mut self, tasks: &[Task], merge: LocalMerge, span: Span) {
        let apart = tasks.iter().all(|task| quiet::task_is_apart(&task.body));
        let fork = self.open_fork(Join::Tasks(merge), apart, span);
        let mut sorted: Vec<&Task> = tasks.iter().collect();
        sorted.sort_by(|a, b| a.name.text.cmp(&b.name.text));
        for task in sorted {
            let refusal = refused::first(self.index, &task.body);
            self.part(fork, &task.name.text, task.name.span, refusal);
            self.maybe(|this| this.block(&task.body));
            self.emit(Op::TaskEnd, task.name.span);
        }
        self.close_fork(fork);
    }

    /// How many statements from here on are async flow calls that may be under way together.
    pub(super) fn async_group(&self, block: &[Stmt]) -> usize {
        let mut launched: Vec<&Arc<str>> = Vec::new();
        for stmt in block {
            let Some((name, call, _)) = async_call(stmt) else { break };
            let ExprKind::CallFlow { flow, inputs, .. } = &call.kind else { break };
            let free = inputs.iter().all(|(_, value)| plain(value) && !mentions_any(value, &launched));
            if !free || !self.index.is_calm(&flow.text) {
                break;
            }
            launched.push(&name.text);
        }
        launched.len()
    }

    /// Writes `let name is async call`, one or a group of them.
    pub(super) fn async_lets(&mut self, group: &[Stmt]) {
        let lets: Vec<_> = group.iter().filter_map(async_call).collect();
        let into = lets.iter().map(|(name, _, constant)| (self.slot(&name.text), *constant)).collect();
        group.iter().for_each(|stmt| self.count(stmt.kind_name(), stmt.span));
        let span = group.last().map(|stmt| stmt.span).unwrap_or_default();
        let join = Join::Async { into, counted: self.level == 1 };
        let fork = self.open_fork(join, true, span);
        for (name, call, _) in lets {
            self.part(fork, &name.text, call.span, None);
            self.expr(call);
            self.emit(Op::PartEnd, call.span);
        }
        self.close_fork(fork);
    }

    /// The span is where a failed join is reported.
    fn open_fork(&mut self, join: Join, apart: bool, span: Span) -> u32 {
        let at = push(&mut self.code.forks, ForkForm { parts: Vec::new(), join, apart, end: 0 });
        self.emit(Op::Fork(at), span);
        at
    }

    fn part(&mut self, fork: u32, name: &Arc<str>, span: Span, refused: Option<(&'static str, Span)>) {
        let part = Part { name: name.clone(), span, start: self.here(), refused };
        if let Some(form) = self.code.forks.get_mut(fork as usize) {
            form.parts.push(part);
        }
    }

    fn close_fork(&mut self, fork: u32) {
        let end = self.here();
        if let Some(form) = self.code.forks.get_mut(fork as usize) {
            form.end = end;
        }
    }
}

/// The parts of `let name is async call`.
fn async_call(stmt: &Stmt) -> Option<(&Name, &Expr, bool)> {
    let StmtKind::Let { name, value, constant } = &stmt.kind else { return None };
    let ExprKind::Async(call) = &value.kind else { return None };
    Some((name, call, *constant))
}

fn mentions_any(expr: &Expr, names: &[&Arc<str>]) -> bool {
    let mut found = false;
    super::visit::expression(expr, &mut |met| {
        if let super::visit::Met::Expr(Expr { kind: ExprKind::Name { root, .. }, .. }) = met {
            found |= names.contains(&root);
        }
    });
    found
}

/// Whether an expression calls no flow.
fn plain(expr: &Expr) -> bool {
    let mut plain = true;
    super::visit::expression(expr, &mut |met| {
        if let super::visit::Met::Expr(inner) = met {
            plain &= !matches!(inner.kind, ExprKind::CallFlow { .. } | ExprKind::Async(_));
        }
    });
    plain
}
