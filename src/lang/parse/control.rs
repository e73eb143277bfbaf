//! Statements that hold blocks: conditions, loops, cases, and what runs after a fault.

use super::super::ast::{Block, Expr, StmtKind};
use super::super::token::TokenKind;
use super::{Parsed, Parser, guided, plain};

impl Parser<'_, '_> {
    pub(super) fn if_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        let condition = self.expression()?;
        let then = self.colon_block("condition")?;
        self.cursor.skip_newlines();
        let otherwise = if self.cursor.eat_word("else") { self.colon_block("else")? } else { Block::new() };
        Ok(StmtKind::If { condition, then, otherwise })
    }

    pub(super) fn repeat_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        if self.cursor.eat_words(&["up", "to"]) {
            let count = self.expression()?;
            self.cursor.expect_word("times", "after repeat count")?;
            let body = self.colon_block("repeat header")?;
            return Ok(StmtKind::RepeatTimes { count, body });
        }
        if !self.cursor.eat_word("while") {
            self.cursor.expect_word("up", "in repeat statement, or 'while'")?;
            self.cursor.expect_word("to", "in repeat statement")?;
        }
        let condition = self.expression()?;
        self.cursor.expect_word("limit", "in repeat while")?;
        if !matches!(self.cursor.peek().kind, TokenKind::Number(_)) {
            return plain("Expected loop limit number", self.cursor.span());
        }
        let (limit, limit_span) = self.cursor.whole_number("Loop limit")?;
        if limit == 0 {
            return guided(
                "Loop limit must be greater than zero",
                [
                    "The limit says after how many rounds the loop is taken for endless.",
                    "Write a number the loop never needs.",
                    "repeat while n is less than 10 limit 100:",
                ],
                limit_span,
            );
        }
        let body = self.colon_block("loop limit")?;
        Ok(StmtKind::RepeatWhile { condition, limit, limit_span, body })
    }

    pub(super) fn for_each(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        self.cursor.expect_word("each", "after 'for'")?;
        let item = self.cursor.new_name("a name")?;
        self.cursor.expect_word("in", "in for-each loop")?;
        let list = self.expression()?;
        let body = self.colon_block("for-each header")?;
        Ok(StmtKind::ForEach { item, list, body })
    }

    pub(super) fn match_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        let subject = self.expression()?;
        self.cursor.expect_sign(":", "after match expression")?;
        self.block_follows("newline after match header", "indented match body")?;
        self.cursor.enter_block();
        self.cursor.expect_word("with", "inside match")?;
        self.cursor.expect_sign(":", "after 'with'")?;
        self.block_follows("newline after 'with:'", "indented match cases")?;
        let mut cases = Vec::new();
        let mut otherwise = None;
        self.lines("match", |parser| parser.nested(|parser| parser.case(&mut cases, &mut otherwise)))?;
        self.cursor.leave_block("in match")?;
        Ok(StmtKind::Match { subject, cases, otherwise })
    }

    fn case(&mut self, cases: &mut Vec<(Expr, Block)>, otherwise: &mut Option<Block>) -> Parsed<()> {
        if otherwise.is_some() && self.cursor.at_word("otherwise") {
            return plain("Duplicate otherwise in match", self.cursor.span());
        }
        if otherwise.is_some() {
            return guided(
                "Unreachable case after otherwise",
                [
                    "'otherwise' takes everything, so no later case is ever looked at.",
                    "Make 'otherwise' the last case.",
                    "when 1:\n  return \"one\"\notherwise:\n  return \"many\"",
                ],
                self.cursor.span(),
            );
        }
        if self.cursor.eat_word("otherwise") {
            *otherwise = Some(self.colon_block("otherwise")?);
            return Ok(());
        }
        self.cursor.expect_word("when", "or 'otherwise' in match")?;
        let pattern = self.pattern()?;
        let body = self.colon_block("when pattern")?;
        cases.push((pattern, body));
        Ok(())
    }

    pub(super) fn try_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        let body = self.colon_block("try")?;
        self.cursor.skip_newlines();
        self.cursor.expect_word("with", "introducing catch")?;
        self.cursor.expect_word("catch", "after 'with'")?;
        let catch = self.cursor.new_name("catch variable name")?;
        let handler = self.colon_block("catch clause")?;
        Ok(StmtKind::Try { body, catch: Some(catch), handler })
    }

    pub(super) fn attempt_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        let body = self.colon_block("attempt")?;
        self.cursor.skip_newlines();
        if !self.cursor.at_words(&["otherwise"]) || !self.cursor.sign_at(1, ":") {
            return plain("Expected 'otherwise:'.", self.cursor.span());
        }
        self.cursor.next();
        let handler = self.colon_block("otherwise")?;
        Ok(StmtKind::Try { body, catch: None, handler })
    }
}
