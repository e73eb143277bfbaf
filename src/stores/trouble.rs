//! Owns what can be wrong with a store and what its user is told: what happened, where, why, what to do. Must not know
//! which database said so.

use std::fmt;
use std::path::Path;

use crate::lang::fault::{Fault, FaultKind, Guide};

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Another process had it for longer than anybody waits.
    Busy {
        /// How long that is.
        patience_ms: u128,
    },
    /// It cannot be opened or made.
    Closed(String),
    /// All connections were in use for longer than anybody waits.
    Crowded {
        /// How many there are.
        connections: u32,
        /// How long that is.
        patience_ms: u64,
    },
    /// Its server does not answer, or lets nobody in.
    Unreachable(String),
    /// Its server was lost while something was stored: nobody knows whether it was.
    Unsure(String),
    /// It can be read only.
    ReadOnly,
    /// There is no room for more.
    Full,
    /// The file is something else.
    NoDatabase,
    /// The database is somebody else's.
    Foreign,
    /// A later version made it.
    Newer {
        /// Its version.
        version: i64,
    },
    /// An earlier version made it, and a server of that version uses it.
    Older {
        /// Its version.
        version: i64,
        /// The version this program makes.
        latest: i64,
    },
    /// Something in it is not as it was written.
    Damaged(String),
    /// What should be written contradicts what is there.
    Conflict(String),
    /// Anything else, in the words of the database.
    Other(String),
    /// It is wrong with one of several files, and not with the others.
    Of {
        /// Which, for people.
        file: String,
        /// What.
        trouble: Box<Self>,
    },
}

impl Trouble {
    /// Whether it stays until somebody does something about the disk, the file or the server.
    pub(super) fn lasts(&self) -> bool {
        match self {
            Self::Of { trouble, .. } => trouble.lasts(),
            Self::Closed(_) | Self::ReadOnly | Self::Full | Self::NoDatabase | Self::Foreign => true,
            Self::Newer { .. } | Self::Older { .. } | Self::Damaged(_) => true,
            Self::Unreachable(_) | Self::Unsure(_) => true,
            Self::Busy { .. } | Self::Crowded { .. } | Self::Conflict(_) | Self::Other(_) => false,
        }
    }

    /// Whether the same may go well a moment later, and cannot have been done already.
    pub(super) const fn passes(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable(_))
    }

    /// The fault of a run, in four parts. No `try` catches it: what the run did is undone already.
    pub(super) fn fault(self, path: &Path) -> Fault {
        let (what, why, fix) = self.words(path);
        let example = "[persistence]\ntarget = \"sqlite\"\ndb_path = \".namel3ss/data.db\"".to_owned();
        let guide = Guide { what: what.to_owned(), why, fix: fix.to_owned(), example };
        Fault::run_guided(guide, None).of_kind(FaultKind::Store).uncatchable()
    }

    /// What happened, why, and what to do.
    fn words(self, path: &Path) -> (&'static str, String, &'static str) {
        let whole = path;
        let path = path.display();
        match self {
            Self::Busy { patience_ms } => (
                "The records are in use by another process.",
                format!("{path} was locked for {patience_ms} ms: another run that may write has not ended."),
                "Wait for the other run or stop it, then run again. Nothing was stored.",
            ),
            Self::Closed(why) => (
                "The records cannot be opened.",
                format!("{path}: {why}."),
                "Make the path one that can be written, or name another.",
            ),
            Self::ReadOnly => (
                "The records can only be read.",
                format!("{path}, or the folder it lies in, may not be written."),
                "Allow writing, or name another path. Nothing was stored.",
            ),
            Self::Full => (
                "There is no room for the records.",
                format!("The disk of {path} is full."),
                "Make room, then run again. Nothing was stored.",
            ),
            Self::NoDatabase => (
                "The records are not a database.",
                format!("{path} is not a file that SQLite wrote."),
                "Move the file away, or name another path.",
            ),
            Self::Foreign => (
                "The records are another program's database.",
                format!("{path} has tables that were not made here."),
                "Move the file away, or name another path. It was not changed.",
            ),
            Self::Newer { version } => (
                "The records are from a later version of Tidegate.",
                format!("{path} has layout {version}, which this version does not know."),
                "Use the later version. The file was not changed.",
            ),
            Self::Older { version, latest } => (
                "The records are from an earlier version of Tidegate.",
                format!("{path} has layout {version}, this version makes {latest}."),
                "Stop the processes that use them, then run again.",
            ),
            Self::Damaged(what) => (
                "The records are damaged.",
                format!("{path}: {what}."),
                "Put a copy from before in its place, or repair it with sqlite3.",
            ),
            Self::Crowded { connections, patience_ms } => (
                "The records are in use.",
                format!("All {connections} connections to {path} were in use for {patience_ms} ms."),
                "Run again when less runs. Nothing was stored.",
            ),
            Self::Of { trouble, .. } => trouble.words(whole),
            Self::Conflict(what) | Self::Other(what) | Self::Unreachable(what) | Self::Unsure(what) => (
                "The records cannot be reached.",
                format!("{path}: {what}."),
                "See what the database says, then run again. Nothing was stored.",
            ),
        }
    }
}

/// As a part of a sentence that says which store it is.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { patience_ms } => {
                write!(f, "another process kept it locked for {patience_ms} ms; nothing was stored")
            }
            Self::Closed(why) => write!(f, "it cannot be opened: {why}; name a folder that can be written"),
            Self::Crowded { connections, patience_ms } => write!(
                f,
                "all {connections} connections were in use for {patience_ms} ms (database.pool); nothing was stored"
            ),
            Self::Unreachable(why) => {
                write!(f, "it cannot be reached: {why}; see that its server runs and database.url is right")
            }
            Self::Unsure(why) => {
                write!(
                    f,
                    "its server was lost while something was stored, so nobody knows whether it was: {why}"
                )
            }
            Self::ReadOnly => f.write_str("it may not be written; allow writing, nothing was stored"),
            Self::Full => f.write_str("the disk is full; make room, nothing was stored"),
            Self::NoDatabase => f.write_str("it is not a file that SQLite wrote; move it away"),
            Self::Foreign => f.write_str(
                "its tables are another program's; move it away or name another, it was not changed",
            ),
            Self::Newer { version } => {
                write!(
                    f,
                    "it has layout {version} of a later version of Tidegate; use that, it was not changed"
                )
            }
            Self::Older { version, latest } => write!(
                f,
                "it has layout {version} and this version makes {latest}; restart the server with this version"
            ),
            Self::Damaged(what) => {
                write!(f, "it is damaged: {what}; put a backup in its place (`tidegate db restore FILE`)")
            }
            Self::Conflict(what) | Self::Other(what) => f.write_str(what),
            Self::Of { file, trouble } => match &**trouble {
                Self::Damaged(what) => write!(
                    f,
                    "{file} is damaged: {what}; move it away (the other days stay), or put that of a backup in its place"
                ),
                trouble => write!(f, "{file}: {trouble}"),
            },
        }
    }
}

impl std::error::Error for Trouble {}

/// What a tree of fjall says, as the system has it where it was the system that said it.
pub(super) fn of_tree(error: fjall::Error) -> std::io::Error {
    match error {
        fjall::Error::Io(error) => error,
        other => std::io::Error::other(other),
    }
}
