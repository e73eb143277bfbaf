//! Lines, levels, blank lines and comments.

use super::super::lexer::Lexed;
use super::super::token::{Comment, Token, TokenKind};
use super::spacing;

/// One line of the result: a line of the program, or a comment that stands alone.
struct Item {
    level: usize,
    text: String,
    /// Physical lines it covers, first and last.
    first_line: u32,
    last_line: u32,
    blank_before: bool,
    comment: bool,
    /// Column the line begins at in the source.
    column: u32,
}

/// Writes all lines of `lexed`, which was read from `source`.
pub(super) fn write(source: &str, lexed: &Lexed<'_>) -> String {
    let mut items = lines(source, lexed);
    let alone: Vec<&Comment<'_>> = lexed.comments.iter().filter(|comment| comment.alone).collect();
    items = with_comments(items, &alone);
    space(&mut items);
    let mut out = String::with_capacity(source.len());
    for item in &items {
        if item.blank_before {
            out.push('\n');
        }
        if !item.text.is_empty() {
            out.extend(std::iter::repeat_n("  ", item.level));
        }
        out.push_str(&item.text);
        out.push('\n');
    }
    out
}

/// The lines that hold tokens, with the comments at their ends.
fn lines(source: &str, lexed: &Lexed<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut level = 0;
    let mut line: Vec<&Token<'_>> = Vec::new();
    let mut trailing = lexed.comments.iter().filter(|comment| !comment.alone).peekable();
    for token in &lexed.tokens {
        match token.kind {
            TokenKind::Indent => level += 1,
            TokenKind::Dedent => level -= 1,
            TokenKind::Newline => {
                let mut item = rendered(source, &line, level, token.span.line);
                if let Some(comment) = trailing.next_if(|comment| comment.span.line == token.span.line) {
                    item.text.push_str("  ");
                    item.text.push_str(comment.text);
                }
                items.push(item);
                line.clear();
            }
            TokenKind::End => {}
            _ => line.push(token),
        }
    }
    items
}

fn rendered(source: &str, line: &[&Token<'_>], level: usize, last_line: u32) -> Item {
    let mut text = String::new();
    for (at, token) in line.iter().enumerate() {
        if at > 0 && spacing::between(&line[..at], token) {
            text.push(' ');
        }
        text.push_str(&source[token.start..token.end]);
    }
    let (first_line, column) =
        line.first().map_or((last_line, 1), |token| (token.span.line, token.span.column));
    Item { level, text, first_line, last_line, blank_before: false, comment: false, column }
}

/// Puts the comments between the lines they stand between.
fn with_comments(lines: Vec<Item>, alone: &[&Comment<'_>]) -> Vec<Item> {
    let mut merged: Vec<Item> = Vec::with_capacity(lines.len() + alone.len());
    let mut comments = alone.iter().peekable();
    // Columns at which the open levels begin in the source.
    let mut columns: Vec<u32> = Vec::new();
    for line in lines {
        while let Some(comment) = comments.next_if(|comment| comment.span.line < line.first_line) {
            let level = level_of(comment, line.level, &columns);
            merged.push(of_comment(comment, level));
        }
        columns.truncate(line.level);
        columns.push(line.column);
        merged.push(line);
    }
    for comment in comments {
        merged.push(of_comment(comment, level_of(comment, 0, &columns)));
    }
    merged
}

/// A comment belongs to the line behind it, or to the end of an inner block if it stands as deep.
fn level_of(comment: &Comment<'_>, next: usize, columns: &[u32]) -> usize {
    (next + 1..columns.len()).rev().find(|level| comment.span.column >= columns[*level]).unwrap_or(next)
}

fn of_comment(comment: &Comment<'_>, level: usize) -> Item {
    Item {
        level,
        text: comment.text.to_owned(),
        first_line: comment.span.line,
        last_line: comment.span.line,
        blank_before: false,
        comment: true,
        column: comment.span.column,
    }
}

/// Keeps single blank lines, drops those that open a block, and sets one before each declaration and its comments.
fn space(items: &mut [Item]) {
    for at in 1..items.len() {
        let (before, item) = (&items[at - 1], &items[at]);
        let written = item.first_line > before.last_line + 1;
        items[at].blank_before = written && item.level <= before.level;
    }
    for at in 1..items.len() {
        if items[at].comment || items[at].level > 0 {
            continue;
        }
        let mut first = at;
        while first > 0
            && items[first - 1].comment
            && items[first - 1].level == 0
            && !items[first].blank_before
        {
            first -= 1;
        }
        items[first].blank_before = first > 0;
    }
}
