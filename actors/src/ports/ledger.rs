//! The port to the books: a row per caller, a row per upstream request.
//!
//! Owns the rows; must not know where they are stored.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::call::{Call, CallId, CallKind, WorkspaceId};
use crate::ports::clock::Tick;
use crate::ports::provider::Usage;
use crate::record::CallRecord;

/// Identity of one request to an upstream. Text form `att_<uuid v7>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(Uuid);

impl AttemptId {
    /// A fresh id; ids made later sort later (to the millisecond).
    pub fn fresh() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The id's sixteen bytes.
    pub const fn bytes(self) -> [u8; 16] {
        *self.0.as_bytes()
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text.strip_prefix("att_")?).ok().map(Self)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "att_{}", self.0.as_hyphenated())
    }
}

/// On whose account a request is made.
#[derive(Debug, Clone)]
pub struct Account {
    /// The call, or the first of a batch, it serves.
    pub call: CallId,
    /// Whose call; of a batch that serves several workspaces nobody's.
    pub workspace: Option<WorkspaceId>,
    /// The credential of that call.
    pub credential: u64,
    /// Of what kind.
    pub kind: CallKind,
    /// The public model asked.
    pub model: Arc<str>,
    /// Embedding items it carries; 0 for anything else.
    pub items: u32,
}

impl Account {
    /// The account of a call that is asked alone.
    pub(crate) fn of<W>(call: &Call<W>, kind: CallKind) -> Self {
        Self {
            call: call.id,
            workspace: Some(call.workspace.clone()),
            credential: call.credential,
            kind,
            model: Arc::clone(&call.model),
            items: 0,
        }
    }
}

/// One request to an upstream, as it is opened before dispatch.
#[derive(Debug, Clone)]
pub struct AttemptRow {
    /// Ours.
    pub id: AttemptId,
    /// Who asked for it.
    pub account: Account,
    /// Target asked.
    pub target: Arc<str>,
    /// 1 for the first.
    pub attempt: u32,
    /// When, microseconds since 1970 UTC.
    pub unix_us: i64,
    /// When, on the engine's clock.
    pub opened: Tick,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptEnd {
    /// `ok`, the fault's name, or `interrupted` when it was cancelled.
    pub status: &'static str,
    /// Tokens, if the upstream said so.
    pub usage: Option<Usage>,
    /// When, on the engine's clock.
    pub closed: Tick,
}

/// Why the books take nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// So many rows wait to be written, the limit.
    Full {
        /// How many.
        rows: usize,
    },
    /// So many bytes wait to be folded into tables, the limit.
    Behind {
        /// How many.
        bytes: u64,
    },
    /// Rows cannot be written.
    Failing {
        /// What the storage says.
        why: Arc<str>,
    },
}

/// An opened attempt's place in the books.
#[derive(Debug)]
pub struct Opening {
    /// The place, given back with the end.
    pub place: u32,
    /// Where the row must survive more than the end of this process: told when it does. Dropped untold, it does not.
    pub durable: Option<oneshot::Receiver<()>>,
}

/// Keeps the books. Rows are copied out; nothing but a durable opening is waited for.
///
/// Every call reserves the place of its row when it comes and uses it when it is told; every attempt does the same
/// between its opening and its end. So no row can find the books full, and none is dropped.
pub trait Ledger: Send + Sync + 'static {
    /// Reserves the place of this call's row. Never waits; allocates nothing.
    ///
    /// # Errors
    /// The books can take no more: the call must not go on.
    fn reserve(&self, call: CallId) -> Result<(), Refusal>;

    /// The same where the books have plenty of room: for rows that must not take it from calls that go on.
    ///
    /// # Errors
    /// Half of it is used: the row is not written.
    fn reserve_spare(&self) -> Result<(), Refusal>;

    /// Writes that an attempt is about to be dispatched, where it survives the end of this process.
    ///
    /// # Errors
    /// It cannot be written: the request must not be made.
    fn open(&self, row: &AttemptRow) -> Result<Opening, Refusal>;

    /// The attempt ended. Once for each opening.
    fn close(&self, row: &AttemptRow, place: u32, end: AttemptEnd);

    /// A caller was told its answer, or left. Once for each reservation; allocates nothing.
    fn tell(&self, record: &CallRecord);
}

/// Keeps no books: metrics and the ring of recent calls are all there is.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLedger;

impl Ledger for NoLedger {
    fn reserve(&self, _: CallId) -> Result<(), Refusal> {
        Ok(())
    }

    fn reserve_spare(&self) -> Result<(), Refusal> {
        Ok(())
    }

    fn open(&self, _: &AttemptRow) -> Result<Opening, Refusal> {
        Ok(Opening { place: 0, durable: None })
    }

    fn close(&self, _: &AttemptRow, _: u32, _: AttemptEnd) {}

    fn tell(&self, _: &CallRecord) {}
}
