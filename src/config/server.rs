//! Owns the settings of the door itself: sockets, limits of what a client may send, the data directory. Must not know
//! the engine or any provider.

use std::net::IpAddr;

use toml::de::DeValue;

use super::faults::{Faults, KeyPath};
use super::leaf::Leaf;
use super::reader::settings;

/// Longest time any `*_ms` setting takes: 30 days, except where a section says otherwise.
pub(crate) const LONGEST_MS: u64 = 30 * 24 * 3600 * 1000;

/// Most bytes any `*_bytes` setting takes: 1 TiB.
pub(crate) const MOST_BYTES: usize = 1 << 40;

/// How many threads serve connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// One for each processor the process may use.
    Auto,
    /// Exactly so many.
    Count(u16),
}

impl Workers {
    /// The number of threads, at least 1.
    #[must_use]
    pub fn count(self) -> usize {
        match self {
            Self::Auto => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            Self::Count(count) => usize::from(count.max(1)),
        }
    }
}

impl Leaf for Workers {
    fn shape() -> String {
        "\"auto\" or an integer from 1 to 1024".to_owned()
    }
    fn decode(value: &DeValue<'_>) -> Option<Self> {
        if value.as_str() == Some("auto") {
            return Some(Self::Auto);
        }
        u16::decode(value).filter(|count| (1..=1024).contains(count)).map(Self::Count)
    }
    fn show(&self) -> serde_json::Value {
        match self {
            Self::Auto => "auto".into(),
            Self::Count(count) => (*count).into(),
        }
    }
}

settings! {
    /// `[listen]`: the sockets.
    pub struct Listen {
        /// Address to bind: an IP address or `localhost`.
        host: String = "127.0.0.1".to_owned();
        /// Main port; 0 takes a free one.
        port: u16 = 8080;
        /// Threads that serve connections.
        workers: Workers = Workers::Auto;
        /// More ports for the same router.
        compat: Vec<u16> = Vec::new();
        /// One listening socket per worker (`SO_REUSEPORT`) instead of one accepting thread.
        reuse_port: bool = false;
        /// Milliseconds an idle connection is kept.
        keep_alive_ms: u64 = 30_000, in 1..=LONGEST_MS;
        /// Milliseconds a client has for sending the head of a request.
        head_timeout_ms: u64 = 5_000, in 1..=LONGEST_MS;
        /// Connections per worker; more wait in the backlog.
        max_connections: usize = 25_000, in 1..=10_000_000;
        /// Connections the kernel holds that no worker has accepted yet.
        backlog: u32 = 2_048, in 1..=1_000_000;
        /// Milliseconds calls in progress get to end at shutdown.
        shutdown_ms: u64 = 10_000, in 1..=LONGEST_MS;
    }
}

impl Listen {
    /// The address to bind; `localhost` is 127.0.0.1. Nothing for a text that is neither.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        if self.host.eq_ignore_ascii_case("localhost") {
            return Some(IpAddr::from([127, 0, 0, 1]));
        }
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    pub(crate) fn agree(&self, at: &KeyPath, faults: &mut Faults) {
        let host = at.key("host");
        let message = format!("must be an IP address or \"localhost\", got {:?}", self.host);
        faults.require(self.ip().is_some(), &host, message);
        for (n, port) in self.compat.iter().enumerate() {
            let twice = *port == self.port || self.compat[..n].contains(port);
            faults.require(
                !twice && *port != 0,
                &at.key("compat"),
                format!("port {port} is 0 or bound twice"),
            );
        }
    }
}

settings! {
    /// `[limits]`: what one client may send. The head of a request is limited by the HTTP library: 96 headers and
    /// 128 KiB, not configurable.
    pub struct Limits {
        /// Bytes of one request body; more is refused with 413.
        body_bytes: usize = 33_554_432, in 1_024..=MOST_BYTES;
        /// Levels of arrays and objects in a JSON body.
        json_depth: usize = 64, in 4..=512;
        /// Items of one embeddings request.
        embed_items: usize = 2_048, in 1..=1_000_000;
        /// Tokens of one embeddings item, where the count is known exactly.
        embed_item_tokens: usize = 8_192, in 1..=100_000_000;
        /// Tokens of all items of one embeddings request, where the count is known exactly.
        embed_request_tokens: usize = 300_000, in 1..=1_000_000_000;
        /// Tags in `x-tidegate-tags` of one call.
        tags: usize = 16, in 1..=1_024;
        /// Bytes of requests remembered as parsed and hashed, over all workers; one that comes again byte for byte
        /// is not read again. One body takes a 64th of it at most.
        memo_bytes: usize = 33_554_432, in 1_024..=MOST_BYTES;
        /// Bytes of all request bodies held at once; a request that does not fit is refused, not queued.
        buffered_bytes: usize = 1_073_741_824, in 1_024..=MOST_BYTES;
    }
}

impl Limits {
    pub(crate) fn agree(&self, at: &KeyPath, faults: &mut Faults) {
        faults.require(
            self.buffered_bytes >= self.body_bytes,
            &at.key("buffered_bytes"),
            format!(
                "must hold one body, so at least limits.body_bytes = {}, got {}",
                self.body_bytes, self.buffered_bytes
            ),
        );
        faults.require(
            self.embed_request_tokens >= self.embed_item_tokens,
            &at.key("embed_request_tokens"),
            format!(
                "must be at least limits.embed_item_tokens = {}, got {}",
                self.embed_item_tokens, self.embed_request_tokens
            ),
        );
    }
}

settings! {
    /// `[data]`: where Tidegate keeps what outlives the process.
    pub struct DataDir {
        /// Folder, relative to where the server was started. Made by the first server or command that needs it.
        dir: String = "./data".to_owned();
        /// Whether anything outlives the process. False: no database, so no keys, and only this machine may call.
        keep: bool = true;
    }
}

impl DataDir {
    pub(crate) fn agree(&self, at: &KeyPath, faults: &mut Faults) {
        faults.require(!self.dir.trim().is_empty(), &at.key("dir"), "must name a folder");
    }
}
