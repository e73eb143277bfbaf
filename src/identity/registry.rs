//! Owns the port to where identity is stored, and the rows that pass it. Must not judge them.

use std::pin::Pin;

use tidegate_actors::WorkspaceId;

use super::budget::Span;
use super::key::KeyHash;
use super::limit::LimitName;
use super::password::PasswordHash;
use super::person::{Membership, PersonRow, SessionRow};
use super::role::Role;
use super::scope::Scopes;
use super::token::TokenKey;

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

/// What was spent of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentRow {
    /// The id of a workspace or a key.
    pub subject: String,
    /// In what.
    pub span: Span,
    /// Which began at this moment, microseconds since 1970 UTC.
    pub from_us: i64,
    /// So much, nano-USD.
    pub nano: i64,
    /// Of that what servers counted themselves: stored what all did, noted what is to be added.
    pub counted: i64,
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
    /// Everybody who may sign in or might, the oldest first.
    pub people: Vec<PersonRow>,
    /// What they may where, the oldest workspace first.
    pub members: Vec<Membership>,
    /// Sessions that ended before their time, as long as one of their tokens could be taken.
    pub ended_sessions: Vec<String>,
    /// What signs tokens, if it was ever needed.
    pub token_key: Option<TokenKey>,
}

impl Contents {
    /// The workspace with this id, else with this name.
    #[must_use]
    pub fn workspace(&self, named: &str) -> Option<&Workspace> {
        let has_id = self.workspaces.iter().find(|workspace| workspace.id.as_str() == named);
        has_id.or_else(|| self.workspaces.iter().find(|workspace| workspace.name == named))
    }

    /// The person with this id, name or e-mail address.
    #[must_use]
    pub fn person(&self, named: &str) -> Option<&PersonRow> {
        self.people.iter().find(|person| person.is_called(named))
    }
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
    /// A new person.
    AddPerson(PersonRow),
    /// Another password; all sessions of the person end.
    SetPassword {
        /// Whose.
        person: String,
        /// What is stored of it.
        password: PasswordHash,
    },
    /// A person may not come in any more; all their sessions end.
    DisablePerson {
        /// Who.
        id: String,
        /// When.
        at_us: i64,
    },
    /// A person may come in again.
    EnablePerson {
        /// Who.
        id: String,
    },
    /// Whether a person runs the instance.
    SetOperator {
        /// Who.
        person: String,
        /// Whether they do.
        is_operator: bool,
    },
    /// What a person may in a workspace, in place of what they might before.
    SetMembership(Membership),
    /// A person is no member any more.
    EndMembership {
        /// Who.
        person: String,
        /// Where.
        workspace: WorkspaceId,
    },
    /// What signs tokens, unless there is something already.
    KeepTokenKey(TokenKey),
    /// A session ends, unless it ended before.
    EndSession {
        /// Which.
        id: String,
        /// When.
        at_us: i64,
    },
}

/// A session that is to go on.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// Which.
    pub session: String,
    /// How often it had been renewed when the token for this was given.
    pub renewals: u64,
    /// Now.
    pub at_us: i64,
    /// When it ends unless it is renewed again.
    pub expires_us: i64,
}

/// What became of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// It goes on.
    Yes(SessionRow),
    /// The token was used before.
    Used,
    /// There is no such session any more.
    Gone,
}

/// Where identity is stored.
pub trait Registry: Send + Sync + 'static {
    /// All of it, as it is at one moment.
    fn read(&self) -> Pending<Contents>;

    /// The epoch alone; small enough to ask several times a second.
    fn epoch(&self) -> Pending<u64>;

    /// Stores all changes or none; gives the epoch from which on they are seen.
    fn apply(&self, changes: Vec<Change>) -> Pending<u64>;

    /// Begins a session. Nobody is judged by it, so the epoch stays.
    fn begin_session(&self, session: SessionRow) -> Pending<()>;

    /// What servers noted of budgets.
    fn spent(&self) -> Pending<Vec<SpentRow>>;

    /// Notes what was spent of budgets; of the same day or month never less than before, and what was counted is added to what
    /// is noted. Nobody is judged by it, so the epoch stays.
    fn note_spent(&self, rows: Vec<SpentRow>) -> Pending<()>;

    /// Lets a session go on, once for each token.
    fn renew_session(&self, renewal: Renewal) -> Pending<Renewed>;
}
