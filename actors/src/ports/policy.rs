//! The port to policy: may this caller make this call.
//!
//! Owns the question; must not hold rules.

use crate::call::{CallKind, WorkspaceId};
use crate::error::CallError;

/// What policy is told about a call.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who.
    pub workspace: &'a WorkspaceId,
    /// What kind of work.
    pub kind: CallKind,
    /// Through which door.
    pub door: &'static str,
    /// Which public model.
    pub model: &'a str,
}

/// Decides whether a call may be made. Answers at once, from memory.
pub trait Policy: Send + Sync + 'static {
    /// Says yes with the version of the rules that said so; the version is part of the key.
    ///
    /// # Errors
    /// `denied`, with the rule's words.
    fn authorise(&self, question: Question<'_>) -> Result<u64, CallError>;

    /// The version of the rules in force; an answer found under older rules is not kept.
    fn version(&self) -> u64;
}

/// Lets every call pass: an instance without rules.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl Policy for AllowAll {
    fn authorise(&self, _: Question<'_>) -> Result<u64, CallError> {
        Ok(0)
    }

    fn version(&self) -> u64 {
        0
    }
}
