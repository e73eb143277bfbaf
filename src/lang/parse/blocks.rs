//! `parallel:` and `orchestration:`, with how their results become one.

use std::collections::HashSet;

use super::super::ast::{
    Block, BranchMerge, BranchPolicy, Expr, ExprKind, LocalMerge, Name, Stmt, StmtKind, Task,
};
use super::super::span::Span;
use super::super::token::TokenKind;
use super::{Parsed, Parser, plain};

impl Parser<'_, '_> {
    pub(super) fn parallel_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        self.cursor.expect_sign(":", "after parallel")?;
        self.block_follows("newline after parallel", "indented parallel block")?;
        self.nested(Self::tasks)
    }

    fn tasks(&mut self) -> Parsed<StmtKind> {
        self.cursor.enter_block();
        let level = self.cursor.level();
        let (mut tasks, mut policy): (Vec<Task>, _) = (Vec::new(), None);
        while !self.cursor.at_dedent() && !self.cursor.at_end() {
            let before = self.cursor.position();
            let read = if self.cursor.at_word("merge") && self.cursor.sign_at(1, ":") {
                self.local_merge().map(|merge| policy = Some(merge))
            } else if policy.is_some() {
                plain("Parallel tasks must come before merge block", self.cursor.span())
            } else {
                self.task(&mut tasks)
            };
            if let Err(fault) = read {
                self.report(*fault);
                self.cursor.skip_line(level);
                if self.cursor.position() == before {
                    self.cursor.next();
                }
            }
            self.cursor.skip_newlines();
        }
        self.cursor.leave_block("in parallel")?;
        Ok(StmtKind::Parallel { tasks, policy })
    }

    /// `run "name":` with a block, or one bare statement.
    fn task(&mut self, tasks: &mut Vec<Task>) -> Parsed<()> {
        if self.cursor.at_word("run") && matches!(self.cursor.peek_at(1).kind, TokenKind::Text(_)) {
            let span = self.cursor.next().span;
            let name = Name::new(self.cursor.text("task name")?.text, span);
            let body = self.colon_block("task name")?;
            tasks.push(Task { name, body });
            return Ok(());
        }
        let span = self.cursor.span();
        let mut body = Block::new();
        self.statement(&mut body)?;
        for stmt in body {
            tasks.push(bare_task(tasks.len() + 1, stmt, span));
        }
        Ok(())
    }

    fn local_merge(&mut self) -> Parsed<(LocalMerge, Span)> {
        let span = self.cursor.next().span;
        self.cursor.expect_sign(":", "after merge")?;
        let before = self.faults.len();
        let lines = self.lines("merge", |parser| {
            let span = parser.merge_field(&["policy"])?.span;
            match parser.cursor.is_text("merge policy")?.text.as_ref() {
                "conflict" => Ok(LocalMerge::Conflict),
                "precedence" => Ok(LocalMerge::Precedence),
                "override" => Ok(LocalMerge::Override),
                other => plain(format!("Unknown merge policy '{other}'."), span),
            }
        })?;
        match lines.last() {
            Some(policy) => Ok((*policy, span)),
            None if self.faults.len() > before => Ok((LocalMerge::Conflict, span)),
            None => plain("Merge field 'policy' is required.", span),
        }
    }

    pub(super) fn orchestration_statement(&mut self) -> Parsed<StmtKind> {
        let span = self.cursor.next().span;
        self.cursor.expect_sign(":", "after orchestration")?;
        self.block_follows("newline after orchestration", "indented orchestration block")?;
        let branches = self.lines("orchestration", Self::branch)?;
        let mut seen = HashSet::new();
        for (name, _) in &branches {
            if !seen.insert(name.text.as_ref()) {
                return plain(format!("Branch \"{}\" is declared more than once.", name.text), name.span);
            }
        }
        if !self.cursor.at_word("merge") {
            return plain("Orchestration merge block is required", span);
        }
        let (merge, policy_span) = self.branch_merge()?;
        Self::check_precedence(&merge, policy_span, &seen)?;
        let target = self.result_name("after merge block")?;
        Ok(StmtKind::Orchestration { branches, merge, target })
    }

    /// `precedence` belongs to `prefer`, which needs it, and names branches once each.
    fn check_precedence(merge: &BranchMerge, span: Span, branches: &HashSet<&str>) -> Parsed<()> {
        match (merge.policy, merge.precedence.is_empty()) {
            (BranchPolicy::Prefer, true) => {
                return plain("Merge policy 'prefer' requires precedence.", span);
            }
            (BranchPolicy::Prefer, false) | (_, true) => {}
            (_, false) => {
                return plain("Merge field 'precedence' is only allowed with policy 'prefer'.", span);
            }
        }
        let mut seen = HashSet::new();
        for name in merge.precedence.iter().map(|name| name.text.as_ref()) {
            if !seen.insert(name) {
                return plain(format!("Merge precedence '{name}' is duplicated."), span);
            }
            if !branches.contains(name) {
                return plain(format!("Merge precedence '{name}' does not match a branch."), span);
            }
        }
        Ok(())
    }

    fn branch(&mut self) -> Parsed<(Name, Expr)> {
        self.cursor.expect_word("branch", "in orchestration")?;
        let name = self.cursor.text("branch name")?;
        self.cursor.expect_sign(":", "after branch name")?;
        if !self.cursor.enter_block() {
            return plain("Expected an indented flow call in branch", self.cursor.block_span());
        }
        let span = self.cursor.span();
        let call = self.expression()?;
        if !matches!(call.kind, ExprKind::CallFlow { .. }) {
            return plain("Orchestration branches must call a flow or pipeline.", span);
        }
        self.cursor.skip_newlines();
        if !self.cursor.at_dedent() {
            return plain("Orchestration branches must contain a single call.", self.cursor.span());
        }
        self.cursor.leave_block("in branch")?;
        Ok((name, call))
    }

    /// The merge block, and where its policy is named: faults of the whole block stand there.
    fn branch_merge(&mut self) -> Parsed<(BranchMerge, Span)> {
        let span = self.cursor.next().span;
        self.cursor.expect_sign(":", "after merge")?;
        if !self.cursor.at_block() {
            return plain("Expected indented settings in merge", self.cursor.block_span());
        }
        let (mut policy, mut precedence) = (None, Vec::new());
        let whole = self.settings("merge", |parser| {
            let field = parser.merge_field(&["policy", "precedence"])?;
            match field.text.as_ref() {
                "policy" => policy = Some((parser.branch_policy(field.span)?, field.span)),
                _ => precedence = parser.is_text_list("precedence")?,
            }
            Ok(())
        })?;
        let Some((policy, named)) = policy.or((!whole).then_some((BranchPolicy::Collect, span))) else {
            return plain("Merge field 'policy' is required.", span);
        };
        Ok((BranchMerge { policy, precedence, span }, named))
    }

    /// The word that begins a line of a merge block.
    fn merge_field(&mut self, known: &[&str]) -> Parsed<Name> {
        let field = self.cursor.any_word("merge field name")?;
        if known.contains(&field.text.as_ref()) {
            return Ok(field);
        }
        plain(format!("Unknown merge field '{}'.", field.text), field.span)
    }

    fn branch_policy(&mut self, span: Span) -> Parsed<BranchPolicy> {
        match self.cursor.is_text("merge policy")?.text.as_ref() {
            "first_ok" => Ok(BranchPolicy::FirstOk),
            "all_ok" => Ok(BranchPolicy::AllOk),
            "strict" => Ok(BranchPolicy::Strict),
            "prefer" => Ok(BranchPolicy::Prefer),
            "collect" => Ok(BranchPolicy::Collect),
            other => plain(format!("Unknown merge policy '{other}'."), span),
        }
    }
}

fn bare_task(number: usize, stmt: Stmt, span: Span) -> Task {
    Task { name: Name::new(format!("step_{number}"), span), body: vec![stmt] }
}
