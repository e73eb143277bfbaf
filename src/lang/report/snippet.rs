//! The source line of a fault with a caret below it.

use super::super::span::Span;

/// Characters shown of one line; more are cut on both sides of the caret.
const MAX_LINE_CHARS: usize = 140;

/// The line of `span` behind its number, and a caret for each of its characters on the next line.
///
/// `None` if the source has no such line.
#[must_use]
pub fn snippet(source: &str, span: Span) -> Option<String> {
    let line = source.split('\n').nth(usize::try_from(span.line).ok()?.checked_sub(1)?)?;
    let chars: Vec<char> = line.trim_end_matches('\r').chars().map(shown).collect();
    let at = usize::try_from(span.column).ok()?.saturating_sub(1).min(chars.len());
    let from = if chars.len() > MAX_LINE_CHARS { at.saturating_sub(MAX_LINE_CHARS / 2) } else { 0 };
    let to = chars.len().min(from + MAX_LINE_CHARS);
    let end = (at + usize::try_from(span.len).ok()?.max(1)).min(to.max(at + 1));
    let number = span.line.to_string();
    let gap: String = chars[from..at].iter().map(|c| " ".repeat(cells(*c))).collect();
    let width: usize = chars[at..end.min(chars.len())].iter().map(|c| cells(*c)).sum();
    let text: String = chars[from..to].iter().collect();
    let margin = " ".repeat(number.len());
    Some(format!("{number} | {text}\n{margin} | {gap}{}", "^".repeat(width.max(1))))
}

/// The character as it may be shown: control characters would move the cursor.
fn shown(c: char) -> char {
    if c == '\t' {
        ' '
    } else if c.is_control() {
        '\u{fffd}'
    } else {
        c
    }
}

/// Columns a character takes in a terminal, by the blocks that are wide in practice.
fn cells(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_below_its_token() {
        let shown = snippet("flow \"main\":\n  return ghost\n", Span::new(2, 10, 5)).expect("line 2 exists");
        assert_eq!(shown, "2 |   return ghost\n  |          ^^^^^");
    }

    #[test]
    fn wide_characters_move_the_caret_by_two() {
        let shown = snippet("let \u{6f22}\u{5b57} is x", Span::new(1, 8, 2)).expect("line 1 exists");
        assert_eq!(shown, "1 | let \u{6f22}\u{5b57} is x\n  |          ^^");
    }

    #[test]
    fn a_place_behind_the_line_gets_one_caret() {
        let shown = snippet("let x", Span::new(1, 6, 0)).expect("line 1 exists");
        assert_eq!(shown, "1 | let x\n  |      ^");
        assert_eq!(snippet("let x", Span::new(9, 1, 1)), None);
    }

    #[test]
    fn a_very_long_line_is_cut_around_the_caret() {
        let line = "x".repeat(10_000);
        let shown = snippet(&line, Span::new(1, 5_000, 9_000)).expect("line 1 exists");
        assert!(shown.lines().all(|line| line.len() < 160), "{shown}");
        assert!(shown.ends_with('^'));
    }
}
