//! Owns what else than an answer is made of a refusal: words for programs, a row for the books. Must not word an answer.

use tidegate_actors::record::Failure;

use super::DoorError;

impl DoorError {
    /// For people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What programs tell it by.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// What the books say of it.
    pub(crate) fn failure(&self) -> Failure {
        Failure { stage: self.stage, code: self.code, blame: self.blame }
    }
}
