//! Cuts source text into tokens, with `Indent` and `Dedent` where lines get deeper or shallower.
//!
//! Owns characters, escapes and indentation. It never stops at a fault: what cannot be read becomes a `Bad` token (or the
//! text up to the end of the line), so the parser can go on and find what else is wrong.

use std::borrow::Cow;

use super::fault::{Fault, Guide};
use super::span::Span;
use super::token::{Comment, Token, TokenKind};

/// What was read: tokens that end with `End`, comments, and every fault found on the way.
#[derive(Debug, Default)]
pub struct Lexed<'s> {
    /// Tokens in order; the last one is `End`, and `Indent` and `Dedent` are balanced.
    pub tokens: Vec<Token<'s>>,
    /// Comments in order.
    pub comments: Vec<Comment<'s>>,
    /// Faults in order.
    pub faults: Vec<Fault>,
}

/// Reads all of `source`. Linear in its length.
#[must_use]
pub fn lex(source: &str) -> Lexed<'_> {
    let mut lexer = Lexer {
        source,
        pos: if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 },
        line: 1,
        column: 1,
        widths: Vec::new(),
        out: Lexed::default(),
    };
    while lexer.pos < source.len() {
        lexer.line_of_source();
    }
    // What is missing at the end is missing on the last line, not on one that does not exist.
    lexer.line = u32::try_from(source.lines().count()).unwrap_or(u32::MAX).max(1);
    lexer.column = 1;
    for _ in 0..lexer.widths.len() {
        lexer.mark(TokenKind::Dedent);
    }
    lexer.mark(TokenKind::End);
    lexer.out
}

struct Lexer<'s> {
    source: &'s str,
    pos: usize,
    line: u32,
    column: u32,
    /// Widths of the open levels, without the margin.
    widths: Vec<usize>,
    out: Lexed<'s>,
}

/// Where a token began.
#[derive(Clone, Copy)]
struct Begin {
    pos: usize,
    line: u32,
    column: u32,
}

impl<'s> Lexer<'s> {
    fn peek(&self) -> Option<char> {
        self.source[self.pos..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn begin(&self) -> Begin {
        Begin { pos: self.pos, line: self.line, column: self.column }
    }

    fn rest_of_line(&self) -> &'s str {
        let rest = &self.source[self.pos..];
        rest.split('\n').next().unwrap_or(rest)
    }

    /// Whether the carriage return here is half of a line end.
    fn ends_line(&self) -> bool {
        matches!(self.source.as_bytes().get(self.pos + 1), None | Some(b'\n'))
    }

    /// The place from `begin` to here, or to the end of its line when a token crosses lines.
    fn span_from(&self, begin: Begin) -> Span {
        let raw = &self.source[begin.pos..self.pos];
        let first = raw.lines().next().unwrap_or(raw);
        Span::new(begin.line, begin.column, u32::try_from(first.chars().count()).unwrap_or(u32::MAX))
    }

    fn push(&mut self, kind: TokenKind<'s>, begin: Begin) {
        let span = self.span_from(begin);
        self.out.tokens.push(Token { kind, span, start: begin.pos, end: self.pos });
    }

    fn mark(&mut self, kind: TokenKind<'s>) {
        let begin = self.begin();
        self.push(kind, begin);
    }

    /// A change of depth stands at the margin of its line.
    fn mark_margin(&mut self, kind: TokenKind<'s>) {
        let span = Span::new(self.line, 1, 0);
        self.out.tokens.push(Token { kind, span, start: self.pos, end: self.pos });
    }

    fn fault(&mut self, fault: Fault) {
        self.out.faults.push(fault);
    }

    /// One line, and more if a text in triple quotes crosses its end.
    fn line_of_source(&mut self) {
        let rest = self.rest_of_line();
        let content = rest.trim_start();
        if content.is_empty() || content.starts_with('#') {
            while self.peek().is_some_and(|c| c != '#' && c != '\n') {
                self.bump();
            }
            if self.peek() == Some('#') {
                self.comment(true);
            }
            self.bump();
            return;
        }
        let width = rest.len() - rest.trim_start_matches(' ').len();
        for _ in 0..width {
            self.bump();
        }
        self.indent_to(width);
        while self.peek().is_some_and(|c| c != '\n') {
            self.token();
        }
        self.mark(TokenKind::Newline);
        self.bump();
    }

    fn indent_to(&mut self, width: usize) {
        let current = self.widths.last().copied().unwrap_or(0);
        if width > current {
            self.widths.push(width);
            self.mark_margin(TokenKind::Indent);
            return;
        }
        while let Some(&top) = self.widths.last()
            && width < top
        {
            let below = self.widths.len().checked_sub(2).map_or(0, |at| self.widths[at]);
            if width > below {
                self.inconsistent(width, below);
                return;
            }
            self.widths.pop();
            self.mark_margin(TokenKind::Dedent);
        }
    }

    /// A width between two known ones: taken for the inner level, so that one slip is one fault.
    fn inconsistent(&mut self, width: usize, below: usize) {
        if let Some(top) = self.widths.last_mut() {
            *top = width;
        }
        let span = Span::new(self.line, 1, u32::try_from(width).unwrap_or(u32::MAX));
        let guide = Guide {
            what: format!("Inconsistent indentation (got {width} spaces, expected {below})"),
            why: "This line is as deep as no line around it.".into(),
            fix: "Give it the same number of spaces as the other lines of its block.".into(),
            example: "flow \"main\":\n  let x is 1\n  return x".into(),
        };
        self.fault(Fault::load_guided(guide, Some(span)));
    }

    fn comment(&mut self, alone: bool) {
        let span = Span::new(self.line, self.column, 1);
        let text = self.rest_of_line();
        for _ in text.chars() {
            self.bump();
        }
        let text = text.trim_end();
        let len = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        self.out.comments.push(Comment { text, span: Span { len, ..span }, alone });
    }

    fn token(&mut self) {
        let begin = self.begin();
        let Some(c) = self.peek() else { return };
        match c {
            ' ' => {
                self.bump();
            }
            '\r' if self.ends_line() => {
                self.bump();
            }
            '#' => self.comment(false),
            '"' | '\'' => self.text(c, begin),
            '`' => self.quoted(begin),
            '0'..='9' => self.number(begin),
            c if c.is_alphabetic() || c == '_' => {
                let word = self.take_while(|c| c.is_alphanumeric() || c == '_');
                self.push(TokenKind::Word(word), begin);
            }
            _ => self.sign(begin),
        }
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'s str {
        let from = self.pos;
        while self.peek().is_some_and(&fits) {
            self.bump();
        }
        &self.source[from..self.pos]
    }

    fn number(&mut self, begin: Begin) {
        self.take_while(|c| c.is_ascii_digit());
        let rest = &self.source[self.pos..];
        if rest.starts_with('.') && rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
            self.bump();
            self.take_while(|c| c.is_ascii_digit());
        }
        let digits = &self.source[begin.pos..self.pos];
        self.push(TokenKind::Number(digits), begin);
    }

    fn sign(&mut self, begin: Begin) {
        let Some(c) = self.bump() else { return };
        let sign = match c {
            '*' if self.peek() == Some('*') => {
                self.bump();
                "**"
            }
            ':' => ":",
            '.' => ".",
            ',' => ",",
            '+' => "+",
            '-' => "-",
            '*' => "*",
            '/' => "/",
            '%' => "%",
            '=' => "=",
            '(' => "(",
            ')' => ")",
            '[' => "[",
            ']' => "]",
            '{' => "{",
            '}' => "}",
            '<' => "<",
            '>' => ">",
            '|' => "|",
            '!' => "!",
            _ => return self.unsupported(c, begin),
        };
        self.push(TokenKind::Sign(sign), begin);
    }

    fn unsupported(&mut self, c: char, begin: Begin) {
        let (why, fix) = if c == '\t' {
            ("Lines are indented with spaces only.", "Replace the tab by spaces.")
        } else {
            ("The language does not use this character outside of a text.", "Remove it or put it in quotes.")
        };
        let guide = Guide {
            what: format!("Unsupported character '{c}' in namel3ss source."),
            why: why.into(),
            fix: fix.into(),
            example: "let name is \"value\"".into(),
        };
        let span = self.span_from(begin);
        self.push(TokenKind::Bad, begin);
        // A run of the same character is one slip.
        self.take_while(|next| next == c);
        self.fault(Fault::load_guided(guide, Some(span)));
    }

    fn quoted(&mut self, begin: Begin) {
        self.bump();
        let name = self.take_while(|c| c.is_alphanumeric() || c == '_');
        let starts_well = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if self.peek() == Some('`') && starts_well {
            self.bump();
            return self.push(TokenKind::Quoted(name), begin);
        }
        let text = if self.peek() == Some('`') && name.is_empty() {
            "Escaped identifier cannot be empty."
        } else if self.peek().is_some_and(|c| c != '\n') {
            "Escaped identifier contains invalid characters."
        } else {
            "Unterminated escaped identifier."
        };
        if self.peek() == Some('`') {
            self.bump();
        }
        let span = self.span_from(begin);
        self.push(TokenKind::Bad, begin);
        self.fault(Fault::load(text, Some(span)));
    }

    fn text(&mut self, quote: char, begin: Begin) {
        let triple = self.source[self.pos..].starts_with("\"\"\"");
        for _ in 0..if triple { 3 } else { 1 } {
            self.bump();
        }
        let from = self.pos;
        let mut resolved: Option<String> = None;
        loop {
            let here = self.pos;
            let rest = &self.source[here..];
            let closed = if triple { rest.starts_with("\"\"\"") } else { rest.starts_with(quote) };
            if closed {
                break;
            }
            match self.peek() {
                None => return self.unterminated(begin, triple),
                Some('\n') if !triple => return self.unterminated(begin, triple),
                Some('\\') => {
                    let so_far = resolved.get_or_insert_with(|| self.source[from..here].to_owned());
                    let mut text = std::mem::take(so_far);
                    self.escape(&mut text);
                    resolved = Some(text);
                }
                Some('\r') if triple && rest.starts_with("\r\n") => {
                    resolved.get_or_insert_with(|| self.source[from..here].to_owned());
                    self.bump();
                }
                Some(c) => {
                    self.bump();
                    if let Some(text) = &mut resolved {
                        text.push(c);
                    }
                }
            }
        }
        let raw = &self.source[from..self.pos];
        for _ in 0..if triple { 3 } else { 1 } {
            self.bump();
        }
        self.push(TokenKind::Text(resolved.map_or(Cow::Borrowed(raw), Cow::Owned)), begin);
    }

    fn escape(&mut self, text: &mut String) {
        let begin = self.begin();
        self.bump();
        let resolved = match self.peek() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('\\') => '\\',
            Some('"') => '"',
            Some('\'') => '\'',
            Some(c) if c != '\n' => {
                self.bump();
                let span = self.span_from(begin);
                let guide = Guide {
                    what: format!("Unsupported escape sequence '\\{c}'."),
                    why: "A backslash in a text begins one of \\n \\t \\\\ \\\" \\'.".into(),
                    fix: "Double the backslash if it is meant as it stands.".into(),
                    example: "let path is \"C:\\\\temp\"".into(),
                };
                return self.fault(Fault::load_guided(guide, Some(span)));
            }
            // The text ends here; that is the fault the caller reports.
            _ => return,
        };
        self.bump();
        text.push(resolved);
    }

    fn unterminated(&mut self, begin: Begin, triple: bool) {
        let span = self.span_from(begin);
        let kind = if triple { "triple-quoted string" } else { "string" };
        let guide = Guide {
            what: format!("Unterminated {kind} literal"),
            why: "A text in quotes must end on its own line; one in triple quotes before the file ends."
                .into(),
            fix: "Close it with the quote it began with.".into(),
            example: "let greeting is \"hello\"".into(),
        };
        self.push(TokenKind::Bad, begin);
        self.fault(Fault::load_guided(guide, Some(span)));
    }
}
