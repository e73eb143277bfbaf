//! Owns passwords: what may be one, and how one is hashed and compared (argon2id) off the threads that serve, at most two at
//! once. Must not know whose it is, and lets none come into a log.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::{self, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Argon2, PasswordHash as Phc};
use tokio::sync::{Semaphore, TryAcquireError};

/// Fewest and most bytes of a password (NIST SP 800-63B, 5.1.1.2, asks for eight).
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=1_024;
/// Hashes that are computed at once: each takes 19 MiB and a processor.
const AT_ONCE: usize = 2;
/// Hashes that may wait for their turn.
const WAITING: usize = 64;

/// What an unknown name's password is compared with, so that it takes as long as a known one's. Of the parameters that
/// [`Argon2::default`] has (a test compares), and of no password.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$dGlkZWdhdGVkZWNveXNhbA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password as somebody typed it. Not `Debug`.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// A password somebody may have.
    ///
    /// # Errors
    /// It is too short or too long; says the limits, not the password.
    pub fn new(text: &str) -> Result<Self, BadPassword> {
        match LENGTHS.contains(&text.len()) {
            true => Ok(Self(text.to_owned())),
            false => Err(BadPassword(text.len())),
        }
    }
}

/// Nobody may have this as a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password must have 8 to 1024 bytes, got {0}")]
pub struct BadPassword(usize);

/// argon2id of a password, in PHC's notation.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// As it was stored.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// As it is stored.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Why nothing was hashed or compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHashed {
    /// Too many wait for that.
    #[error("{WAITING} sign-ins wait already; come back in a moment")]
    Busy,
    /// It cannot be done.
    #[error("a password cannot be hashed: {0}")]
    Broken(String),
}

/// Where passwords are hashed.
pub(super) struct Hashing {
    running: Arc<Semaphore>,
    places: Semaphore,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(AT_ONCE)), places: Semaphore::new(AT_ONCE + WAITING) }
    }
}

impl Hashing {
    /// What is stored of a password.
    pub(super) async fn hash(&self, password: Password) -> Result<PasswordHash, NotHashed> {
        self.aside(move || {
            let mut salt = [0; 16];
            getrandom::fill(&mut salt).map_err(broken)?;
            let salt = SaltString::encode_b64(&salt).map_err(broken)?;
            let hash = Argon2::default().hash_password(password.0.as_bytes(), &salt).map_err(broken)?;
            Ok(PasswordHash(hash.to_string()))
        })
        .await
    }

    /// Whether `text` is the password of `hash`. Without a hash it never is, and takes as long.
    pub(super) async fn is(&self, text: &str, hash: Option<&PasswordHash>) -> Result<bool, NotHashed> {
        if text.len() > *LENGTHS.end() {
            return Ok(false); // nobody's
        }
        let text = text.to_owned();
        let (known, hash) = (hash.is_some(), hash.map_or(DECOY, PasswordHash::text).to_owned());
        self.aside(move || {
            let hash = Phc::new(&hash).map_err(broken)?;
            match Argon2::default().verify_password(text.as_bytes(), &hash) {
                Ok(()) => Ok(known),
                Err(password_hash::Error::Password) => Ok(false),
                Err(other) => Err(broken(other)),
            }
        })
        .await
    }

    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, NotHashed> + Send + 'static,
    ) -> Result<T, NotHashed> {
        let _place = match self.places.try_acquire() {
            Ok(place) => place,
            Err(TryAcquireError::NoPermits) => return Err(NotHashed::Busy),
            Err(closed) => return Err(broken(closed)),
        };
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(broken)?;
        // The turn goes along: whoever leaves does not make a third one begin.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.unwrap_or_else(|error| Err(broken(error)))
    }
}

fn broken(why: impl fmt::Display) -> NotHashed {
    NotHashed::Broken(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_no_other_is() {
        let hashing = Hashing::default();
        let password = Password::new("ebb and flow").expect("long enough");
        let hash = hashing.hash(password.clone()).await.expect("hashed");
        assert!(hash.text().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.text());
        assert_ne!(hash, hashing.hash(password).await.expect("hashed"), "each with a salt of its own");
        assert!(hashing.is("ebb and flow", Some(&hash)).await.expect("compared"));
        for wrong in ["ebb and flo", "ebb and flow ", ""] {
            assert!(!hashing.is(wrong, Some(&hash)).await.expect("compared"), "{wrong:?}");
        }
        assert!(!hashing.is(&"x".repeat(2_000_000), Some(&hash)).await.expect("nobody's"));
        assert!(!format!("{hash:?}").contains("argon2"), "none comes into a log");
    }

    /// Else the time of an answer would tell which names there are.
    #[tokio::test]
    async fn an_unknown_name_costs_the_same_work_as_a_known_one() {
        let hashing = Hashing::default();
        let hash = hashing.hash(Password::new("ebb and flow").expect("long enough")).await.expect("hashed");
        let facts = |text: &str| {
            let hash = Phc::new(text).expect("PHC");
            let salt = hash.salt.expect("a salt").as_str().len();
            (
                hash.algorithm.to_string(),
                hash.version,
                hash.params.to_string(),
                salt,
                hash.hash.expect("a hash").len(),
            )
        };
        assert_eq!(facts(DECOY), facts(hash.text()));
        assert!(!hashing.is("", None).await.expect("compared"));
    }

    #[tokio::test]
    async fn two_are_hashed_at_once_a_few_wait_and_one_more_is_refused() {
        let hashing = Hashing::default();
        let turns = Arc::clone(&hashing.running).acquire_many_owned(2).await.expect("free");
        let asked: Vec<_> = (0..AT_ONCE + WAITING).map(|_| hashing.aside(|| Ok(()))).collect();
        let mut asked: Vec<_> = asked.into_iter().map(Box::pin).collect();
        for one in &mut asked {
            assert!(futures_util::poll!(one).is_pending());
        }
        assert_eq!(hashing.aside(|| Ok(())).await, Err(NotHashed::Busy));
        drop(turns);
        for one in asked {
            assert_eq!(one.await, Ok(()));
        }
        assert_eq!(hashing.aside(|| Ok(())).await, Ok(()));
    }

    #[test]
    fn a_refused_password_is_not_repeated() {
        for text in ["1234567", &"x".repeat(1_025)] {
            let refused = Password::new(text).err().expect("refused").to_string();
            assert!(refused.contains("8 to 1024 bytes") && !refused.contains(text), "{refused}");
        }
    }
}
