//! Owns the table in memory by which every request is judged: whose a credential is and what it may. Must not wait for
//! anything; what it holds is replaced as a whole when what is stored has changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use tidegate_actors::WorkspaceId;
use tidegate_actors::ports::clock::ClockRef;

use super::key::{KeyHash, SHORT, short_of};
use super::limited::{body_days, metered};
use super::meter::Meter;
use super::people::{People, credential_of};
use super::person::{Membership, PersonRow};
use super::principal::{Denial, Named, Principal, Who};
use super::registry::{Contents, KeyRow};
use super::till::Till;
use super::token::{Tokens, looks_signed};

/// The credentials in force.
#[derive(Debug)]
pub struct Roster {
    clock: ClockRef,
    anybody: Arc<Principal>,
    /// Whether the workspace of programs without keys has limits.
    is_limited: AtomicBool,
    /// Whether every request needs a credential.
    guarded: AtomicBool,
    till: Arc<Till>,
    /// Somebody who is nowhere stored.
    guest: OnceLock<(PersonRow, Membership)>,
    /// Whether any workspace keeps bodies: mostly none does, and each call asks.
    any_bodies: AtomicBool,
    now: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    contents: Arc<Contents>,
    keys: HashMap<[u8; SHORT], Entry>,
    people: People,
    /// Keys and people by the number their calls have.
    names: HashMap<u64, Named>,
    /// By the id of a key or workspace; only those that have limits.
    meters: HashMap<String, Arc<Meter>>,
    /// A program on this machine, under the limits of its workspace if there are any.
    anybody: Option<Arc<Principal>>,
    /// Days that bodies are kept, by the id of a workspace that keeps them.
    body_days: HashMap<String, u64>,
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
        Self {
            clock,
            anybody: Arc::new(Principal::anybody(Box::default())),
            is_limited: AtomicBool::new(false),
            guarded: AtomicBool::new(false),
            till: Arc::default(),
            guest: OnceLock::new(),
            any_bodies: AtomicBool::new(false),
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

    /// Adds somebody who is stored nowhere, as long as this lives. Before anything is read, and once.
    pub fn admit_guest(&self, person: PersonRow, membership: Membership) {
        // A second one is not let in.
        let _ = self.guest.set((person, membership));
    }

    /// Whether it is they.
    pub(super) fn is_guest(&self, person: &str) -> bool {
        self.guest.get().is_some_and(|(row, _)| row.id == person)
    }

    /// Whose `credential` is, in the workspace that the request names if it names one.
    ///
    /// # Errors
    /// It is needed and not there, not taken, or not for that workspace.
    ///
    /// # Cost
    /// Without keys and people nothing; else one SHA-256 of 55 bytes and a look under a read lock, without an allocation. For the
    /// token of a person one HMAC and the reading of its few claims.
    pub fn judge(&self, credential: Option<&[u8]>, named: Option<&str>) -> Result<Arc<Principal>, Denial> {
        if let Some(signed) = credential.filter(|text| looks_signed(text))
            && let Some(tokens) = self.tokens()
            && let Some(token) = tokens.read_access(signed)
        {
            let table = self.now.read();
            let named = named.map(|named| table.workspace(named).ok_or(Denial::Elsewhere)).transpose()?;
            return table.people.judge(&token, named.as_ref(), self.clock.unix_us());
        }
        let principal = match self.is_guarded() {
            true => self.holder(credential.ok_or(Denial::Missing)?)?,
            false => self.anybody(),
        };
        match named {
            Some(named) if self.now.read().workspace(named).as_ref() != Some(&principal.workspace) => {
                Err(Denial::Elsewhere)
            }
            _ => Ok(principal),
        }
    }

    /// A program on this machine.
    fn anybody(&self) -> Arc<Principal> {
        let is_limited = self.is_limited.load(Ordering::Acquire);
        let limited = if is_limited { self.now.read().anybody.clone() } else { None };
        limited.unwrap_or_else(|| Arc::clone(&self.anybody))
    }

    /// Who holds the key `text`.
    fn holder(&self, text: &[u8]) -> Result<Arc<Principal>, Denial> {
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

    /// The person of whom somebody we trust says that it is they who ask, by name, e-mail address or id.
    ///
    /// # Errors
    /// There is no such person, they may not come in, or not there.
    pub fn vouched(&self, person: &str, named: Option<&str>) -> Result<Arc<Principal>, Denial> {
        let table = self.now.read();
        let row = table.contents.person(person).ok_or(Denial::Unknown)?;
        let home = table.people.place(&row.id, None).ok_or(Denial::Unknown)?;
        match named {
            None => Ok(home),
            Some(named) => {
                let place =
                    table.workspace(named).and_then(|named| table.people.place(&row.id, Some(&named)));
                place.ok_or(Denial::Elsewhere)
            }
        }
    }

    /// What a person may in the workspace that is named, or in their own if none is.
    #[must_use]
    pub fn place(&self, person: &str, named: Option<&str>) -> Option<Arc<Principal>> {
        let table = self.now.read();
        match named {
            None => table.people.place(person, None),
            Some(named) => table.people.place(person, Some(&table.workspace(named)?)),
        }
    }

    /// What a person may, in every workspace they may be in.
    #[must_use]
    pub fn places(&self, person: &str) -> Vec<Arc<Principal>> {
        self.now.read().people.places(person)
    }

    /// Whether a session that began with this generation of a person may go on.
    pub(super) fn is_of_now(&self, person: &str, generation: u64) -> bool {
        self.now.read().people.is_of_now(person, generation)
    }

    /// Whether a token was given here, whenever it was valid.
    #[must_use]
    pub fn has_signed(&self, text: &[u8]) -> bool {
        looks_signed(text) && self.tokens().is_some_and(|tokens| tokens.read_access(text).is_some())
    }

    /// What signs and verifies tokens, if there is anything.
    pub(super) fn tokens(&self) -> Option<Arc<Tokens>> {
        self.now.read().people.tokens()
    }

    /// The key or person whose calls have this number.
    #[must_use]
    pub fn named(&self, credential: u64) -> Option<Named> {
        self.now.read().names.get(&credential).cloned()
    }

    /// For how many days a workspace keeps what its calls ask and are told; nothing where it keeps none.
    ///
    /// # Cost
    /// While no workspace does a load; else a look under a read lock.
    #[must_use]
    pub fn body_days(&self, workspace: &WorkspaceId) -> Option<u64> {
        if !self.any_bodies.load(Ordering::Relaxed) {
            return None;
        }
        self.now.read().body_days.get(workspace.as_str()).copied()
    }

    /// Where calls under limits enter and are settled.
    #[must_use]
    pub fn till(&self) -> &Arc<Till> {
        &self.till
    }

    /// Whether anybody has a key that is taken, or a password.
    #[must_use]
    pub fn lets_somebody_in(&self) -> bool {
        let now_us = self.clock.unix_us();
        let lives = |entry: &Entry| !entry.is_revoked && entry.expires_us.is_none_or(|at| at > now_us);
        let now = self.now.read();
        now.people.has_anybody() || now.keys.values().any(lives)
    }

    /// What is stored, as far as it was read.
    #[must_use]
    pub fn contents(&self) -> Arc<Contents> {
        Arc::clone(&self.now.read().contents)
    }

    /// The number of the calls of the key or person with this id.
    #[must_use]
    pub fn credential(&self, id: &str) -> Option<u64> {
        let now = self.now.read();
        now.names.iter().find(|(_, named)| *named.id == *id).map(|(number, _)| *number)
    }

    /// Everything that has limits.
    #[must_use]
    pub fn meters(&self) -> Vec<Arc<Meter>> {
        let mut meters: Vec<_> = self.now.read().meters.values().cloned().collect();
        meters.sort_by(|one, other| one.whose().id.cmp(&other.whose().id));
        meters
    }

    /// Puts what was read in force, unless something later is. A key or person that was ever made closes the doors for good.
    pub(super) fn replace(&self, mut contents: Contents) {
        let is_closed = !contents.keys.is_empty() || !contents.people.is_empty();
        if let Some((person, membership)) = self.guest.get()
            && !contents.people.iter().any(|known| known.name == person.name)
        {
            contents.people.push(person.clone());
            contents.members.push(membership.clone());
        }
        let before = {
            let mut now = self.now.write();
            if contents.epoch < now.contents.epoch {
                return;
            }
            let meters = metered(&contents, &now.meters);
            let keys = contents.keys.iter().filter_map(|row| Entry::of(row, &meters)).collect();
            let people = People::of(&contents, &meters);
            let names = named(&contents);
            let body_days = body_days(&contents);
            self.any_bodies.store(!body_days.is_empty(), Ordering::Relaxed);
            let of_all = meters.get(WorkspaceId::default_workspace().as_str()).cloned();
            let anybody = of_all.map(|meter| Arc::new(Principal::anybody(Box::new([meter]))));
            self.is_limited.store(anybody.is_some(), Ordering::Release);
            let contents = Arc::new(contents);
            std::mem::replace(&mut *now, Table { contents, keys, people, names, meters, anybody, body_days })
        };
        drop(before); // outside the lock
        if is_closed {
            self.guard();
        }
    }
}

impl Table {
    /// The workspace with this id or name.
    fn workspace(&self, named: &str) -> Option<WorkspaceId> {
        self.contents.workspace(named).map(|workspace| workspace.id.clone())
    }
}

fn named(contents: &Contents) -> HashMap<u64, Named> {
    let named = |id: &str, name: &str| Named { id: id.into(), name: name.into() };
    let keys = contents.keys.iter().map(|row| (row.credential(), named(&row.id, &row.name)));
    let people = contents.people.iter().map(|row| (credential_of(&row.id), named(&row.id, &row.name)));
    keys.chain(people).collect()
}
