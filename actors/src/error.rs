//! Why a call has no reply: stage, kind, blame, retry. Built in one constructor per kind.
//!
//! Owns the vocabulary of failure; must not know how a door words it (status codes live in HTTP).

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ports::ledger::Refusal;
use crate::ports::provider::{Fault, FaultKind};

/// A step of the path, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Limits, deadline, shutdown.
    Admit,
    /// Policy.
    Authorise,
    /// Canonical bytes.
    Key,
    /// Reading the cache.
    Lookup,
    /// Sharing a flight.
    Join,
    /// Travelling in a batch.
    Group,
    /// Waiting for a slot.
    Lane,
    /// The upstream itself.
    Act,
    /// Looking at the answer.
    Inspect,
    /// Remembering the answer.
    Keep,
    /// Telling the ledger and the metrics.
    Tell,
}

impl Stage {
    /// Every stage, in the order of the path.
    pub const ALL: [Self; 11] = [
        Self::Admit,
        Self::Authorise,
        Self::Key,
        Self::Lookup,
        Self::Join,
        Self::Group,
        Self::Lane,
        Self::Act,
        Self::Inspect,
        Self::Keep,
        Self::Tell,
    ];

    /// The stage's name as metrics, errors and `explain` show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Authorise => "authorise",
            Self::Key => "key",
            Self::Lookup => "lookup",
            Self::Join => "join",
            Self::Group => "group",
            Self::Lane => "lane",
            Self::Act => "act",
            Self::Inspect => "inspect",
            Self::Keep => "keep",
            Self::Tell => "tell",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whose doing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The request cannot succeed as it was sent.
    Caller,
    /// Tidegate: overload, restart, limits of its own.
    Us,
    /// The provider behind us.
    Upstream,
}

impl Blame {
    /// `caller`, `us` or `upstream`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Us => "us",
            Self::Upstream => "upstream",
        }
    }
}

/// Whether asking again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same request will fail the same way, or our own tries are spent.
    Never,
    /// Nothing was started or nothing can be doubled: ask again at once.
    Safe,
    /// Ask again after this long.
    After(Duration),
}

impl Retry {
    /// `never`, `safe` or `after`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Safe => "safe",
            Self::After(_) => "after",
        }
    }
}

/// What went wrong, with the numbers a person needs to act on it.
#[derive(Debug, Clone)]
pub enum ErrorKind {
    /// `limit` operations are admitted already.
    Overloaded {
        /// Admitted operations allowed at once.
        limit: usize,
    },
    /// The engine drains and admits nothing.
    ShuttingDown,
    /// The ledger cannot take the row of this call; nothing was started.
    Unrecorded {
        /// Why it cannot.
        why: Refusal,
    },
    /// Policy said no.
    Denied {
        /// The rule's words.
        reason: String,
    },
    /// `only-if-cached` was asked and nothing is kept.
    NotCached,
    /// The lane's queue is full; nothing was started.
    LaneFull {
        /// Lane name.
        lane: &'static str,
        /// Jobs that may wait.
        limit: usize,
        /// Jobs of the caller's workspace that wait already.
        own: usize,
    },
    /// Too many embedding rows wait, or too many batchers exist; nothing of the call was queued.
    RowsFull {
        /// `rows` or `batchers`.
        what: &'static str,
        /// How many there may be.
        limit: usize,
        /// Rows of the caller's workspace that wait at this batcher already.
        own: usize,
    },
    /// The lane, batcher or task that held this call died with it.
    LaneLost {
        /// What died.
        what: &'static str,
    },
    /// The restart budget is spent; the lane stays closed.
    LaneClosed {
        /// Lane name.
        lane: &'static str,
    },
    /// No reply within the caller's patience.
    DeadlineExceeded {
        /// The patience, in milliseconds from admission.
        after_ms: u64,
    },
    /// The upstream failed in a way of its own.
    Upstream {
        /// Target that answered last.
        target: Arc<str>,
        /// How it failed.
        fault: Fault,
        /// Attempts made in all.
        attempts: u32,
    },
    /// Every target's breaker is open.
    BreakerOpen {
        /// Target that would be asked first.
        target: Arc<str>,
    },
    /// The answer did not pass inspection.
    Unclean {
        /// The finding.
        finding: String,
    },
}

impl ErrorKind {
    /// The kind's stable name: the `code` of an error body and the label of its metric.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Overloaded { .. } => "overloaded",
            Self::ShuttingDown => "shutting_down",
            Self::Unrecorded { why: Refusal::Full { .. } } => "ledger_full",
            Self::Unrecorded { why: Refusal::Behind { .. } } => "ledger_behind",
            Self::Unrecorded { why: Refusal::Failing { .. } } => "ledger_failing",
            Self::Denied { .. } => "denied",
            Self::NotCached => "not_cached",
            Self::LaneFull { .. } => "lane_full",
            Self::RowsFull { .. } => "rows_full",
            Self::LaneLost { .. } => "lane_lost",
            Self::LaneClosed { .. } => "lane_closed",
            Self::DeadlineExceeded { .. } => "deadline_exceeded",
            Self::Upstream { fault, .. } => fault.kind.name(),
            Self::BreakerOpen { .. } => "breaker_open",
            Self::Unclean { .. } => "unclean",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overloaded { limit } => {
                write!(f, "{limit} operations are in progress, the limit (gateway.max_operations)")
            }
            Self::ShuttingDown => f.write_str("the server is shutting down"),
            Self::Unrecorded { why: Refusal::Full { rows } } => write!(
                f,
                "{rows} rows wait to be written to the ledger, the limit (ledger.queue_rows); nothing was started"
            ),
            Self::Unrecorded { why: Refusal::Behind { bytes } } => write!(
                f,
                "{bytes} bytes of the ledger wait to be folded into tables, the limit (ledger.max_unfolded_bytes); nothing was started"
            ),
            Self::Unrecorded { why: Refusal::Failing { why } } => {
                write!(f, "the ledger cannot be written: {why}; nothing was started")
            }
            Self::Denied { reason } => write!(f, "denied: {reason}"),
            Self::NotCached => f.write_str("only-if-cached was asked and no kept answer exists"),
            Self::LaneFull { lane, limit, own } => write!(
                f,
                "lane {lane} is full: {limit} jobs wait (lanes.queue_jobs), {own} of them yours; nothing was started"
            ),
            Self::RowsFull { what, limit, own } => write!(
                f,
                "{limit} embedding {what} are waiting or in use, the limit (batch.max_{what}), {own} waiting rows are yours; nothing was started"
            ),
            Self::LaneLost { what } => write!(f, "the {what} that held this call failed and was replaced"),
            Self::LaneClosed { lane } => {
                write!(f, "lane {lane} is closed: it failed more often than lanes.restarts allows")
            }
            Self::DeadlineExceeded { after_ms } => write!(f, "no answer within {after_ms} ms"),
            Self::Upstream { target, fault, attempts: 1 } => write!(f, "upstream {target}: {fault}"),
            Self::Upstream { target, fault, attempts } => {
                write!(f, "upstream {target}: {fault} (after {attempts} attempts)")
            }
            Self::BreakerOpen { target } => {
                write!(f, "upstream {target} failed repeatedly and is not asked for a while")
            }
            Self::Unclean { finding } => write!(f, "the answer did not pass inspection: {finding}"),
        }
    }
}

/// Why a call has no reply, whose doing it is, and whether asking again can help.
///
/// Cloned to every follower of a flight, so its source is shared.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{stage}: {kind}")]
pub struct CallError {
    /// Where on the path.
    pub stage: Stage,
    /// What.
    pub kind: ErrorKind,
    /// Whose doing.
    pub blame: Blame,
    /// Whether asking again helps.
    pub retry: Retry,
    /// The cause, where there is one.
    #[source]
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl CallError {
    const fn new(stage: Stage, kind: ErrorKind, blame: Blame, retry: Retry) -> Self {
        Self { stage, kind, blame, retry, source: None }
    }

    /// `limit` operations are admitted already; nothing was started.
    pub fn overloaded(limit: usize, after: Duration) -> Self {
        Self::new(Stage::Admit, ErrorKind::Overloaded { limit }, Blame::Us, Retry::After(after))
    }

    /// The engine drains; another instance, or this one after its restart, will answer.
    pub fn shutting_down() -> Self {
        Self::new(Stage::Admit, ErrorKind::ShuttingDown, Blame::Us, Retry::Safe)
    }

    /// The ledger takes no more rows, so nothing that would need one is started.
    pub fn unrecorded(stage: Stage, why: Refusal) -> Self {
        let after = Retry::After(Duration::from_secs(1));
        Self::new(stage, ErrorKind::Unrecorded { why }, Blame::Us, after)
    }

    /// Policy refused the call.
    pub fn denied(reason: impl Into<String>) -> Self {
        Self::new(Stage::Authorise, ErrorKind::Denied { reason: reason.into() }, Blame::Caller, Retry::Never)
    }

    /// The caller accepts only a kept answer and there is none.
    pub fn not_cached() -> Self {
        Self::new(Stage::Lookup, ErrorKind::NotCached, Blame::Caller, Retry::Never)
    }

    /// The lane already holds `limit` waiting jobs; nothing was started, so a retry is safe.
    pub fn lane_full(lane: &'static str, limit: usize, own: usize, after: Duration) -> Self {
        Self::new(Stage::Lane, ErrorKind::LaneFull { lane, limit, own }, Blame::Us, Retry::After(after))
    }

    /// Too many embedding rows wait or too many batchers exist; nothing of the call was queued.
    pub fn rows_full(what: &'static str, limit: usize, own: usize, after: Duration) -> Self {
        Self::new(Stage::Group, ErrorKind::RowsFull { what, limit, own }, Blame::Us, Retry::After(after))
    }

    /// Whatever held the call died; its answer, if any, is lost.
    pub fn lane_lost(stage: Stage, what: &'static str) -> Self {
        Self::new(stage, ErrorKind::LaneLost { what }, Blame::Us, Retry::Safe)
    }

    /// The lane's restart budget is spent.
    pub fn lane_closed(lane: &'static str) -> Self {
        Self::new(
            Stage::Lane,
            ErrorKind::LaneClosed { lane },
            Blame::Us,
            Retry::After(Duration::from_secs(5)),
        )
    }

    /// The caller's patience ran out while the call was at `stage`.
    pub fn deadline_exceeded(stage: Stage, after_ms: u64) -> Self {
        let blame = if stage == Stage::Act { Blame::Upstream } else { Blame::Us };
        Self::new(stage, ErrorKind::DeadlineExceeded { after_ms }, blame, Retry::Never)
    }

    /// Our tries at the upstream are spent.
    pub fn upstream(target: Arc<str>, fault: Fault, attempts: u32) -> Self {
        let blame = match fault.kind {
            FaultKind::Rejected { .. } => Blame::Caller,
            _ => Blame::Upstream,
        };
        let retry = match (fault.kind, fault.retry_after) {
            (FaultKind::Busy { .. }, Some(after)) => Retry::After(after),
            _ => Retry::Never,
        };
        Self::new(Stage::Act, ErrorKind::Upstream { target, fault, attempts }, blame, retry)
    }

    /// The same rejection, naming the item of the caller's own request of `items` that is to blame.
    ///
    /// The upstream saw that item alone, so its own body names another place unless there was but one.
    #[must_use]
    pub fn at_item(mut self, item: usize, items: usize) -> Self {
        if let ErrorKind::Upstream { fault, .. } = &mut self.kind {
            fault.item = Some(item);
            if items > 1 {
                fault.what = format!("input[{item}]: {}", fault.what);
                fault.body = None;
            }
        }
        self
    }

    /// Every target's breaker is open; the first closes in `after`.
    pub fn breaker_open(target: Arc<str>, after: Duration) -> Self {
        Self::new(Stage::Act, ErrorKind::BreakerOpen { target }, Blame::Upstream, Retry::After(after))
    }

    /// The answer may not leave.
    pub fn unclean(finding: impl Into<String>) -> Self {
        Self::new(
            Stage::Inspect,
            ErrorKind::Unclean { finding: finding.into() },
            Blame::Upstream,
            Retry::Never,
        )
    }
}
