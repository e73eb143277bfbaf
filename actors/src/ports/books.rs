//! The port by which the books are read: calls and attempts as they were written down.
//!
//! Owns the rows as they are read; must not know where they lie. Whoever reads says whose rows, so that no page can hold
//! another workspace's.

mod heard;
mod sums;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::call::{CallId, WorkspaceId};
use crate::error::Stage;
use crate::ports::ledger::AttemptId;
use crate::ports::provider::Usage;
use crate::record::ItemCounts;

pub use heard::{Crowded, Heard, Listening};
pub use sums::{Lag, Usages};

/// Text of a row: of the row itself, or of what it was read from.
pub type Text<'a> = Cow<'a, str>;

/// A call as it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct BookedCall<'a> {
    /// Ours.
    pub id: CallId,
    /// Admission, microseconds since 1970 UTC.
    pub at_us: i64,
    /// Whose.
    pub workspace: Text<'a>,
    /// With which credential; 0 is the instance without keys.
    pub credential: u64,
    /// Labels, with commas between them.
    pub tags: Text<'a>,
    /// The door.
    pub door: Text<'a>,
    /// `chat`, `embed` or `forward`.
    pub kind: Text<'a>,
    /// `whole` or `stream`.
    pub form: Text<'a>,
    /// The public model asked.
    pub model: Text<'a>,
    /// `provider/model` that answered; empty if nobody did.
    pub target: Text<'a>,
    /// `hit`, `joined`, `miss`, `mixed`, `bypass`, `failed` or `abandoned`.
    pub outcome: Text<'a>,
    /// Why it was not a hit, or the limit that refused it; empty for a hit.
    pub reason: Text<'a>,
    /// The call that paid, if another did.
    pub payer: Option<CallId>,
    /// SHA-256 of the canonical request, where one was made.
    pub key: Option<[u8; 32]>,
    /// Requests sent upstream for it.
    pub attempts: u32,
    /// Embedding items by how each was answered.
    pub items: ItemCounts,
    /// Nanoseconds from admission to the end of each stage, in the order of [`Stage::ALL`]; 0: not reached.
    pub marks: [u64; 11],
    /// Tokens of the answer.
    pub usage: Option<Usage>,
    /// What they cost this caller.
    pub cost: Money,
    /// What they would have cost, had nobody else paid.
    pub saved: Money,
    /// The usage is not what the upstream said but our own count or our own division of it.
    pub estimated: bool,
    /// Of embedding items that travelled with others': the first request that carried some.
    pub batch: Option<AttemptId>,
    /// Bytes of the request as it came.
    pub request_bytes: u64,
    /// Bytes of the answer that were told.
    pub bytes: u64,
    /// Where it failed, as what, and whose doing it was; empty if it did not.
    pub failure: [Text<'a>; 3],
    /// The configuration in force.
    pub config: Text<'a>,
}

impl BookedCall<'_> {
    /// The same row, on its own.
    pub fn into_owned(self) -> BookedCall<'static> {
        BookedCall {
            workspace: own(self.workspace),
            tags: own(self.tags),
            door: own(self.door),
            kind: own(self.kind),
            form: own(self.form),
            model: own(self.model),
            target: own(self.target),
            outcome: own(self.outcome),
            reason: own(self.reason),
            failure: self.failure.map(own),
            config: own(self.config),
            id: self.id,
            at_us: self.at_us,
            credential: self.credential,
            payer: self.payer,
            key: self.key,
            attempts: self.attempts,
            items: self.items,
            marks: self.marks,
            usage: self.usage,
            cost: self.cost,
            saved: self.saved,
            estimated: self.estimated,
            batch: self.batch,
            request_bytes: self.request_bytes,
            bytes: self.bytes,
        }
    }

    /// Nanoseconds from admission to the end of `stage`, if it was reached.
    pub fn mark(&self, stage: Stage) -> Option<u64> {
        let nanos = self.marks[stage as usize];
        (nanos > 0).then_some(nanos)
    }

    /// Its place in the order of pages.
    pub fn cursor(&self) -> Cursor {
        Cursor { at_us: self.at_us, id: self.id.bytes() }
    }

    /// `ok`, `failed` or `abandoned`.
    pub fn status(&self) -> &str {
        match &*self.outcome {
            outcome @ ("failed" | "abandoned") => outcome,
            _ => "ok",
        }
    }

    /// What policy said: `allowed` or `denied`; nothing where it was not asked.
    pub fn decision(&self) -> &'static str {
        match (&*self.failure[0], self.mark(Stage::Authorise)) {
            ("authorise", _) => "denied",
            (_, Some(_)) => "allowed",
            (_, None) => "",
        }
    }

    /// The time it took, nanoseconds.
    pub fn took_ns(&self) -> u64 {
        self.marks[Stage::Tell as usize]
    }

    /// The time it waited for a lane, nanoseconds.
    pub fn lane_wait_ns(&self) -> u64 {
        let before = self.marks[..Stage::Lane as usize].iter().copied().max().unwrap_or(0);
        self.mark(Stage::Lane).map_or(0, |dispatched| dispatched.saturating_sub(before))
    }

    /// The time until its answer began, nanoseconds.
    pub fn first_ns(&self) -> u64 {
        self.mark(Stage::Act).unwrap_or_else(|| self.took_ns())
    }
}

/// One request to an upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct BookedAttempt<'a> {
    /// Ours.
    pub id: AttemptId,
    /// The call, or the first of a batch, it served.
    pub call: CallId,
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
    /// Whose; empty for a batch that served several workspaces.
    pub workspace: Text<'a>,
    /// With which credential.
    pub credential: u64,
    /// `chat`, `embed` or `forward`.
    pub kind: Text<'a>,
    /// The public model asked.
    pub model: Text<'a>,
    /// `provider/model` asked.
    pub target: Text<'a>,
    /// 1 for the first.
    pub attempt: u32,
    /// Embedding items it carried.
    pub items: u32,
    /// `ok`, the fault's name, or `interrupted`: by its callers' leaving, or by the end of the process.
    pub status: Text<'a>,
    /// The time it took, nanoseconds; 0 if nobody saw its end.
    pub took_ns: u64,
    /// Tokens, if the upstream said so.
    pub usage: Option<Usage>,
    /// What it cost.
    pub cost: Money,
    /// The configuration in force.
    pub config: Text<'a>,
}

impl BookedAttempt<'_> {
    /// Its place in the order of pages.
    pub fn cursor(&self) -> Cursor {
        Cursor { at_us: self.at_us, id: self.id.bytes() }
    }

    /// The same row, on its own.
    pub fn into_owned(self) -> BookedAttempt<'static> {
        BookedAttempt {
            workspace: own(self.workspace),
            kind: own(self.kind),
            model: own(self.model),
            target: own(self.target),
            status: own(self.status),
            config: own(self.config),
            id: self.id,
            call: self.call,
            at_us: self.at_us,
            credential: self.credential,
            attempt: self.attempt,
            items: self.items,
            took_ns: self.took_ns,
            usage: self.usage,
            cost: self.cost,
        }
    }
}

fn own(text: Text<'_>) -> Text<'static> {
    Cow::Owned(text.into_owned())
}

/// Money in nano-USD; nothing where no price is known.
pub type Money = Option<i64>;

/// Which rows are wanted: all that agree with everything that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Whose.
    pub workspace: WorkspaceId,
    /// From this moment on, microseconds since 1970 UTC.
    pub since_us: i64,
    /// Before this moment.
    pub until_us: i64,
    /// With this credential.
    pub credential: Option<u64>,
    /// Of this public model.
    pub model: Option<Box<str>>,
    /// Answered, or asked, by this provider.
    pub provider: Option<Box<str>>,
    /// With this status: of a call `ok`, `failed` or `abandoned`, of an attempt as it ended.
    pub status: Option<Box<str>>,
    /// With this outcome; calls only.
    pub outcome: Option<Box<str>>,
    /// With this label; calls only.
    pub tag: Option<Box<str>>,
    /// Behind this row of an earlier page.
    pub after: Option<Cursor>,
    /// So many at most.
    pub limit: usize,
}

/// A row's place in the order of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Its time.
    pub at_us: i64,
    /// Its id.
    pub id: [u8; 16],
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:032x}", self.at_us, u128::from_be_bytes(self.id))
    }
}

impl Cursor {
    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let (at_us, id) = text.rsplit_once('-')?;
        let id = u128::from_str_radix(id, 16).ok().filter(|_| id.len() == 32)?;
        Some(Self { at_us: at_us.parse().ok()?, id: id.to_be_bytes() })
    }
}

/// Some of the rows that are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The latest first.
    pub rows: Vec<T>,
    /// The last of these, if there may be more behind it.
    pub next: Option<Cursor>,
    /// Rows that were looked at.
    pub scanned: u64,
}

impl Wanted {
    /// Every row of a workspace, so many at most.
    pub fn all(workspace: WorkspaceId, limit: usize) -> Self {
        Self {
            workspace,
            since_us: 0,
            until_us: i64::MAX,
            credential: None,
            model: None,
            provider: None,
            status: None,
            outcome: None,
            tag: None,
            after: None,
            limit,
        }
    }

    /// Whether it is a call like that.
    pub fn is_call(&self, row: &BookedCall<'_>) -> bool {
        self.is_within(&row.workspace, row.cursor()) && self.is_like(row)
    }

    /// Whether it is a call like that but for whose it is, when it was and where it stands.
    pub fn is_like(&self, row: &BookedCall<'_>) -> bool {
        self.credential.is_none_or(|credential| credential == row.credential)
            && agrees(&self.model, &row.model)
            && agrees(&self.provider, provider(&row.target))
            && agrees(&self.status, row.status())
            && agrees(&self.outcome, &row.outcome)
            && self.tag.as_deref().is_none_or(|tag| row.tags.split(',').any(|own| own == tag))
    }

    /// Whether it is an attempt like that.
    pub fn is_attempt(&self, row: &BookedAttempt<'_>) -> bool {
        self.is_within(&row.workspace, row.cursor())
            && self.credential.is_none_or(|credential| credential == row.credential)
            && agrees(&self.model, &row.model)
            && agrees(&self.provider, provider(&row.target))
            && agrees(&self.status, &row.status)
    }

    fn is_within(&self, workspace: &str, row: Cursor) -> bool {
        workspace == self.workspace.as_str()
            && (self.since_us..self.until_us).contains(&row.at_us)
            && self.after.is_none_or(|after| row < after)
    }
}

fn agrees(wanted: &Option<Box<str>>, found: &str) -> bool {
    wanted.as_deref().is_none_or(|wanted| wanted == found)
}

/// The provider of `provider/model`.
pub fn provider(target: &str) -> &str {
    target.split_once('/').map_or(target, |(provider, _)| provider)
}

/// Why the books could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub Arc<str>);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the books cannot be read: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}

/// What is read later.
pub type Reading<T> = Pin<Box<dyn Future<Output = Result<T, Unreadable>> + Send>>;

/// Reads the books.
pub trait Books: Send + Sync + 'static {
    /// How far behind they are.
    fn lag(&self) -> Lag;

    /// The call of this id, if it is told and known; at once, whether it has been folded or not.
    fn call(&self, id: CallId) -> Reading<Option<BookedCall<'static>>>;

    /// The attempts made for the call, or the batch it led, and this one that served a batch it was in.
    fn attempts_of(&self, id: CallId, batch: Option<AttemptId>) -> Reading<Vec<BookedAttempt<'static>>>;

    /// Calls, the latest first.
    fn calls(&self, wanted: Wanted) -> Reading<Page<BookedCall<'static>>>;

    /// Calls as they are told from here on: of one workspace, or of all, that are like what is wanted. Time, cursor and limit
    /// of that do not count.
    ///
    /// # Errors
    /// As many listen as may.
    fn listen(&self, whose: Option<WorkspaceId>, like: Wanted) -> Result<Listening, Crowded>;

    /// Attempts, the latest first.
    fn attempts(&self, wanted: Wanted) -> Reading<Page<BookedAttempt<'static>>>;

    /// Sums of the calls of whole hours: of those that begin in this time, by hour, credential and model. What was told before
    /// is in them.
    fn usage(&self, workspace: WorkspaceId, since_us: i64, until_us: i64) -> Reading<Vec<Usages>>;
}
