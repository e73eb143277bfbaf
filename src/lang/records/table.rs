//! Owns one table in memory: its rows, its counters, an index of its unique values, and how much of it is known. Must not
//! know transactions.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::{Counters, Row, RowKey, UniqueValue};

/// A table, or as much of it as was asked for.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) counters: Counters,
    pub(super) rows: BTreeMap<RowKey, Row>,
    /// Holders of each unique value. More than one only where a record got its constraint after its rows.
    holders: HashMap<UniqueValue, Vec<RowKey>>,
    /// Of a table in part: the values whose holders were asked for. Its rows are those of this run.
    asked: Option<HashSet<UniqueValue>>,
}

impl Table {
    /// A table of which nothing but the counters is known.
    pub(super) fn in_part(counters: Counters) -> Self {
        Self { counters, asked: Some(HashSet::new()), ..Self::default() }
    }

    /// A table with all its rows.
    pub(super) fn whole(counters: Counters, unique: &[Arc<str>], rows: Vec<Row>) -> Self {
        let mut table = Self { counters, ..Self::default() };
        rows.into_iter().for_each(|row| table.put(unique, row));
        table
    }

    pub(super) fn is_whole(&self) -> bool {
        self.asked.is_none()
    }

    /// The same table with the rows that `part`, an older view of it, was given by the run.
    pub(super) fn after(mut self, part: Table, unique: &[Arc<str>]) -> Self {
        self.counters = part.counters;
        part.rows.into_values().for_each(|row| self.put(unique, row));
        self
    }

    /// Whether it is known who holds the value.
    pub(super) fn knows(&self, value: &UniqueValue) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.contains(value))
    }

    /// Takes in who holds a value.
    pub(super) fn learn(&mut self, value: UniqueValue, holder: Option<RowKey>) {
        if let Some(asked) = &mut self.asked
            && asked.insert(value.clone())
            && let Some(holder) = holder
        {
            self.holders.entry(value).or_default().push(holder);
        }
    }

    pub(super) fn holder(&self, value: &UniqueValue) -> Option<RowKey> {
        self.holders.get(value).and_then(|holders| holders.first().copied())
    }

    pub(super) fn put(&mut self, unique: &[Arc<str>], row: Row) {
        for value in UniqueValue::all_of(unique, &row.fields, row.tenant.as_ref()) {
            self.holders.entry(value).or_default().push(row.key);
        }
        self.rows.insert(row.key, row);
    }

    pub(super) fn take(&mut self, unique: &[Arc<str>], key: RowKey) -> Option<Row> {
        let row = self.rows.remove(&key)?;
        for value in UniqueValue::all_of(unique, &row.fields, row.tenant.as_ref()) {
            if let Some(holders) = self.holders.get_mut(&value) {
                holders.retain(|holder| *holder != key);
                if holders.is_empty() {
                    self.holders.remove(&value);
                }
            }
        }
        Some(row)
    }
}
