//! Sums over rows of the books, and how far behind the books are. Plain values.

/// Calls of an hour, with one credential and of one model, added up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usages {
    /// The beginning of the hour, microseconds since 1970 UTC.
    pub from_us: i64,
    /// The credential; 0 is the instance without keys.
    pub credential: u64,
    /// The public model.
    pub model: String,
    /// All of them.
    pub calls: u64,
    /// From memory.
    pub hits: u64,
    /// By another call's request.
    pub joined: u64,
    /// By a request of their own that others may share.
    pub misses: u64,
    /// Whose items came in different ways.
    pub mixed: u64,
    /// Not shared.
    pub bypassed: u64,
    /// Without an answer.
    pub failed: u64,
    /// Whose caller left.
    pub abandoned: u64,
    /// Tokens read, by upstreams' counts and where there are none by ours.
    pub tokens_in: u64,
    /// Tokens written, likewise.
    pub tokens_out: u64,
    /// What they cost, nano-USD, as far as prices are known.
    pub cost_nano: i64,
    /// What those that paid nothing would have cost, likewise.
    pub saved_nano: i64,
    /// Time of those from memory or another call's request, nanoseconds.
    pub free_ns: u64,
    /// Time of those that missed.
    pub paid_ns: u64,
}

impl Usages {
    /// Adds the sums of others; hour, credential and model stay.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.hits += other.hits;
        self.joined += other.joined;
        self.misses += other.misses;
        self.mixed += other.mixed;
        self.bypassed += other.bypassed;
        self.failed += other.failed;
        self.abandoned += other.abandoned;
        self.tokens_in += other.tokens_in;
        self.tokens_out += other.tokens_out;
        self.cost_nano = self.cost_nano.saturating_add(other.cost_nano);
        self.saved_nano = self.saved_nano.saturating_add(other.saved_nano);
        self.free_ns = self.free_ns.saturating_add(other.free_ns);
        self.paid_ns = self.paid_ns.saturating_add(other.paid_ns);
    }

    /// The time that was not waited for upstreams: what those that paid nothing would have taken had they taken as long as
    /// those that missed.
    pub fn saved_ns(&self) -> u64 {
        let free = u128::from(self.hits + self.joined);
        let each = u128::from(self.paid_ns).checked_div(u128::from(self.misses)).unwrap_or_default();
        u64::try_from((free * each).saturating_sub(u128::from(self.free_ns))).unwrap_or(u64::MAX)
    }
}

/// How far behind the books are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Rows reserved or not written yet.
    pub waiting_rows: usize,
    /// How many there may be.
    pub queue_rows: usize,
    /// Bytes written that are not in tables yet.
    pub unfolded_bytes: u64,
    /// How many there may be.
    pub max_unfolded_bytes: u64,
    /// Those who listen to calls as they are told.
    pub listeners: usize,
}
