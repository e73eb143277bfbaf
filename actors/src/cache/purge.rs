//! What to forget: filters, and the epochs that keep what was in the air from coming back.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::cache::entry::Entry;
use crate::call::WorkspaceId;

/// Which entries a purge means; every field that is set must match. Never all workspaces by accident.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PurgeFilter {
    /// Only this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Only the entry with this SHA-256.
    pub sha: Option<[u8; 32]>,
    /// Only entries with this label.
    pub tag: Option<String>,
    /// Only entries asked under this public model, or answered by this target.
    pub model: Option<String>,
}

impl PurgeFilter {
    pub(crate) fn matches(&self, entry: &Entry) -> bool {
        let Self { workspace, sha, tag, model } = self;
        let facts = &entry.facts;
        workspace.as_ref().is_none_or(|wanted| *wanted == facts.workspace)
            && sha.as_ref().is_none_or(|wanted| *wanted == facts.key.sha)
            && tag.as_ref().is_none_or(|wanted| facts.tags.iter().any(|tag| **tag == **wanted))
            && model.as_ref().is_none_or(|wanted| *facts.model == **wanted || *facts.target == **wanted)
    }
}

/// Counts purges, per workspace and of everything. An answer that was in the air while one ran is not kept.
#[derive(Debug, Default)]
pub(crate) struct PurgeEpochs {
    all: AtomicU64,
    by_workspace: RwLock<HashMap<WorkspaceId, Arc<AtomicU64>>>,
}

impl PurgeEpochs {
    pub(crate) fn of(&self, workspace: &WorkspaceId) -> u64 {
        let own = self.by_workspace.read().get(workspace).map_or(0, |epoch| epoch.load(Ordering::Acquire));
        own.wrapping_add(self.all.load(Ordering::Acquire))
    }

    pub(crate) fn bump(&self, filter: &PurgeFilter) {
        match &filter.workspace {
            None => {
                self.all.fetch_add(1, Ordering::AcqRel);
            }
            Some(workspace) => {
                let mut epochs = self.by_workspace.write();
                epochs.entry(workspace.clone()).or_default().fetch_add(1, Ordering::AcqRel);
            }
        }
    }
}
