//! Owns the settings of who comes in and how: sign-in, proxies that may speak for others, demonstrations. Must not know
//! anybody.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use toml::de::DeValue;

use super::faults::{Faults, KeyPath};
use super::leaf::Leaf;
use super::reader::settings;
use super::server::{DataDir, LONGEST_MS, Listen};

settings! {
    /// `[access]`: who comes in, and how.
    pub struct Access {
        /// Proxies that say whose a request is and where it came from.
        trusted_proxies: Vec<Network> = Vec::new();
        /// Milliseconds a token of somebody who signed in is taken.
        token_ms: u64 = 900_000, in 1_000..=3_600_000;
        /// Milliseconds after which a session ends that nobody renewed.
        session_ms: u64 = 1_209_600_000, in 60_000..=LONGEST_MS;
        /// Sign-ins for one name that may fail a minute.
        failures_per_account: u64 = 10, in 1..=1_000_000;
        /// Sign-ins from one address that may fail a minute.
        failures_per_address: u64 = 60, in 1..=1_000_000;
        /// Whether `test_user` may sign in with `test_password`.
        demo: bool = false;
    }
}

impl Access {
    /// Rules with the sockets and what is kept.
    pub(crate) fn agree(&self, (listen, data): (&Listen, &DataDir), faults: &mut Faults) {
        let at = |section: &str, key: &str| KeyPath::root().key(section).key(key);
        let is_far = listen.ip().is_some_and(|ip| !ip.is_loopback());
        let message = format!(
            "{} can be reached from outside, and without data.keep = true there are no keys, so anybody could spend \
             your provider's money; use 127.0.0.1 or ::1",
            listen.host
        );
        faults.require(data.keep || !is_far, &at("listen", "host"), message);
        let message = format!(
            "test_user with a password that everybody knows is for this machine alone, and {} can be reached from \
             outside; use 127.0.0.1, or make a person with `tidegate user create`",
            listen.host
        );
        faults.require(!self.demo || !is_far, &at("access", "demo"), message);
        let message = "needs data.keep = true: sessions are stored there";
        faults.require(!self.demo || data.keep, &at("access", "demo"), message);
    }
}

/// An address, or all that begin alike: `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether `address` is in it. One of IPv4 may come written as one of IPv6.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.bits) == Some(self.address)
    }
}

/// The beginning of an address; nothing if it has fewer bits.
fn masked(address: IpAddr, bits: u8) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(address) => {
            let rest = 32_u32.checked_sub(bits.into())?;
            IpAddr::V4((address.to_bits() & u32::MAX.checked_shl(rest).unwrap_or(0)).into())
        }
        IpAddr::V6(address) => {
            let rest = 128_u32.checked_sub(bits.into())?;
            IpAddr::V6((address.to_bits() & u128::MAX.checked_shl(rest).unwrap_or(0)).into())
        }
    })
}

impl FromStr for Network {
    type Err = ();

    /// Bits beyond the mask must be zero: who writes `10.0.0.1/8` means one of two things.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| ())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let bits: u8 = bits.unwrap_or(whole);
        match masked(address, bits) {
            Some(beginning) if beginning == address => Ok(Self { address, bits }),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.address.is_ipv4() { 32 } else { 128 };
        match self.bits == whole {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.bits),
        }
    }
}

impl Leaf for Network {
    fn shape() -> String {
        "an address like \"10.1.2.3\" or a network like \"10.0.0.0/8\", with nothing set behind its bits"
            .to_owned()
    }
    fn decode(value: &DeValue<'_>) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
    fn show(&self) -> serde_json::Value {
        self.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.128/25", "192.0.2.200", "192.0.2.127"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:11.1.1.1"),
        ] {
            let read: Network = network.parse().expect(network);
            assert_eq!(read.to_string(), network);
            assert!(read.has(address(inside)), "{inside} in {network}");
            assert!(!read.has(address(outside)), "{outside} in {network}");
        }
    }

    #[test]
    fn what_could_mean_two_things_is_no_network() {
        for text in [
            "",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "localhost",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
