//! Owns how people come in: by name and password, then by a token that lasts minutes and one that renews it once. Who fails
//! hears the same in the same time, whatever was wrong. Must not know how tokens travel.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_actors::WorkspaceId;
use uuid::Uuid;

use super::office::{Office, OfficeError, cut};
use super::password::{NotHashed, Password};
use super::person::{Membership, PersonRow, SessionRow};
use super::principal::Principal;
use super::registry::{Change, RegistryFault, Renewal, Renewed};
use super::role::Role;
use super::token::{TokenKey, Tokens};

/// How people sign in.
#[derive(Debug, Clone, Copy)]
pub struct SignInRules {
    /// How long a token is taken, microseconds.
    pub token_us: i64,
    /// How long a session lasts that is not renewed, microseconds.
    pub session_us: i64,
    /// Failures a minute for one name.
    pub per_account: u64,
    /// Failures a minute from one address.
    pub per_address: u64,
}

impl Default for SignInRules {
    fn default() -> Self {
        let (minute, day) = (60_000_000, 86_400_000_000);
        Self { token_us: 15 * minute, session_us: 14 * day, per_account: 10, per_address: 60 }
    }
}

/// Who wants to come in.
pub struct SignIn<'a> {
    /// Name or e-mail address.
    pub called: &'a str,
    /// What they say is their password.
    pub password: &'a str,
    /// The workspace they want to be in; their own if nothing is said.
    pub workspace: Option<&'a str>,
    /// Where they are.
    pub from: IpAddr,
    /// How long the token is taken, seconds, if that is to be less than usual.
    pub lifetime_s: Option<u64>,
}

/// Somebody who came in. Not `Debug`: it holds tokens.
pub struct SignedIn {
    /// Comes with requests.
    pub access: String,
    /// How long it is taken, seconds.
    pub access_s: i64,
    /// Renews the session, once.
    pub renew: String,
    /// How long that is taken, seconds.
    pub renew_s: i64,
    /// Who it is.
    pub person: PersonRow,
    /// Where they are, and what they may there.
    pub place: Arc<Principal>,
}

/// Why somebody did not come in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Which of the two, nobody is told.
    #[error("the name or the password is wrong")]
    Wrong(Mismatch),
    /// Too often.
    #[error("too many sign-ins failed; try again in {} s", .0.as_millis().div_ceil(1_000))]
    TooMany(Duration),
    /// They are a member of nothing.
    #[error("{0:?} is in no workspace; an operator adds people with `tidegate user grant`")]
    Nowhere(String),
    /// They are no member of that.
    #[error("{0:?} is no workspace of yours")]
    Elsewhere(String),
    /// The session has ended, or the token is none of ours.
    #[error("the session has ended; sign in again")]
    Ended,
    /// Somebody else has the token as well, so nobody's is taken.
    #[error("this token was used before, so the session has ended for all who have one of it; sign in again")]
    Used,
    /// It could not be done.
    #[error(transparent)]
    Office(#[from] OfficeError),
}

/// What was wrong, for those who count it: who asks is not to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// Nobody is called so, or their password is another.
    Password,
    /// It is right, and the person may not come in any more.
    Disabled,
}

impl From<RegistryFault> for SignInError {
    fn from(fault: RegistryFault) -> Self {
        Self::Office(fault.into())
    }
}

impl From<NotHashed> for SignInError {
    fn from(not: NotHashed) -> Self {
        Self::Office(not.into())
    }
}

impl Office {
    /// Lets somebody in.
    ///
    /// # Errors
    /// Why not; who is not known and who has another password hear the same.
    pub async fn sign_in(&self, asked: SignIn<'_>) -> Result<SignedIn, SignInError> {
        let SignIn { called, password, workspace, from, lifetime_s } = asked;
        let person = self.recognised(called, password, from).await?;
        let place = self.roster.place(&person.id, workspace).ok_or_else(|| match workspace {
            Some(named) => SignInError::Elsewhere(cut(named)),
            None => SignInError::Nowhere(person.name.clone()),
        })?;
        let now_us = self.clock.unix_us();
        let session = SessionRow {
            id: format!("session_{}", Uuid::now_v7()),
            person: person.id.clone(),
            workspace: place.workspace.clone(),
            generation: person.generation,
            created_us: now_us,
            expires_us: now_us.saturating_add(self.rules.session_us),
        };
        let tokens = self.tokens().await?;
        self.registry.begin_session(session.clone()).await?;
        self.given(&tokens, (&session, 0), (person, place), lifetime_s)
    }

    /// The person who is called so and has this password.
    async fn recognised(&self, called: &str, password: &str, from: IpAddr) -> Result<PersonRow, SignInError> {
        let account = cut(&called.trim().to_lowercase());
        self.throttle.enter(&account, from, self.clock.now()).map_err(SignInError::TooMany)?;
        let known = self.roster.contents().person(called).cloned();
        let hash = known.as_ref().map(|person| &person.password);
        let compared = self.hashing.is(password, hash).await;
        let is_right = *compared.as_ref().unwrap_or(&false);
        let person = known.filter(|_| is_right).ok_or(Mismatch::Password);
        let person = person.and_then(|person| match person.disabled_us {
            None => Ok(person),
            Some(_) => Err(Mismatch::Disabled),
        });
        if person.is_ok() || compared.is_err() {
            self.throttle.forgive(&account, from, self.clock.now());
        }
        compared?;
        person.map_err(SignInError::Wrong)
    }

    /// Lets a session go on, with new tokens. Each token for that is good once: the second time ends the session, because then
    /// two have it.
    ///
    /// # Errors
    /// The session has ended, or it ends with this.
    pub async fn renew(&self, token: &str, lifetime_s: Option<u64>) -> Result<SignedIn, SignInError> {
        let tokens = self.tokens().await?;
        let read = tokens.read_renew(token.as_bytes()).ok_or(SignInError::Ended)?;
        let at_us = self.clock.unix_us();
        let (session, expires_us) = (read.sid.clone(), at_us.saturating_add(self.rules.session_us));
        let renewal = Renewal { session, renewals: read.renewals, at_us, expires_us };
        let session = match self.registry.renew_session(renewal).await? {
            Renewed::Yes(session) => session,
            Renewed::Gone => return Err(SignInError::Ended),
            Renewed::Used => {
                self.end_session(read.sid).await?;
                return Err(SignInError::Used);
            }
        };
        let person = self.person(&session.person).map_err(|_| SignInError::Ended)?;
        let place = self.roster.place(&person.id, Some(session.workspace.as_str()));
        let is_of_now = self.roster.is_of_now(&person.id, session.generation);
        let place = place.filter(|_| is_of_now).ok_or(SignInError::Ended)?;
        self.given(&tokens, (&session, read.renewals + 1), (person, place), lifetime_s)
    }

    /// Ends the session a token is of, whether that is still taken or not. No request with one of its tokens is taken when this
    /// returns. False if it is no token of ours.
    ///
    /// # Errors
    /// It cannot be stored.
    pub async fn sign_out(&self, token: &str) -> Result<bool, SignInError> {
        let Some(tokens) = self.roster.tokens() else { return Ok(false) };
        let access = tokens.read_access(token.as_bytes()).map(|token| token.sid);
        let session = access.or_else(|| tokens.read_renew(token.as_bytes()).map(|token| token.sid));
        match session {
            Some(session) => self.end_session(session).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Changes a password for one who knows the one before. All sessions of the person have ended when this returns.
    ///
    /// # Errors
    /// Why not; it counts as a sign-in that failed.
    pub async fn change_password(&self, asked: &SignIn<'_>, to: Password) -> Result<(), SignInError> {
        let person = self.recognised(asked.called, asked.password, asked.from).await?;
        self.set_password(&person.id, to).await?;
        Ok(())
    }

    async fn end_session(&self, id: String) -> Result<(), SignInError> {
        let at_us = self.clock.unix_us();
        Ok(self.store(vec![Change::EndSession { id, at_us }]).await?)
    }

    /// What signs tokens; made if there is nothing yet. Of two servers that make it at once the first one's stays.
    async fn tokens(&self) -> Result<Arc<Tokens>, SignInError> {
        if let Some(tokens) = self.roster.tokens() {
            return Ok(tokens);
        }
        let key = TokenKey::fresh().map_err(|error| OfficeError::NoKey(error.to_string()))?;
        self.store(vec![Change::KeepTokenKey(key)]).await?;
        self.roster
            .tokens()
            .ok_or_else(|| OfficeError::NoKey("what was stored is not there".to_owned()).into())
    }

    fn given(
        &self,
        tokens: &Tokens,
        (session, renewals): (&SessionRow, u64),
        (person, place): (PersonRow, Arc<Principal>),
        lifetime_s: Option<u64>,
    ) -> Result<SignedIn, SignInError> {
        let now_us = self.clock.unix_us();
        let asked_us =
            lifetime_s.map_or(i64::MAX, |s| i64::try_from(s.saturating_mul(1_000_000)).unwrap_or(i64::MAX));
        let token_us = self.rules.token_us.min(asked_us);
        let access = tokens.access(session, now_us, now_us.saturating_add(token_us));
        let signed = access.zip(tokens.renew(session, renewals));
        let (access, renew) = signed.ok_or_else(|| OfficeError::NoKey("it does not sign".to_owned()))?;
        let seconds = |us: i64| us / 1_000_000;
        let renew_s = seconds(self.rules.session_us);
        Ok(SignedIn { access, access_s: seconds(token_us), renew, renew_s, person, place })
    }

    /// Lets somebody sign in who is stored nowhere, in the workspace `default`, as long as this process lives.
    ///
    /// # Errors
    /// No password can be hashed.
    pub async fn admit_guest(&self, name: &str, password: Password) -> Result<(), OfficeError> {
        let password = self.hashing.hash(password).await?;
        let id = format!("person_{name}");
        let person = PersonRow {
            id: id.clone(),
            name: name.to_owned(),
            email: None,
            password,
            generation: 0,
            is_operator: false,
            created_us: self.clock.unix_us(),
            disabled_us: None,
        };
        let workspace = WorkspaceId::default_workspace();
        self.roster.admit_guest(person, Membership { person: id, workspace, role: Role::Write });
        Ok(())
    }
}
