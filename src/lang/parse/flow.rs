//! Flows in both forms, their contracts, and functions.

use super::super::ast::{ContractDecl, FlowBody, FlowDecl, FunctionDecl, Program, Step, StepKind};
use super::super::ast::{Expr, Name};
use super::super::fault::Fault;
use super::super::span::Span;
use super::super::token::is_reserved;
use super::{Parsed, Parser, guided, parse_expression, plain};

/// Words behind the name of a flow, before or after the colon.
#[derive(Default)]
struct Header {
    requires: Option<Expr>,
    audited: bool,
    pure: bool,
}

impl Parser<'_, '_> {
    /// `flow "name":` and statements, or `flow "name"` and steps.
    pub(super) fn flow_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let name = self.cursor.text("flow name")?;
        if is_reserved(&name.text) {
            return plain(format!("Flow name '{}' is reserved.", name.text), span);
        }
        let mut header = Header::default();
        self.flow_header(&mut header)?;
        let body = if self.cursor.eat_sign(":") {
            self.flow_header(&mut header)?;
            self.cursor.expect_line_end("in flow header")?;
            FlowBody::Statements(self.block()?)
        } else {
            self.cursor.expect_line_end("in flow header")?;
            self.steps()?
        };
        let Header { requires, audited, pure } = header;
        program.flows.push(FlowDecl { name, requires, audited, pure, body, span });
        Ok(())
    }

    fn flow_header(&mut self, header: &mut Header) -> Parsed<()> {
        loop {
            match self.cursor.word() {
                Some("requires") => {
                    self.cursor.next();
                    header.requires = Some(self.expression()?);
                }
                Some("audited") => {
                    self.cursor.next();
                    header.audited = true;
                }
                Some("purity") => {
                    self.cursor.next();
                    header.pure = self.purity()?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// `is "pure"` behind `purity`.
    pub(super) fn purity(&mut self) -> Parsed<bool> {
        let purity = self.cursor.is_text("purity")?;
        match purity.text.as_ref() {
            "pure" => Ok(true),
            "effectful" => Ok(false),
            _ => plain("purity must be 'pure' or 'effectful'", purity.span),
        }
    }

    fn steps(&mut self) -> Parsed<FlowBody> {
        let (mut inputs, mut steps) = (Vec::new(), Vec::new());
        let mut has_input = false;
        self.lines("declarative flow", |parser| {
            let span = parser.cursor.span();
            let kind = match parser.cursor.word() {
                Some("input") if has_input => return plain("Flow declares input more than once.", span),
                Some("input") => {
                    has_input = true;
                    parser.cursor.next();
                    parser.cursor.eat_sign(":");
                    inputs.extend(parser.field_lines("flow input")?);
                    return Ok(());
                }
                Some("require") => parser.require_step()?,
                Some("create") => parser.create_step()?,
                Some("update") => parser.update_step()?,
                Some("delete") => parser.delete_step()?,
                _ => return Err(parser.unexpected("declarative flow")),
            };
            steps.push(Step { kind, span });
            Ok(())
        })?;
        Ok(FlowBody::Steps { inputs, steps })
    }

    fn require_step(&mut self) -> Parsed<StepKind> {
        self.cursor.next();
        self.cursor.text("state path").map(StepKind::Require)
    }

    fn create_step(&mut self) -> Parsed<StepKind> {
        self.cursor.next();
        let record = self.cursor.reference("record name")?;
        self.cursor.eat_sign(":");
        let fields = self.field_value_lines("create block")?;
        Ok(StepKind::Create { record, fields })
    }

    fn update_step(&mut self) -> Parsed<StepKind> {
        self.cursor.next();
        let record = self.cursor.reference("record name")?;
        self.cursor.eat_sign(":");
        let span = self.cursor.span();
        if !self.cursor.enter_block() {
            return plain("Expected indented update block", self.cursor.block_span());
        }
        if !self.cursor.at_word("where") {
            return no_selector("Update", span);
        }
        let selector = self.selector()?;
        self.cursor.skip_newlines();
        if self.cursor.at_dedent() {
            return plain("Update step is missing a set block.", span);
        }
        let fields = if self.cursor.eat_word("set") {
            self.cursor.eat_sign(":");
            self.field_value_lines("update assignments")?
        } else {
            self.field_values_here()?
        };
        self.cursor.leave_block("in update")?;
        Ok(StepKind::Update { record, selector, fields })
    }

    fn delete_step(&mut self) -> Parsed<StepKind> {
        self.cursor.next();
        let record = self.cursor.reference("record name")?;
        self.cursor.eat_sign(":");
        let span = self.cursor.span();
        let inside = self.cursor.enter_block();
        if !self.cursor.at_word("where") {
            return no_selector("Delete", span);
        }
        let selector = self.selector()?;
        if inside {
            self.cursor.leave_block("in delete")?;
        }
        Ok(StepKind::Delete { record, selector })
    }

    /// `where "selector"`; the text is an expression over the record's fields.
    fn selector(&mut self) -> Parsed<Expr> {
        self.cursor.expect_word("where", "in declarative flow")?;
        let Name { text, span } = self.cursor.text("selector")?;
        let mut selector = parse_expression(&text).map_err(|fault| {
            Box::new(Fault::load(format!("Invalid selector: {}", fault.text), Some(span)))
        })?;
        // Faults of evaluating it belong to the text it stands in.
        selector.span = span;
        Ok(selector)
    }

    /// `contract flow "name":`
    pub(super) fn contract_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        self.cursor.expect_word("flow", "after contract")?;
        let flow = self.cursor.text("flow name")?;
        self.cursor.expect_sign(":", "after flow name")?;
        let (mut inputs, mut outputs) = (None, None);
        let whole = self.settings("contract", |parser| {
            if parser.cursor.eat_word("input") {
                inputs = Some(parser.field_block("contract input")?);
            } else if parser.cursor.eat_word("output") {
                outputs = Some(parser.field_block("contract output")?);
            } else {
                return plain("Unknown field in contract declaration", parser.cursor.span());
            }
            Ok(())
        })?;
        if !whole {
            return Ok(());
        }
        let Some(inputs) = inputs else { return missing_block("input", span) };
        let Some(outputs) = outputs else { return missing_block("output", span) };
        program.contracts.push(ContractDecl { flow, inputs, outputs, span });
        Ok(())
    }

    /// `define function "name":`
    pub(super) fn function_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        self.cursor.expect_word("function", "after define")?;
        let name = self.cursor.text("function name")?;
        self.cursor.expect_sign(":", "after function name")?;
        if !self.cursor.enter_block() || !self.cursor.eat_word("input") {
            return guided(
                "Function input block is required",
                [
                    "A function says what it takes before what it does.",
                    "Begin its body with an input block.",
                    "define function \"area\":\n  input:\n    width is number\n  return width * width",
                ],
                span,
            );
        }
        let inputs = self.field_block("function input")?;
        if let Some(field) = inputs.iter().find(|field| field.optional) {
            return plain("Input fields cannot be optional", field.name.span);
        }
        self.cursor.skip_newlines();
        let outputs = if self.cursor.at_word("output") && self.cursor.sign_at(1, ":") {
            self.cursor.next();
            Some(self.field_block("function output")?)
        } else {
            None
        };
        self.cursor.skip_newlines();
        let mut body = Vec::new();
        self.nested(|parser| parser.statements(&mut body))?;
        self.cursor.leave_block("in function")?;
        program.functions.push(FunctionDecl { name, inputs, outputs, body, span });
        Ok(())
    }
}

/// A step that would change every record does not say so.
fn no_selector<T>(step: &str, span: Span) -> Parsed<T> {
    guided(
        format!("{step} step is missing a where selector."),
        [
            "The step would change every record, which it must say.",
            "Name the records, or write where \"true\" for all of them.",
            "delete \"Member\"\n  where \"age is less than 18\"",
        ],
        span,
    )
}

fn missing_block<T>(section: &str, span: Span) -> Parsed<T> {
    guided(
        format!("Contract {section} block is required"),
        [
            "A contract says what a flow takes and what it gives.",
            "Add the missing block.",
            "contract flow \"greet\":\n  input:\n    name is text\n  output:\n    line is text",
        ],
        span,
    )
}
