//! Owns a stored record and the order in which `find` gives them.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::lang::value::{JsonStyle, Map, Number, Value};

/// Which stored record of a table: given by the store, never reused, unlike an id a program may give twice.
pub type RowKey = u64;

/// A stored record.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its place in the table.
    pub key: RowKey,
    /// The fields as programs see them, the id among them.
    pub fields: Map,
    /// The tenant that wrote it, where the record has a tenant key.
    pub tenant: Option<Arc<str>>,
    /// When it expires, in milliseconds of the caller's clock, where the record has a lifetime.
    pub expires_ms: Option<i64>,
}

/// What a row is sorted by: numbers, then texts, then other ids, then rows without one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum SortKey {
    Number(Number),
    Text(Arc<str>),
    Other(String),
    Missing,
}

fn sort_key(row: &Row, id_field: &str) -> SortKey {
    match row.fields.get(id_field) {
        None | Some(Value::Null) => SortKey::Missing,
        Some(Value::Text(text)) => SortKey::Text(Arc::clone(text)),
        Some(id) => match id.as_number() {
            Some(number) => SortKey::Number(number),
            None => SortKey::Other(id.to_json(JsonStyle::Canonical)),
        },
    }
}

/// Sorts by id, ascending; rows of the same id keep the order in which they were stored.
pub fn sort_by_id(rows: &mut Vec<Row>, id_field: &str) {
    let mut keyed: Vec<(SortKey, Row)> = rows.drain(..).map(|row| (sort_key(&row, id_field), row)).collect();
    if keyed.windows(2).any(|pair| pair[0].0.cmp(&pair[1].0) == Ordering::Greater) {
        keyed.sort_by(|a, b| a.0.cmp(&b.0));
    }
    rows.extend(keyed.into_iter().map(|(_, row)| row));
}
