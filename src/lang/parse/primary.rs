//! Operands: literals, names, paths, parentheses, and the forms that begin with a word of their own.

use super::super::ast::{AggregateOp, Builtin, ExprKind, Name};
use super::super::span::Span;
use super::super::token::{TokenKind, is_reserved};
use super::expr::Grown;
use super::{Parsed, Parser, guided, plain};

/// Built-in functions of the reference that are left out.
const LEFT_OUT_CALLS: [&str; 1] = ["secret"];

impl Parser<'_, '_> {
    /// One operand.
    pub(super) fn primary(&mut self) -> Parsed<Grown> {
        let token = self.cursor.peek();
        let kind = match &token.kind {
            TokenKind::Number(digits) => ExprKind::Number((*digits).into()),
            TokenKind::Text(text) => ExprKind::Text(text.as_ref().into()),
            TokenKind::Sign("(") => return self.parenthesised(),
            TokenKind::Word(word) => return self.word_operand(word, token.span),
            TokenKind::Quoted(name) => return self.named(name),
            _ => return Err(self.unexpected("expression")),
        };
        self.cursor.next();
        Grown::over(kind, token.span, 0)
    }

    fn parenthesised(&mut self) -> Parsed<Grown> {
        self.cursor.next();
        let inner = self.grown()?;
        self.cursor.expect_sign(")", "to close '('")?;
        Ok(inner)
    }

    /// One expression in parentheses; `more` says that a second one is refused.
    fn sole_argument(&mut self, more: &str) -> Parsed<Grown> {
        self.cursor.next();
        let inner = self.grown()?;
        if self.cursor.at_sign(",") {
            return plain(more, self.cursor.peek_at(1).span);
        }
        self.cursor.expect_sign(")", "to close '('")?;
        Ok(inner)
    }

    fn word_operand(&mut self, word: &str, span: Span) -> Parsed<Grown> {
        let kind = match word {
            "null" => ExprKind::Null,
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            "list" | "map" | "filter" | "reduce" if self.at_collection() => return self.collection(),
            "call" => return self.call(),
            "latest" => return self.latest(),
            "state" => return self.state_path(),
            "input" => return self.named(word),
            "sum" | "min" | "max" | "mean" | "median" if self.cursor.sign_at(1, "(") => {
                return self.aggregate(word);
            }
            _ if self.cursor.sign_at(1, "(") && !is_reserved(word) => return self.builtin(word),
            _ if is_reserved(word) && !self.cursor.was_refused(word) => {
                return Err(self.unexpected("expression"));
            }
            _ => return self.named(word),
        };
        self.cursor.next();
        Grown::over(kind, span, 0)
    }

    fn named(&mut self, root: &str) -> Parsed<Grown> {
        let span = self.cursor.next().span;
        let attrs = self.cursor.attributes()?;
        Grown::over(ExprKind::Name { root: root.into(), attrs }, span, 0)
    }

    fn state_path(&mut self) -> Parsed<Grown> {
        let (path, span) = self.path_behind_state()?;
        Grown::over(ExprKind::State(path), span, 0)
    }

    /// `state.a.b`, at the word `state`.
    pub(super) fn path_behind_state(&mut self) -> Parsed<(Vec<Name>, Span)> {
        let span = self.cursor.next().span;
        let path = self.cursor.attributes()?;
        if path.is_empty() {
            return guided(
                "Expected state path after 'state'",
                [
                    "The state is read and written by its parts.",
                    "Name the part behind a dot.",
                    "let total is state.cart.total",
                ],
                span,
            );
        }
        Ok((path, span))
    }

    fn latest(&mut self) -> Parsed<Grown> {
        let span = self.cursor.next().span;
        let record = self.cursor.reference("record name")?;
        Grown::over(ExprKind::Latest(record), span, 0)
    }

    fn aggregate(&mut self, word: &str) -> Parsed<Grown> {
        let op = match word {
            "sum" => AggregateOp::Sum,
            "min" => AggregateOp::Min,
            "max" => AggregateOp::Max,
            "mean" => AggregateOp::Mean,
            _ => AggregateOp::Median,
        };
        let span = self.cursor.next().span;
        if self.cursor.sign_at(1, ")") {
            return plain(format!("{word} requires a list expression."), self.cursor.peek_at(1).span);
        }
        let operand = self.sole_argument(&format!("{word} accepts a single list expression."))?;
        Grown::over(ExprKind::Aggregate(op, Box::new(operand.expr)), span, operand.height)
    }

    fn builtin(&mut self, word: &str) -> Parsed<Grown> {
        let span = self.cursor.span();
        let builtin = match word {
            "has_role" => Builtin::HasRole,
            "has_permission" => Builtin::HasPermission,
            _ => return self.unknown_builtin(word, span),
        };
        self.cursor.next();
        let other_count = format!("{word} expects 1 arguments.");
        if self.cursor.sign_at(1, ")") {
            return plain(other_count, span);
        }
        let operand = self.sole_argument(&other_count)?;
        Grown::over(ExprKind::Builtin(builtin, Box::new(operand.expr)), span, operand.height)
    }

    fn unknown_builtin<T>(&mut self, word: &str, span: Span) -> Parsed<T> {
        let left_out = LEFT_OUT_CALLS.contains(&word)
            || word.starts_with("auth_")
            || (word.starts_with("set_") && word.ends_with("_k"));
        if left_out {
            return plain(format!("'{word}()' is not supported by this runtime."), span);
        }
        guided(
            format!("Unknown builtin '{word}'."),
            [
                "Only sum, min, max, mean, median, has_role and has_permission are called with parentheses.",
                "Call a function of your own with 'call function'.",
                "let area is call function \"area\":\n  width is 3",
            ],
            span,
        )
    }
}
