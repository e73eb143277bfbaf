//! Owns the settings of the ledger. Must not know where it lies.

use super::leaf::choices;
use super::reader::settings;
use super::server::{LONGEST_MS, MOST_BYTES};

choices! {
    /// What a request to an upstream waits for.
    pub enum LedgerSync {
        /// That its row survives the end of this process; the disk follows in groups.
        Group = "group",
        /// That its row survives a power cut.
        Always = "always",
    }
}

settings! {
    /// `[ledger]`: a row for each call and for each request to an upstream.
    pub struct Ledger {
        /// Whether it is kept.
        enabled: bool = true;
        /// What a request to an upstream waits for.
        sync: LedgerSync = LedgerSync::Group;
        /// Milliseconds after which what was written is synced to the disk.
        sync_ms: u64 = 50, in 1..=LONGEST_MS;
        /// Rows of calls in progress and rows not written yet; one more call is refused with 503.
        queue_rows: usize = 32_768, in 1..=10_000_000;
        /// Bytes written that are not in tables yet; one more call is refused with 503.
        max_unfolded_bytes: usize = 1_073_741_824, in 1_048_576..=MOST_BYTES;
        /// Days whose calls are kept; older days are dropped whole.
        calls_days: u32 = 90, in 1..=36_500;
        /// Days whose requests to upstreams are kept.
        attempts_days: u32 = 90, in 1..=36_500;
        /// Days whose sums are kept.
        sums_days: u32 = 730, in 1..=36_500;
        /// Days that bodies are kept at most; each workspace says whether, and for how many.
        bodies_days: u32 = 90, in 1..=36_500;
        /// Bytes of one request or answer that is kept; a longer one is not.
        body_max_bytes: usize = 1_048_576, in 1_024..=MOST_BYTES;
        /// Bytes of bodies that may wait to be written; more are not kept.
        bodies_queue_bytes: usize = 67_108_864, in 1_048_576..=MOST_BYTES;
    }
}
