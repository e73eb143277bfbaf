//! Owns the settings of the engine's mechanisms: lanes, gateway switches, cache, flights, batches and kinds. Must not
//! know doors or providers.

use super::faults::{Faults, KeyPath};
use super::leaf::choices;
use super::reader::{Reader, Section, settings};
use super::server::{LONGEST_MS, MOST_BYTES};

choices! {
    /// Where the work of a lane runs.
    pub enum RunOn {
        /// On the caller's own thread; the lane only says when.
        Caller = "caller",
        /// On the lane's threads.
        Lane = "lane",
    }
}

settings! {
    /// `[lanes]`: how many calls run and wait.
    pub struct Lanes {
        /// Calls that run at once over both lanes; see [`Lanes::interactive`] and [`Lanes::heavy`].
        max_concurrency: usize = 1_024, in 1..=1_000_000;
        /// Calls that may wait, per lane, and runs of an app that may wait for its records; one more is refused with 429.
        queue_jobs: usize = 4_096, in 1..=10_000_000;
        /// Milliseconds after which a waiting call goes first; no workspace does twice in a row while others wait.
        aging_ms: u64 = 2_000, in 1..=LONGEST_MS;
        /// Milliseconds without progress, with work queued, after which the supervisor replaces a lane.
        stall_after_ms: u64 = 5_000, in 100..=LONGEST_MS;
        /// Restarts within `restart_window_ms` after which a lane is closed for good.
        restarts: u32 = 5, in 1..=10_000;
        /// Milliseconds a restart counts.
        restart_window_ms: u64 = 60_000, in 100..=LONGEST_MS;
        /// Where the work of a lane runs.
        run_on: RunOn = RunOn::Caller;
    }
}

impl Lanes {
    /// Slots of the interactive lane: half, rounded down, at least 1.
    #[must_use]
    pub fn interactive(&self) -> usize {
        (self.max_concurrency / 2).max(1)
    }

    /// Slots of the heavy lane: the rest, at least 1.
    #[must_use]
    pub fn heavy(&self) -> usize {
        self.max_concurrency.saturating_sub(self.interactive()).max(1)
    }
}

choices! {
    /// Which answers are remembered.
    pub enum CacheMode {
        /// Those of calls declared deterministic: temperature 0 or a seed.
        Declared = "declared",
        /// All that may be kept at all.
        Always = "always",
        /// None.
        Off = "off",
    }
}

settings! {
    /// `[gateway]`: the switches of the OpenAI and Anthropic doors.
    pub struct Gateway {
        /// Which answers are remembered.
        cache: CacheMode = CacheMode::Declared;
        /// Whether simultaneous equal calls share one upstream call.
        join: bool = true;
        /// Whether embeddings of several clients travel together.
        batch: bool = true;
        /// Calls admitted and not yet answered; one more is refused with 429.
        max_operations: usize = 16_384, in 1..=10_000_000;
        /// Milliseconds a call lives after its last caller left, when that caller is known to retry.
        orphan_grace_ms: u64 = 1_500, in 0..=LONGEST_MS;
        /// Milliseconds a call may take when the client does not say.
        deadline_ms: u64 = 600_000, in 1..=LONGEST_MS;
        /// Latest calls that `/api/v1/calls/{id}/explain` remembers.
        explain_calls: usize = 4_096, in 1..=10_000_000;
        /// Provider of `/v1` paths that have no door of their own and name no model.
        passthrough: Option<String> = None;
    }
}

settings! {
    /// `[cache]`: the memory of answers.
    pub struct Cache {
        /// Bytes of all kept answers with their keys; the least useful leaves first.
        max_bytes: usize = 268_435_456, in 1_024..=MOST_BYTES;
        /// Bytes of one answer; a larger one is passed on and not kept.
        max_entry_bytes: usize = 8_388_608, in 1_024..=MOST_BYTES;
        /// Whether answers that ended by length or by a content filter are kept.
        keep_cut_answers: bool = false;
        /// Whether answers outlive the process, in the data directory.
        warm: bool = true;
        /// Bytes of answers there; the oldest leaves first.
        warm_max_bytes: usize = 1_073_741_824, in 1_048_576..=MOST_BYTES;
    }
}

impl Cache {
    pub(crate) fn agree(&self, at: &KeyPath, faults: &mut Faults) {
        faults.require(
            self.max_entry_bytes <= self.max_bytes,
            &at.key("max_entry_bytes"),
            format!("must not exceed cache.max_bytes = {}, got {}", self.max_bytes, self.max_entry_bytes),
        );
    }
}

settings! {
    /// `[flight]`: one upstream answer with many readers.
    pub struct Flight {
        /// Bytes of an answer that late readers can still get from its start; past it nobody joins and it is not kept.
        max_bytes: usize = 16_777_216, in 1_024..=MOST_BYTES;
    }
}

settings! {
    /// `[batch]`: embeddings that travel together.
    pub struct Batch {
        /// Batches on their way at once, per batcher.
        in_flight_batches: usize = 2, in 1..=10_000;
        /// Items of one batch.
        max_items: usize = 2_048, in 1..=1_000_000;
        /// Estimated tokens of one batch; a single larger item travels alone.
        max_tokens: usize = 300_000, in 1..=1_000_000_000;
        /// Milliseconds a batch waits for company while an upstream slot is free; 0 sends at once.
        max_linger_ms: u64 = 0, in 0..=60_000;
        /// Embedding rows that may wait for one batcher.
        max_rows: usize = 65_536, in 1..=100_000_000;
        /// Embedding rows that may wait for all batchers together.
        max_rows_in_all: usize = 131_072, in 1..=100_000_000;
        /// Batchers that exist at once: one per target, credential and set of parameters.
        max_batchers: usize = 1_024, in 1..=1_000_000;
        /// Milliseconds without work after which a batcher ends.
        idle_ms: u64 = 60_000, in 1..=LONGEST_MS;
    }
}

choices! {
    /// One half of a lane pair.
    pub enum LaneName {
        /// People wait for it.
        Interactive = "interactive",
        /// Bulk work.
        Heavy = "heavy",
    }
}

/// Longest time an answer may be kept: 10 years.
const LONGEST_TTL_MS: u64 = 10 * 366 * 24 * 3600 * 1000;

/// How calls of one kind are kept and scheduled: `[kinds.chat]`, `[kinds.embed]`.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptKind {
    /// Milliseconds an answer is kept.
    pub ttl_ms: u64,
    /// The lane its calls run in.
    pub lane: LaneName,
}

impl Section for KeptKind {
    fn read(reader: &mut Reader<'_, '_>, default: Self) -> Self {
        Self { ttl_ms: reader.leaf("ttl_ms", default.ttl_ms), lane: reader.leaf("lane", default.lane) }
    }

    fn ranges(&self, at: &KeyPath, faults: &mut Faults) {
        super::reader::within(faults, &at.key("ttl_ms"), &self.ttl_ms, &(1..=LONGEST_TTL_MS));
    }
}

settings! {
    /// `[kinds.forward]`: `/v1` paths without a door of their own; never kept.
    pub struct Forward {
        /// The lane they run in.
        lane: LaneName = LaneName::Interactive;
    }
}

/// `[kinds]`: one table per kind of call.
#[derive(Debug, Clone, PartialEq)]
pub struct Kinds {
    /// Chat completions and messages.
    pub chat: KeptKind,
    /// Embeddings.
    pub embed: KeptKind,
    /// Everything else under `/v1`.
    pub forward: Forward,
}

impl Default for Kinds {
    fn default() -> Self {
        Self {
            chat: KeptKind { ttl_ms: 604_800_000, lane: LaneName::Interactive },
            embed: KeptKind { ttl_ms: 2_592_000_000, lane: LaneName::Heavy },
            forward: Forward::default(),
        }
    }
}

impl Section for Kinds {
    fn read(reader: &mut Reader<'_, '_>, default: Self) -> Self {
        Self {
            chat: reader.section("chat", default.chat),
            embed: reader.section("embed", default.embed),
            forward: reader.section("forward", default.forward),
        }
    }

    fn ranges(&self, at: &KeyPath, faults: &mut Faults) {
        self.chat.ranges(&at.key("chat"), faults);
        self.embed.ranges(&at.key("embed"), faults);
        self.forward.ranges(&at.key("forward"), faults);
    }
}
