//! Owns the key a request was given before, for one that comes again. Must not decide what is part of a key:
//! [`Prefix`] does, and is compared whole.

use std::sync::OnceLock;

use crate::key::{BodyDigest, Key, Prefix};

/// The key of one body under the prefix it first came with; under any other it is made anew.
#[derive(Debug, Default)]
pub struct KnownKey(OnceLock<(Owned, Key)>);

impl KnownKey {
    /// What one takes at most, bytes.
    pub const MAX_BYTES: usize = 640;
    /// Texts of a prefix that is remembered, bytes; callers choose their headers.
    const MAX_TEXTS: usize = 400;

    /// The key of `digest`, always of the same body, under `prefix`.
    ///
    /// # Cost
    /// A comparison of the prefix; the first time, and under another prefix, two hashes. The first time allocates.
    pub fn under(&self, prefix: &Prefix<'_>, digest: &BodyDigest) -> Key {
        if self.0.get().is_none() && texts(prefix) > Self::MAX_TEXTS {
            return Key::new(prefix, digest);
        }
        let (owned, key) = self.0.get_or_init(|| (Owned::of(prefix), Key::new(prefix, digest)));
        if owned.is(prefix) { *key } else { Key::new(prefix, digest) }
    }
}

fn texts(prefix: &Prefix<'_>) -> usize {
    let headers: usize = prefix.headers.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
    [prefix.workspace, prefix.kind, prefix.provider, prefix.model].map(str::len).iter().sum::<usize>()
        + headers
}

#[derive(Debug)]
struct Owned {
    /// Workspace, kind, provider, model.
    texts: [Box<str>; 4],
    headers: Box<[(Box<str>, Box<str>)]>,
    policy_version: u64,
    redaction_version: u64,
}

impl Owned {
    fn of(prefix: &Prefix<'_>) -> Self {
        // A new field must be kept here before this compiles.
        let Prefix { workspace, kind, provider, model, headers, policy_version, redaction_version } = *prefix;
        Self {
            texts: [workspace, kind, provider, model].map(Box::from),
            headers: headers.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
            policy_version,
            redaction_version,
        }
    }

    fn is(&self, prefix: &Prefix<'_>) -> bool {
        let Prefix { workspace, kind, provider, model, headers, policy_version, redaction_version } = *prefix;
        let texts = [workspace, kind, provider, model];
        policy_version == self.policy_version
            && redaction_version == self.redaction_version
            && self.texts.iter().zip(texts).all(|(own, other)| **own == *other)
            && self.headers.len() == headers.len()
            && self.headers.iter().zip(headers).all(|((name, value), other)| (&**name, &**value) == *other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: Prefix<'static> = Prefix {
        workspace: "default",
        kind: "openai.chat",
        provider: "up",
        model: "m",
        headers: &[("openai-beta", "a")],
        policy_version: 1,
        redaction_version: 2,
    };

    #[test]
    fn a_long_prefix_is_not_remembered_and_its_key_is_right() {
        let (known, digest, long) = (KnownKey::default(), BodyDigest([7; 32]), "x".repeat(1_000));
        let headers = [("openai-beta", long.as_str())];
        let prefix = Prefix { headers: &headers, ..PREFIX };
        assert_eq!(known.under(&prefix, &digest), Key::new(&prefix, &digest));
        assert!(known.0.get().is_none());
        assert!(size_of::<KnownKey>() + KnownKey::MAX_TEXTS <= KnownKey::MAX_BYTES);
    }

    #[test]
    fn a_known_key_is_the_key_under_every_prefix_whichever_came_first() {
        let digest = BodyDigest([7; 32]);
        let prefixes = [
            PREFIX,
            Prefix { workspace: "other", ..PREFIX },
            Prefix { kind: "anthropic.messages", ..PREFIX },
            Prefix { provider: "down", ..PREFIX },
            Prefix { model: "n", ..PREFIX },
            Prefix { headers: &[], ..PREFIX },
            Prefix { headers: &[("openai-beta", "b")], ..PREFIX },
            Prefix { headers: &[("openai-alpha", "a")], ..PREFIX },
            Prefix { policy_version: 3, ..PREFIX },
            Prefix { redaction_version: 3, ..PREFIX },
        ];
        for first in &prefixes {
            let known = KnownKey::default();
            known.under(first, &digest);
            for prefix in &prefixes {
                assert_eq!(
                    known.under(prefix, &digest),
                    Key::new(prefix, &digest),
                    "{first:?} then {prefix:?}"
                );
            }
        }
    }
}
