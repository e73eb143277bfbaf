//! Owns how often somebody may try to sign in: so many failures a minute for an account and for an address, exact at a stopped
//! clock. Must not know whether an account is there.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use parking_lot::Mutex;
use tidegate_actors::ports::clock::Tick;

use super::limit::Bucket;

/// Accounts, and addresses, whose failures are counted one by one. All others share one count then.
const COUNTED: usize = 10_000;

/// Counts failures.
pub(super) struct Throttle {
    per_account: u64,
    per_address: u64,
    failures: Mutex<Failures>,
}

#[derive(Default)]
struct Failures {
    of_accounts: Counts<String>,
    of_addresses: Counts<IpAddr>,
}

struct Counts<K> {
    each: HashMap<K, Bucket>,
    others: Bucket,
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self { each: HashMap::new(), others: Bucket::default() }
    }
}

impl<K: std::hash::Hash + Eq + Clone> Counts<K> {
    fn of(&mut self, key: &K, limit: u64, now: Tick) -> &mut Bucket {
        if self.each.len() >= COUNTED && !self.each.contains_key(key) {
            self.each.retain(|_, bucket| bucket.quota(limit, now).reset > Duration::ZERO);
        }
        if self.each.len() >= COUNTED && !self.each.contains_key(key) {
            return &mut self.others;
        }
        self.each.entry(key.clone()).or_default()
    }
}

impl Throttle {
    pub(super) fn new(per_account: u64, per_address: u64) -> Self {
        Self { per_account, per_address, failures: Mutex::default() }
    }

    /// Counts a try as a failure until it is [`Throttle::forgive`]n, so that those under way count.
    ///
    /// # Errors
    /// How long to wait; nothing was counted then.
    pub(super) fn enter(&self, account: &str, from: IpAddr, now: Tick) -> Result<(), Duration> {
        let mut failures = self.failures.lock();
        let (account, address) = (account.to_owned(), network(from));
        failures.of_accounts.of(&account, self.per_account, now).take(1, self.per_account, now)?;
        let taken = failures.of_addresses.of(&address, self.per_address, now).take(1, self.per_address, now);
        if taken.is_err() {
            failures.of_accounts.of(&account, self.per_account, now).give(1);
        }
        taken
    }

    /// It was no failure.
    pub(super) fn forgive(&self, account: &str, from: IpAddr, now: Tick) {
        let mut failures = self.failures.lock();
        failures.of_accounts.of(&account.to_owned(), self.per_account, now).give(1);
        failures.of_addresses.of(&network(from), self.per_address, now).give(1);
    }
}

/// What one household or machine has: an address of IPv4, the upper half of one of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Tick = Tick(7);

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn at_a_stopped_clock_exactly_as_many_may_fail_as_the_limits_say() {
        let throttle = Throttle::new(3, 5);
        for last in 0..3 {
            assert_eq!(throttle.enter("anna", address(last), NOW), Ok(()), "from wherever");
        }
        assert_eq!(throttle.enter("anna", address(9), NOW), Err(Duration::from_secs(20)));
        assert_eq!(throttle.enter("anna", address(9), NOW.plus_ms(20_000)), Ok(()));

        let throttle = Throttle::new(3, 5);
        for n in 0..5 {
            assert_eq!(throttle.enter(&format!("name {n}"), address(1), NOW), Ok(()));
        }
        assert_eq!(throttle.enter("bert", address(1), NOW), Err(Duration::from_secs(12)), "whoever it is");
        for _ in 0..3 {
            assert_eq!(
                throttle.enter("bert", address(2), NOW),
                Ok(()),
                "a refusal counted nothing for the account"
            );
        }
    }

    #[test]
    fn those_who_sign_in_well_are_not_counted() {
        let throttle = Throttle::new(2, 2);
        for _ in 0..100 {
            assert_eq!(throttle.enter("anna", address(1), NOW), Ok(()));
            throttle.forgive("anna", address(1), NOW);
        }
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let throttle = Throttle::new(100, 2);
        let v6 = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        assert!(throttle.enter("a", v6(1), NOW).is_ok() && throttle.enter("b", v6(2), NOW).is_ok());
        assert!(throttle.enter("c", v6(3), NOW).is_err());
        let mapped = "::ffff:192.0.2.1".parse().expect("an address");
        assert!(throttle.enter("d", mapped, NOW).is_ok() && throttle.enter("e", address(1), NOW).is_ok());
        assert!(throttle.enter("f", mapped, NOW).is_err());
    }

    #[test]
    fn a_flood_of_names_takes_no_more_memory_than_was_set_aside_and_frees_nobody() {
        let throttle = Throttle::new(1, u64::MAX / 2);
        assert!(throttle.enter("anna", address(1), NOW).is_ok());
        for n in 0..COUNTED + 100 {
            let _ = throttle.enter(&n.to_string(), address(1), NOW);
        }
        assert_eq!(throttle.failures.lock().of_accounts.each.len(), COUNTED);
        assert!(throttle.enter("anna", address(1), NOW).is_err(), "who failed is not forgotten");
        assert!(throttle.enter("one more", address(1), NOW).is_err(), "all others share one count");
        assert!(throttle.enter("later", address(1), NOW.plus_ms(60_001)).is_ok());
    }
}
