//! Owns the orders that change who may do what: each is checked, stored, and in force before its giver hears of it. Must
//! not know who gives them.

use std::sync::Arc;

use parking_lot::Mutex;
use tidegate_actors::WorkspaceId;
use tidegate_actors::ports::books::Books;
use tidegate_actors::ports::clock::ClockRef;
use uuid::Uuid;

use super::key::ApiKey;
use super::limit::LimitName;
use super::password::{BadPassword, Hashing, NotHashed};
use super::registry::{Change, KeyRow, Limit, Registry, RegistryFault, Workspace};
use super::role::Role;
use super::roster::Roster;
use super::scope::Scopes;
use super::sign_in::SignInRules;
use super::spending::Shares;
use super::throttle::Throttle;

/// Longest name, characters.
pub(super) const LONGEST_NAME: usize = 100;

/// Gives and takes what the roster judges by.
pub struct Office {
    pub(super) registry: Arc<dyn Registry>,
    pub(super) roster: Arc<Roster>,
    pub(super) clock: ClockRef,
    pub(super) hashing: Hashing,
    pub(super) throttle: Throttle,
    pub(super) rules: SignInRules,
    /// What was spent before this process; nothing where no books are kept.
    pub(super) books: Option<Arc<dyn Books>>,
    /// What other servers were told of budgets.
    pub(super) shares: Mutex<Shares>,
}

/// A key to make.
#[derive(Debug, Clone)]
pub struct KeyOrder {
    /// What people will call it.
    pub name: String,
    /// Whose calls it makes: a workspace's id or name.
    pub workspace: String,
    /// What it may there.
    pub role: Role,
    /// What it is for.
    pub scopes: Scopes,
    /// How long it is taken, seconds; for good if nothing is said.
    pub lifetime_s: Option<u64>,
}

/// What is limited, by id or name.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A workspace, with all its keys together.
    Workspace(String),
    /// One key.
    Key(String),
}

/// A key that was made. Its text is shown once.
pub struct Made {
    /// The key.
    pub key: ApiKey,
    /// What is known of it.
    pub row: KeyRow,
}

/// Why an order was not carried out. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfficeError {
    /// A name that nobody may have.
    #[error("{what} must have 1 to {LONGEST_NAME} characters and no control characters, got {got:?}")]
    BadName {
        /// Of what.
        what: &'static str,
        /// What was given, cut.
        got: String,
    },
    /// Something that is not what it has to be.
    #[error("{what} {why}; got {got:?}")]
    NotThat {
        /// What it has to be.
        what: &'static str,
        /// What that is like.
        why: &'static str,
        /// What was given, cut.
        got: String,
    },
    /// A password nobody may have.
    #[error(transparent)]
    BadPassword(#[from] BadPassword),
    /// No password was hashed.
    #[error(transparent)]
    NotHashed(#[from] NotHashed),
    /// What the person of a demonstration is cannot be changed.
    #[error(
        "{name:?} is there for demonstrations alone (--demo) and stored nowhere, so nothing can be changed"
    )]
    Guest {
        /// Their name.
        name: String,
    },
    /// The name is somebody else's.
    #[error("there is a {what} {name:?} already")]
    Taken {
        /// Of what.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Nothing has this id or name.
    #[error("there is no {what} {name:?}")]
    Missing {
        /// Of what.
        what: &'static str,
        /// What was asked for, cut.
        name: String,
    },
    /// It has ended.
    #[error("the key {id} has ended; make a new one")]
    Ended {
        /// Its id.
        id: String,
    },
    /// Zero is no limit anybody wants.
    #[error("{name} must be at least 1; leave it out to lift it, or revoke the key")]
    Zero {
        /// Of what.
        name: &'static str,
    },
    /// The store refused.
    #[error("nothing was changed: {0}")]
    Store(#[from] RegistryFault),
    /// No random numbers.
    #[error("no key can be made: {0}")]
    NoKey(String),
}

impl Office {
    /// An office whose orders `registry` stores and `roster` then knows.
    #[must_use]
    pub fn new(registry: Arc<dyn Registry>, roster: Arc<Roster>, clock: ClockRef) -> Self {
        Self::with_rules(registry, roster, clock, SignInRules::default())
    }

    /// As [`Office::new`], where people sign in by these rules.
    #[must_use]
    pub fn with_rules(
        registry: Arc<dyn Registry>,
        roster: Arc<Roster>,
        clock: ClockRef,
        rules: SignInRules,
    ) -> Self {
        let throttle = Throttle::new(rules.per_account, rules.per_address);
        Self {
            registry,
            roster,
            clock,
            hashing: Hashing::default(),
            throttle,
            rules,
            books: None,
            shares: Mutex::default(),
        }
    }

    /// Who judges by what was ordered here.
    #[must_use]
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// Puts in force what is stored, if that is not what is in force. True if something changed.
    ///
    /// # Errors
    /// It cannot be read; what was in force stays.
    pub async fn refresh(&self) -> Result<bool, RegistryFault> {
        let is_other = self.registry.epoch().await? != self.roster.contents().epoch;
        if is_other {
            self.roster.replace(self.registry.read().await?);
        }
        self.count().await?;
        Ok(is_other)
    }

    /// Makes a workspace.
    ///
    /// # Errors
    /// The name is taken or nobody may have it, or it cannot be stored.
    pub async fn make_workspace(&self, name: &str) -> Result<Workspace, OfficeError> {
        let name = checked("the name of a workspace", name)?;
        self.refresh().await?;
        let taken = |workspace: &Workspace| workspace.name == name || workspace.id.as_str() == name;
        if self.roster.contents().workspaces.iter().any(taken) {
            return Err(OfficeError::Taken { what: "workspace", name });
        }
        let id = WorkspaceId::new(format!("ws_{}", Uuid::now_v7()));
        let workspace = Workspace { id, name, created_us: self.clock.unix_us() };
        self.store(vec![Change::AddWorkspace(workspace.clone())]).await?;
        Ok(workspace)
    }

    /// Makes a key. From the first one on, every request needs one.
    ///
    /// # Errors
    /// There is no such workspace, or it cannot be stored.
    pub async fn make_key(&self, order: KeyOrder) -> Result<Made, OfficeError> {
        let KeyOrder { name, workspace, role, scopes, lifetime_s } = order;
        let name = checked("the name of a key", &name)?;
        self.refresh().await?;
        let workspace = self.workspace(&workspace)?.id;
        let now_us = self.clock.unix_us();
        let expires_us = lifetime_s.map(|seconds| after(now_us, seconds));
        let made = self.minted(KeyFacts { name, workspace, role, scopes, expires_us })?;
        self.store(vec![Change::AddKey(made.row.clone())]).await?;
        Ok(made)
    }

    /// Makes a key in the place of another, which is taken for `overlap_s` seconds more.
    ///
    /// # Errors
    /// There is no such key, it has ended, or nothing can be stored.
    pub async fn rotate_key(&self, id: &str, overlap_s: u64) -> Result<Made, OfficeError> {
        self.refresh().await?;
        let old = self.key(id)?;
        let now_us = self.clock.unix_us();
        if old.revoked_us.is_some() || old.expires_us.is_some_and(|at| at <= now_us) {
            return Err(OfficeError::Ended { id: old.id });
        }
        let at_us = after(now_us, overlap_s);
        let KeyRow { id, name, workspace, role, scopes, expires_us, .. } = old;
        let made = self.minted(KeyFacts { name, workspace, role, scopes, expires_us })?;
        self.store(vec![Change::AddKey(made.row.clone()), Change::ExpireKey { id, at_us }]).await?;
        Ok(made)
    }

    /// Ends a key. It is taken nowhere any more when this returns.
    ///
    /// # Errors
    /// There is no such key, or it cannot be stored.
    pub async fn revoke_key(&self, id: &str) -> Result<KeyRow, OfficeError> {
        self.refresh().await?;
        let row = self.key(id)?;
        if row.revoked_us.is_none() {
            let at_us = self.clock.unix_us();
            self.store(vec![Change::RevokeKey { id: row.id.clone(), at_us }]).await?;
        }
        self.key(&row.id)
    }

    /// The workspace with this id or name.
    ///
    /// # Errors
    /// There is none.
    pub fn workspace(&self, named: &str) -> Result<Workspace, OfficeError> {
        let contents = self.roster.contents();
        let found = contents.workspace(named).cloned();
        found.ok_or_else(|| OfficeError::Missing { what: "workspace", name: cut(named) })
    }

    /// The key with this id, or with this short part.
    ///
    /// # Errors
    /// There is none.
    pub fn key(&self, named: &str) -> Result<KeyRow, OfficeError> {
        let contents = self.roster.contents();
        let found = contents.keys.iter().find(|row| row.id == named || row.short == named);
        found.cloned().ok_or_else(|| OfficeError::Missing { what: "key", name: cut(named) })
    }

    /// Limits a workspace or a key, by id or name; lifts the limits that say nothing. What is used stays used.
    ///
    /// # Errors
    /// There is nothing of this name, a limit is 0, or it cannot be stored.
    pub async fn limit(
        &self,
        subject: &Subject,
        limits: &[(LimitName, Option<u64>)],
    ) -> Result<String, OfficeError> {
        self.refresh().await?;
        let id = match subject {
            Subject::Workspace(named) => self.workspace(named)?.id.to_string(),
            Subject::Key(named) => self.key(named)?.id,
        };
        if let Some((name, _)) = limits.iter().find(|(_, value)| *value == Some(0)) {
            return Err(OfficeError::Zero { name: name.name() });
        }
        let change = |&(name, value): &(LimitName, Option<u64>)| match value {
            Some(value) => Change::SetLimit(Limit { subject: id.clone(), name, value }),
            None => Change::LiftLimit { subject: id.clone(), name },
        };
        self.store(limits.iter().map(change).collect()).await?;
        Ok(id)
    }

    fn minted(&self, facts: KeyFacts) -> Result<Made, OfficeError> {
        let KeyFacts { name, workspace, role, scopes, expires_us } = facts;
        let key = ApiKey::fresh().map_err(|error| OfficeError::NoKey(error.to_string()))?;
        let (id, short, hash) = (format!("key_{}", Uuid::now_v7()), key.short().to_owned(), key.hash());
        let (created_us, revoked_us) = (self.clock.unix_us(), None);
        let row =
            KeyRow { id, short, name, workspace, role, hash, scopes, created_us, expires_us, revoked_us };
        Ok(Made { key, row })
    }

    pub(super) async fn store(&self, changes: Vec<Change>) -> Result<(), OfficeError> {
        self.registry.apply(changes).await?;
        self.refresh().await?;
        Ok(())
    }
}

struct KeyFacts {
    name: String,
    workspace: WorkspaceId,
    role: Role,
    scopes: Scopes,
    expires_us: Option<i64>,
}

pub(super) fn after(now_us: i64, seconds: u64) -> i64 {
    let us = i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    now_us.saturating_add(us)
}

pub(super) fn cut(text: &str) -> String {
    text.chars().take(LONGEST_NAME).collect()
}

/// A name people may give.
pub(super) fn checked(what: &'static str, name: &str) -> Result<String, OfficeError> {
    let name = name.trim();
    match !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control) {
        true => Ok(name.to_owned()),
        false => Err(OfficeError::BadName { what, got: cut(name) }),
    }
}
