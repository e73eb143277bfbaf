//! Refusals of who may not, and of orders that cannot be carried out. Must not decide who may.

use std::time::Duration;

use tidegate_actors::{Blame, Retry, Stage};

use super::DoorError;
use crate::identity::{Denial, NotHashed, OfficeError, RegistryFault, Role, SignInError};

impl DoorError {
    /// Nobody is known by the credential, there is none, or it is not for the workspace `named` by the request.
    pub(crate) fn unauthorised(denial: Denial, named: &str) -> Self {
        let (code, message) = match denial {
            Denial::Missing => (
                "invalid_api_key",
                "no API key came with the request; send one as `Authorization: Bearer KEY` or `x-api-key: KEY`",
            ),
            Denial::Unknown => (
                "invalid_api_key",
                "the API key is not one of this instance; `tidegate key list` shows those there are",
            ),
            Denial::Expired => ("invalid_api_key", "the API key has expired; ask for a new one"),
            Denial::Revoked => ("invalid_api_key", "the API key was revoked; ask for a new one"),
            Denial::TokenExpired => (
                "token_expired",
                "the token has expired; get a new one from /api/v1/auth/refresh, or sign in again",
            ),
            Denial::SignedOut => ("signed_out", "the session has ended; sign in again at /api/v1/auth/login"),
            Denial::Elsewhere => return Self::other_workspace(named),
        };
        Self::refused(401, code, message.to_owned())
    }

    /// A page of another site may have made a browser send this.
    pub(crate) fn cross_site(why: &str) -> Self {
        let message = format!("a request with a cookie must come from a page of this server: {why}");
        Self::refused(403, "cross_site", message)
    }

    /// A credential that is known may not do this.
    fn forbidden(code: &'static str, message: String) -> Self {
        Self { stage: Stage::Authorise, ..Self::refused(403, code, message) }
    }

    pub(crate) fn role_too_low(has: Role, needed: Role) -> Self {
        let message = format!("this needs the role {needed}, the credential has {has}");
        Self::forbidden("role_too_low", message)
    }

    /// The credential is not for this door or model.
    pub(crate) fn out_of_scope(what: &'static str, name: &str) -> Self {
        let shown: String = name.chars().take(200).collect();
        Self::forbidden("out_of_scope", format!("the credential is not for the {what} {shown:?}"))
    }

    pub(crate) fn other_workspace(name: &str) -> Self {
        let shown: String = name.chars().take(200).collect();
        Self::refused(403, "other_workspace", format!("the credential is not for the workspace {shown:?}"))
    }

    /// Nothing of this name that the asker may know of.
    pub(crate) fn no_such(what: &'static str, name: &str) -> Self {
        let shown: String = name.chars().take(100).collect();
        Self::refused(404, "not_found", format!("there is no {what} {shown:?}"))
    }

    /// The instance keeps nothing, so there is nobody to know.
    pub(crate) fn nothing_kept() -> Self {
        Self::refused(404, "nothing_kept", "this server keeps nothing (data.keep = false)".to_owned())
    }

    pub(crate) fn store(fault: &RegistryFault) -> Self {
        let retry = Retry::After(Duration::from_secs(1));
        Self { blame: Blame::Us, retry, ..Self::refused(503, "store_unavailable", fault.to_string()) }
    }
}

impl From<OfficeError> for DoorError {
    fn from(error: OfficeError) -> Self {
        let (status, code) = match &error {
            OfficeError::Store(fault) => return Self::store(fault),
            OfficeError::NoKey(_) => (500, "no_randomness"),
            OfficeError::BadName { .. } | OfficeError::NotThat { .. } | OfficeError::BadPassword(_) => {
                (400, "invalid_value")
            }
            OfficeError::Guest { .. } => (400, "not_stored"),
            OfficeError::NotHashed(NotHashed::Busy) => {
                let retry = Retry::After(Duration::from_secs(1));
                let busy = Self::refused(429, "sign_ins_full", error.to_string());
                return Self { blame: Blame::Us, retry, ..busy };
            }
            OfficeError::NotHashed(NotHashed::Broken(_)) => (500, "not_hashed"),
            OfficeError::Taken { .. } => (400, "name_taken"),
            OfficeError::Missing { .. } => (404, "not_found"),
            OfficeError::Ended { .. } => (400, "key_ended"),
            OfficeError::Zero { .. } => (400, "invalid_value"),
        };
        Self::refused(status, code, error.to_string())
    }
}

impl From<SignInError> for DoorError {
    fn from(error: SignInError) -> Self {
        let (status, code) = match error {
            SignInError::Office(error) => return error.into(),
            SignInError::TooMany(wait) => {
                let refused = Self::refused(429, "too_many_sign_ins", error.to_string());
                return Self { retry: Retry::After(wait), ..refused };
            }
            SignInError::Wrong(_) => (401, "invalid_credentials"),
            SignInError::Ended => (401, "signed_out"),
            SignInError::Used => (401, "token_used"),
            SignInError::Nowhere(_) => (403, "no_workspace"),
            SignInError::Elsewhere(_) => (403, "other_workspace"),
        };
        Self::refused(status, code, error.to_string())
    }
}
