//! What is said about a token that fits nowhere, and which keyword may have been meant.

use super::super::fault::{Fault, Guide};
use super::super::token::TokenKind;
use super::Parser;

/// Words a statement begins with.
const STATEMENTS: [&str; 29] = [
    "ask",
    "attempt",
    "await",
    "calc",
    "clear",
    "create",
    "delete",
    "enqueue",
    "find",
    "for",
    "if",
    "keep",
    "let",
    "log",
    "match",
    "metric",
    "notice",
    "orchestration",
    "order",
    "parallel",
    "repeat",
    "require",
    "return",
    "run",
    "save",
    "set",
    "try",
    "update",
    "yield",
];

impl Parser<'_, '_> {
    /// The fault of the token here, which cannot stand in `place`.
    pub(super) fn unexpected(&self, place: &str) -> Box<Fault> {
        let token = self.cursor.peek();
        let label = token.kind.label();
        let what = match place {
            "expression" => format!("Unexpected expression at token '{label}'"),
            place => format!("Unexpected token '{label}' in {place}"),
        };
        let (why, fix) = match &token.kind {
            TokenKind::Indent => (
                "This line is deeper than the one before it, and nothing opened a block.",
                "Give it the same number of spaces as the lines around it.".to_owned(),
            ),
            TokenKind::Word(word) if place == "statement" => {
                ("No statement begins with this word, and the line before it was complete.", meant(word))
            }
            TokenKind::Newline | TokenKind::Dedent | TokenKind::End => {
                ("The line ends before it is complete.", "Write the rest on the same line.".to_owned())
            }
            _ if place == "expression" => (
                "A value was expected here.",
                "Write a value, a name or a list, map or call form.".to_owned(),
            ),
            _ => {
                ("It does not fit behind what stands before it.", "Remove it or correct the line.".to_owned())
            }
        };
        let example = match place {
            "statement" => "let total is price * 2",
            "expression" => "return total + 1",
            _ => return Box::new(Fault::load(what, Some(token.span))),
        };
        let guide = Guide { what, why: why.into(), fix, example: example.into() };
        Box::new(Fault::load_guided(guide, Some(token.span)))
    }
}

fn meant(word: &str) -> String {
    let close = (word.len() <= 32)
        .then(|| STATEMENTS.iter().map(|known| (strsim::damerau_levenshtein(word, known), *known)).min())
        .flatten()
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4);
    match close {
        Some((_, known)) => format!("Did you mean '{known}'?"),
        None => "Begin the line with a keyword such as let, set, if or return.".to_owned(),
    }
}
