//! Owns one thing wrong with the values of a record, in the words and codes the language promises.

use std::sync::Arc;

use crate::lang::fault::Fault;

/// One field that does not satisfy its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field.
    pub field: Arc<str>,
    /// present, unique, gt, gte, lt, lte, between, int, pattern, min_length, max_length or type.
    pub code: &'static str,
    /// The whole sentence.
    pub message: String,
}

impl Violation {
    /// `Field 'f' in record 'R' must <demand>`
    pub(super) fn new(record: &str, field: &Arc<str>, code: &'static str, demand: &str) -> Self {
        let message = format!("Field '{field}' in record '{record}' must {demand}");
        Self { field: Arc::clone(field), code, message }
    }
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Fault::run(violation.message, None)
    }
}
