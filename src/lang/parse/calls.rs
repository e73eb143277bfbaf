//! Calls of functions, flows and tools, and the right side of `let` and `set`, where tools may be called.

use std::collections::HashSet;

use super::super::ast::{Expr, ExprKind, Name};
use super::super::span::Span;
use super::super::token::TokenKind;
use super::expr::Grown;
use super::{Parsed, Parser, guided, plain};

impl Parser<'_, '_> {
    /// `call function "f":` or `call flow "g":`, at the word `call`.
    pub(super) fn call(&mut self) -> Parsed<Grown> {
        let span = self.cursor.next().span;
        match self.cursor.word() {
            Some("function") => self.call_function(span),
            Some("flow") => self.call_flow(span),
            Some("pipeline") => plain("'call pipeline' is not supported by this runtime.", span),
            _ => plain("Expected 'function' or 'flow' after call", self.cursor.span()),
        }
    }

    fn call_function(&mut self, span: Span) -> Parsed<Grown> {
        self.cursor.next();
        let function = self.cursor.text("function name")?;
        self.cursor.expect_sign(":", "after function name")?;
        let (args, height) = self.arguments("function argument")?;
        Grown::over(ExprKind::CallFunction { function, args }, span, height)
    }

    /// The indented lines `some words is E` of a call; none if no block follows.
    fn arguments(&mut self, what: &str) -> Parsed<(Vec<(Name, Expr)>, u32)> {
        let mut seen = HashSet::new();
        let mut args = Vec::new();
        let mut height = 0;
        if !self.cursor.enter_block() {
            return Ok((args, height));
        }
        while !self.cursor.at_dedent() {
            let name = self.cursor.phrase(what)?;
            self.cursor.expect_word("is", &format!("after {what}"))?;
            let value = self.grown()?;
            height = height.max(value.height);
            if !seen.insert(name.text.clone()) {
                return plain(format!("Duplicate {what} '{}'", name.text), name.span);
            }
            args.push((name, value.expr));
            self.cursor.skip_newlines();
        }
        self.cursor.leave_block("in arguments")?;
        Ok((args, height))
    }

    fn call_flow(&mut self, span: Span) -> Parsed<Grown> {
        self.cursor.next();
        let flow = self.cursor.text("flow name")?;
        self.cursor.expect_sign(":", "after flow name")?;
        if !self.cursor.enter_block() {
            return plain("Expected indented input and output blocks in flow call", self.cursor.block_span());
        }
        let (mut inputs, mut outputs, mut height) = (None, None, 0);
        while !self.cursor.at_dedent() {
            if inputs.is_none() && self.cursor.eat_word("input") {
                self.cursor.expect_sign(":", "after input")?;
                let read = self.arguments("input field")?;
                height = read.1;
                inputs = Some(read.0);
            } else if outputs.is_none() && self.cursor.eat_word("output") {
                self.cursor.expect_sign(":", "after output")?;
                outputs = Some(self.output_names()?);
            } else {
                return Err(self.unexpected("flow call"));
            }
            self.cursor.skip_newlines();
        }
        self.cursor.leave_block("in flow call")?;
        let Some(inputs) = inputs else { return Self::missing_part("input", span) };
        let Some(outputs) = outputs else { return Self::missing_part("output", span) };
        Grown::over(ExprKind::CallFlow { flow, inputs, outputs }, span, height)
    }

    fn missing_part<T>(part: &str, span: Span) -> Parsed<T> {
        guided(
            format!("Flow call is missing an {part} block"),
            [
                "A flow call says what it hands in and which outputs it takes.",
                "Add the block, even if it is the only one.",
                "let a is call flow \"greet\":\n  input:\n    name is \"Ada\"\n  output:\n    line",
            ],
            span,
        )
    }

    fn output_names(&mut self) -> Parsed<Vec<Name>> {
        let (mut names, mut seen) = (Vec::new(), HashSet::new());
        if !self.cursor.enter_block() {
            return Ok(names);
        }
        while !self.cursor.at_dedent() {
            let name = self.cursor.phrase("an output name")?;
            if !seen.insert(name.text.clone()) {
                return plain(format!("Duplicate output field '{}'", name.text), name.span);
            }
            names.push(name);
            self.cursor.eat_sign(",");
            self.cursor.skip_newlines();
        }
        self.cursor.leave_block("in flow call output")?;
        Ok(names)
    }

    /// The right side of `let` and `set`.
    ///
    /// A line with a colon that is no list, map, transform or call is a tool call, whatever it begins with.
    pub(super) fn value(&mut self) -> Parsed<Expr> {
        match self.cursor.word() {
            Some("async") => return self.async_value(),
            Some("call") => return self.expression(),
            Some("list" | "map" | "filter" | "reduce") if self.at_collection() => return self.expression(),
            _ => {}
        }
        // `is one of:` opens a block of choices, not a tool's input.
        if self.cursor.line_sign(":").is_none() || self.cursor.line_has(&["is", "one", "of"]) {
            return self.expression();
        }
        self.tool_call()
    }

    fn async_value(&mut self) -> Parsed<Expr> {
        let span = self.cursor.next().span;
        let call = if self.cursor.at_word("call") { self.expression()? } else { self.tool_call()? };
        let is_call = matches!(
            call.kind,
            ExprKind::CallFunction { .. } | ExprKind::CallFlow { .. } | ExprKind::CallTool { .. }
        );
        if !is_call {
            return plain("'async' takes one call of a function, flow or tool", span);
        }
        Ok(Expr { kind: ExprKind::Async(Box::new(call)), span })
    }

    fn not_a_tool<T>(span: Span) -> Parsed<T> {
        guided(
            "Expected tool name",
            [
                "A value whose line ends with a colon is read as a tool call.",
                "Give the list, map or call a line of its own and use its name here.",
                "let r is look up price:\n  item code is \"A-1\"",
            ],
            span,
        )
    }

    fn tool_call(&mut self) -> Parsed<Expr> {
        let span = self.cursor.span();
        if !matches!(self.cursor.peek().kind, TokenKind::Word(_) | TokenKind::Quoted(_)) {
            return Self::not_a_tool(span);
        }
        let tool = self.cursor.phrase("tool name")?;
        if !self.cursor.at_sign(":") {
            return Self::not_a_tool(self.cursor.span());
        }
        self.cursor.next();
        let (args, height) = self.nested(|parser| parser.arguments("tool field"))?;
        Grown::over(ExprKind::CallTool { tool, args }, span, height).map(|grown| grown.expr)
    }
}
