//! Owns people as values: who they are, what they may where, and the sessions they begin. Must not judge a request.

use tidegate_actors::WorkspaceId;

use super::office::{LONGEST_NAME, OfficeError, checked, cut};
use super::password::PasswordHash;
use super::role::Role;

/// Longest e-mail address, characters (RFC 5321, 4.5.3.1.3).
const LONGEST_EMAIL: usize = 254;

/// A person as it is stored.
#[derive(Debug, Clone)]
pub struct PersonRow {
    /// `person_` and a UUIDv7.
    pub id: String,
    /// What they sign in with; small letters, no two have the same.
    pub name: String,
    /// What they may sign in with as well, in small letters.
    pub email: Option<String>,
    /// Of their password.
    pub password: PasswordHash,
    /// Another whenever all their sessions end.
    pub generation: u64,
    /// Whether they run the instance.
    pub is_operator: bool,
    /// Microseconds since 1970 UTC.
    pub created_us: i64,
    /// Since when they may not come in.
    pub disabled_us: Option<i64>,
}

/// What a person may in a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Whose.
    pub person: String,
    /// Where.
    pub workspace: WorkspaceId,
    /// What; less than operator.
    pub role: Role,
}

/// A session as it is stored when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// `session_` and a UUIDv7.
    pub id: String,
    /// Whose.
    pub person: String,
    /// In which workspace, unless a request names another.
    pub workspace: WorkspaceId,
    /// That of the person when it began.
    pub generation: u64,
    /// Microseconds since 1970 UTC.
    pub created_us: i64,
    /// When it ends unless it is renewed before.
    pub expires_us: i64,
}

/// A name to sign in with: in small letters, and never to be taken for an e-mail address.
pub(super) fn person_name(text: &str) -> Result<String, OfficeError> {
    let name = checked("the name of a person", text)?.to_lowercase();
    match name.contains(|letter: char| letter == '@' || letter.is_whitespace()) {
        true => Err(OfficeError::NotThat {
            what: "a name to sign in with",
            why: "has no @ and no spaces",
            got: name,
        }),
        false => Ok(name),
    }
}

/// An e-mail address, in small letters. What is on the other side of it nobody asks.
pub(super) fn email(text: &str) -> Result<String, OfficeError> {
    let email = text.trim().to_lowercase();
    let parts = email.split_once('@');
    let is_one = parts.is_some_and(|(who, at)| {
        let plain = |part: &str| {
            !part.is_empty() && !part.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control())
        };
        plain(who) && plain(at)
    });
    match is_one && email.chars().count() <= LONGEST_EMAIL {
        true => Ok(email),
        false => Err(OfficeError::NotThat {
            what: "an e-mail address",
            why: "is like name@host, without spaces",
            got: cut(&email),
        }),
    }
}

impl PersonRow {
    /// Whether this is what they call themselves: their name, e-mail address or id.
    #[must_use]
    pub fn is_called(&self, text: &str) -> bool {
        let (text, longest) = (text.trim(), LONGEST_NAME.max(LONGEST_EMAIL) * 4);
        if text.len() > longest {
            return false;
        }
        let small = text.to_lowercase();
        self.name == small || self.email.as_deref() == Some(small.as_str()) || self.id == text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_like_an_address_and_both_are_kept_in_small_letters() {
        assert_eq!(person_name(" Anna "), Ok("anna".to_owned()));
        assert_eq!(email("Anna@Example.ORG"), Ok("anna@example.org".to_owned()));
        for name in ["", "anna@example.org", "anna b", "a\tb", &"a".repeat(101)] {
            assert!(person_name(name).is_err(), "{name:?}");
        }
        for address in
            ["", "anna", "@example.org", "anna@", "a@b@c", "a b@c", &format!("a@{}", "b".repeat(254))]
        {
            assert!(email(address).is_err(), "{address:?}");
        }
    }
}
