//! Rows that wait to be written: their bytes one behind the other, and where each ends.
//!
//! Owns how they are cut into groups. Must not know what a row means.

/// Memory that is kept for the rows to come; more is given back.
const KEPT_BYTES: usize = 4 << 20;

/// Rows in the order they came.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    ends: Vec<End>,
    /// Rows that were written, from the first on.
    written: usize,
}

/// Where a row ends, and the berth that it frees.
#[derive(Debug, Clone, Copy)]
struct End {
    at: usize,
    berth: Option<u32>,
}

impl Batch {
    /// Adds a row. Allocates only while there are more rows than ever before.
    pub(super) fn push(&mut self, row: &[u8], berth: Option<u32>) {
        self.bytes.extend_from_slice(row);
        self.ends.push(End { at: self.bytes.len(), berth });
    }

    /// Whether every row was written.
    pub(super) fn is_written(&self) -> bool {
        self.written == self.ends.len()
    }

    /// The rows to be written next: how many, and their bytes, as many whole rows as it takes to reach `bytes`. None if there
    /// are none.
    pub(super) fn group(&self, bytes: usize) -> Option<(usize, &[u8])> {
        let rest = self.ends.get(self.written..).filter(|rest| !rest.is_empty())?;
        let from = self.start();
        let full = rest.partition_point(|end| end.at < from + bytes);
        let rows = (full + 1).min(rest.len());
        Some((rows, &self.bytes[from..rest[rows - 1].at]))
    }

    /// So many rows more were written; gives the berths they free.
    pub(super) fn wrote(&mut self, rows: usize) -> impl Iterator<Item = u32> {
        let from = self.written;
        self.written += rows;
        self.ends[from..self.written].iter().filter_map(|end| end.berth)
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.ends.clear();
        self.ends.shrink_to(KEPT_BYTES / size_of::<End>());
        self.written = 0;
    }

    fn start(&self) -> usize {
        self.written.checked_sub(1).map_or(0, |last| self.ends[last].at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_whole_rows_in_order_and_each_frees_its_own_berths() {
        let mut batch = Batch::default();
        for (row, berth) in [("aa", None), ("bbb", Some(1)), ("c", None), ("dddddd", Some(2)), ("e", None)] {
            batch.push(row.as_bytes(), berth);
        }
        let mut groups = Vec::new();
        while let Some((rows, bytes)) = batch.group(4) {
            let bytes = String::from_utf8_lossy(bytes).into_owned();
            groups.push((bytes, batch.wrote(rows).collect::<Vec<_>>()));
        }
        let group = |bytes: &str, berths: &[u32]| (bytes.to_owned(), berths.to_vec());
        assert_eq!(groups, [group("aabbb", &[1]), group("cdddddd", &[2]), group("e", &[])]);
        assert!(batch.is_written());
        batch.clear();
        assert_eq!(batch.group(4), None);
    }
}
