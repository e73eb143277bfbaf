//! Lists and maps: literals, the operations written in words, and the transforms.

use super::super::ast::{CollectionOp, EachOp, Expr, ExprKind, Name};
use super::super::span::Span;
use super::super::token::TokenKind;
use super::expr::Grown;
use super::{Parsed, Parser, plain};

impl Parser<'_, '_> {
    /// Whether the word here (`list`, `map`, `filter`, `reduce`) begins a form and is not just a name.
    pub(super) fn at_collection(&self) -> bool {
        let cursor = &self.cursor;
        if self.at_transform() {
            return true;
        }
        match (cursor.word(), cursor.word_at(1)) {
            (Some("list" | "map"), _) if cursor.sign_at(1, ":") => true,
            (Some("list"), Some(word)) => matches!(word, "of" | "length" | "append" | "get"),
            (Some("map"), Some(word)) => matches!(word, "get" | "set" | "keys"),
            _ => false,
        }
    }

    /// `map E with item as`, `filter E with item as`, `reduce E with acc as`: the words decide, because `map` and `get`
    /// may be names.
    fn at_transform(&self) -> bool {
        let binds: &[&str] = match self.cursor.word() {
            Some("map" | "filter") => &["with", "item", "as"],
            Some("reduce") => &["with", "acc", "as"],
            _ => return false,
        };
        let follows = match &self.cursor.peek_at(1).kind {
            TokenKind::Word(word) => {
                !matches!(*word, "is" | "and" | "or" | "with" | "as" | "where")
                    && (!matches!(*word, "get" | "set" | "keys") || self.cursor.word_at(2) == Some("with"))
            }
            TokenKind::Quoted(_) | TokenKind::Text(_) | TokenKind::Number(_) | TokenKind::Sign("(") => true,
            _ => false,
        };
        follows && self.cursor.line_has(binds)
    }

    /// A form that `at_collection` saw.
    pub(super) fn collection(&mut self) -> Parsed<Grown> {
        if self.at_transform() {
            return self.transform();
        }
        let span = self.cursor.span();
        let op = match (self.cursor.word(), self.cursor.word_at(1)) {
            (Some("list"), Some("length")) => CollectionOp::ListLength,
            (Some("list"), Some("append")) => CollectionOp::ListAppend,
            (Some("list"), Some("get")) => CollectionOp::ListGet,
            (Some("map"), Some("get")) => CollectionOp::MapGet,
            (Some("map"), Some("set")) => CollectionOp::MapSet,
            (Some("map"), Some("keys")) => CollectionOp::MapKeys,
            (Some("list"), _) => return self.list_literal(),
            _ => return self.map_literal(),
        };
        self.cursor.next();
        self.cursor.next();
        self.operation(op, span)
    }

    fn operation(&mut self, op: CollectionOp, span: Span) -> Parsed<Grown> {
        let between: &[&str] = match op {
            CollectionOp::ListLength => {
                self.cursor.expect_word("of", "after 'list length'")?;
                &[]
            }
            CollectionOp::MapKeys => &[],
            CollectionOp::ListAppend => &["with"],
            CollectionOp::ListGet => &["at"],
            CollectionOp::MapGet => &["key"],
            CollectionOp::MapSet => &["key", "value"],
        };
        let first = self.grown()?;
        let mut height = first.height;
        let mut operands = vec![first.expr];
        for word in between {
            self.cursor.expect_word(word, "in the list or map operation")?;
            let operand = self.grown()?;
            height = height.max(operand.height);
            operands.push(operand.expr);
        }
        Grown::over(ExprKind::Collection(op, operands), span, height)
    }

    fn list_literal(&mut self) -> Parsed<Grown> {
        let span = self.cursor.next().span;
        if self.cursor.eat_word("of") {
            self.type_word()?;
        }
        self.cursor.expect_sign(":", "after list")?;
        let mut items = Items::default();
        if self.cursor.enter_block() {
            while !self.cursor.at_dedent() {
                items.push(self.grown()?);
                self.cursor.eat_sign(",");
                self.cursor.skip_newlines();
            }
            self.cursor.leave_block("in list")?;
        } else {
            while !self.at_list_end() {
                items.push(self.grown()?);
                if !self.cursor.eat_sign(",") {
                    break;
                }
            }
        }
        Grown::over(ExprKind::List(items.exprs), span, items.height)
    }

    fn at_list_end(&self) -> bool {
        match self.cursor.peek().kind {
            TokenKind::Sign(sign) => matches!(sign, ")" | "]" | ","),
            TokenKind::Word(word) => matches!(word, "as" | "with" | "at" | "constant"),
            _ => self.cursor.at_line_end(),
        }
    }

    fn map_literal(&mut self) -> Parsed<Grown> {
        let span = self.cursor.next().span;
        self.cursor.expect_sign(":", "after map")?;
        self.block_follows("newline after map", "indented map entries")?;
        self.cursor.enter_block();
        let mut items = Items::default();
        let mut keys = Vec::new();
        while !self.cursor.at_dedent() {
            keys.push(self.map_key()?);
            self.cursor.expect_word("is", "after map key")?;
            items.push(self.grown()?);
            self.cursor.eat_sign(",");
            self.cursor.skip_newlines();
        }
        self.cursor.leave_block("in map")?;
        let entries = keys.into_iter().zip(items.exprs).collect();
        Grown::over(ExprKind::Map(entries), span, items.height)
    }

    fn map_key(&mut self) -> Parsed<Name> {
        if let TokenKind::Text(_) = self.cursor.peek().kind {
            return self.cursor.text("map key");
        }
        self.cursor.new_name("a map key")
    }

    fn transform(&mut self) -> Parsed<Grown> {
        let token = self.cursor.next();
        let span = token.span;
        if token.kind == TokenKind::Word("reduce") {
            return self.reduce(span);
        }
        let op = if token.kind == TokenKind::Word("map") { EachOp::Map } else { EachOp::Filter };
        let list = self.grown()?;
        let item = self.binder("item")?;
        let body = self.transform_body(if op == EachOp::Map { "map" } else { "filter" })?;
        let height = list.height.max(body.height);
        let [list, body] = [list, body].map(|part| Box::new(part.expr));
        Grown::over(ExprKind::Each { op, list, item, body }, span, height)
    }

    fn reduce(&mut self, span: Span) -> Parsed<Grown> {
        let list = self.grown()?;
        let acc = self.binder("acc")?;
        self.cursor.expect_word("and", "between acc and item")?;
        self.cursor.expect_word("item", "after 'and'")?;
        self.cursor.expect_word("as", "after 'item'")?;
        let item = self.cursor.new_name("a name")?;
        self.cursor.expect_word("starting", "in reduce")?;
        let start = self.grown()?;
        let body = self.transform_body("reduce")?;
        let height = list.height.max(start.height).max(body.height);
        let [list, start, body] = [list, start, body].map(|part| Box::new(part.expr));
        Grown::over(ExprKind::Reduce { list, acc, item, start, body }, span, height)
    }

    fn binder(&mut self, role: &str) -> Parsed<Name> {
        self.cursor.expect_word("with", "in the transform")?;
        self.cursor.expect_word(role, "after 'with'")?;
        self.cursor.expect_word("as", &format!("after '{role}'"))?;
        self.cursor.new_name("a name")
    }

    fn transform_body(&mut self, form: &str) -> Parsed<Grown> {
        self.cursor.expect_sign(":", &format!("after {form} header"))?;
        let needs = format!("{form} expression needs an indented body.");
        if !self.cursor.at_newline() {
            return plain(format!("Expected newline after {form} header"), self.cursor.span());
        }
        if !self.cursor.enter_block() {
            return plain(needs, self.cursor.block_span());
        }
        let body = self.grown()?;
        self.cursor.skip_newlines();
        if !self.cursor.at_dedent() {
            let text = format!("Expected end of {form} block: its body is one expression");
            return plain(text, self.cursor.span());
        }
        self.cursor.next();
        Ok(body)
    }
}

/// Expressions side by side, with the height of the highest.
#[derive(Default)]
struct Items {
    exprs: Vec<Expr>,
    height: u32,
}

impl Items {
    fn push(&mut self, item: Grown) {
        self.height = self.height.max(item.height);
        self.exprs.push(item.expr);
    }
}
