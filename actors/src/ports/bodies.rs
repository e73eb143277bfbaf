//! The port to bodies: what calls asked and were told, kept for workspaces that say so.
//!
//! Owns the values; must not know where they lie, nor who may read them.

use bytes::Bytes;

use crate::call::{CallId, WorkspaceId};
use crate::ports::books::Reading;

/// What is kept of one body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBody {
    /// SHA-256 of what is kept.
    pub sha: [u8; 32],
    /// The body, secrets masked.
    pub bytes: Bytes,
}

/// What is kept of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What was asked.
    pub request: KeptBody,
    /// What was told; nothing where there was no answer, or one longer than may be kept.
    pub answer: Option<KeptBody>,
}

/// One call whose bodies are being kept. Dropped, all it was given is handed over.
pub trait Keeping: Send {
    /// The next piece of the answer, shared, not copied. Never waits.
    fn add(&mut self, piece: &Bytes);
}

/// Keeps bodies.
pub trait Bodies: Send + Sync + 'static {
    /// Begins to keep what a call asks; nothing where its workspace keeps none or there is no room. Never waits.
    fn begin(&self, call: CallId, workspace: &WorkspaceId, request: &Bytes) -> Option<Box<dyn Keeping>>;

    /// What is kept of a call of this workspace, as soon as it was handed over.
    fn find(&self, call: CallId, workspace: &WorkspaceId) -> Reading<Option<Exchange>>;
}
