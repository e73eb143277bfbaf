//! Expressions with operators: precedence, comparison, chains.
//!
//! Owns operators only; operands are read in `primary`. Each tree comes with its height, so that a long chain is refused
//! before anyone has to walk (or drop) a tree that is too high.

use super::super::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use super::super::span::Span;
use super::super::token::TokenKind;
use super::{MAX_HEIGHT, Parsed, Parser, guided, plain};

/// How tightly operators bind, from the loosest.
mod level {
    pub(super) const OR: u8 = 1;
    pub(super) const AND: u8 = 2;
    pub(super) const NOT: u8 = 3;
    pub(super) const COMPARE: u8 = 4;
    pub(super) const SUM: u8 = 5;
    pub(super) const PRODUCT: u8 = 6;
}

/// An expression and the height of its tree.
pub(super) struct Grown {
    pub(super) expr: Expr,
    pub(super) height: u32,
}

impl Grown {
    /// A tree whose parts are at most `below` high.
    pub(super) fn over(kind: ExprKind, span: Span, below: u32) -> Parsed<Self> {
        let height = below + 1;
        if height > MAX_HEIGHT {
            return plain(format!("Expression has more than {MAX_HEIGHT} operators in a chain."), span);
        }
        Ok(Self { expr: Expr { kind, span }, height })
    }

    fn binary(op: BinaryOp, span: Span, left: Self, right: Self) -> Parsed<Self> {
        let below = left.height.max(right.height);
        Self::over(ExprKind::Binary(op, Box::new(left.expr), Box::new(right.expr)), span, below)
    }

    fn unary(op: UnaryOp, span: Span, operand: Self) -> Parsed<Self> {
        Self::over(ExprKind::Unary(op, Box::new(operand.expr)), span, operand.height)
    }
}

impl Parser<'_, '_> {
    /// A whole expression.
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        self.grown().map(|grown| grown.expr)
    }

    /// A whole expression with its height.
    pub(super) fn grown(&mut self) -> Parsed<Grown> {
        self.nested(|parser| parser.climb(level::OR))
    }

    /// An expression of operators that bind at least as tightly as `min`. One frame per bracket or prefix, so that the
    /// nesting limit costs little stack.
    fn climb(&mut self, min: u8) -> Parsed<Grown> {
        let negated = min <= level::NOT && self.cursor.at_word("not");
        let mut left = if negated { self.negation()? } else { self.signed()? };
        // The tightest operator that may still follow: what binds tighter was taken by the last operand.
        let mut ceiling = if negated { level::AND } else { level::PRODUCT };
        while let Some((op, level)) = self.operator()
            && (min..=ceiling).contains(&level)
        {
            let span = self.cursor.next().span;
            if level == level::COMPARE {
                left = self.comparison(left, span)?;
                ceiling = level::AND;
            } else {
                left = Grown::binary(op, span, left, self.climb(level + 1)?)?;
                ceiling = ceiling.min(level);
            }
        }
        Ok(left)
    }

    /// The operator here and how tightly it binds; a comparison is told apart behind its `is`.
    fn operator(&self) -> Option<(BinaryOp, u8)> {
        Some(match self.cursor.peek().kind {
            TokenKind::Word("or") => (BinaryOp::Or, level::OR),
            TokenKind::Word("and") => (BinaryOp::And, level::AND),
            TokenKind::Word("is") => (BinaryOp::Equal, level::COMPARE),
            TokenKind::Sign("+") => (BinaryOp::Add, level::SUM),
            TokenKind::Sign("-") => (BinaryOp::Subtract, level::SUM),
            TokenKind::Sign("*") => (BinaryOp::Multiply, level::PRODUCT),
            TokenKind::Sign("/") => (BinaryOp::Divide, level::PRODUCT),
            TokenKind::Sign("%") => (BinaryOp::Remainder, level::PRODUCT),
            _ => return None,
        })
    }

    fn negation(&mut self) -> Parsed<Grown> {
        let span = self.cursor.next().span;
        let operand = self.nested(|parser| parser.climb(level::NOT))?;
        Grown::unary(UnaryOp::Not, span, operand)
    }

    /// The words behind `is` and the right side.
    fn comparison(&mut self, left: Grown, span: Span) -> Parsed<Grown> {
        if self.cursor.at_word("between") || self.cursor.at_words(&["strictly", "between"]) {
            return self.between(left, span);
        }
        if self.cursor.eat_words(&["one", "of"]) {
            let choices = self.choices()?;
            return Grown::over(ExprKind::OneOf(Box::new(left.expr), choices), span, left.height);
        }
        let op = self.comparator()?;
        let right = self.sum()?;
        Grown::binary(op, span, left, right)
    }

    /// The words behind `is`, up to the right operand.
    fn comparator(&mut self) -> Parsed<BinaryOp> {
        let cursor = &mut self.cursor;
        if cursor.eat_word("equal") {
            cursor.eat_word("to");
            return Ok(BinaryOp::Equal);
        }
        if cursor.eat_word("not") {
            if cursor.eat_word("equal") {
                cursor.eat_word("to");
            } else if matches!(cursor.word(), Some("greater" | "less" | "at" | "between")) {
                return guided(
                    format!("Unexpected expression at token '{}'", cursor.peek().kind.label()),
                    [
                        "'is not' compares for inequality only.",
                        "Put 'not' in front of the whole comparison.",
                        "if not x is greater than 3:",
                    ],
                    cursor.span(),
                );
            }
            return Ok(BinaryOp::NotEqual);
        }
        if cursor.eat_word("greater") {
            cursor.expect_word("than", "after 'is greater'")?;
            return Ok(BinaryOp::Greater);
        }
        if cursor.eat_word("less") {
            cursor.expect_word("than", "after 'is less'")?;
            return Ok(BinaryOp::Less);
        }
        if cursor.eat_word("at") {
            if cursor.eat_word("least") {
                return Ok(BinaryOp::AtLeast);
            }
            if cursor.eat_word("most") {
                return Ok(BinaryOp::AtMost);
            }
            return guided(
                "Incomplete comparison after 'is at'.",
                [
                    "'is at' compares only together with 'least' or 'most'.",
                    "Write the whole comparison.",
                    "if total is at least 10:",
                ],
                cursor.span(),
            );
        }
        Ok(BinaryOp::Equal)
    }

    fn between(&mut self, value: Grown, span: Span) -> Parsed<Grown> {
        let strict = self.cursor.eat_word("strictly");
        self.cursor.next();
        self.expect_bound("lower")?;
        let low = self.sum()?;
        self.cursor.expect_word("and", "after between lower bound")?;
        self.expect_bound("upper")?;
        let high = self.sum()?;
        let below = value.height.max(low.height).max(high.height);
        let [value, low, high] = [value, low, high].map(|part| Box::new(part.expr));
        Grown::over(ExprKind::Between { value, low, high, strict }, span, below)
    }

    fn expect_bound(&self, which: &str) -> Parsed<()> {
        if self.cursor.at_line_end() || self.cursor.at_word("and") || self.cursor.at_sign(":") {
            let text = format!("Between comparison is missing the {which} bound.");
            return plain(text, self.cursor.span());
        }
        Ok(())
    }

    /// The literals of `one of`: in brackets, in a row, or one per line.
    fn choices(&mut self) -> Parsed<Vec<Expr>> {
        if self.cursor.at_sign(":") && self.cursor.peek_at(1).kind == TokenKind::Newline {
            self.cursor.next();
            if !self.cursor.enter_block() {
                return plain("One-of list cannot be empty.", self.cursor.block_span());
            }
            let mut choices = Vec::new();
            while !self.cursor.at_dedent() {
                choices.push(self.choice()?);
                self.cursor.eat_sign(",");
                self.cursor.skip_newlines();
            }
            self.cursor.leave_block("in choices")?;
            return Ok(choices);
        }
        let bracketed = self.cursor.eat_sign("[");
        if bracketed && self.cursor.at_sign("]") {
            return plain("One-of list cannot be empty.", self.cursor.span());
        }
        let mut choices = vec![self.choice()?];
        while self.cursor.eat_sign(",") && !self.cursor.at_line_end() {
            choices.push(self.choice()?);
        }
        if bracketed {
            self.cursor.expect_sign("]", "after the choices")?;
        }
        Ok(choices)
    }

    fn choice(&mut self) -> Parsed<Expr> {
        let span = self.cursor.span();
        if self.cursor.eat_sign("-") {
            let operand = Box::new(self.choice_literal(span)?);
            return Ok(Expr { kind: ExprKind::Unary(UnaryOp::Minus, operand), span });
        }
        self.choice_literal(span)
    }

    fn choice_literal(&mut self, span: Span) -> Parsed<Expr> {
        let kind = match &self.cursor.peek().kind {
            TokenKind::Text(text) => ExprKind::Text(text.as_ref().into()),
            TokenKind::Number(digits) => ExprKind::Number((*digits).into()),
            TokenKind::Word(word @ ("true" | "false")) => ExprKind::Bool(*word == "true"),
            _ => return plain("One-of list contains a non-literal value.", self.cursor.span()),
        };
        self.cursor.next();
        Ok(Expr { kind, span })
    }

    /// An expression without comparison and logic.
    pub(super) fn sum(&mut self) -> Parsed<Grown> {
        self.climb(level::SUM)
    }

    fn signed(&mut self) -> Parsed<Grown> {
        let op = match self.cursor.peek().kind {
            TokenKind::Sign("-") => UnaryOp::Minus,
            TokenKind::Sign("+") => UnaryOp::Plus,
            _ => return self.power(),
        };
        let span = self.cursor.next().span;
        let operand = self.nested(Self::signed)?;
        Grown::unary(op, span, operand)
    }

    fn power(&mut self) -> Parsed<Grown> {
        let base = self.postfix()?;
        if !self.cursor.at_sign("**") {
            return Ok(base);
        }
        let span = self.cursor.next().span;
        let exponent = self.nested(Self::signed)?;
        Grown::binary(BinaryOp::Power, span, base, exponent)
    }

    fn postfix(&mut self) -> Parsed<Grown> {
        let mut base = self.primary()?;
        while self.cursor.at_sign("[") {
            let span = self.cursor.next().span;
            let index = self.grown()?;
            self.cursor.expect_sign("]", "after index expression")?;
            let below = base.height.max(index.height);
            base = Grown::over(ExprKind::Index(Box::new(base.expr), Box::new(index.expr)), span, below)?;
            while self.cursor.at_sign(".") {
                let span = self.cursor.next().span;
                let name = self.cursor.any_word("identifier after '.'")?;
                base = Grown::over(ExprKind::Attr(Box::new(base.expr), name), span, base.height)?;
            }
        }
        Ok(base)
    }
}
