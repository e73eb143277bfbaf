//! A sketch of a request for explain: which field differs from that other request, without the
//! values.
//!
//! Owns paths and keyed hashes. It keeps no value and decides no key: two requests with the same
//! key have the same sketch, and two with different keys differ in at least one named path. The
//! hash is keyed against guessing by accident, it is no commitment against an attacker who knows
//! the salt.

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use super::{Deny, Sink, canon};
use crate::json::{Kind, Member, Node, quote_into};

/// Entries of one sketch.
pub const MAX_FIELDS: usize = 64;
/// Last elements that are shown one by one when an array is too long to show whole.
const TAIL: usize = 8;
/// Parts of a level for which there is room from the start.
const FEW: usize = 12;

/// Up to [`MAX_FIELDS`] (path, hash) pairs that together cover the whole request.
///
/// Leaves where the budget allows; a subtree too large for it is one entry under its own path, the
/// head of a long array one entry `messages[0..92]`. Order is canonical (keys sorted).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    /// All paths behind one another.
    paths: String,
    /// End of the path, hash.
    entries: Vec<(u32, u64)>,
}

/// A part of the request that becomes one entry, or is opened into several.
#[derive(Clone, Copy)]
struct Part<'a> {
    /// Where its path stands in [`Opening::names`].
    path: (usize, usize),
    what: What<'a>,
    /// It did not fit, or holds nothing: room only shrinks, so it is not looked at again.
    shut: bool,
}

#[derive(Clone, Copy)]
enum What<'a> {
    Whole(Node<'a>),
    /// The first elements of an array.
    Head(Node<'a>, usize),
}

impl Fields {
    /// The sketch of `body` without what `deny` excuses. `salt` is one per process (or per
    /// workspace): sketches under different salts cannot be compared.
    pub fn of(body: Node<'_>, deny: Deny, salt: u64) -> Self {
        let mut opening = Opening::of(body, deny);
        while opening.open_one_level() {}
        let Opening { names, parts, .. } = opening;
        let text = parts.iter().map(|part| part.path.1 - part.path.0).sum();
        let mut fields =
            Fields { paths: String::with_capacity(text), entries: Vec::with_capacity(parts.len()) };
        for part in &parts {
            fields.paths.push_str(&names[part.path.0..part.path.1]);
            fields.entries.push((fields.paths.len() as u32, hash(part.what, salt)));
        }
        fields
    }

    /// The pairs in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        let mut start = 0;
        self.entries.iter().map(move |(end, hash)| {
            let path = &self.paths[start..*end as usize];
            start = *end as usize;
            (path, *hash)
        })
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True for a request with nothing in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The paths in which `self` and `other` differ: present in one only, or with another value.
    /// Where one side shows more detail than the other the coarser path is named.
    pub fn diff(&self, other: &Fields) -> Vec<String> {
        let mut paths: Vec<&str> = one_sided(self, other).chain(one_sided(other, self)).collect();
        paths.sort_unstable();
        paths.dedup();
        let coarse: Vec<&str> = paths.clone();
        paths.retain(|path| !coarse.iter().any(|other| covers(other, path)));
        paths.into_iter().map(str::to_owned).collect()
    }

    /// Differing paths, as [`Fields::diff`], counted without naming them: how near two requests are.
    pub fn distance(&self, other: &Fields) -> usize {
        one_sided(self, other).count() + one_sided(other, self).count()
    }
}

fn one_sided<'a>(a: &'a Fields, b: &'a Fields) -> impl Iterator<Item = &'a str> {
    a.iter().filter(|pair| !b.iter().any(|other| other == *pair)).map(|(path, _)| path)
}

/// True if `inner` is a part of `outer`.
fn covers(outer: &str, inner: &str) -> bool {
    let rest = inner.strip_prefix(outer);
    rest.is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// A request being opened level by level. Every path ever made lies in one text, every level in one of two lists.
struct Opening<'a> {
    names: String,
    parts: Vec<Part<'a>>,
    /// The level being made; its room is used again.
    next: Vec<Part<'a>>,
}

impl<'a> Opening<'a> {
    fn of(body: Node<'a>, deny: Deny) -> Self {
        let names = String::with_capacity(256);
        let mut opening = Self { names, parts: Vec::with_capacity(FEW), next: Vec::with_capacity(FEW) };
        for member in body.sorted_members().filter(|member| !deny.excuses(member.key)) {
            opening.member((0, 0), member);
        }
        if body.kind() != Kind::Object || opening.next.len() > MAX_FIELDS {
            // Nobody sends this in earnest: the rest is covered, under one path.
            opening.next.clear();
            opening.names.clear();
            opening.push(0, What::Whole(body));
        }
        std::mem::swap(&mut opening.parts, &mut opening.next);
        opening
    }

    /// Replaces every container that fits by its content, first come first served. False if none did.
    fn open_one_level(&mut self) -> bool {
        let mut held = self.parts.len();
        let mut opened = false;
        self.next.clear();
        for at in 0..self.parts.len() {
            let part = self.parts[at];
            let before = self.next.len();
            if !part.shut {
                self.open(&part, MAX_FIELDS - held + 1);
            }
            match self.next.len() - before {
                0 => self.next.push(Part { shut: true, ..part }),
                content => {
                    opened = true;
                    held += content - 1;
                }
            }
        }
        std::mem::swap(&mut self.parts, &mut self.next);
        opened
    }

    /// Adds the content of a part, at most `room` parts of it; nothing if it stays as it is.
    fn open(&mut self, part: &Part<'a>, room: usize) {
        let What::Whole(node) = part.what else {
            return;
        };
        match node.kind() {
            Kind::Object if node.len() <= room => {
                node.sorted_members().for_each(|member| self.member(part.path, member));
            }
            Kind::Array if !node.is_all_numbers() => self.open_array(part.path, node, room),
            _ => {}
        }
    }

    fn open_array(&mut self, path: (usize, usize), node: Node<'a>, room: usize) {
        let shown = if node.len() <= room { node.len() } else { TAIL.min(room.saturating_sub(1)) };
        let hidden = node.len() - shown;
        if shown == 0 {
            return;
        }
        if hidden > 0 {
            let from = self.path_below(path);
            self.names.push_str("[0..");
            push_number(&mut self.names, hidden);
            self.names.push(']');
            self.push(from, What::Head(node, hidden));
        }
        for (at, element) in node.elements().enumerate().skip(hidden) {
            let from = self.path_below(path);
            self.names.push('[');
            push_number(&mut self.names, at);
            self.names.push(']');
            self.push(from, What::Whole(element));
        }
    }

    /// `.name`, or `["odd name"]` where a plain name could be mistaken.
    fn member(&mut self, path: (usize, usize), member: Member<'a>) {
        let name = member.key.as_str().unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$');
        let plain = !name.is_empty() && name.bytes().all(is_plain);
        let from = self.path_below(path);
        if plain {
            if path.0 < path.1 {
                self.names.push('.');
            }
            self.names.push_str(&name);
        } else {
            self.names.push('[');
            quote_into(&name, &mut self.names);
            self.names.push(']');
        }
        self.push(from, What::Whole(member.value));
    }

    /// Begins a path with another one; gives where it begins.
    fn path_below(&mut self, path: (usize, usize)) -> usize {
        let from = self.names.len();
        self.names.extend_from_within(path.0..path.1);
        from
    }

    /// Adds what has the path from `from` to the end of the names.
    fn push(&mut self, from: usize, what: What<'a>) {
        let shut = match what {
            What::Whole(node) => !matches!(node.kind(), Kind::Object | Kind::Array),
            What::Head(..) => true,
        };
        self.next.push(Part { path: (from, self.names.len()), what, shut });
    }
}

fn push_number(out: &mut String, number: usize) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    out.push(char::from(b'0' + (number % 10) as u8));
}

fn hash(what: What<'_>, salt: u64) -> u64 {
    match what {
        // The common leaf, in one shot.
        What::Whole(node) if node.kind() == Kind::String && !node.is_escaped() => {
            xxh3_64_with_seed(node.inner().unwrap_or_default(), salt ^ u64::from(b'"'))
        }
        What::Whole(node) if node.kind() == Kind::String => {
            let mut state = Xxh3::with_seed(salt ^ u64::from(b'"'));
            node.unescape(|run| state.update(run));
            state.digest()
        }
        What::Whole(node) | What::Head(node, _) => {
            // Mostly it fits on the stack: a running hash is larger than what it hashes here.
            let mut short = canon::Short::new();
            if node.raw().len() <= canon::HELD {
                put(what, &mut short);
                if let Some(bytes) = short.bytes() {
                    return xxh3_64_with_seed(bytes, salt);
                }
            }
            let mut out = canon::Buffered::new(Xxh3::with_seed(salt));
            put(what, &mut out);
            out.into_inner().digest()
        }
    }
}

fn put(what: What<'_>, out: &mut impl Sink) {
    match what {
        What::Whole(node) => canon::write(node, Deny::NONE, out),
        What::Head(node, count) => {
            node.elements().take(count).for_each(|element| canon::write(element, Deny::NONE, out));
        }
    }
}
