//! Why a text is not the JSON we accept, and where.
//!
//! Owns the words of the refusal; it decides nothing.

/// The first flaw of a text, and the byte at which it was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct JsonFault {
    /// Offset in bytes from the start of the text.
    pub offset: usize,
    /// What is wrong there.
    pub what: Flaw,
}

/// What can be wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The text ends inside a value.
    #[error("the text ends where {0} was expected")]
    Ends(&'static str),
    /// A byte that cannot stand here.
    #[error("{} where {wanted} was expected", Shown(*.found))]
    Unexpected {
        /// The byte.
        found: u8,
        /// What could have stood there.
        wanted: &'static str,
    },
    /// Something follows the value.
    #[error("{} after the end of the value", Shown(*.0))]
    Trailing(u8),
    /// Not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// A byte below 0x20 inside a string.
    #[error("unescaped control character {0:#04x} in a string")]
    Control(u8),
    /// An escape that JSON does not have.
    #[error("invalid escape in a string")]
    Escape,
    /// Not a JSON number.
    #[error("invalid number")]
    Number,
    /// The same key twice in one object, compared after unescaping.
    #[error("duplicate key {0:?}")]
    DuplicateKey(String),
    /// More open arrays and objects than allowed.
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    /// More values and keys than allowed.
    #[error("more than {0} values and keys")]
    TooMany(usize),
    /// Spans are 32-bit.
    #[error("a text of {0} bytes, the limit is 4294967294")]
    TooLong(usize),
}

/// A byte as a reader of the message knows it.
struct Shown(u8);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            byte @ 0x21..=0x7e => write!(f, "'{}'", byte as char),
            byte => write!(f, "byte {byte:#04x}"),
        }
    }
}
