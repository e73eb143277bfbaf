//! A parsed document and the cursors that walk it.
//!
//! Owns access only: a [`Node`] is a copyable view into the document's bytes and never allocates,
//! except where a string has escapes to undo.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::scan::{self, NONE, Slot};
use super::text::{self, Unescaped};
use super::{JsonFault, JsonLimits};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number, kept as its text.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
    /// The name of a member.
    Key,
}

impl Kind {
    /// The kind as an error message calls it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::True | Kind::False => "a boolean",
            Kind::Number => "a number",
            Kind::String => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
            Kind::Key => "a key",
        }
    }
}

/// One JSON text and the arena of spans into it. Cloning copies the arena, not the text.
#[derive(Clone)]
pub struct Document {
    raw: Bytes,
    slots: Vec<Slot>,
}

impl Document {
    /// Parses `raw` as exactly one JSON text.
    ///
    /// # Errors
    /// The first [`JsonFault`]: anything RFC 8259 refuses, a duplicate key, or a limit passed.
    ///
    /// # Cost
    /// Linear in the text, one allocation (more only for objects of over 32 members).
    pub fn parse(raw: Bytes, limits: JsonLimits) -> Result<Self, JsonFault> {
        let slots = scan::scan(&raw, limits)?;
        Ok(Self { raw, slots })
    }

    /// The text as it came.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The outermost value.
    pub fn root(&self) -> Node<'_> {
        self.node(0)
    }

    /// The same document over a copy of its text: keeps nothing else alive, such as the buffer it was read into.
    pub fn detached(&self) -> Self {
        Self { raw: Bytes::copy_from_slice(&self.raw), slots: self.slots.clone() }
    }

    /// Values and keys held in the arena.
    pub fn nodes(&self) -> usize {
        self.slots.len()
    }

    /// Bytes this document keeps alive.
    pub fn footprint(&self) -> usize {
        self.raw.len() + self.slots.capacity() * size_of::<Slot>()
    }

    fn node(&self, index: u32) -> Node<'_> {
        Node { doc: self, slot: self.slots[index as usize], index }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes, {} nodes)", self.raw.len(), self.slots.len())
    }
}

/// A view of one value.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    doc: &'a Document,
    slot: Slot,
    /// `NONE` for an element of a packed array, which has no slot of its own.
    index: u32,
}

impl<'a> Node<'a> {
    /// What the value is.
    pub fn kind(&self) -> Kind {
        self.slot.kind
    }

    /// Where the value stands in the text, quotes and brackets included.
    pub fn span(&self) -> std::ops::Range<usize> {
        self.slot.start as usize..self.slot.end as usize
    }

    /// The value's own text.
    pub fn raw(&self) -> &'a [u8] {
        &self.doc.raw[self.span()]
    }

    /// The value's own text, sharing the document's buffer.
    pub fn raw_bytes(&self) -> Bytes {
        self.doc.raw.slice(self.span())
    }

    /// Members of an object, elements of an array, unescaped bytes of a string; 0 for the rest.
    pub fn len(&self) -> usize {
        self.slot.len as usize
    }

    /// True for an empty object, array or string.
    pub fn is_empty(&self) -> bool {
        self.slot.len == 0
    }

    /// True for `null`.
    pub fn is_null(&self) -> bool {
        self.slot.kind == Kind::Null
    }

    /// True for `true`, false for `false`.
    pub fn as_bool(&self) -> Option<bool> {
        match self.slot.kind {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    /// The digits as they stand.
    pub fn number_text(&self) -> Option<&'a str> {
        (self.slot.kind == Kind::Number).then(|| std::str::from_utf8(self.raw()).unwrap_or_default())
    }

    /// A number that is a plain non-negative integer (`3`, not `3.0`).
    pub fn as_u64(&self) -> Option<u64> {
        self.number_text()?.parse().ok()
    }

    /// The text between the quotes, escapes still in it.
    pub fn inner(&self) -> Option<&'a [u8]> {
        matches!(self.slot.kind, Kind::String | Kind::Key).then(|| scan::inner(&self.doc.raw, &self.slot))
    }

    /// True for a string (or key) that is written with at least one escape.
    pub fn is_escaped(&self) -> bool {
        self.slot.escaped
    }

    /// The string unescaped. A lone surrogate becomes U+FFFD: use [`Node::unescape`] where two of
    /// them must not look alike.
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        let inner = self.inner()?;
        if !self.slot.escaped {
            return Some(Cow::Borrowed(std::str::from_utf8(inner).unwrap_or_default()));
        }
        let mut bytes = Vec::with_capacity(self.len());
        text::unescape_into(inner, |run| bytes.extend_from_slice(run));
        let text = String::from_utf8(bytes).unwrap_or_else(|bad| lossy(bad.as_bytes()));
        Some(Cow::Owned(text))
    }

    /// The string unescaped to WTF-8, handed over in runs without allocating. False (and nothing
    /// handed over) if this is not a string.
    pub fn unescape(&self, mut put: impl FnMut(&[u8])) -> bool {
        let Some(inner) = self.inner() else {
            return false;
        };
        if self.slot.escaped {
            text::unescape_into(inner, put);
        } else {
            put(inner);
        }
        true
    }

    /// True if this is a string whose meaning is `text`.
    pub fn is_str(&self, text: &str) -> bool {
        let Some(inner) = self.inner() else {
            return false;
        };
        if self.slot.escaped {
            return self.len() == text.len() && Unescaped::new(inner).eq(text.bytes());
        }
        inner == text.as_bytes()
    }

    /// Members in document order; nothing if this is not an object.
    pub fn members(&self) -> Members<'a> {
        let left = if self.slot.kind == Kind::Object { self.slot.len } else { 0 };
        Members { doc: self.doc, key: self.index.wrapping_add(1), left, sorted: false }
    }

    /// Members by the unescaped bytes of their keys, smallest first.
    pub fn sorted_members(&self) -> Members<'a> {
        let left = if self.slot.kind == Kind::Object { self.slot.len } else { 0 };
        Members { doc: self.doc, key: self.slot.link, left, sorted: true }
    }

    /// Elements in order; nothing if this is not an array.
    pub fn elements(&self) -> Elements<'a> {
        let left = if self.slot.kind == Kind::Array { self.slot.len } else { 0 };
        let next = if self.slot.packed { NONE } else { self.index.wrapping_add(1) };
        Elements { doc: self.doc, next, at: self.slot.start as usize + 1, left }
    }

    /// True for a non-empty array that holds nothing but numbers.
    pub fn is_all_numbers(&self) -> bool {
        self.slot.packed
    }

    /// The value of the member `key`.
    pub fn get(&self, key: &str) -> Option<Node<'a>> {
        let count = if self.slot.kind == Kind::Object { self.slot.len } else { 0 };
        let mut at = self.index.wrapping_add(1);
        for _ in 0..count {
            let slot = &self.doc.slots[at as usize];
            let value = &self.doc.slots[at as usize + 1];
            // The length first: it tells nearly all keys apart.
            if slot.len as usize == key.len() && self.doc.node(at).is_str(key) {
                return Some(Node { doc: self.doc, slot: *value, index: at + 1 });
            }
            at = value.after;
        }
        None
    }
}

/// Undoes WTF-8: every generalised surrogate (three bytes) becomes one U+FFFD.
fn lossy(wtf8: &[u8]) -> String {
    let mut out = String::with_capacity(wtf8.len());
    let mut rest = wtf8;
    loop {
        match std::str::from_utf8(rest) {
            Ok(text) => {
                out.push_str(text);
                return out;
            }
            Err(bad) => {
                let (good, tail) = rest.split_at(bad.valid_up_to());
                out.push_str(std::str::from_utf8(good).unwrap_or_default());
                out.push('\u{fffd}');
                rest = tail.get(3..).unwrap_or_default();
            }
        }
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.raw()))
    }
}

/// A key and its value.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The name; its kind is [`Kind::Key`].
    pub key: Node<'a>,
    /// The value.
    pub value: Node<'a>,
}

/// Iterator over the members of an object.
pub struct Members<'a> {
    doc: &'a Document,
    key: u32,
    left: u32,
    sorted: bool,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        self.left = self.left.checked_sub(1)?;
        let key = self.doc.node(self.key);
        let value = self.doc.node(self.key + 1);
        self.key = if self.sorted { key.slot.link } else { value.slot.after };
        Some(Member { key, value })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Members<'_> {}

/// Iterator over the elements of an array.
pub struct Elements<'a> {
    doc: &'a Document,
    /// The next slot, or `NONE` where elements are read from the text.
    next: u32,
    at: usize,
    left: u32,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        self.left = self.left.checked_sub(1)?;
        if self.next == NONE {
            return Some(self.packed_number());
        }
        let node = self.doc.node(self.next);
        self.next = node.slot.after;
        Some(node)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Elements<'_> {}

impl<'a> Elements<'a> {
    fn packed_number(&mut self) -> Node<'a> {
        let src = &self.doc.raw;
        let start = text::skip_space(src, self.at);
        let end = text::number_end(src, start).expect("the scan accepted this number");
        self.at = text::skip_space(src, end) + 1; // behind the comma or the bracket
        let slot = Slot {
            start: start as u32,
            end: end as u32,
            after: NONE,
            len: 0,
            link: NONE,
            kind: Kind::Number,
            escaped: false,
            packed: false,
        };
        Node { doc: self.doc, slot, index: NONE }
    }
}
