//! A sketch of a request for explain: which field differs from that other request, without the
//! values.
//!
//! Owns paths and keyed hashes. It keeps no value and decides no key: two requests with the same
//! key have the same sketch, and two with different keys differ in at least one named path. The
//! hash is keyed against guessing by accident, it is no commitment against an attacker who knows
//! the salt.

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use super::{Deny, canon};
use crate::json::{Kind, Node, quote};

/// Entries of one sketch.
pub const MAX_FIELDS: usize = 64;
/// Last elements that are shown one by one when an array is too long to show whole.
const TAIL: usize = 8;

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
#[derive(Clone)]
struct Part<'a> {
    path: String,
    what: What<'a>,
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
        let mut parts = first_level(body, deny);
        while open_one_level(&mut parts) {}
        let mut fields = Fields::default();
        for part in &parts {
            fields.paths.push_str(&part.path);
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

fn first_level<'a>(body: Node<'a>, deny: Deny) -> Vec<Part<'a>> {
    if body.kind() != Kind::Object {
        return vec![Part { path: String::new(), what: What::Whole(body) }];
    }
    let members = body.sorted_members().filter(|member| !deny.excuses(member.key));
    let mut parts: Vec<_> = members.map(|member| child("", member.key, member.value)).collect();
    if parts.len() > MAX_FIELDS {
        // Nobody sends this in earnest: the rest is covered, under one path.
        parts = vec![Part { path: String::new(), what: What::Whole(body) }];
    }
    parts
}

/// Replaces every container that fits by its content, first come first served. False if none did.
fn open_one_level(parts: &mut Vec<Part<'_>>) -> bool {
    let mut opened = false;
    let mut at = 0;
    while at < parts.len() {
        let room = MAX_FIELDS - parts.len() + 1;
        let content = open(&parts[at], room);
        let step = content.len().max(1);
        if !content.is_empty() {
            opened = true;
            parts.splice(at..=at, content);
        }
        at += step;
    }
    opened
}

/// The content of a part, at most `room` parts of it; empty if it stays as it is.
fn open<'a>(part: &Part<'a>, room: usize) -> Vec<Part<'a>> {
    let What::Whole(node) = part.what else {
        return Vec::new();
    };
    let path = &part.path;
    match node.kind() {
        Kind::Object if node.len() <= room => {
            node.sorted_members().map(|member| child(path, member.key, member.value)).collect()
        }
        Kind::Array if !node.is_all_numbers() => open_array(path, node, room),
        _ => Vec::new(),
    }
}

fn open_array<'a>(path: &str, node: Node<'a>, room: usize) -> Vec<Part<'a>> {
    let shown = if node.len() <= room { node.len() } else { TAIL.min(room.saturating_sub(1)) };
    let hidden = node.len() - shown;
    if shown == 0 {
        return Vec::new();
    }
    let head =
        (hidden > 0).then(|| Part { path: format!("{path}[0..{hidden}]"), what: What::Head(node, hidden) });
    let tail = node.elements().enumerate().skip(hidden);
    let tail = tail.map(|(at, element)| Part { path: format!("{path}[{at}]"), what: What::Whole(element) });
    head.into_iter().chain(tail).collect()
}

/// `.name`, or `["odd name"]` where a plain name could be mistaken.
fn child<'a>(path: &str, key: Node<'a>, value: Node<'a>) -> Part<'a> {
    let name = key.as_str().unwrap_or_default();
    let plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-$".contains(&byte));
    let path = match (plain, path.is_empty()) {
        (true, true) => name.into_owned(),
        (true, false) => format!("{path}.{name}"),
        (false, _) => format!("{path}[{}]", quote(&name)),
    };
    Part { path, what: What::Whole(value) }
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
        What::Whole(node) => digest(salt, |out| canon::write(node, Deny::NONE, out)),
        What::Head(node, count) => digest(salt, |out| {
            node.elements().take(count).for_each(|element| canon::write(element, Deny::NONE, out));
        }),
    }
}

fn digest(salt: u64, write: impl FnOnce(&mut canon::Buffered<Xxh3>)) -> u64 {
    let mut out = canon::Buffered::new(Xxh3::with_seed(salt));
    write(&mut out);
    out.into_inner().digest()
}
