//! Owns where a text is cut into chunks. Pure.

use std::ops::RangeInclusive;

/// Characters of a chunk where nothing else is said: a few paragraphs, well under what embedding models read at once.
pub const CHUNK_CHARS: usize = 800;
/// Sizes that may be asked for. Below, a chunk says nothing; above, no model reads it.
pub const CHUNK_SIZES: RangeInclusive<usize> = 20..=20_000;

/// The chunks of a text, in order, each at most `most` characters, without white space around them.
///
/// What is too long is cut at the last empty line in its second half; without one at the last line end there, then at the
/// last end of a sentence, then at the last white space anywhere in it, and a word longer than a chunk where it is full.
/// Nothing but white space is lost and nothing comes twice. Cost: linear in the text.
#[must_use]
pub fn chunks(text: &str, most: usize) -> Vec<&str> {
    let mut rest = text.trim();
    let mut chunks = Vec::new();
    while let Some(full) = byte_of_char(rest, most) {
        let (chunk, after) = rest.split_at(cut(&rest[..full], rest[full..].starts_with(char::is_whitespace)));
        chunks.push(chunk.trim_end());
        rest = after.trim_start();
    }
    if !rest.is_empty() {
        chunks.push(rest);
    }
    chunks
}

/// Where the character `at` begins; `None` if the text ends before it.
fn byte_of_char(text: &str, at: usize) -> Option<usize> {
    text.char_indices().nth(at).map(|(byte, _)| byte)
}

/// Where a full window is cut. `ends_word`: white space follows it.
fn cut(window: &str, ends_word: bool) -> usize {
    let half = byte_of_char(window, window.chars().count() / 2).unwrap_or(0);
    let after = |at: usize, mark: &str| Some(half + at + mark.len()).filter(|at| *at > 0);
    let last = |mark: &str| window[half..].rfind(mark).and_then(|at| after(at, mark));
    let sentence = [". ", "! ", "? "].into_iter().filter_map(last).max();
    let word = || window.rfind(char::is_whitespace).filter(|at| *at > 0);
    last("\n\n")
        .or_else(|| last("\n"))
        .or(sentence)
        .or_else(|| ends_word.then_some(window.len()))
        .or_else(word)
        .unwrap_or(window.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_text_is_one_chunk_and_an_empty_one_none() {
        assert_eq!(chunks("  hello\n", 20), ["hello"]);
        assert!(chunks(" \n\t ", 20).is_empty());
    }

    #[test]
    fn a_long_text_is_cut_at_paragraphs_then_lines_then_sentences_then_words() {
        assert_eq!(
            chunks("the first one\n\nsecond\nstill second", 20),
            ["the first one", "second\nstill second"]
        );
        assert_eq!(chunks("first line of it\nsecond line", 20), ["first line of it", "second line"]);
        assert_eq!(chunks("First is this. Second is that.", 20), ["First is this.", "Second is that."]);
        assert_eq!(chunks("one two three four five", 20), ["one two three four", "five"]);
        assert_eq!(chunks("exactly twenty chars and", 20), ["exactly twenty chars", "and"]);
        assert_eq!(chunks(&"x".repeat(45), 20), ["x".repeat(20), "x".repeat(20), "x".repeat(5)]);
    }

    proptest! {
        #[test]
        fn chunks_are_short_and_together_hold_the_text(text in "[a-z\u{e9}\u{1f600} .\n]{0,300}", most in 20_usize..60) {
            let chunks = chunks(&text, most);
            for chunk in &chunks {
                prop_assert!((1..=most).contains(&chunk.chars().count()));
                prop_assert_eq!(chunk.trim(), *chunk);
            }
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(bare(&chunks.concat()), bare(&text));
        }
    }
}
