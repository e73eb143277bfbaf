//! Owns the table in memory by which people who signed in are judged: what each may where, and which sessions have ended. Must
//! not wait for anything; it is replaced as a whole, with the roster's.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tidegate_actors::WorkspaceId;

use super::meter::Meter;
use super::person::Membership;
use super::principal::{Denial, Principal, Who};
use super::registry::Contents;
use super::role::Role;
use super::scope::Scopes;
use super::token::{AccessToken, Tokens};

/// People, as far as requests are judged by them.
#[derive(Debug, Default)]
pub(super) struct People {
    by_id: HashMap<String, Known>,
    ended: HashSet<String>,
    tokens: Option<Arc<Tokens>>,
}

#[derive(Debug)]
struct Known {
    generation: u64,
    is_enabled: bool,
    /// Where they may be, the workspace they are in unless they name one first.
    places: Vec<Arc<Principal>>,
}

/// What tells a person's calls from those made with keys or by other people.
pub(super) fn credential_of(person: &str) -> u64 {
    let hash = Sha256::digest(person.as_bytes());
    hash.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte)).max(1)
}

impl People {
    pub(super) fn of(contents: &Contents, meters: &HashMap<String, Arc<Meter>>) -> Self {
        let mut members: HashMap<&str, Vec<&Membership>> = HashMap::new();
        for member in &contents.members {
            members.entry(member.person.as_str()).or_default().push(member);
        }
        let known = contents.people.iter().map(|person| {
            let who: Arc<str> = person.id.as_str().into();
            let place = |(workspace, role): (&WorkspaceId, Role)| {
                Arc::new(Principal {
                    who: Who::Person(Arc::clone(&who)),
                    workspace: workspace.clone(),
                    role,
                    credential: credential_of(&person.id),
                    scopes: Scopes::default(),
                    meters: meters.get(workspace.as_str()).into_iter().cloned().collect(),
                })
            };
            let places = match person.is_operator {
                true => contents.workspaces.iter().map(|known| place((&known.id, Role::Operator))).collect(),
                false => {
                    let of_person = members.remove(person.id.as_str()).unwrap_or_default();
                    of_person.into_iter().map(|member| place((&member.workspace, member.role))).collect()
                }
            };
            let (generation, is_enabled) = (person.generation, person.disabled_us.is_none());
            (person.id.clone(), Known { generation, is_enabled, places })
        });
        Self {
            by_id: known.collect(),
            ended: contents.ended_sessions.iter().cloned().collect(),
            tokens: contents.token_key.as_ref().map(|key| Arc::new(Tokens::with(key))),
        }
    }

    /// What signs and verifies tokens, if there is anything.
    pub(super) fn tokens(&self) -> Option<Arc<Tokens>> {
        self.tokens.clone()
    }

    /// Whether anybody could come in with a password.
    pub(super) fn has_anybody(&self) -> bool {
        self.by_id.values().any(|known| known.is_enabled && !known.places.is_empty())
    }

    /// Whose a token is that was verified.
    pub(super) fn judge(
        &self,
        token: &AccessToken,
        named: Option<&WorkspaceId>,
        now_us: i64,
    ) -> Result<Arc<Principal>, Denial> {
        if token.is_over(now_us) {
            return Err(Denial::TokenExpired);
        }
        let known = self.by_id.get(&token.sub).filter(|known| known.generation == token.generation);
        let known = known.filter(|_| !self.ended.contains(&token.sid)).ok_or(Denial::SignedOut)?;
        match named {
            Some(named) => known.place(named).ok_or(Denial::Elsewhere),
            // They are no member any more.
            None => known.place(&token.workspace()).ok_or(Denial::SignedOut),
        }
    }

    /// What a person may in the workspace that is named, or in their own.
    pub(super) fn place(&self, person: &str, named: Option<&WorkspaceId>) -> Option<Arc<Principal>> {
        let known = self.by_id.get(person)?;
        match named {
            Some(named) => known.place(named),
            None => known.places.first().filter(|_| known.is_enabled).cloned(),
        }
    }

    /// Every workspace a person may be in.
    pub(super) fn places(&self, person: &str) -> Vec<Arc<Principal>> {
        self.by_id
            .get(person)
            .filter(|known| known.is_enabled)
            .map(|known| known.places.clone())
            .unwrap_or_default()
    }

    /// Whether a session that began with this generation may go on.
    pub(super) fn is_of_now(&self, person: &str, generation: u64) -> bool {
        self.by_id.get(person).is_some_and(|known| known.is_enabled && known.generation == generation)
    }
}

impl Known {
    fn place(&self, workspace: &WorkspaceId) -> Option<Arc<Principal>> {
        self.places.iter().find(|place| self.is_enabled && place.workspace == *workspace).cloned()
    }
}
