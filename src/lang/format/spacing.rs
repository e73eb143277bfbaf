//! Whether a space stands between two tokens of one line.

use super::super::token::{Token, TokenKind, is_reserved};

/// Words that are written directly in front of a parenthesis.
const CALLED: [&str; 7] = ["sum", "min", "max", "mean", "median", "has_role", "has_permission"];

/// Words that are followed by an operand though they may be names too; here the source decides.
const AMBIGUOUS: [&str; 9] =
    ["key", "value", "starting", "between", "first", "after", "tick", "add", "increment"];

/// Whether `token` is set apart from the last of `before`, the tokens in front of it; there is at least one.
pub(super) fn between(before: &[&Token<'_>], token: &Token<'_>) -> bool {
    let Some(last) = before.last() else { return false };
    match (&last.kind, &token.kind) {
        (TokenKind::Sign("(" | "[" | "." | "<" | "!"), _) => false,
        (_, TokenKind::Sign(":" | "," | ")" | "]" | "." | "<" | ">")) => false,
        (TokenKind::Sign("+" | "-"), _) => !is_prefix(before, token),
        (_, TokenKind::Sign("[")) => !is_index(before),
        (TokenKind::Word(word), TokenKind::Sign("(")) => !CALLED.contains(word) || behind_dot(before),
        _ => true,
    }
}

/// Whether the sign at the end of `before` belongs to the operand behind it.
fn is_prefix(before: &[&Token<'_>], next: &Token<'_>) -> bool {
    let Some((sign, before)) = before.split_last() else { return true };
    let Some(last) = before.last() else { return true };
    match last.kind {
        TokenKind::Word(word) if AMBIGUOUS.contains(&word) && !behind_dot(before) => sign.end == next.start,
        _ => !ends_operand(before),
    }
}

/// Whether a bracket behind `before` is an index, and not the list of `one of` or the capabilities.
fn is_index(before: &[&Token<'_>]) -> bool {
    let opens_list =
        matches!(before.last().map(|last| &last.kind), Some(TokenKind::Word("of" | "capabilities")));
    ends_operand(before) && (!opens_list || behind_dot(before))
}

/// Whether the last of `before` ends an operand.
fn ends_operand(before: &[&Token<'_>]) -> bool {
    let Some(last) = before.last() else { return false };
    match last.kind {
        TokenKind::Text(_) | TokenKind::Number(_) | TokenKind::Quoted(_) => true,
        TokenKind::Sign(sign) => matches!(sign, ")" | "]"),
        TokenKind::Word(word) => {
            behind_dot(before) || !is_reserved(word) || matches!(word, "input" | "true" | "false" | "null")
        }
        _ => false,
    }
}

/// Whether the last of `before` is an attribute.
fn behind_dot(before: &[&Token<'_>]) -> bool {
    before.len() > 1 && before[before.len() - 2].kind == TokenKind::Sign(".")
}
