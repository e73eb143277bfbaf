//! Owns the order of roles. Must not know what any of them is needed for.

use std::fmt;

/// What somebody may do in a workspace; each may all that those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// See what the workspace did.
    Read,
    /// Make calls.
    Write,
    /// Give and revoke keys of the workspace.
    Admin,
    /// Run the instance: all workspaces, configuration, metrics.
    Operator,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Admin, Self::Operator];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
            Self::Operator => "operator",
        }
    }

    /// The role of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Role;

    /// Compared as texts, `admin` would be less than `read`.
    #[test]
    fn each_role_may_what_those_before_it_may() {
        for (at, role) in Role::ALL.into_iter().enumerate() {
            let may = Role::ALL.map(|needed| role >= needed);
            assert!((0..4).all(|needed| may[needed] == (needed <= at)), "{role}: {may:?}");
            assert_eq!(Role::of(role.name()), Some(role));
        }
        assert_eq!(Role::of("Admin"), None);
    }
}
