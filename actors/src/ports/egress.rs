//! The port to egress inspection: may this piece of an answer leave.
//!
//! Owns the question; must not hold detectors.

use bytes::Bytes;

use crate::call::{CallKind, WorkspaceId};
use crate::error::CallError;

/// What inspection is told about a piece.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// For whom.
    pub workspace: &'a WorkspaceId,
    /// Of what kind of work.
    pub kind: CallKind,
}

/// Looks at answers before anybody sees them. Answers at once.
pub trait Egress: Send + Sync + 'static {
    /// Gives the piece as it may leave.
    ///
    /// # Errors
    /// `unclean`, with the finding; the flight ends with it.
    fn inspect(&self, context: Context<'_>, piece: Bytes) -> Result<Bytes, CallError>;

    /// The version of the redaction rules; part of the key.
    fn version(&self) -> u64;
}

/// Lets every piece leave unchanged: an instance without detectors.
#[derive(Debug, Clone, Copy, Default)]
pub struct PassThrough;

impl Egress for PassThrough {
    fn inspect(&self, _: Context<'_>, piece: Bytes) -> Result<Bytes, CallError> {
        Ok(piece)
    }

    fn version(&self) -> u64 {
        0
    }
}
