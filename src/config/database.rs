//! Owns the settings of the main database: where it is, which of the named pools serves it, and what counts as slow. Must
//! not open anything.

use super::leaf::choices;
use super::reader::{Reader, Section, within};
use super::secret::Secret;
use super::server::LONGEST_MS;
use super::{Faults, KeyPath, credentials};

choices! {
    /// A pool of connections by name.
    pub enum PoolName {
        /// Twice the processors, no overflow.
        Cores = "cores",
        /// 50, as ledgers were run with.
        Ledger = "ledger",
        /// 10 to 100, closed after five idle minutes.
        Relational = "relational",
        /// 5 to 50, closed after an idle minute.
        Cache = "cache",
        /// 20 and 30 more while they are needed.
        Overflow = "overflow",
        /// 10 to 100, closed after half an idle hour.
        Runs = "runs",
    }
}

/// `[database]`: which database is the main one, and the connections to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    /// A database of a PostgreSQL server; without it a file in the data directory. In the file: `url`, `url_env` or
    /// `url_file`.
    pub url: Option<Secret>,
    /// How many connections read.
    pub pool: PoolName,
    /// Connections kept, where the pool's own number does not fit.
    pub pool_size: Option<u16>,
    /// Milliseconds after which a query is logged as slow and counted.
    pub slow_query_ms: u64,
    /// Milliseconds between two times that statistics are brought up to date.
    pub optimize_ms: u64,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            pool: PoolName::Cores,
            pool_size: None,
            slow_query_ms: 100,
            optimize_ms: 60 * MINUTE,
        }
    }
}

impl Section for Database {
    fn read(reader: &mut Reader<'_, '_>, default: Self) -> Self {
        Self {
            url: credentials::one(reader, ["url_env", "url_file", "url"]).or(default.url),
            pool: reader.leaf("pool", default.pool),
            pool_size: reader.leaf("pool_size", default.pool_size),
            slow_query_ms: reader.leaf("slow_query_ms", default.slow_query_ms),
            optimize_ms: reader.leaf("optimize_ms", default.optimize_ms),
        }
    }

    fn ranges(&self, at: &KeyPath, faults: &mut Faults) {
        within(faults, &at.key("pool_size"), &self.pool_size, &(1..=65_535));
        within(faults, &at.key("slow_query_ms"), &self.slow_query_ms, &(1..=LONGEST_MS));
        within(faults, &at.key("optimize_ms"), &self.optimize_ms, &(1_000..=LONGEST_MS));
        let is_known = |url: &Secret| SCHEMES.iter().any(|scheme| url.reveal().starts_with(scheme));
        faults.require(
            self.url.as_ref().is_none_or(is_known),
            &at.key("url"),
            "must begin with postgres:// (SQLite needs no URL: leave it out)",
        );
    }
}

/// What the URL of a PostgreSQL server begins with.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// The figures of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolProfile {
    /// Connections kept.
    pub size: u32,
    /// Connections more that are made while all others are in use, and closed when given back.
    pub overflow: u32,
    /// Connections made ahead.
    pub least: u32,
    /// Milliseconds a query waits for a connection.
    pub timeout_ms: u64,
    /// Milliseconds after which a connection is replaced by a new one.
    pub recycle_ms: u64,
    /// Milliseconds after which a connection nobody used is closed.
    pub idle_ms: u64,
    /// Whether a connection is tried before it is handed out.
    pub pre_ping: bool,
}

const MINUTE: u64 = 60_000;

impl PoolName {
    /// Its figures on this machine.
    #[must_use]
    pub fn profile(self) -> PoolProfile {
        let base = PoolProfile {
            size: 2 * processors(),
            overflow: 0,
            least: 0,
            timeout_ms: MINUTE / 2,
            recycle_ms: 60 * MINUTE,
            idle_ms: 10 * MINUTE,
            pre_ping: true,
        };
        match self {
            Self::Cores => base,
            Self::Ledger => PoolProfile { size: 50, ..base },
            Self::Relational => PoolProfile { size: 100, least: 10, idle_ms: 5 * MINUTE, ..base },
            Self::Cache => PoolProfile { size: 50, least: 5, idle_ms: MINUTE, ..base },
            Self::Overflow => PoolProfile { size: 20, overflow: 30, ..base },
            Self::Runs => PoolProfile { size: 100, least: 10, idle_ms: 30 * MINUTE, ..base },
        }
    }
}

impl Database {
    /// The figures of the pool that reads.
    #[must_use]
    pub fn profile(&self) -> PoolProfile {
        let named = self.pool.profile();
        match self.pool_size {
            Some(size) => PoolProfile { size: size.into(), least: named.least.min(size.into()), ..named },
            None => named,
        }
    }
}

fn processors() -> u32 {
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(count).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_pool_has_its_figures() {
        let figures = |name: PoolName| {
            let PoolProfile { size, overflow, least, timeout_ms, recycle_ms, idle_ms, pre_ping } =
                name.profile();
            (size, overflow, least, [timeout_ms, recycle_ms, idle_ms].map(|ms| ms / 1_000), pre_ping)
        };
        assert_eq!(figures(PoolName::Cores), (2 * processors(), 0, 0, [30, 3_600, 600], true));
        assert_eq!(figures(PoolName::Ledger), (50, 0, 0, [30, 3_600, 600], true));
        assert_eq!(figures(PoolName::Relational), (100, 0, 10, [30, 3_600, 300], true));
        assert_eq!(figures(PoolName::Cache), (50, 0, 5, [30, 3_600, 60], true));
        assert_eq!(figures(PoolName::Overflow), (20, 30, 0, [30, 3_600, 600], true));
        assert_eq!(figures(PoolName::Runs), (100, 0, 10, [30, 3_600, 1_800], true));
    }

    #[test]
    fn a_size_of_ones_own_replaces_the_pools() {
        let own = Database { pool: PoolName::Relational, pool_size: Some(3), ..Database::default() };
        let profile = own.profile();
        assert_eq!((profile.size, profile.least, profile.idle_ms), (3, 3, 5 * MINUTE));
    }
}
