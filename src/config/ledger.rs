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
        /// Days whose rows are kept; older days are dropped whole.
        keep_days: u32 = 90, in 1..=36_500;
    }
}
