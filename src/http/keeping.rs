//! Owns what doors hand over of a call's bodies, where its workspace keeps them. Must not decide whose are kept, nor wait.

use bytes::Bytes;
use tidegate_actors::ports::bodies::Keeping;
use tidegate_actors::{CallId, WorkspaceId};

use super::Doors;

/// A call whose bodies are kept, or of which nothing is. Dropped, what it was given is handed over.
#[derive(Default)]
pub(crate) struct Copying(Option<Box<dyn Keeping>>);

impl Copying {
    /// Begins with what was asked.
    pub(crate) fn begin(doors: &Doors, call: CallId, workspace: &WorkspaceId, request: &Bytes) -> Self {
        Self(doors.archive.as_ref().and_then(|archive| archive.begin(call, workspace, request)))
    }

    /// The next piece of what is told.
    pub(crate) fn add(&mut self, piece: &Bytes) {
        if let Some(keeping) = &mut self.0 {
            keeping.add(piece);
        }
    }
}
