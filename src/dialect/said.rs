//! The text of an answer, gathered from the JSON strings it comes in.
//!
//! Owns how strings join: a character that is cut between two of them, as halves of a pair of escapes, is given whole
//! with the second. Must not know which strings of a format are the answer's.

use bytes::Bytes;
use tidegate_actors::json::{Document, JsonLimits, Node};

/// A text under way.
#[derive(Debug, Default)]
pub struct Said {
    text: String,
    /// The first half of a pair of escapes, which nobody can read yet.
    half: Vec<u8>,
    /// At least one string has come.
    begun: bool,
}

impl Said {
    /// Takes the next string; what can be read since the one before.
    pub fn string(&mut self, string: Node<'_>) -> &str {
        let Some(inner) = string.inner() else { return "" };
        self.begun = true;
        let from = self.text.len();
        let (ready, half) = inner.split_at(inner.len() - half_pair(inner));
        if self.half.is_empty() && half.is_empty() {
            self.text.push_str(&string.as_str().unwrap_or_default());
        } else {
            let escaped = [&self.half, ready].concat();
            self.half = half.to_vec();
            self.escaped(&escaped);
        }
        &self.text[from..]
    }

    /// Takes the next part of a text that is not in JSON.
    pub fn plain(&mut self, text: &str) -> &str {
        self.begun = true;
        let from = self.text.len();
        self.text.push_str(text);
        &self.text[from..]
    }

    /// All of it; `None` if no string came.
    pub fn finish(mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.half);
        self.escaped(&rest);
        self.begun.then_some(self.text)
    }

    fn escaped(&mut self, inner: &[u8]) {
        let quoted = Bytes::from([b"\"", inner, b"\""].concat());
        if let Ok(document) = Document::parse(quoted, JsonLimits::default()) {
            self.text.push_str(&document.root().as_str().unwrap_or_default());
        }
    }
}

/// Bytes at the end of an escaped text that are the first half of a pair of escapes.
fn half_pair(inner: &[u8]) -> usize {
    let Some((before, last)) = inner.split_last_chunk::<6>() else { return 0 };
    let first_half =
        matches!(last, [b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', _, _]);
    let escaped = before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    if first_half && !escaped { last.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is heard of each string, and the whole.
    fn heard(strings: &[&'static str]) -> (Vec<String>, Option<String>) {
        let mut said = Said::default();
        let parts = strings.iter().map(|string| {
            let document = Document::parse(Bytes::from_static(string.as_bytes()), JsonLimits::default());
            said.string(document.expect("JSON").root()).to_owned()
        });
        let parts = parts.collect();
        (parts, said.finish())
    }

    #[test]
    fn strings_are_heard_one_by_one_and_make_the_whole() {
        let (parts, whole) = heard(&[r#""Hel""#, r#""lo\n""#, r#""""#, "\"\u{e9}\""]);
        assert_eq!(parts, ["Hel", "lo\n", "", "\u{e9}"]);
        assert_eq!(whole.as_deref(), Some("Hello\n\u{e9}"));
        assert_eq!(heard(&[]).1, None, "nothing was said");
        assert_eq!(heard(&["null"]).1, None);
        assert_eq!(heard(&[r#""""#]).1.as_deref(), Some(""));
    }

    #[test]
    fn a_character_cut_between_two_strings_is_heard_whole() {
        let (parts, whole) = heard(&[r#""a\ud83d""#, r#""\ude00b""#]);
        assert_eq!(parts, ["a", "\u{1f600}b"]);
        assert_eq!(whole.as_deref(), Some("a\u{1f600}b"));
        // A half that stays alone is what it is in a whole answer; an escaped backslash is no half.
        assert_eq!(heard(&[r#""a\uD83D""#]).1.as_deref(), Some("a\u{fffd}"));
        assert_eq!(heard(&[r#""a\ud83d""#, r#""x""#]).1.as_deref(), Some("a\u{fffd}x"));
        assert_eq!(heard(&[r#""\\ud83d""#, r#""x""#]).0, [r"\ud83d", "x"]);
    }
}
