//! New bytes from a parsed object with some members set or removed.
//!
//! Owns splicing only. Every byte of a member that is not named stays as it was, white space and
//! escapes included; a new member goes behind the last one.

use super::cursor::{Kind, Member, Node};
use super::text::quote;

/// A list of changes to one object, applied at once by [`Edit::apply`]. A later change to the same
/// name replaces an earlier one.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
struct Change {
    name: String,
    to: To,
}

#[derive(Debug, Clone)]
enum To {
    Removed,
    Value(Vec<u8>),
    Inside(Edit),
}

impl Edit {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// True if nothing would change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Sets the member `name` to `value`, which must be one JSON text; it is copied as it stands.
    pub fn set(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref().to_vec();
        self.with(name, To::Value(value))
    }

    /// Sets the member `name` to the string `text`.
    pub fn set_str(self, name: &str, text: &str) -> Self {
        self.set(name, quote(text))
    }

    /// Removes the member `name` if it is there.
    pub fn remove(self, name: &str) -> Self {
        self.with(name, To::Removed)
    }

    /// Applies `edit` to the object in member `name`. A member that is absent, or holds anything
    /// but an object, becomes an object with what `edit` sets.
    pub fn inside(self, name: &str, edit: Edit) -> Self {
        self.with(name, To::Inside(edit))
    }

    fn with(mut self, name: &str, to: To) -> Self {
        self.changes.retain(|change| change.name != name);
        self.changes.push(Change { name: name.to_owned(), to });
        self
    }

    /// The object with the changes made. Anything but an object is taken as an empty one.
    pub fn apply(&self, object: Node<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(object.raw().len() + 64);
        self.write(object, &mut out);
        out
    }

    fn write(&self, object: Node<'_>, out: &mut Vec<u8>) {
        if object.kind() != Kind::Object {
            return self.write_fresh(out);
        }
        let (raw, base) = (object.raw(), object.span().start);
        let mut splice = Splice { out, raw, base, done: 0, kept: false };
        let mut found = vec![false; self.changes.len()];
        for member in object.members() {
            match self.changes.iter().position(|change| member.key.is_str(&change.name)) {
                None => splice.keep(member),
                Some(at) => {
                    found[at] = true;
                    splice.change(member, &self.changes[at].to);
                }
            }
        }
        splice.finish();
        let fresh = self.changes.iter().zip(found).filter(|(_, found)| !found);
        insert(out, raw, fresh.map(|(change, _)| change));
    }

    fn write_fresh(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{}");
        insert(out, b"{}", self.changes.iter());
    }
}

/// Copies an object member by member, dropping the comma that belongs to a dropped member.
struct Splice<'a> {
    out: &'a mut Vec<u8>,
    raw: &'a [u8],
    /// Where `raw` starts in the document.
    base: usize,
    /// Bytes of `raw` dealt with.
    done: usize,
    /// At least one member was copied.
    kept: bool,
}

impl Splice<'_> {
    fn keep(&mut self, member: Member<'_>) {
        self.gap(member);
        self.out.extend_from_slice(&self.raw[self.done..member.value.span().end - self.base]);
        self.done = member.value.span().end - self.base;
    }

    fn change(&mut self, member: Member<'_>, to: &To) {
        let value = member.value.span();
        if matches!(to, To::Removed) {
            if self.done == 0 {
                // The opening bracket and its space belong to the object.
                self.out.extend_from_slice(&self.raw[..member.key.span().start - self.base]);
            }
            self.done = value.end - self.base;
            return;
        }
        self.gap(member);
        self.out.extend_from_slice(&self.raw[self.done..value.start - self.base]);
        self.done = value.end - self.base;
        match to {
            To::Value(bytes) => self.out.extend_from_slice(bytes),
            To::Inside(edit) => edit.write(member.value, self.out),
            To::Removed => {}
        }
    }

    /// Copies what stands before `member`; the comma only if a member was kept before it.
    fn gap(&mut self, member: Member<'_>) {
        let key = member.key.span().start - self.base;
        if self.kept || self.done == 0 {
            self.out.extend_from_slice(&self.raw[self.done..key]);
        }
        self.done = key;
        self.kept = true;
    }

    fn finish(&mut self) {
        self.out.extend_from_slice(&self.raw[self.done..]);
    }
}

/// Puts new members behind the last one of the object that ends `out`.
fn insert<'c>(out: &mut Vec<u8>, raw: &[u8], fresh: impl Iterator<Item = &'c Change>) {
    let mut fresh = fresh.filter(|change| !matches!(change.to, To::Removed)).peekable();
    if fresh.peek().is_none() {
        return;
    }
    debug_assert!(raw.ends_with(b"}"));
    out.pop();
    let tail = out.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |at| at + 1);
    let space = out.split_off(tail);
    for change in fresh {
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        out.extend_from_slice(quote(&change.name).as_bytes());
        out.push(b':');
        match &change.to {
            To::Value(bytes) => out.extend_from_slice(bytes),
            To::Inside(edit) => edit.write_fresh(out),
            To::Removed => {}
        }
    }
    out.extend_from_slice(&space);
    out.push(b'}');
}
