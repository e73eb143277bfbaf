//! The JSON reader of the hot path: strict RFC 8259 bytes into a flat arena of spans.
//!
//! Owns parsing, cursors over the parsed text, string escapes and byte-preserving edits. It never
//! builds a value tree, never depends on the order of a map, and never changes a byte it was not
//! asked to change. What a field means is the business of the dialects and of [`crate::key`].

mod cursor;
mod edit;
mod fault;
mod scan;
#[cfg(test)]
pub(crate) mod tests;
mod text;

pub use cursor::{Document, Elements, Kind, Member, Members, Node};
pub use edit::Edit;
pub use fault::{Flaw, JsonFault};
pub use text::{quote, quote_into, unescape_into};

/// How deep and how wide a document may be before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Open arrays and objects at any point. More than [`JsonLimits::DEEPEST`] is taken as that.
    pub max_depth: usize,
    /// Values and keys together. Numbers inside an array of nothing but numbers are free: they
    /// take no memory beyond the text itself.
    pub max_nodes: usize,
}

impl JsonLimits {
    /// No limit goes deeper: the writers recurse once per level.
    pub const DEEPEST: usize = 512;
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { max_depth: 128, max_nodes: 1 << 20 }
    }
}
