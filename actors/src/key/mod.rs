//! The identity of a call: canonical bytes, digests, keys.
//!
//! Owns what two requests must share to be the same request. It reads tokens of [`crate::json`],
//! never a value tree, and nothing here depends on the order of a map, on a clock or on chance: a
//! key is the same on every machine and in every version with the same [`KEY_VERSION`]
//! (`actors/tests/golden/keys.txt` pins it).

mod canon;
mod deny;
mod fields;
mod hasher;
mod known;
mod rendezvous;
mod sketch;
#[cfg(test)]
mod tests;

use std::fmt;

use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use crate::json::Node;

pub use canon::{Sink, write};
pub use deny::{Deny, Excused};
pub use fields::{Fields, MAX_FIELDS};
pub use hasher::{KeyHash, KeyHasher};
pub use known::KnownKey;
pub use rendezvous::{Score, rendezvous};
pub use sketch::Sketch;

/// Part of every key. Raise it whenever the canonical form or a deny-list changes: old entries are
/// then never found again, which is what has to happen to them.
pub const KEY_VERSION: u32 = 1;

/// SHA-256 of the canonical bytes of a request body, or of one item of an embedding request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyDigest(pub [u8; 32]);

impl BodyDigest {
    /// The digest of `body` without the top-level members that `deny` excuses.
    ///
    /// # Cost
    /// One pass, no allocation.
    pub fn of(body: Node<'_>, deny: Deny) -> Self {
        let mut out = canon::Buffered::new(Sha256::new());
        write(body, deny, &mut out);
        Self(out.into_inner().finalize().into())
    }

    /// The digest of one embedding item: `self` is the digest of everything else in the request.
    /// A text and a token list never share one, whatever they contain.
    pub fn item(&self, kind: ItemKind, item: Node<'_>) -> Self {
        let mut out = canon::Buffered::new(Sha256::new());
        out.put(b"item\0");
        out.put(&self.0);
        out.put(&[kind as u8]);
        write(item, Deny::NONE, &mut out);
        Self(out.into_inner().finalize().into())
    }

    /// Lower-case hex.
    pub fn hex(&self) -> String {
        Hex(&self.0).to_string()
    }
}

impl fmt::Debug for BodyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

/// What one item of an embedding request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ItemKind {
    /// A string.
    Text = b's',
    /// A list of token numbers.
    Tokens = b't',
}

/// Everything but the body that decides an answer.
#[derive(Debug, Clone, Copy)]
pub struct Prefix<'a> {
    /// From the verified credential, never from a header or body.
    pub workspace: &'a str,
    /// Door and operation, such as `openai.chat`: equal bodies mean different things elsewhere.
    pub kind: &'a str,
    /// The provider that answers.
    pub provider: &'a str,
    /// The model that really answers, in the provider's own words.
    pub model: &'a str,
    /// Affecting request headers, names in lower case. Their order does not matter; two values
    /// under one name keep theirs.
    pub headers: &'a [(&'a str, &'a str)],
    /// Version of the policy under which the answer was allowed.
    pub policy_version: u64,
    /// Version of the redaction rules applied to it.
    pub redaction_version: u64,
}

impl Prefix<'_> {
    /// Hashes the prefix once, for any number of bodies under it.
    pub fn keyer(&self) -> Keyer {
        let mut out = Tee { sha: Sha256::new(), xxh: Xxh3Default::new() };
        self.write(&mut out);
        Keyer(out)
    }

    fn write(&self, out: &mut impl Sink) {
        // A new field must be written here before this compiles: that is the point.
        let Prefix { workspace, kind, provider, model, headers, policy_version, redaction_version } = self;
        out.put(b"tidegate key ");
        out.put(&KEY_VERSION.to_le_bytes());
        for text in [workspace, kind, provider, model] {
            canon::put_text(text, out);
        }
        write_headers(headers, out);
        out.put(&policy_version.to_le_bytes());
        out.put(&redaction_version.to_le_bytes());
    }
}

/// Headers by name, then by position, without sorting a copy: there are only ever a few.
fn write_headers(headers: &[(&str, &str)], out: &mut impl Sink) {
    out.put(&(headers.len() as u32).to_le_bytes());
    let mut last = None;
    for _ in headers {
        let places = headers.iter().enumerate().map(|(at, (name, value))| (*name, at, *value));
        let next = places.filter(|(name, at, _)| last.is_none_or(|last| (*name, *at) > last));
        let Some((name, at, value)) = next.min() else {
            return;
        };
        canon::put_text(name, out);
        canon::put_text(value, out);
        last = Some((name, at));
    }
}

/// A hashed [`Prefix`], waiting for bodies.
#[derive(Clone)]
pub struct Keyer(Tee);

impl Keyer {
    /// The key of `body` under this prefix. No allocation.
    pub fn key(&self, body: &BodyDigest) -> Key {
        let mut out = self.0.clone();
        out.put(&body.0);
        Key { hash: out.xxh.digest128(), sha: out.sha.finalize().into() }
    }
}

/// Both hashes at once.
#[derive(Clone)]
struct Tee {
    sha: Sha256,
    xxh: Xxh3Default,
}

impl Sink for Tee {
    fn put(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.xxh.update(bytes);
    }
}

/// Finds an entry (`hash`) and proves that it is the right one (`sha`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// xxh3-128: where to look. Never identity.
    pub hash: u128,
    /// SHA-256: must match too, and is what leaves the process.
    pub sha: [u8; 32],
}

impl Key {
    /// The key of one body under `prefix`.
    pub fn new(prefix: &Prefix<'_>, body: &BodyDigest) -> Self {
        // Mostly all of it fits on the stack, and both hashes take it in one piece: a running xxh3 is larger than
        // what it hashes here.
        let mut short = canon::Short::new();
        prefix.write(&mut short);
        short.put(&body.0);
        match short.bytes() {
            Some(bytes) => Self { hash: xxh3_128(bytes), sha: Sha256::digest(bytes).into() },
            None => prefix.keyer().key(body),
        }
    }

    /// Lower-case hex of the SHA-256, as `x-tidegate-key` and purge have it.
    pub fn hex(&self) -> String {
        Hex(&self.sha).to_string()
    }

    /// The same, in ASCII and without an allocation.
    pub fn text(&self) -> [u8; 64] {
        Hex(&self.sha).text()
    }

    /// Reads what [`Key::hex`] wrote (upper case is accepted too).
    pub fn parse_sha(hex: &str) -> Option<[u8; 32]> {
        let mut sha = [0; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, pair) in sha.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let digit = |at: usize| (pair[at] as char).to_digit(16);
            *byte = (digit(0)? << 4 | digit(1)?) as u8;
        }
        Some(sha)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.sha), f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.sha), f)
    }
}

struct Hex<'a>(&'a [u8; 32]);

impl Hex<'_> {
    fn text(&self) -> [u8; 64] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}
