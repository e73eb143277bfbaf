//! The smallest pieces of a program: words, texts, numbers, signs, and the line structure between them.
//!
//! Owns the shapes and the list of reserved words; cutting the source into them belongs to `lexer`.

use std::borrow::Cow;

use super::span::Span;

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'s> {
    /// What it is.
    pub kind: TokenKind<'s>,
    /// Where it stands.
    pub span: Span,
    /// First byte in the source.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
}

/// The kinds of token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind<'s> {
    /// A name or keyword.
    Word(&'s str),
    /// A name in backticks: never a keyword.
    Quoted(&'s str),
    /// A text, escapes resolved.
    Text(Cow<'s, str>),
    /// Digits, optionally a dot and digits.
    Number(&'s str),
    /// A sign, as written: one of `: . , + - * ** / % = ( ) [ ] { } < > | !`
    Sign(&'static str),
    /// The end of a line that holds something.
    Newline,
    /// The next line is deeper.
    Indent,
    /// One level ends.
    Dedent,
    /// Something that cannot be read; its fault is already known.
    Bad,
    /// The end of the source.
    End,
}

impl TokenKind<'_> {
    /// How messages call the token: a reserved word by itself, everything else by its class.
    #[must_use]
    pub fn label(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Word("true" | "false") => "BOOLEAN",
            Self::Word(word) if is_reserved(word) && !LATE_RESERVED.contains(word) => {
                return Cow::Owned(word.to_uppercase());
            }
            Self::Word(_) | Self::Quoted(_) => "IDENT",
            Self::Text(_) => "STRING",
            Self::Number(_) => "NUMBER",
            Self::Sign(sign) => sign_label(sign),
            Self::Newline => "NEWLINE",
            Self::Indent => "INDENT",
            Self::Dedent => "DEDENT",
            Self::Bad => "BAD",
            Self::End => "EOF",
        })
    }
}

/// How messages call a sign.
fn sign_label(sign: &'static str) -> &'static str {
    match sign {
        ":" => "COLON",
        "." => "DOT",
        "," => "COMMA",
        "+" => "PLUS",
        "-" => "MINUS",
        "*" => "STAR",
        "**" => "POWER",
        "/" => "SLASH",
        "%" => "PERCENT",
        "=" => "EQUALS",
        "(" => "LPAREN",
        ")" => "RPAREN",
        "[" => "LBRACKET",
        "]" => "RBRACKET",
        "{" => "LBRACE",
        "}" => "RBRACE",
        "<" => "LT",
        ">" => "GT",
        "|" => "PIPE",
        "!" => "BANG",
        other => other,
    }
}

/// A comment, for whoever writes the source back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment<'s> {
    /// From the `#` to the end of the line, without blanks at the end.
    pub text: &'s str,
    /// Where the `#` stands.
    pub span: Span,
    /// Whether the line holds nothing else.
    pub alone: bool,
}

/// Words that lex as plain names but are refused as new ones all the same.
const LATE_RESERVED: [&str; 4] = ["chain", "cot", "qa", "translate"];

/// Whether `word` is refused where a new name is expected.
#[must_use]
pub fn is_reserved(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok()
}

/// The reserved words, sorted.
pub const RESERVED: [&str; 112] = [
    "agent",
    "agents",
    "ai",
    "and",
    "app",
    "as",
    "ask",
    "async",
    "at",
    "await",
    "be",
    "bool",
    "boolean",
    "button",
    "call",
    "calls",
    "capabilities",
    "card",
    "catch",
    "chain",
    "column",
    "constant",
    "cot",
    "create",
    "divider",
    "each",
    "else",
    "enqueue",
    "entry",
    "equal",
    "expose",
    "false",
    "find",
    "flow",
    "for",
    "form",
    "greater",
    "have",
    "if",
    "image",
    "in",
    "input",
    "input_schema",
    "int",
    "integer",
    "is",
    "job",
    "json",
    "kind",
    "latest",
    "least",
    "length",
    "less",
    "let",
    "match",
    "memory",
    "model",
    "most",
    "must",
    "not",
    "null",
    "number",
    "or",
    "otherwise",
    "output_schema",
    "page",
    "parallel",
    "param",
    "pattern",
    "present",
    "profile",
    "provider",
    "purity",
    "qa",
    "record",
    "repeat",
    "require",
    "return",
    "row",
    "run",
    "save",
    "section",
    "semantic",
    "set",
    "short_term",
    "spec",
    "state",
    "str",
    "string",
    "system_prompt",
    "table",
    "text",
    "than",
    "theme",
    "theme_preference",
    "theme_tokens",
    "timeout_seconds",
    "times",
    "title",
    "to",
    "tool",
    "tools",
    "translate",
    "true",
    "try",
    "ui",
    "unique",
    "up",
    "when",
    "where",
    "with",
    "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_words_are_sorted_so_that_search_finds_them() {
        assert!(RESERVED.is_sorted());
        assert!(is_reserved("page") && is_reserved("qa") && !is_reserved("list"));
    }

    #[test]
    fn messages_name_a_keyword_and_class_everything_else() {
        assert_eq!(TokenKind::Word("if").label(), "IF");
        assert_eq!(TokenKind::Word("e3").label(), "IDENT");
        assert_eq!(TokenKind::Word("qa").label(), "IDENT");
        assert_eq!(TokenKind::Quoted("page").label(), "IDENT");
        assert_eq!(TokenKind::Sign("=").label(), "EQUALS");
    }
}
