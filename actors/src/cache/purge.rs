//! What to forget: filters, and the epochs that keep what was in the air from coming back.

use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_64;

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

/// Workspaces that hash alike share a counter: a purge of one then keeps an answer of the other, in the air at that
/// moment, from being kept. Harmless, and neither a lock nor memory that grows.
const COUNTERS: usize = 1_024;

/// Counts purges, per workspace and of everything. An answer that was in the air while one ran is not kept.
#[derive(Debug)]
pub(crate) struct PurgeEpochs {
    all: AtomicU64,
    by_workspace: Box<[AtomicU64; COUNTERS]>,
}

impl Default for PurgeEpochs {
    fn default() -> Self {
        Self { all: AtomicU64::new(0), by_workspace: Box::new([const { AtomicU64::new(0) }; COUNTERS]) }
    }
}

impl PurgeEpochs {
    pub(crate) fn of(&self, workspace: &WorkspaceId) -> u64 {
        self.own(workspace).load(Ordering::Acquire).wrapping_add(self.all.load(Ordering::Acquire))
    }

    fn own(&self, workspace: &WorkspaceId) -> &AtomicU64 {
        &self.by_workspace[xxh3_64(workspace.as_str().as_bytes()) as usize % COUNTERS]
    }

    pub(crate) fn bump(&self, filter: &PurgeFilter) {
        filter.workspace.as_ref().map_or(&self.all, |own| self.own(own)).fetch_add(1, Ordering::AcqRel);
    }
}
