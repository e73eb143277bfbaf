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
        if !self.cursor.at_block() {
            return plain("Expected indented tasks in parallel", self.cursor.block_span());
        }
        self.nested(Self::tasks)
    }

    fn tasks(&mut self) -> Parsed<StmtKind> {
        self.cursor.enter_block();
        let level = self.cursor.level();
        let (mut tasks, mut policy) = (Vec::new(), None);
        while !self.cursor.at_dedent() && !self.cursor.at_end() {
            let before = self.cursor.position();
            let read = if self.cursor.at_word("merge") && self.cursor.sign_at(1, ":") {
                self.local_merge().map(|merge| policy = Some(merge))
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
            self.cursor.next();
            let name = self.cursor.text("task name")?;
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
        let lines = self.lines("merge", |parser| {
            parser.cursor.expect_word("policy", "in merge")?;
            let policy = parser.cursor.is_text("merge policy")?;
            match policy.text.as_ref() {
                "conflict" | "fail" | "strict" => Ok(LocalMerge::Conflict),
                "precedence" => Ok(LocalMerge::Precedence),
                "override" => Ok(LocalMerge::Override),
                other => plain(format!("Unknown merge policy '{other}'."), policy.span),
            }
        })?;
        match lines.last() {
            Some(policy) => Ok((*policy, span)),
            None => plain("Merge policy is missing.", span),
        }
    }

    pub(super) fn orchestration_statement(&mut self) -> Parsed<StmtKind> {
        let span = self.cursor.next().span;
        self.cursor.expect_sign(":", "after orchestration")?;
        if !self.cursor.at_block() {
            return plain("Expected indented branches in orchestration", self.cursor.block_span());
        }
        let branches = self.lines("orchestration", Self::branch)?;
        let mut seen = HashSet::new();
        for (name, _) in &branches {
            if !seen.insert(name.text.as_ref()) {
                return plain(format!("Duplicate branch name '{}'.", name.text), name.span);
            }
        }
        if !self.cursor.at_word("merge") {
            return plain("Orchestration requires a merge block.", span);
        }
        let merge = self.branch_merge()?;
        let target = self.result_name("orchestration")?;
        Ok(StmtKind::Orchestration { branches, merge, target })
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
        if !matches!(call.kind, ExprKind::CallFlow { .. } | ExprKind::CallFunction { .. }) {
            return plain("A branch holds one flow call", span);
        }
        self.cursor.leave_block("in branch")?;
        Ok((name, call))
    }

    fn branch_merge(&mut self) -> Parsed<BranchMerge> {
        let span = self.cursor.next().span;
        self.cursor.expect_sign(":", "after merge")?;
        if !self.cursor.at_block() {
            return plain("Expected indented settings in merge", self.cursor.block_span());
        }
        let (mut policy, mut precedence) = (None, Vec::new());
        self.lines("merge", |parser| {
            if parser.cursor.eat_word("policy") {
                policy = Some(parser.branch_policy()?);
            } else if parser.cursor.eat_word("precedence") {
                precedence = parser.is_text_list("precedence")?;
            } else {
                return Err(parser.unexpected("merge"));
            }
            Ok(())
        })?;
        let Some(policy) = policy else { return plain("Merge policy is missing.", span) };
        Ok(BranchMerge { policy, precedence, span })
    }

    fn branch_policy(&mut self) -> Parsed<BranchPolicy> {
        let policy = self.cursor.is_text("merge policy")?;
        match policy.text.as_ref() {
            "first_ok" => Ok(BranchPolicy::FirstOk),
            "all_ok" => Ok(BranchPolicy::AllOk),
            "strict" => Ok(BranchPolicy::Strict),
            "prefer" => Ok(BranchPolicy::Prefer),
            "collect" => Ok(BranchPolicy::Collect),
            other => plain(format!("Unknown merge policy '{other}'."), policy.span),
        }
    }
}

fn bare_task(number: usize, stmt: Stmt, span: Span) -> Task {
    Task { name: Name::new(format!("step_{number}"), span), body: vec![stmt] }
}
