//! Owns why a flow was not run to an end of its own. Must not know how a door words it.

/// Why there is no outcome. Whatever the run did is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// By a fault of ours, or with the thread it was on.
    #[error("the run broke off before its end; nothing it did is kept")]
    BrokeOff,
    /// Nothing was started.
    #[error(
        "{limit} runs wait for what this app keeps, as many as may (lanes.queue_jobs); nothing was started"
    )]
    LineFull {
        /// How many may wait.
        limit: usize,
    },
    /// Nothing was started.
    #[error(
        "the app's records were not free within {after_ms} ms (gateway.deadline_ms); nothing was started"
    )]
    Late {
        /// How long was waited.
        after_ms: u64,
    },
    /// Nothing was started.
    #[error("the server is shutting down; nothing was started")]
    Closing,
}
