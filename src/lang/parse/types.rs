//! Types and the lines `name is [optional] type` of contracts, functions, tools and routes.

use std::collections::HashSet;

use super::super::ast::{FieldDecl, Name, TypeKind, TypeRef};
use super::super::token::TokenKind;
use super::{Parsed, Parser, plain};

impl Parser<'_, '_> {
    /// A type word with its parameters; unknown words become `Record`, for the caller to judge.
    pub(super) fn type_ref(&mut self) -> Parsed<TypeRef> {
        let span = self.cursor.span();
        let (kind, mut written) = self.nested(Self::type_term)?;
        while self.cursor.eat_sign("|") {
            let (_, other) = self.nested(Self::type_term)?;
            written.push('|');
            written.push_str(&other);
        }
        Ok(TypeRef { kind, written: written.into(), span })
    }

    fn type_term(&mut self) -> Parsed<(TypeKind, String)> {
        let word = self.type_word()?.text;
        let mut written = word.to_string();
        let mut parameters = Vec::new();
        if self.cursor.eat_sign("<") {
            loop {
                let parameter = self.nested(Self::type_ref)?;
                written.push(if parameters.is_empty() { '<' } else { ',' });
                written.push_str(&parameter.written);
                parameters.push(parameter.kind);
                if !self.cursor.eat_sign(",") {
                    break;
                }
            }
            self.cursor.expect_sign(">", "to close the type")?;
            written.push('>');
        }
        let kind = match word.as_ref() {
            "text" | "string" | "str" => TypeKind::Text,
            "number" => TypeKind::Number,
            "integer" | "int" => TypeKind::Integer,
            "boolean" | "bool" => TypeKind::Boolean,
            "json" => TypeKind::Json,
            "list" => TypeKind::List(parameters.into_iter().next().map(Box::new)),
            "map" => TypeKind::Map,
            _ => TypeKind::Record(word),
        };
        Ok((kind, written))
    }

    /// One word of a type, quoted or not.
    pub(super) fn type_word(&mut self) -> Parsed<Name> {
        if let TokenKind::Text(_) = self.cursor.peek().kind {
            return self.cursor.text("type");
        }
        self.cursor.any_word("a type")
    }

    /// An indented block of field lines behind a colon.
    pub(super) fn field_block(&mut self, what: &str) -> Parsed<Vec<FieldDecl>> {
        self.cursor.expect_sign(":", &format!("after {what}"))?;
        self.field_lines(what)
    }

    /// The indented field lines that follow, if any.
    pub(super) fn field_lines(&mut self, what: &str) -> Parsed<Vec<FieldDecl>> {
        let fields = self.lines(what, Self::field_line)?;
        let mut seen = HashSet::new();
        for field in &fields {
            if !seen.insert(field.name.text.as_ref()) {
                let section = what.rsplit(' ').next().unwrap_or(what);
                return plain(format!("Duplicate {section} field '{}'", field.name.text), field.name.span);
            }
        }
        Ok(fields)
    }

    fn field_line(&mut self) -> Parsed<FieldDecl> {
        let name = self.cursor.phrase("a field name")?;
        self.cursor.expect_word("is", "after field name")?;
        let before = self.cursor.eat_word("optional");
        let ty = self.type_ref()?;
        let optional = self.cursor.eat_word("optional") || before;
        Ok(FieldDecl { name, ty, optional })
    }

    /// As `lines`, for a declaration that is checked as a whole behind its lines: `false` if one of them was refused, as
    /// then nothing more is said about what is missing.
    pub(super) fn settings(&mut self, what: &str, read: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<bool> {
        let before = self.faults.len();
        self.lines(what, read)?;
        Ok(self.faults.len() == before)
    }

    /// The lines of an indented block, each read by `read`; none if no block follows. A fault costs one line.
    pub(super) fn lines<T>(
        &mut self,
        what: &str,
        mut read: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut found = Vec::new();
        if !self.cursor.enter_block() {
            return Ok(found);
        }
        let level = self.cursor.level();
        while !self.cursor.at_dedent() && !self.cursor.at_end() {
            let line = read(self).and_then(|item| {
                self.cursor.expect_line_end(&format!("in {what}"))?;
                Ok(item)
            });
            match line {
                Ok(item) => found.push(item),
                Err(fault) => {
                    self.report(*fault);
                    self.cursor.skip_line(level);
                }
            }
            self.cursor.skip_newlines();
        }
        self.cursor.leave_block(&format!("in {what}"))?;
        Ok(found)
    }
}
