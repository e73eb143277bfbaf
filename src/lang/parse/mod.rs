//! Tokens to tree. One descent over the tokens, no backtracking; a fault ends the statement or line it stands in, and
//! reading goes on behind it, so one reading finds every independent fault.
//!
//! Owns grammar only: whether a name means something is asked in `check`. Depth is limited here for everyone who walks
//! the tree later.

mod agents;
mod ai;
mod blocks;
mod calls;
mod collections;
mod control;
mod cursor;
mod expr;
mod flow;
mod jobs;
mod page;
mod primary;
mod record;
mod records;
mod route;
mod stmt;
#[cfg(test)]
mod tests;
mod tool;
mod top;
mod types;
mod unexpected;

use super::ast::{Expr, Program};
use super::fault::{Fault, Guide};
use super::lexer::{Lexed, lex};
use super::span::Span;
use cursor::Cursor;

/// How deep blocks, brackets and prefixes may nest together.
pub const MAX_NESTING: u32 = 96;
/// How high one expression tree may grow by chains such as `a + b + c`.
pub const MAX_HEIGHT: u32 = 1_000;
/// Faults reported for one file.
const MAX_FAULTS: usize = 100;
/// Largest source, in bytes.
pub const MAX_SOURCE_BYTES: usize = 2 << 20;

/// A result whose fault ends the piece being read.
type Parsed<T> = Result<T, Box<Fault>>;

/// Reads a whole program.
///
/// # Errors
/// Every fault of lexing and parsing, in the order of their places; at least one, at most a hundred.
pub fn parse(source: &str) -> Result<Program, Vec<Fault>> {
    if source.len() > MAX_SOURCE_BYTES {
        let text = format!("Source is larger than {MAX_SOURCE_BYTES} bytes.");
        return Err(vec![Fault::load(text, None)]);
    }
    let Lexed { tokens, mut faults, .. } = lex(source);
    let mut parser = Parser::new(&tokens);
    let program = parser.program();
    // A line that could not be cut into tokens cannot be read either: its first fault says enough.
    let bad_lines: Vec<u32> = faults.iter().filter_map(|fault| fault.span.map(|span| span.line)).collect();
    let also =
        parser.faults.into_iter().filter(|fault| fault.span.is_none_or(|s| !bad_lines.contains(&s.line)));
    faults.extend(also);
    if faults.is_empty() {
        return Ok(program);
    }
    faults.sort_by_key(|fault| fault.span.unwrap_or(Span::new(u32::MAX, 0, 0)));
    faults.truncate(MAX_FAULTS);
    Err(faults)
}

/// Reads one expression, such as a selector given as a text.
///
/// # Errors
/// The first fault, placed as if `source` stood at line 1.
pub fn parse_expression(source: &str) -> Result<Expr, Fault> {
    let lexed = lex(source);
    if let Some(fault) = lexed.faults.into_iter().next() {
        return Err(fault);
    }
    let mut parser = Parser::new(&lexed.tokens);
    let expr = parser.expression().map_err(|fault| *fault)?;
    parser.cursor.skip_newlines();
    if parser.cursor.at_end() { Ok(expr) } else { Err(*parser.unexpected("expression")) }
}

struct Parser<'t, 's> {
    cursor: Cursor<'t, 's>,
    faults: Vec<Fault>,
    nesting: u32,
}

/// A fault of one sentence at `span`.
fn plain<T>(text: impl Into<String>, span: Span) -> Parsed<T> {
    Err(Box::new(Fault::load(text, Some(span))))
}

/// A fault of four parts at `span`: what, why, fix, example.
fn guided<T>(what: impl Into<String>, rest: [&str; 3], span: Span) -> Parsed<T> {
    let [why, fix, example] = rest.map(str::to_owned);
    Err(Box::new(Fault::load_guided(Guide { what: what.into(), why, fix, example }, Some(span))))
}

impl<'t, 's> Parser<'t, 's> {
    fn new(tokens: &'t [super::token::Token<'s>]) -> Self {
        Self { cursor: Cursor::new(tokens), faults: Vec::new(), nesting: 0 }
    }

    fn report(&mut self, fault: Fault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }

    /// Runs `read` one level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting >= MAX_NESTING {
            let text = format!("Nesting is deeper than {MAX_NESTING} levels.");
            return plain(text, self.cursor.span());
        }
        self.nesting += 1;
        let read = read(self);
        self.nesting -= 1;
        read
    }
}
