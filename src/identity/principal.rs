//! Owns what a judgement says: who asks and what they may, or why not. Must not judge.

use std::sync::Arc;

use tidegate_actors::WorkspaceId;

use super::meter::Meter;
use super::role::Role;
use super::scope::{Door, Scopes};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A program on this machine, while there are no keys.
    Anybody,
    /// The holder of the key with this id.
    Key(Arc<str>),
    /// The person with this id, signed in.
    Person(Arc<str>),
}

/// A credential that was verified, and what it may.
#[derive(Debug)]
pub struct Principal {
    /// Who holds it.
    pub who: Who,
    /// Whose calls it makes.
    pub workspace: WorkspaceId,
    /// What it may there.
    pub role: Role,
    /// Tells one credential from another; 0 where there are none.
    pub credential: u64,
    /// What it is for.
    pub scopes: Scopes,
    /// What limits its calls: its own, its workspace's.
    pub meters: Box<[Arc<Meter>]>,
}

impl Principal {
    /// A program on this machine, under these limits.
    pub(super) fn anybody(meters: Box<[Arc<Meter>]>) -> Self {
        Self {
            who: Who::Anybody,
            workspace: WorkspaceId::default_workspace(),
            role: Role::Operator,
            credential: 0,
            scopes: Scopes { doors: Some(Door::ALL.to_vec()), models: None },
            meters,
        }
    }

    /// Whether it may know of what belongs to `workspace`.
    #[must_use]
    pub fn sees(&self, workspace: &WorkspaceId) -> bool {
        self.role == Role::Operator || self.workspace == *workspace
    }
}

/// A key or person, for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: Arc<str>,
    /// What people call it.
    pub name: Arc<str>,
}

/// Why a credential is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// There is none, and one is needed.
    Missing,
    /// It is nobody's.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
    /// The time of somebody's token is over.
    TokenExpired,
    /// The session has ended.
    SignedOut,
    /// It is not for the workspace that the request names.
    Elsewhere,
}
