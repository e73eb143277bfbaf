//! A place in the tokens, with the questions and steps every part of the grammar is written in.
//!
//! Owns position and block level, nothing of the grammar. Never moves past the last token.

use super::super::ast::Name;
use super::super::span::Span;
use super::super::token::{Token, TokenKind, is_reserved};
use super::{Parsed, guided, plain};

/// Tokens looked at when the form of a line decides how it is read.
const LOOKAHEAD: usize = 500;

/// Reads tokens from left to right.
pub(super) struct Cursor<'t, 's> {
    tokens: &'t [Token<'s>],
    at: usize,
    /// Open `Indent`s before `at`.
    level: usize,
    /// Reserved words that were refused as names: later uses of them are the same slip.
    refused: Vec<&'s str>,
}

impl<'t, 's> Cursor<'t, 's> {
    /// A cursor at the first of `tokens`, which end with `End`.
    pub(super) fn new(tokens: &'t [Token<'s>]) -> Self {
        Self { tokens, at: 0, level: 0, refused: Vec::new() }
    }

    pub(super) fn peek(&self) -> &'t Token<'s> {
        self.peek_at(0)
    }

    /// The token `ahead` of the current one, or the last.
    pub(super) fn peek_at(&self, ahead: usize) -> &'t Token<'s> {
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    pub(super) fn span(&self) -> Span {
        self.peek().span
    }

    /// Where a block that is not there should begin: the next line, if this one is over.
    pub(super) fn block_span(&self) -> Span {
        self.peek_at(usize::from(self.at_newline())).span
    }

    /// How many tokens were read; to see that a loop moves.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn at_end(&self) -> bool {
        self.peek().kind == TokenKind::End
    }

    pub(super) fn next(&mut self) -> &'t Token<'s> {
        let token = self.peek();
        match token.kind {
            TokenKind::Indent => self.level += 1,
            TokenKind::Dedent => self.level = self.level.saturating_sub(1),
            _ => {}
        }
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    /// The current token if it is a word that is not in backticks.
    pub(super) fn word(&self) -> Option<&'s str> {
        self.word_at(0)
    }

    pub(super) fn word_at(&self, ahead: usize) -> Option<&'s str> {
        match self.peek_at(ahead).kind {
            TokenKind::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn at_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    /// Whether the next words are exactly `words`.
    pub(super) fn at_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| self.word_at(ahead) == Some(word))
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let here = self.at_word(word);
        if here {
            self.next();
        }
        here
    }

    /// Steps over all of `words` if all are there.
    pub(super) fn eat_words(&mut self, words: &[&str]) -> bool {
        let here = self.at_words(words);
        if here {
            words.iter().for_each(|_| {
                self.next();
            });
        }
        here
    }

    pub(super) fn expect_word(&mut self, word: &str, place: &str) -> Parsed<Span> {
        let span = self.span();
        if self.eat_word(word) { Ok(span) } else { plain(format!("Expected '{word}' {place}"), span) }
    }

    pub(super) fn at_sign(&self, sign: &str) -> bool {
        self.sign_at(0, sign)
    }

    pub(super) fn sign_at(&self, ahead: usize, sign: &str) -> bool {
        matches!(self.peek_at(ahead).kind, TokenKind::Sign(found) if found == sign)
    }

    pub(super) fn eat_sign(&mut self, sign: &str) -> bool {
        let here = self.at_sign(sign);
        if here {
            self.next();
        }
        here
    }

    pub(super) fn expect_sign(&mut self, sign: &str, place: &str) -> Parsed<Span> {
        let span = self.span();
        if self.eat_sign(sign) { Ok(span) } else { plain(format!("Expected '{sign}' {place}"), span) }
    }

    pub(super) fn at_newline(&self) -> bool {
        self.peek().kind == TokenKind::Newline
    }

    /// Whether nothing of this line is left.
    pub(super) fn at_line_end(&self) -> bool {
        matches!(self.peek().kind, TokenKind::Newline | TokenKind::Dedent | TokenKind::End)
    }

    /// Whether the last token read closed a block: then no newline follows.
    pub(super) fn behind_block(&self) -> bool {
        self.at > 0 && self.tokens[self.at - 1].kind == TokenKind::Dedent
    }

    /// Refuses what is left of a line that should be over.
    pub(super) fn expect_line_end(&mut self, place: &str) -> Parsed<()> {
        if self.at_line_end() || self.behind_block() {
            return Ok(());
        }
        let token = self.peek();
        plain(format!("Unexpected token '{}' {place}", token.kind.label()), token.span)
    }

    pub(super) fn skip_newlines(&mut self) {
        while self.at_newline() {
            self.next();
        }
    }

    /// Whether an indented block follows.
    pub(super) fn at_block(&self) -> bool {
        self.at_newline() && self.peek_at(1).kind == TokenKind::Indent
    }

    /// Steps into the block that follows, if one does.
    pub(super) fn enter_block(&mut self) -> bool {
        let here = self.at_block();
        if here {
            self.next();
            self.next();
        }
        here
    }

    /// Steps out of a block whose last line was read.
    pub(super) fn leave_block(&mut self, place: &str) -> Parsed<()> {
        self.skip_newlines();
        if self.at_dedent() {
            self.next();
            return Ok(());
        }
        let token = self.peek();
        plain(format!("Unexpected token '{}' {place}", token.kind.label()), token.span)
    }

    pub(super) fn at_dedent(&self) -> bool {
        self.peek().kind == TokenKind::Dedent
    }

    /// The level a line of the current block is read at.
    pub(super) fn level(&self) -> usize {
        self.level
    }

    /// Skips the rest of a line of the block at `level`, with the block below it; stops before the next line or the
    /// `Dedent` that ends the block. Deeper levels left open by a fault are closed on the way.
    pub(super) fn skip_line(&mut self, level: usize) {
        loop {
            match self.peek().kind {
                TokenKind::End => return,
                TokenKind::Dedent if self.level <= level => return,
                TokenKind::Dedent => {
                    self.next();
                    if self.level == level && !self.at_dedent() {
                        return;
                    }
                }
                TokenKind::Newline => {
                    self.next();
                    if self.level <= level && self.peek().kind != TokenKind::Indent {
                        return;
                    }
                }
                _ => {
                    self.next();
                }
            }
        }
    }

    /// Whether `words` stand in a row somewhere in the rest of this line.
    pub(super) fn line_has(&self, words: &[&str]) -> bool {
        self.rest_of_line()
            .windows(words.len())
            .any(|window| window.iter().zip(words).all(|(token, word)| token.kind == TokenKind::Word(word)))
    }

    /// Where the first `sign` in the rest of this line stands.
    pub(super) fn line_sign(&self, sign: &str) -> Option<Span> {
        let is_sign = |token: &&Token<'_>| matches!(token.kind, TokenKind::Sign(found) if found == sign);
        self.rest_of_line().iter().find(is_sign).map(|token| token.span)
    }

    /// What is left of this line, cut where looking further would make reading a long line quadratic.
    fn rest_of_line(&self) -> &'t [Token<'s>] {
        let end = self.tokens.len().min(self.at + LOOKAHEAD);
        let rest = &self.tokens[self.at..end];
        let line = rest.iter().position(|token| token.kind == TokenKind::Newline).unwrap_or(rest.len());
        &rest[..line]
    }

    /// A quoted text.
    pub(super) fn text(&mut self, what: &str) -> Parsed<Name> {
        let token = self.peek();
        match &token.kind {
            TokenKind::Text(text) => {
                self.next();
                Ok(Name::new(text.as_ref(), token.span))
            }
            _ => plain(format!("Expected {what} string"), token.span),
        }
    }

    /// The name of something declared elsewhere: a quoted text, or words between dots.
    pub(super) fn reference(&mut self, what: &str) -> Parsed<Name> {
        if !matches!(self.peek().kind, TokenKind::Word(_) | TokenKind::Quoted(_)) {
            return self.text(what);
        }
        let first = self.new_name(what)?;
        let rest = self.attributes()?;
        let text = rest.iter().fold(first.text.to_string(), |text, word| text + "." + &word.text);
        Ok(Name::new(text, first.span))
    }

    /// `is "text"` behind a setting's word.
    pub(super) fn is_text(&mut self, setting: &str) -> Parsed<Name> {
        self.expect_word("is", &format!("after {setting}"))?;
        self.text(setting)
    }

    /// Any word, reserved or not: behind a dot, or a field's name.
    pub(super) fn any_word(&mut self, what: &str) -> Parsed<Name> {
        let token = self.peek();
        match token.kind {
            TokenKind::Word(word) | TokenKind::Quoted(word) => {
                self.next();
                Ok(Name::new(word, token.span))
            }
            _ => plain(format!("Expected {what}"), token.span),
        }
    }

    /// A name that a program may choose: not reserved, or in backticks.
    pub(super) fn new_name(&mut self, what: &str) -> Parsed<Name> {
        let token = self.peek();
        match token.kind {
            TokenKind::Word(word) if is_reserved(word) => {
                if !self.refused.contains(&word) {
                    self.refused.push(word);
                }
                reserved(word, token.span)
            }
            _ => self.any_word(what),
        }
    }

    /// Whether `word` was refused as a name before.
    pub(super) fn was_refused(&self, word: &str) -> bool {
        self.refused.contains(&word)
    }

    /// `.word` as often as it follows.
    pub(super) fn attributes(&mut self) -> Parsed<Vec<Name>> {
        let mut names = Vec::new();
        while self.eat_sign(".") {
            names.push(self.any_word("identifier after '.'")?);
        }
        Ok(names)
    }

    /// A name of one or more words, any words but `is`, up to the first token that is none.
    pub(super) fn phrase(&mut self, what: &str) -> Parsed<Name> {
        let span = self.span();
        let mut text = String::new();
        while let Some(part) = self.phrase_part() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(part);
            self.next();
        }
        if text.is_empty() { plain(format!("Expected {what}"), span) } else { Ok(Name::new(text, span)) }
    }

    fn phrase_part(&self) -> Option<&'t str> {
        match &self.peek().kind {
            TokenKind::Word("is") => None,
            TokenKind::Word(part) | TokenKind::Quoted(part) | TokenKind::Number(part) => Some(part),
            TokenKind::Text(part) => Some(part),
            _ => None,
        }
    }

    /// A whole number literal.
    pub(super) fn whole_number(&mut self, what: &str) -> Parsed<(u64, Span)> {
        let token = self.peek();
        let TokenKind::Number(digits) = token.kind else {
            return plain(format!("{what} must be a number literal"), token.span);
        };
        let Ok(value) = digits.parse() else {
            return plain(format!("{what} must be an integer"), token.span);
        };
        self.next();
        Ok((value, token.span))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, what: &str) -> Parsed<bool> {
        let span = self.span();
        if self.eat_word("true") {
            Ok(true)
        } else if self.eat_word("false") {
            Ok(false)
        } else {
            plain(format!("{what} must be true/false literal"), span)
        }
    }
}

fn reserved<T>(word: &str, span: Span) -> Parsed<T> {
    guided(
        format!("Identifier '{word}' is reserved."),
        [
            "The language uses this word itself, so it cannot name something new.",
            "Choose another name, or put this one in backticks wherever it is used.",
            "let `page` is 2",
        ],
        span,
    )
}
