//! Owns the port to where identity is stored, and the rows that pass it. Must not judge them.

use std::pin::Pin;

use tidegate_actors::WorkspaceId;

use super::key::KeyHash;
use super::limit::LimitName;
use super::role::Role;
use super::scope::Scopes;

/// What is being read or stored.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, RegistryFault>> + Send>>;

/// Why something was not read or stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryFault {
    /// Something with that name is there, or something it belongs to is not.
    #[error("it contradicts what is stored: {0}")]
    Conflict(String),
    /// The store cannot be used.
    #[error("{0}")]
    Unavailable(String),
}

/// Those who share answers, keys and books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// `ws_` and a UUIDv7; `default` for the one that is always there.
    pub id: WorkspaceId,
    /// What people call it; no two have the same.
    pub name: String,
    /// Microseconds since 1970 UTC.
    pub created_us: i64,
}

/// A key as it is stored.
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// `key_` and a UUIDv7.
    pub id: String,
    /// What stands in the key itself.
    pub short: String,
    /// What people call it.
    pub name: String,
    /// Whose calls are made with it.
    pub workspace: WorkspaceId,
    /// What may be done with it.
    pub role: Role,
    /// Of the whole key.
    pub hash: KeyHash,
    /// What it is for.
    pub scopes: Scopes,
    /// Microseconds since 1970 UTC.
    pub created_us: i64,
    /// From when on it is not taken any more.
    pub expires_us: Option<i64>,
    /// Since when it is not taken any more.
    pub revoked_us: Option<i64>,
}

impl KeyRow {
    /// What tells its calls from those of other keys; never 0, which is no key.
    #[must_use]
    pub fn credential(&self) -> u64 {
        self.hash.number().max(1)
    }
}

/// What a workspace or a key may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The id of a workspace or a key.
    pub subject: String,
    /// Of what.
    pub name: LimitName,
    /// How much.
    pub value: u64,
}

/// All that is stored.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Another number whenever something of it changed.
    pub epoch: u64,
    /// Every workspace, the oldest first.
    pub workspaces: Vec<Workspace>,
    /// Every key, also those that ended, the oldest first.
    pub keys: Vec<KeyRow>,
    /// What workspaces and keys may use.
    pub limits: Vec<Limit>,
}

/// Something to store.
#[derive(Debug, Clone)]
pub enum Change {
    /// A new workspace.
    AddWorkspace(Workspace),
    /// A new key.
    AddKey(KeyRow),
    /// A key ends at a moment, unless it ends before.
    ExpireKey {
        /// Which.
        id: String,
        /// When.
        at_us: i64,
    },
    /// A limit, in place of the one before.
    SetLimit(Limit),
    /// A limit is none any more.
    LiftLimit {
        /// The id of a workspace or a key.
        subject: String,
        /// Of what.
        name: LimitName,
    },
    /// A key has ended.
    RevokeKey {
        /// Which.
        id: String,
        /// When.
        at_us: i64,
    },
}

/// Where identity is stored.
pub trait Registry: Send + Sync + 'static {
    /// All of it, as it is at one moment.
    fn read(&self) -> Pending<Contents>;

    /// The epoch alone; small enough to ask several times a second.
    fn epoch(&self) -> Pending<u64>;

    /// Stores all changes or none; gives the epoch from which on they are seen.
    fn apply(&self, changes: Vec<Change>) -> Pending<u64>;
}
