//! Records and the identity: their fields and what a value must satisfy.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::ast::{Constraint, IdentityDecl, Name, Program, RecordDecl, RecordField, TypeKind};
use super::super::span::Span;
use super::super::token::{TokenKind, is_reserved};
use super::{Parsed, Parser, plain};

/// Reserved words that may name a field without quotes all the same.
const FIELD_WORDS: [&str; 6] = ["title", "text", "form", "table", "button", "page"];

impl Parser<'_, '_> {
    /// `record "R":`
    pub(super) fn record_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let name = self.cursor.text("record name")?;
        let mut record = RecordDecl {
            name,
            fields: Vec::new(),
            tenant_key: None,
            ttl_hours: None,
            version: None,
            shared: false,
            span,
        };
        loop {
            if self.cursor.eat_word("version") {
                record.version = Some(self.cursor.text("record version")?);
            } else if self.cursor.eat_word("shared") {
                record.shared = true;
            } else {
                break;
            }
        }
        self.cursor.expect_sign(":", "after record name")?;
        let owner = format!("record '{}'", record.name.text);
        if self.cursor.eat_sign("{") {
            self.braced_fields(&mut record, &owner)?;
        } else {
            self.lines("record", |parser| parser.record_line(&mut record, &owner))?;
        }
        Self::refuse_duplicates(&record.fields, "Record")?;
        program.records.push(record);
        Ok(())
    }

    fn refuse_duplicates(fields: &[RecordField], owner: &str) -> Parsed<()> {
        let mut seen = HashSet::new();
        for field in fields {
            if !seen.insert(field.name.text.as_ref()) {
                let text = format!("{owner} declares field '{}' more than once.", field.name.text);
                return plain(text, field.name.span);
            }
        }
        Ok(())
    }

    fn braced_fields(&mut self, record: &mut RecordDecl, owner: &str) -> Parsed<()> {
        while !self.cursor.at_sign("}") {
            let name = self.field_name(false)?;
            record.fields.push(self.record_field(name, owner)?);
            if !self.cursor.eat_sign(",") {
                break;
            }
        }
        self.cursor.expect_sign("}", "after the fields").map(|_| ())
    }

    fn record_line(&mut self, record: &mut RecordDecl, owner: &str) -> Parsed<()> {
        let cursor = &mut self.cursor;
        if cursor.at_word("fields") && cursor.sign_at(1, ":") {
            cursor.next();
            cursor.next();
            let fields = self.lines("fields", |parser| {
                let name = parser.field_name(true)?;
                parser.record_field(name, owner)
            })?;
            record.fields.extend(fields);
        } else if cursor.at_word("tenant_key") {
            cursor.next();
            record.tenant_key = Some(self.tenant_key()?);
        } else if cursor.at_word("persisted") && cursor.sign_at(1, ":") {
            cursor.next();
            cursor.next();
            self.lines("persisted", |parser| parser.ttl_hours(record))?;
        } else if cursor.at_words(&["ttl_hours", "is"])
            && matches!(cursor.peek_at(2).kind, TokenKind::Number(_))
        {
            self.ttl_hours(record)?;
        } else {
            let name = self.field_name(false)?;
            let field = self.record_field(name, owner)?;
            record.fields.push(field);
        }
        Ok(())
    }

    fn ttl_hours(&mut self, record: &mut RecordDecl) -> Parsed<()> {
        self.cursor.expect_word("ttl_hours", "in persisted")?;
        self.cursor.expect_word("is", "after ttl_hours")?;
        record.ttl_hours = Some(self.signed_number()?);
        Ok(())
    }

    /// `is identity.a.b`
    fn tenant_key(&mut self) -> Parsed<Vec<Name>> {
        self.cursor.expect_word("is", "after tenant_key")?;
        let span = self.cursor.expect_word("identity", "after tenant_key is")?;
        let path = self.cursor.attributes()?;
        if path.is_empty() { plain("tenant_key must name a field of identity", span) } else { Ok(path) }
    }

    /// A field's name: `field "name"`, a quoted name (where `quoted` allows it), or a word.
    fn field_name(&mut self, quoted: bool) -> Parsed<Name> {
        if self.cursor.at_word("field") && matches!(self.cursor.peek_at(1).kind, TokenKind::Text(_)) {
            self.cursor.next();
            return self.cursor.text("field name");
        }
        match self.cursor.peek().kind {
            TokenKind::Text(_) if quoted => self.cursor.text("field name"),
            TokenKind::Word(word) if is_reserved(word) && FIELD_WORDS.contains(&word) => {
                self.cursor.any_word("a field name")
            }
            _ => self.cursor.new_name("a field name"),
        }
    }

    /// `is type [must ...]`
    fn record_field(&mut self, name: Name, owner: &str) -> Parsed<RecordField> {
        self.cursor.eat_word("is");
        let ty = self.type_ref()?;
        if let TypeKind::Record(word) = &ty.kind {
            return plain(format!("Unsupported field type '{word}' in {owner}"), ty.span);
        }
        let constraint = if self.cursor.eat_word("must") { Some(self.constraint()?) } else { None };
        Ok(RecordField { name, ty, constraint })
    }

    fn constraint(&mut self) -> Parsed<Constraint> {
        if self.cursor.eat_words(&["have", "length", "at"]) {
            let least = self.least_or_most()?;
            let bound = self.signed_number()?;
            return Ok(if least {
                Constraint::LengthAtLeast(bound)
            } else {
                Constraint::LengthAtMost(bound)
            });
        }
        if self.cursor.eat_word("match") {
            self.cursor.expect_word("pattern", "after 'must match'")?;
            return Ok(Constraint::Pattern(self.cursor.text("pattern")?.text));
        }
        self.cursor.expect_word("be", "after 'must'")?;
        self.must_be()
    }

    fn must_be(&mut self) -> Parsed<Constraint> {
        let word = self.cursor.any_word("a constraint after 'must be'")?;
        Ok(match word.text.as_ref() {
            "present" => Constraint::Present,
            "unique" => Constraint::Unique,
            "an" | "a" if self.cursor.eat_word("integer") || self.cursor.eat_word("int") => {
                Constraint::Integer
            }
            "integer" => Constraint::Integer,
            "greater" => {
                self.cursor.expect_word("than", "after 'must be greater'")?;
                Constraint::GreaterThan(self.signed_number()?)
            }
            "less" => {
                self.cursor.expect_word("than", "after 'must be less'")?;
                Constraint::LessThan(self.signed_number()?)
            }
            "at" if self.least_or_most()? => Constraint::AtLeast(self.signed_number()?),
            "at" => Constraint::AtMost(self.signed_number()?),
            "between" => {
                let low = self.signed_number()?;
                self.cursor.expect_word("and", "between the two bounds")?;
                Constraint::Between(low, self.signed_number()?)
            }
            other => return plain(format!("Unknown constraint 'must be {other}'."), word.span),
        })
    }

    /// Whether `least` follows; otherwise `most` must.
    fn least_or_most(&mut self) -> Parsed<bool> {
        if self.cursor.eat_word("least") {
            return Ok(true);
        }
        self.cursor.expect_word("most", "or 'least' after 'at'").map(|_| false)
    }

    /// A number literal with an optional sign.
    fn signed_number(&mut self) -> Parsed<Arc<str>> {
        let negative = self.cursor.eat_sign("-");
        if !negative {
            self.cursor.eat_sign("+");
        }
        let token = self.cursor.peek();
        let TokenKind::Number(digits) = token.kind else {
            return plain("Expected a number literal", token.span);
        };
        self.cursor.next();
        Ok(if negative { format!("-{digits}").into() } else { digits.into() })
    }

    /// `identity "user":`
    pub(super) fn identity_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let name = self.cursor.text("identity name")?;
        self.cursor.expect_sign(":", "after identity name")?;
        let owner = format!("identity '{}'", name.text);
        let (mut fields, mut trust_levels) = (Vec::new(), None);
        self.lines("identity", |parser| {
            if parser.cursor.at_word("fields") && parser.cursor.sign_at(1, ":") {
                parser.cursor.next();
                parser.cursor.next();
                fields.extend(parser.lines("fields", |parser| {
                    let name = parser.field_name(true)?;
                    parser.record_field(name, &owner)
                })?);
            } else if parser.cursor.eat_words(&["trust_level", "is", "one", "of"]) {
                trust_levels = Some(parser.trust_levels()?);
            } else {
                let name = parser.field_name(false)?;
                fields.push(parser.record_field(name, &owner)?);
            }
            Ok(())
        })?;
        Self::refuse_duplicates(&fields, "Identity")?;
        self.only_identity(program, span)?;
        program.identity = Some(IdentityDecl { name, fields, trust_levels, span });
        Ok(())
    }

    fn only_identity(&self, program: &Program, span: Span) -> Parsed<()> {
        if program.identity.is_some() { plain("Multiple identity declarations found.", span) } else { Ok(()) }
    }

    /// Texts in a row, in brackets, or one per line behind a colon.
    fn trust_levels(&mut self) -> Parsed<Vec<Name>> {
        let span = self.cursor.span();
        let levels = if self.cursor.eat_sign(":") {
            self.lines("trust levels", |parser| {
                let level = parser.cursor.text("trust level")?;
                parser.cursor.eat_sign(",");
                Ok(level)
            })?
        } else {
            self.trust_levels_in_a_row()?
        };
        if levels.is_empty() { plain("trust_level list cannot be empty.", span) } else { Ok(levels) }
    }

    fn trust_levels_in_a_row(&mut self) -> Parsed<Vec<Name>> {
        let bracketed = self.cursor.eat_sign("[");
        let mut levels = Vec::new();
        while !self.cursor.at_sign("]") && !self.cursor.at_line_end() {
            levels.push(self.cursor.text("trust level")?);
            if !self.cursor.eat_sign(",") {
                break;
            }
        }
        if bracketed {
            self.cursor.expect_sign("]", "after list")?;
        }
        Ok(levels)
    }
}
