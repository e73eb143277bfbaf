//! JSON text written member by member.
//!
//! Owns commas and quotes. Values that come from somewhere else are copied as they stand.

use tidegate_actors::json::{Node, quote};

/// An object under construction.
#[derive(Debug)]
pub(super) struct Obj {
    out: Vec<u8>,
}

impl Obj {
    pub(super) fn new() -> Self {
        Self { out: vec![b'{'] }
    }

    /// Appends a member whose value is the JSON text `value`.
    pub(super) fn raw(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.put(name, value.as_ref());
        self
    }

    /// Appends a member whose value is the string `text`.
    pub(super) fn str(self, name: &str, text: &str) -> Self {
        self.raw(name, quote(text))
    }

    /// Appends a member whose value is a string or null.
    pub(super) fn opt_str(self, name: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.str(name, text),
            None => self.raw(name, "null"),
        }
    }

    /// Appends a member whose value is a number.
    pub(super) fn num(self, name: &str, number: u64) -> Self {
        self.raw(name, number.to_string())
    }

    pub(super) fn put(&mut self, name: &str, value: &[u8]) {
        self.put_raw(quote(name).as_bytes(), value);
    }

    /// As `put`; `name` is quoted already.
    pub(super) fn put_raw(&mut self, name: &[u8], value: &[u8]) {
        if self.out.len() > 1 {
            self.out.push(b',');
        }
        self.out.extend_from_slice(name);
        self.out.push(b':');
        self.out.extend_from_slice(value);
    }

    /// Appends a member under the name `key`, spelled as it was.
    pub(super) fn raw_key(mut self, key: Node<'_>, value: impl AsRef<[u8]>) -> Self {
        self.put_raw(&string(key.inner().unwrap_or_default()), value.as_ref());
        self
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }
}

/// `[a,b,..]` of JSON texts.
pub(super) fn array<T: AsRef<[u8]>>(elements: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut out = vec![b'['];
    for element in elements {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(element.as_ref());
    }
    out.push(b']');
    out
}

/// A JSON string from its escaped content.
pub(super) fn string(inner: &[u8]) -> Vec<u8> {
    [b"\"", inner, b"\""].concat()
}
