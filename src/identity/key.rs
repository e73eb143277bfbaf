//! Owns the text of an API key, `tg_<8 id>_<43 base62>`: how one is made, recognised and compared. Must not keep one.

use sha2::{Digest, Sha256};

const MARK: &[u8] = b"tg_";
/// Characters by which its line is found.
pub(super) const SHORT: usize = 8;
/// Characters nobody can guess: 43 of 62 are 256 bits.
const SECRET: usize = 43;
const WHOLE: usize = MARK.len() + SHORT + 1 + SECRET;
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// An API key as it is shown, once. Not `Debug`, so that none comes into a log.
#[derive(Clone)]
pub struct ApiKey(String);

/// SHA-256 of a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyHash([u8; 32]);

impl ApiKey {
    /// A new key.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn fresh() -> std::io::Result<Self> {
        let mut text = String::with_capacity(WHOLE);
        text.push_str("tg_");
        push_random(&mut text, SHORT)?;
        text.push('_');
        push_random(&mut text, SECRET)?;
        Ok(Self(text))
    }

    /// The key itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The part by which its line is found.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[MARK.len()..MARK.len() + SHORT]
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(self.0.as_bytes())
    }
}

impl KeyHash {
    /// Of a text.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// In hex.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// From hex.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        unhex(hex).map(Self)
    }

    /// Whether both are of the same key; takes as long whether they are or not.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let differing = self.0.iter().zip(&other.0).fold(0, |all, (one, other)| all | (one ^ other));
        std::hint::black_box(differing) == 0
    }

    /// Eight of its bytes, as a number that tells keys apart.
    pub(super) fn number(&self) -> u64 {
        self.0.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte))
    }
}

/// 32 bytes from hex.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

/// The short part of what looks like a key of ours.
pub(super) fn short_of(text: &[u8]) -> Option<[u8; SHORT]> {
    if text.len() != WHOLE || !text.starts_with(MARK) || text[MARK.len() + SHORT] != b'_' {
        return None;
    }
    text[MARK.len()..MARK.len() + SHORT].try_into().ok()
}

/// Appends letters that are all equally likely.
fn push_random(text: &mut String, letters: usize) -> std::io::Result<()> {
    let end = text.len() + letters;
    let mut bytes = [0; 64];
    while text.len() < end {
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        // 248 is the largest multiple of 62 in a byte: what lies above would make the first letters likelier.
        let usable = bytes.iter().filter(|byte| **byte < 248);
        let chosen = usable.map(|byte| char::from(LETTERS[usize::from(byte % 62)]));
        text.extend(chosen.take(end - text.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_documented_form_and_no_two_are_alike() {
        let key = ApiKey::fresh().expect("random numbers");
        let parts: Vec<&str> = key.reveal().split('_').collect();
        assert_eq!((parts.len(), parts[0], parts[1].len(), parts[2].len()), (3, "tg", 8, 43));
        assert!(parts[1..].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_alphanumeric())));
        assert_eq!(short_of(key.reveal().as_bytes()).expect("ours"), key.short().as_bytes());
        assert_ne!(key.reveal(), ApiKey::fresh().expect("random numbers").reveal());
    }

    #[test]
    fn what_is_no_key_of_ours_has_no_short_part() {
        let key = ApiKey::fresh().expect("random numbers");
        let text = key.reveal();
        for other in
            ["", "tg_", "sk-proj-0123456789", &text[1..], &format!("{text}x"), &text.replace('_', "-")]
        {
            assert!(short_of(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_hash_survives_its_hex_and_differs_in_any_bit() {
        let hash = KeyHash::of(b"tide");
        let read = KeyHash::parse(&hash.hex()).expect("hex");
        assert!(read.is(&hash) && !KeyHash::of(b"tidE").is(&hash));
        assert!(KeyHash::parse("00").is_none() && KeyHash::parse(&"\u{e9}".repeat(32)).is_none());
        assert!(KeyHash::parse(&"xy".repeat(32)).is_none());
    }
}
