//! The credentials of one provider: which key the next request carries.
//!
//! Owns the turn order and the bench of keys the upstream refused; it never shows a key, and sends
//! nothing itself.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hyper::header::HeaderValue;
use tidegate_actors::ports::clock::Tick;
use tidegate_actors::ports::provider::{Fault, FaultKind};

/// How long a key rests after the upstream refused it outright.
const REFUSED: Duration = Duration::from_secs(60);
/// How long a key rests after a 429 that does not say.
const BUSY: Duration = Duration::from_secs(1);

/// The keys of one provider, taken in turn.
///
/// A key that was refused or rate limited rests for a while; if all rest, the one that is nearest
/// to its end is used, so a provider with one key always asks.
pub(super) struct Keys {
    keys: Vec<Key>,
    turn: AtomicUsize,
}

struct Key {
    value: HeaderValue,
    rests_until: AtomicU64,
}

/// A key in use; says afterwards how it fared.
#[derive(Clone, Copy)]
pub(super) struct Chosen(usize);

impl Keys {
    /// Keys, each sent behind `prefix`. None at all means requests go without a credential.
    ///
    /// # Errors
    /// The position, from 1, of a key that cannot stand in a header.
    pub(super) fn new<'a>(prefix: &str, secrets: impl IntoIterator<Item = &'a str>) -> Result<Self, usize> {
        let mut keys = Vec::new();
        for (at, secret) in secrets.into_iter().enumerate() {
            let mut value = HeaderValue::try_from(format!("{prefix}{secret}")).map_err(|_| at + 1)?;
            value.set_sensitive(true);
            keys.push(Key { value, rests_until: AtomicU64::new(0) });
        }
        Ok(Self { keys, turn: AtomicUsize::new(0) })
    }

    /// Whether there is a key at all.
    pub(super) fn any(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The key whose turn it is, skipping those that rest.
    pub(super) fn next(&self, now: impl FnOnce() -> Tick) -> Option<(Chosen, &HeaderValue)> {
        let count = self.keys.len();
        if count <= 1 {
            return self.keys.first().map(|key| (Chosen(0), &key.value)); // rests or not
        }
        let now = now();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let in_turn = (0..count).map(|step| (turn.wrapping_add(step)) % count);
        let rest = |at: &usize| self.keys[*at].rests_until.load(Ordering::Relaxed);
        let chosen = in_turn.clone().find(|at| rest(at) <= now.0).or_else(|| in_turn.min_by_key(rest))?;
        Some((Chosen(chosen), &self.keys[chosen].value))
    }

    /// Benches the key if `fault` is about it.
    pub(super) fn learn(&self, chosen: Chosen, fault: &Fault, now: Tick) {
        let rest = match fault.kind {
            FaultKind::Credential { .. } => REFUSED,
            FaultKind::Busy { status: 429 } => fault.retry_after.unwrap_or(BUSY),
            _ => return,
        };
        self.keys[chosen.0].rests_until.store(now.plus(rest).0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::new("", ["a", "b", "c"]).expect("plain text")
    }

    fn take(keys: &Keys, now: u64, times: usize) -> String {
        let names =
            (0..times).map(|_| keys.next(|| Tick(now)).expect("there are keys").1.to_str().expect("ascii"));
        names.collect()
    }

    fn refuse(keys: &Keys, name: &str, fault: &Fault) {
        let at = keys.keys.iter().position(|key| key.value == name).expect("known");
        keys.learn(Chosen(at), fault, Tick(0));
    }

    #[test]
    fn keys_take_turns() {
        assert_eq!(take(&keys(), 0, 7), "abcabca");
    }

    #[test]
    fn a_refused_key_rests_for_a_minute() {
        let keys = keys();
        refuse(&keys, "b", &Fault::new(FaultKind::Credential { status: 401 }, "no"));
        assert!(!take(&keys, 59_999_999_999, 9).contains('b'));
        assert!(take(&keys, 60_000_000_000, 3).contains('b'));
    }

    #[test]
    fn a_busy_key_rests_as_long_as_the_upstream_said() {
        let keys = keys();
        let busy = Fault::new(FaultKind::Busy { status: 429 }, "slow down");
        refuse(&keys, "a", &busy.with_retry_after(Some(Duration::from_secs(7))));
        assert!(!take(&keys, 6_999_999_999, 9).contains('a'));
        assert!(take(&keys, 7_000_000_000, 3).contains('a'));
    }

    #[test]
    fn when_all_keys_rest_the_first_to_wake_is_used() {
        let keys = keys();
        let busy = |seconds| {
            Fault::new(FaultKind::Busy { status: 429 }, "slow")
                .with_retry_after(Some(Duration::from_secs(seconds)))
        };
        refuse(&keys, "a", &busy(9));
        refuse(&keys, "b", &busy(3));
        refuse(&keys, "c", &busy(5));
        assert_eq!(take(&keys, 1, 3), "bbb");
    }

    #[test]
    fn a_fault_of_the_request_benches_no_key() {
        let keys = keys();
        refuse(&keys, "a", &Fault::new(FaultKind::Rejected { status: 400 }, "bad"));
        assert_eq!(take(&keys, 0, 3), "abc");
    }

    #[test]
    fn a_key_that_cannot_be_a_header_is_named_by_position() {
        assert_eq!(Keys::new("", ["a", "b\n"]).err(), Some(2));
    }
}
