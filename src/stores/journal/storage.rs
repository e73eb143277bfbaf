//! The seam to storage: where faults enter in tests, and what each implementation owes.

use std::io;

/// Rows that were written together, and their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::stores) struct Group {
    /// Counts up from 0, without gaps but at the beginning.
    pub(in crate::stores) number: u64,
    /// What was written.
    pub(in crate::stores) bytes: Vec<u8>,
}

/// Groups in their order.
pub(in crate::stores) trait Storage: Send + Sync + 'static {
    /// Adds a group, whole or not at all. It survives the end of this process when this returns. The same group may be added
    /// again when it is not known whether it was.
    fn append(&self, number: u64, bytes: &[u8]) -> io::Result<()>;

    /// Everything added survives a power cut when this returns.
    fn sync(&self) -> io::Result<()>;

    /// Groups from this number on, in order: at least one if there is one, then as many as fit into so many bytes.
    fn read(&self, from: u64, max_bytes: usize) -> io::Result<Vec<Group>>;

    /// The number of the last group.
    fn last(&self) -> io::Result<Option<u64>>;

    /// Forgets all groups before this one; gives how many bytes they had.
    fn forget(&self, before: u64) -> io::Result<u64>;
}
