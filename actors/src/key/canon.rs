//! The canonical writer: one byte form for every spelling of the same JSON value.
//!
//! Owns the form and nothing else. Object members are sorted by the unescaped bytes of their keys,
//! strings are unescaped (WTF-8), numbers stay text (so `1` and `1.0` differ), every piece carries
//! its length, every value its tag. Lengths are 32-bit little endian; the form is injective.
//!
//! ```text
//! null n   true t   false f   number # len text   string " len bytes
//! array [ count value*        object { count (len key value)*
//! ```

use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::{Xxh3, Xxh3Default};

use super::Deny;
use crate::json::{Kind, Node};

/// Where canonical bytes go: a buffer or a running hash.
pub trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for Sha256 {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

impl Sink for Xxh3 {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

impl Sink for Xxh3Default {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

/// Bytes gathered before a hash is updated.
pub(super) const HELD: usize = 512;

/// Gathers small pieces on the stack: a hash update costs more than a copy.
pub(super) struct Buffered<S: Sink> {
    sink: S,
    held: [u8; HELD],
    len: usize,
}

impl<S: Sink> Buffered<S> {
    pub(super) fn new(sink: S) -> Self {
        Self { sink, held: [0; HELD], len: 0 }
    }

    pub(super) fn into_inner(mut self) -> S {
        self.flush();
        self.sink
    }

    fn flush(&mut self) {
        self.sink.put(&self.held[..self.len]);
        self.len = 0;
    }
}

impl<S: Sink> Sink for Buffered<S> {
    // Inlined, so that a piece of known length is stored and not copied by a call.
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if self.len + bytes.len() > HELD {
            self.flush();
            if bytes.len() >= HELD {
                return self.sink.put(bytes);
            }
        }
        self.held[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

/// All bytes on the stack, if they are few.
pub(super) struct Short {
    held: [u8; HELD],
    len: usize,
}

impl Short {
    pub(super) fn new() -> Self {
        Self { held: [0; HELD], len: 0 }
    }

    /// Everything that was put; `None` if it was too much.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.held.get(..self.len)
    }
}

impl Sink for Short {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(free) = self.held.get_mut(self.len..end) {
            free.copy_from_slice(bytes);
        }
        self.len = end;
    }
}

/// Writes the canonical form of `node`, without the top-level members that `skip` excuses.
///
/// # Cost
/// One pass, no allocation; recursion as deep as the value, which the parser limits.
pub fn write(node: Node<'_>, skip: Deny, out: &mut impl Sink) {
    match node.kind() {
        Kind::Null => out.put(b"n"),
        Kind::True => out.put(b"t"),
        Kind::False => out.put(b"f"),
        Kind::Number => put_piece(b'#', node.raw(), out),
        Kind::String | Kind::Key => {
            out.put(&head(b'"', node.len()));
            node.unescape(|run| out.put(run));
        }
        Kind::Array => {
            out.put(&head(b'[', node.len()));
            node.elements().for_each(|element| write(element, Deny::NONE, out));
        }
        Kind::Object => write_object(node, skip, out),
    }
}

fn write_object(node: Node<'_>, skip: Deny, out: &mut impl Sink) {
    let skipped = skip.count_in(node);
    out.put(&head(b'{', node.len() - skipped));
    for member in node.sorted_members() {
        if skipped > 0 && skip.excuses(member.key) {
            continue;
        }
        out.put(&(member.key.len() as u32).to_le_bytes());
        member.key.unescape(|run| out.put(run));
        write(member.value, Deny::NONE, out);
    }
}

/// Length-prefixed text without a tag.
pub(super) fn put_text(text: &str, out: &mut impl Sink) {
    out.put(&(text.len() as u64).to_le_bytes());
    out.put(text.as_bytes());
}

fn put_piece(tag: u8, bytes: &[u8], out: &mut impl Sink) {
    out.put(&head(tag, bytes.len()));
    out.put(bytes);
}

/// Tag and length. The parser keeps every length within 32 bits.
fn head(tag: u8, len: usize) -> [u8; 5] {
    let [a, b, c, d] = (len as u32).to_le_bytes();
    [tag, a, b, c, d]
}
