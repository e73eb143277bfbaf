//! Pieces of JSON gathered into whole values: what an SDK does with the deltas of a stream.
//!
//! Owns the rules of gathering, by shape alone: strings grow, lists grow, objects gather member by
//! member, anything else is replaced by what came last, null never replaces anything. Texts are
//! joined as they are escaped, so no digit, escape or half of a surrogate pair is changed.

use tidegate_actors::json::{Kind, Node};

use super::write::{Obj, array, string};

/// A value under construction.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// JSON text that does not grow.
    Whole(Vec<u8>),
    /// Content of a string, as escaped.
    Text(Vec<u8>),
    /// Elements of a list, as JSON texts.
    List(Vec<Vec<u8>>),
    /// Members in order of appearance.
    Members(Members),
}

/// An object under construction.
#[derive(Debug, Clone, Default)]
pub(super) struct Members(Vec<(String, Piece)>);

/// How one member is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// By its shape, as the module says.
    Grow,
    /// The first value that is neither null nor empty stays: names and ids, which some upstreams
    /// repeat in every chunk.
    First,
    /// The last value that is not null.
    Last,
}

impl Piece {
    fn of(node: Node<'_>) -> Self {
        match node.kind() {
            Kind::String => Piece::Text(node.inner().unwrap_or_default().to_vec()),
            Kind::Array => Piece::List(node.elements().map(|element| element.raw().to_vec()).collect()),
            Kind::Object => {
                let mut members = Members::default();
                members.gather(node, |_| Rule::Grow);
                Piece::Members(members)
            }
            _ => Piece::Whole(node.raw().to_vec()),
        }
    }

    fn grow(&mut self, node: Node<'_>) {
        match (&mut *self, node.kind()) {
            (Piece::Text(text), Kind::String) => text.extend_from_slice(node.inner().unwrap_or_default()),
            (Piece::List(list), Kind::Array) => {
                list.extend(node.elements().map(|element| element.raw().to_vec()));
            }
            (Piece::Members(members), Kind::Object) => members.gather(node, |_| Rule::Grow),
            (_, Kind::Null) => {}
            _ => *self = Piece::of(node),
        }
    }

    fn is_blank(&self) -> bool {
        match self {
            Piece::Whole(text) => text == b"null",
            Piece::Text(text) => text.is_empty(),
            Piece::List(_) | Piece::Members(_) => false,
        }
    }

    fn write(&self) -> Vec<u8> {
        match self {
            Piece::Whole(text) => text.clone(),
            Piece::Text(inner) => string(inner),
            Piece::List(list) => array(list),
            Piece::Members(members) => members.write(),
        }
    }
}

impl Members {
    /// Gathers every member of `object` by the rule for its name.
    pub(super) fn gather(&mut self, object: Node<'_>, rule: impl Fn(&str) -> Rule) {
        for member in object.members() {
            let name = member.key.as_str().unwrap_or_default();
            self.add(&name, member.value, rule(&name));
        }
    }

    pub(super) fn add(&mut self, name: &str, value: Node<'_>, rule: Rule) {
        let Some((_, piece)) = self.0.iter_mut().find(|(known, _)| known == name) else {
            self.0.push((name.to_owned(), Piece::of(value)));
            return;
        };
        match rule {
            Rule::Grow => piece.grow(value),
            Rule::First if piece.is_blank() => *piece = Piece::of(value),
            Rule::First => {}
            Rule::Last if value.is_null() => {}
            Rule::Last => *piece = Piece::of(value),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Puts JSON text as a member, replacing what was there.
    pub(super) fn put(&mut self, name: &str, text: Vec<u8>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, piece)) => *piece = Piece::Whole(text),
            None => self.0.push((name.to_owned(), Piece::Whole(text))),
        }
    }

    /// Adds JSON texts to a list; anything but a list becomes one.
    pub(super) fn extend_list(&mut self, name: &str, more: Vec<Vec<u8>>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, Piece::List(list))) => list.extend(more),
            Some((_, piece)) => *piece = Piece::List(more),
            None => self.0.push((name.to_owned(), Piece::List(more))),
        }
    }

    /// Takes a member out and gives its JSON text.
    pub(super) fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1.write())
    }

    /// Appends every member to `out`.
    pub(super) fn write_into(&self, out: &mut Obj) {
        for (name, piece) in &self.0 {
            out.put(name, &piece.write());
        }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Obj::new();
        self.write_into(&mut out);
        out.finish()
    }
}
