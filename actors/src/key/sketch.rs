//! What is kept of a request for explain: its [`Fields`], or the short text they are worked out from when somebody asks.
//!
//! Owns the choice. Most requests are never explained, and a short text costs less to keep than to look through. Must
//! not show the text.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::{Deny, Fields};
use crate::json::{Document, JsonLimits};

/// A longer text is looked through at once: about what its [`Fields`] can take, so that keeping it takes no more.
const SHORT_BYTES: usize = 4 << 10;

/// The fields of one request, worked out or not.
#[derive(Clone)]
pub struct Sketch(Kept);

#[derive(Clone)]
enum Kept {
    Text { text: Bytes, deny: Deny, salt: u64 },
    Fields(Arc<Fields>),
}

impl Sketch {
    /// The sketch of `body` without what `deny` excuses; see [`Fields::of`].
    ///
    /// # Cost
    /// A copy of a short text.
    pub fn of(body: &Document, deny: Deny, salt: u64) -> Self {
        let text = body.raw();
        Self(match text.len() <= SHORT_BYTES {
            // A copy: the text as it came may hold a whole read buffer.
            true => Kept::Text { text: Bytes::copy_from_slice(text), deny, salt },
            false => Kept::Fields(Arc::new(Fields::of(body.root(), deny, salt))),
        })
    }

    /// The fields.
    ///
    /// # Cost
    /// Parses a short text: for people, not for the path.
    pub fn fields(&self) -> Arc<Fields> {
        match &self.0 {
            Kept::Fields(fields) => Arc::clone(fields),
            Kept::Text { text, deny, salt } => {
                let limits = JsonLimits { max_depth: JsonLimits::DEEPEST, max_nodes: usize::MAX };
                let body = Document::parse(text.clone(), limits);
                // It was parsed when it came.
                Arc::new(
                    body.map_or_else(|_| Fields::default(), |body| Fields::of(body.root(), *deny, *salt)),
                )
            }
        }
    }

    /// The paths in which the two differ; see [`Fields::diff`].
    pub fn diff(&self, other: &Self) -> Vec<String> {
        self.fields().diff(&other.fields())
    }
}

impl fmt::Debug for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sketch")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: String) -> Document {
        Document::parse(text.into(), JsonLimits::default()).expect("json")
    }

    #[test]
    fn a_sketch_has_the_same_fields_whether_it_was_worked_out_at_once_or_later() {
        for padding in [0, SHORT_BYTES] {
            let text = format!(r#"{{"user":"u","n":[{{"a":1}},"b"],"x":"{}"}}"#, "x".repeat(padding));
            let document = document(text);
            let sketch = Sketch::of(&document, Deny::OPENAI_CHAT, 7);
            assert_eq!(matches!(sketch.0, Kept::Text { .. }), padding == 0);
            assert_eq!(*sketch.fields(), Fields::of(document.root(), Deny::OPENAI_CHAT, 7));
        }
    }

    #[test]
    fn sketches_of_short_and_long_texts_can_be_compared() {
        let sketch = |x: &str| Sketch::of(&document(format!(r#"{{"same":[1,2],"x":"{x}"}}"#)), Deny::NONE, 7);
        let (short, long) = (sketch("s"), sketch(&"l".repeat(SHORT_BYTES)));
        assert_eq!(short.diff(&long), ["x"]);
        assert!(long.diff(&long).is_empty() && short.diff(&sketch("s")).is_empty());
    }
}
