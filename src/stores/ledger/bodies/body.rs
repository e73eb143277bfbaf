//! One body as it is kept: secrets masked, named by its SHA-256, packed where that is worth it. Pure.

use std::borrow::Cow;

use bytes::Bytes;
use regex::bytes::Regex;
use sha2::{Digest, Sha256};

/// Bodies of at most so many bytes are not packed.
const PLAIN_BYTES: usize = 1 << 10;
/// Stands where a secret stood, as in what upstreams say.
const MASK: &[u8] = b"***";
/// What is told from any other text by its form: keys of Tidegate and of vendors, tokens of code hosts and chats, signed tokens,
/// what follows `Bearer`, and private keys.
const SECRETS: &str = concat!(
    r"tg_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}",
    r"|\bsk-[0-9A-Za-z_-]{16,}",
    r"|\b(?:gh[opsu]|github_pat|glpat|xox[abeprs])[_-][0-9A-Za-z_-]{16,}",
    r"|\bAKIA[0-9A-Z]{16}\b",
    r"|\bAIza[0-9A-Za-z_-]{35}",
    r"|\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}",
    r"|(?i:\bbearer )[0-9A-Za-z._~+/=-]{16,}",
    r"|(?s:-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----.{1,8000}?-----END [A-Z ]{0,20}PRIVATE KEY-----)",
);

/// Finds secrets.
#[derive(Debug)]
pub(super) struct Mask(Regex);

impl Mask {
    pub(super) fn new() -> Result<Self, regex::Error> {
        Ok(Self(regex::bytes::RegexBuilder::new(SECRETS).unicode(false).build()?))
    }

    /// The text without its secrets.
    pub(super) fn over<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        self.0.replace_all(text, MASK)
    }
}

/// A body as it lies in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    /// Of the whole body.
    pub(super) sha: [u8; 32],
    /// Bytes of the whole body.
    pub(super) length: usize,
    pub(super) is_packed: bool,
    pub(super) bytes: Vec<u8>,
}

impl Packed {
    pub(super) fn of(body: &[u8]) -> Self {
        let sha = Sha256::digest(body).into();
        let packed = (body.len() > PLAIN_BYTES).then(|| lz4_flex::block::compress(body));
        let packed = packed.filter(|packed| packed.len() < body.len());
        let is_packed = packed.is_some();
        Self { sha, length: body.len(), is_packed, bytes: packed.unwrap_or_else(|| body.to_vec()) }
    }

    /// The whole body; nothing if this is not what was kept.
    pub(super) fn open(self) -> Option<Bytes> {
        let Self { sha, length, is_packed, bytes } = self;
        let body = match is_packed {
            true => lz4_flex::block::decompress(&bytes, length).ok()?,
            false => bytes,
        };
        (sha == <[u8; 32]>::from(Sha256::digest(&body))).then(|| body.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_whatever_stands_around_them_and_nothing_else_is() {
        let mask = Mask::new().expect("it can be built");
        let over = |text: &str| String::from_utf8(mask.over(text.as_bytes()).into_owned()).expect("UTF-8");
        let own = format!("tg_{}_{}", "a1".repeat(4), "x".repeat(43));
        for secret in [
            own.as_str(),
            "sk-proj-abcdefghijklmnopqrstuv",
            "sk-ant-api03-abcdefghijklmnop",
            "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            "AKIAABCDEFGHIJKLMNOP",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
            r"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        ] {
            assert_eq!(
                over(&format!(r#"{{"a":"use {secret}","b":1}}"#)),
                r#"{"a":"use ***","b":1}"#,
                "{secret}"
            );
        }
        assert_eq!(over("authorization: Bearer abcdefghijklmnop1234"), "authorization: ***");
        for plain in
            ["ask-me-anything-about-this", "the bearer of news", "risk-free-investments-for-all", "tg_short"]
        {
            assert_eq!(over(plain), plain);
        }
    }

    #[test]
    fn a_body_comes_back_as_it_was_and_a_damaged_one_never() {
        for body in [Vec::new(), vec![7; 10], vec![7; 5_000], (0..5_000).map(|n| (n * n) as u8).collect()] {
            let packed = Packed::of(&body);
            assert_eq!(packed.is_packed, packed.bytes.len() < body.len());
            assert!(body.len() > PLAIN_BYTES || !packed.is_packed, "small bodies are as they are");
            assert_eq!(packed.clone().open().as_deref(), Some(&*body));
            for at in 0..packed.bytes.len().min(64) {
                let mut broken = packed.clone();
                broken.bytes[at] ^= 1;
                assert!(broken.open().is_none_or(|read| read == body), "never as something else");
            }
        }
    }
}
