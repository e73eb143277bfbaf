//! Owns the table in memory by which every request is judged: whose a credential is and what it may. Must not wait for
//! anything; what it holds is replaced as a whole when what is stored has changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use tidegate_actors::WorkspaceId;
use tidegate_actors::ports::clock::ClockRef;

use super::key::{KeyHash, SHORT, short_of};
use super::meter::{Meter, Till};
use super::registry::{Contents, KeyRow};
use super::role::Role;
use super::scope::Scopes;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A program on this machine, while there are no keys.
    Anybody,
    /// The holder of the key with this id.
    Key(Arc<str>),
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
    /// Whether it may know of what belongs to `workspace`.
    #[must_use]
    pub fn sees(&self, workspace: &WorkspaceId) -> bool {
        self.role == Role::Operator || self.workspace == *workspace
    }
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
}

/// The credentials in force.
#[derive(Debug)]
pub struct Roster {
    clock: ClockRef,
    anybody: Arc<Principal>,
    /// Whether every request needs a credential.
    guarded: AtomicBool,
    till: Arc<Till>,
    now: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    contents: Arc<Contents>,
    keys: HashMap<[u8; SHORT], Entry>,
    /// By the id of a key or workspace; only those that have limits.
    meters: HashMap<String, Arc<Meter>>,
}

#[derive(Debug)]
struct Entry {
    hash: KeyHash,
    expires_us: Option<i64>,
    is_revoked: bool,
    principal: Arc<Principal>,
}

impl Entry {
    fn of(row: &KeyRow, meters: &HashMap<String, Arc<Meter>>) -> Option<([u8; SHORT], Self)> {
        let limiting = [row.id.as_str(), row.workspace.as_str()];
        let principal = Principal {
            who: Who::Key(row.id.as_str().into()),
            workspace: row.workspace.clone(),
            role: row.role,
            credential: row.credential(),
            scopes: row.scopes.clone(),
            meters: limiting.into_iter().filter_map(|subject| meters.get(subject).cloned()).collect(),
        };
        let (expires_us, is_revoked) = (row.expires_us, row.revoked_us.is_some());
        let entry = Self { hash: row.hash, expires_us, is_revoked, principal: Arc::new(principal) };
        Some((row.short.as_bytes().try_into().ok()?, entry))
    }
}

impl Roster {
    /// A table of nobody: every program on this machine runs the workspace `default`.
    #[must_use]
    pub fn open(clock: ClockRef) -> Self {
        let anybody = Principal {
            who: Who::Anybody,
            workspace: WorkspaceId::default_workspace(),
            role: Role::Operator,
            credential: 0,
            scopes: Scopes { doors: Some(super::Door::ALL.to_vec()), models: None },
            meters: Box::default(),
        };
        Self {
            clock,
            anybody: Arc::new(anybody),
            guarded: AtomicBool::new(false),
            till: Arc::default(),
            now: RwLock::default(),
        }
    }

    /// From here on every request needs a credential, keys or not: others can reach the server.
    pub fn guard(&self) {
        self.guarded.store(true, Ordering::Release);
    }

    /// Whether every request needs a credential.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.guarded.load(Ordering::Acquire)
    }

    /// Whose `credential` is.
    ///
    /// # Errors
    /// It is needed and not there, or not taken.
    ///
    /// # Cost
    /// Without keys nothing; else one SHA-256 of 55 bytes and a look under a read lock. Allocates nothing.
    pub fn judge(&self, credential: Option<&[u8]>) -> Result<Arc<Principal>, Denial> {
        if !self.is_guarded() {
            return Ok(Arc::clone(&self.anybody));
        }
        let text = credential.ok_or(Denial::Missing)?;
        let short = short_of(text).ok_or(Denial::Unknown)?;
        let hash = KeyHash::of(text);
        let table = self.now.read();
        let entry = table.keys.get(&short).filter(|entry| entry.hash.is(&hash)).ok_or(Denial::Unknown)?;
        if entry.is_revoked {
            return Err(Denial::Revoked);
        }
        match entry.expires_us {
            Some(at) if self.clock.unix_us() >= at => Err(Denial::Expired),
            _ => Ok(Arc::clone(&entry.principal)),
        }
    }

    /// Where calls under limits enter and are settled.
    #[must_use]
    pub fn till(&self) -> &Arc<Till> {
        &self.till
    }

    /// Whether anybody has a key that is taken.
    #[must_use]
    pub fn has_live_key(&self) -> bool {
        let now_us = self.clock.unix_us();
        let lives = |entry: &Entry| !entry.is_revoked && entry.expires_us.is_none_or(|at| at > now_us);
        self.now.read().keys.values().any(lives)
    }

    /// What is stored, as far as it was read.
    #[must_use]
    pub fn contents(&self) -> Arc<Contents> {
        Arc::clone(&self.now.read().contents)
    }

    /// Puts what was read in force, unless something later is. A key that was ever made closes the doors for good.
    pub(super) fn replace(&self, contents: Contents) {
        let has_keys = !contents.keys.is_empty();
        let before = {
            let mut now = self.now.write();
            if contents.epoch < now.contents.epoch {
                return;
            }
            let meters = metered(&contents, &now.meters);
            let keys = contents.keys.iter().filter_map(|row| Entry::of(row, &meters)).collect();
            std::mem::replace(&mut *now, Table { contents: Arc::new(contents), keys, meters })
        };
        drop(before); // outside the lock
        if has_keys {
            self.guard();
        }
    }
}

/// A meter for everything that has limits; those there were go on, with what is used of them.
fn metered(contents: &Contents, before: &HashMap<String, Arc<Meter>>) -> HashMap<String, Arc<Meter>> {
    let mut meters = HashMap::new();
    for subject in contents.limits.iter().map(|limit| &limit.subject) {
        let named = || match contents.keys.iter().find(|key| key.id == *subject) {
            Some(key) => format!("key {}", key.short),
            None => format!("workspace {subject}"),
        };
        let known = before.get(subject).cloned();
        meters
            .entry(subject.clone())
            .or_insert_with(|| known.unwrap_or_else(|| Arc::new(Meter::of(named()))));
    }
    for (subject, meter) in &meters {
        let own = contents.limits.iter().filter(|limit| limit.subject == *subject);
        let own: Vec<_> = own.map(|limit| (limit.name, limit.value)).collect();
        meter.limit(|name| own.iter().find(|(known, _)| *known == name).map(|(_, value)| *value));
    }
    meters
}
