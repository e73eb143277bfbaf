//! Statements over records: save, create, find, update, delete, clear, require.

use std::collections::HashSet;

use super::super::ast::{FieldValue, StmtKind};
use super::super::token::TokenKind;
use super::{Parsed, Parser, plain};

impl Parser<'_, '_> {
    pub(super) fn save_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        let record = self.cursor.reference("record name")?;
        let fields = if self.cursor.eat_word("with") {
            Some(self.distinct_fields("save", "Save block is missing.")?)
        } else {
            None
        };
        Ok(StmtKind::Save { record, fields })
    }

    /// `:` and indented lines `f.g is E` behind `with`, any words as names, none of them twice; `missing` is said where
    /// there is no line.
    pub(super) fn distinct_fields(&mut self, what: &str, missing: &str) -> Parsed<Vec<FieldValue>> {
        self.cursor.expect_sign(":", "after with")?;
        if !self.cursor.at_newline() {
            return plain(format!("Expected newline after {what} with header"), self.cursor.span());
        }
        if !self.cursor.at_block() {
            return plain(missing, self.cursor.block_span());
        }
        let fields = self.lines(what, Self::field_value)?;
        let mut seen = HashSet::new();
        for field in &fields {
            let words: Vec<&str> = field.path.iter().map(|word| word.text.as_ref()).collect();
            let path = words.join(".");
            if seen.contains(&path) {
                return plain(format!("Duplicate field '{path}' in {what} block."), field.path[0].span);
            }
            seen.insert(path);
        }
        Ok(fields)
    }

    /// The indented lines `f.g is E` that follow; at least one.
    pub(super) fn field_value_lines(&mut self, what: &str) -> Parsed<Vec<FieldValue>> {
        if !self.cursor.at_block() {
            return plain(format!("Expected indented {what}"), self.cursor.block_span());
        }
        self.lines(what, Self::field_value)
    }

    /// The lines `f.g is E` up to the end of the block that is already open.
    pub(super) fn field_values_here(&mut self) -> Parsed<Vec<FieldValue>> {
        let mut fields = Vec::new();
        while !self.cursor.at_dedent() && !self.cursor.at_end() {
            fields.push(self.field_value()?);
            self.cursor.expect_line_end("in fields")?;
            self.cursor.skip_newlines();
        }
        Ok(fields)
    }

    fn field_value(&mut self) -> Parsed<FieldValue> {
        let first = match self.cursor.peek().kind {
            TokenKind::Text(_) => self.cursor.text("field name")?,
            _ => self.cursor.any_word("a field name")?,
        };
        let mut path = vec![first];
        path.extend(self.cursor.attributes()?);
        self.cursor.expect_word("is", "after field name")?;
        let value = self.value()?;
        Ok(FieldValue { path, value })
    }

    pub(super) fn create_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        let record = self.cursor.reference("record name")?;
        self.cursor.expect_word("with", "in create statement")?;
        let values = self.expression()?;
        self.cursor.expect_word("as", "in create statement")?;
        let target = self.cursor.new_name("a name")?;
        Ok(StmtKind::Create { record, values, target })
    }

    pub(super) fn find_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        let record = self.cursor.reference("record name")?;
        self.cursor.expect_word("where", "in find statement")?;
        let predicate = self.expression()?;
        Ok(StmtKind::Find { record, predicate })
    }

    pub(super) fn update_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        let record = self.cursor.reference("record name")?;
        self.cursor.expect_word("where", "in update statement")?;
        let predicate = self.expression()?;
        if !self.cursor.eat_word("set") {
            return plain("Update statement is missing 'set'.", self.cursor.span());
        }
        self.cursor.expect_sign(":", "after set")?;
        let fields = self.field_value_lines("update assignments")?;
        Ok(StmtKind::Update { record, predicate, fields })
    }

    pub(super) fn delete_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        let record = self.cursor.reference("record name")?;
        self.cursor.expect_word("where", "in delete statement")?;
        let predicate = self.expression()?;
        Ok(StmtKind::Delete { record, predicate })
    }

    pub(super) fn clear_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        if !self.cursor.eat_sign(":") {
            let mut records = vec![self.cursor.reference("record name")?];
            while self.cursor.eat_sign(",") {
                records.push(self.cursor.reference("record name")?);
            }
            return Ok(StmtKind::Clear(records));
        }
        if !self.cursor.at_block() {
            return plain("Expected indented record names after clear", self.cursor.block_span());
        }
        let lines = self.lines("clear", |parser| {
            let mut line = Vec::new();
            loop {
                line.push(match parser.cursor.peek().kind {
                    TokenKind::Text(_) => parser.cursor.text("record name")?,
                    _ => parser.cursor.any_word("a record name")?,
                });
                if !parser.cursor.eat_sign(",") || parser.cursor.at_line_end() {
                    return Ok(line);
                }
            }
        })?;
        Ok(StmtKind::Clear(lines.into_iter().flatten().collect()))
    }

    pub(super) fn require_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        self.cursor.expect_word("latest", "after 'require'")?;
        let record = self.cursor.reference("record name")?;
        self.cursor.expect_word("as", "after record name")?;
        let target = self.cursor.new_name("a name")?;
        self.cursor.expect_word("otherwise", "after required record binding")?;
        let message = self.cursor.text("message")?.text;
        Ok(StmtKind::RequireLatest { record, target, message })
    }
}
