//! Where something stands in the source of one app: a line, a column and a width, all counted from one and in characters.
//!
//! Owns positions only; what stands there and what is wrong with it belongs to others.

/// A piece of one source line.
///
/// A token that crosses lines (a `"""` text) is placed at its first character, and `len` ends with that line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Line, from one.
    pub line: u32,
    /// Column of the first character, from one.
    pub column: u32,
    /// Characters covered; zero at the end of a line or file.
    pub len: u32,
}

impl Span {
    /// A span of `len` characters that starts at `line`, `column`.
    #[must_use]
    pub const fn new(line: u32, column: u32, len: u32) -> Self {
        Self { line, column, len }
    }
}
