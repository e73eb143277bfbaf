//! Owns what a store of records can do, and the operations of the language on any of them. A run begins, and either
//! commits or rolls back all it did. Must not know predicates: the machine asks for the visible rows and judges them.

use std::sync::Arc;

use super::row::sort_by_id;
use super::{Row, RowKey, Schema, Scope};
use crate::lang::fault::{Fault, Guide};
use crate::lang::value::{Map, Value};

/// Tables of rows with one open transaction. Every method costs at most the rows it names, `rows` all of the table.
pub trait Store: Send {
    /// Starts a transaction; there is at most one.
    ///
    /// # Errors
    /// A fault of kind store when the storage behind fails, as for every method.
    fn begin(&mut self) -> Result<(), Fault>;

    /// Keeps what was done since `begin`.
    fn commit(&mut self) -> Result<(), Fault>;

    /// Undoes what was done since `begin`; without an open transaction nothing happens.
    fn rollback(&mut self) -> Result<(), Fault>;

    /// The next number of the record's counter: from 1, never given twice by committed runs.
    fn next_id(&mut self, schema: &Schema) -> Result<i64, Fault>;

    /// Stores a new row; its key is chosen here and what `row` brings is ignored.
    fn insert(&mut self, schema: &Schema, row: Row) -> Result<RowKey, Fault>;

    /// Replaces the row of the same key.
    fn replace(&mut self, schema: &Schema, row: Row) -> Result<(), Fault>;

    /// Removes a row.
    fn remove(&mut self, schema: &Schema, key: RowKey) -> Result<(), Fault>;

    /// All rows, in the order of their keys.
    fn rows(&self, schema: &Schema) -> Result<Vec<Row>, Fault>;

    /// The row that holds `value` in a unique field of the same tenant.
    fn holder(
        &self,
        schema: &Schema,
        field: &str,
        value: &Value,
        scope: &Scope,
    ) -> Result<Option<RowKey>, Fault>;
}

/// Makes text of what stands in text fields, then validates and stores the values, giving them their id. The answer
/// is what is stored.
///
/// # Errors
/// The first violation, or the store's fault.
pub fn save(store: &mut dyn Store, schema: &Schema, scope: &Scope, values: Map) -> Result<Map, Fault> {
    let mut fields = schema.stored(values);
    schema.check(&fields)?;
    if let Some((field, _)) = clash(store, schema, scope, &fields, None)? {
        return Err(schema.not_unique(&field).into());
    }
    let id = store.next_id(schema)?;
    if !fields.contains_key(&schema.id_field) {
        fields.insert(Arc::clone(&schema.id_field), Value::int(id));
    }
    let (tenant, expires_ms) = (scope.tenant.clone(), schema.expiry(scope));
    store.insert(schema, Row { key: 0, fields: fields.clone(), tenant, expires_ms })?;
    Ok(fields)
}

/// The rows the scope may see, sorted by id.
///
/// # Errors
/// The store's fault.
pub fn visible(store: &dyn Store, schema: &Schema, scope: &Scope) -> Result<Vec<Row>, Fault> {
    let mut rows = store.rows(schema)?;
    rows.retain(|row| seen(row, scope));
    sort_by_id(&mut rows, &schema.id_field);
    Ok(rows)
}

/// The visible record with the highest id.
///
/// # Errors
/// The store's fault.
pub fn latest(store: &dyn Store, schema: &Schema, scope: &Scope) -> Result<Option<Map>, Fault> {
    Ok(visible(store, schema, scope)?.pop().map(|row| row.fields))
}

/// Sets fields of one row and validates the whole of it.
///
/// # Errors
/// The first violation, a unique value another row holds, or the store's fault. The fields are declared ones.
pub fn update(
    store: &mut dyn Store,
    schema: &Schema,
    scope: &Scope,
    row: &Row,
    changes: Vec<(Arc<str>, Value)>,
) -> Result<(), Fault> {
    let mut fields = row.fields.clone();
    for (field, value) in changes {
        fields.insert(field, value);
    }
    let fields = schema.stored(fields);
    schema.check(&fields)?;
    if let Some((field, _)) = clash(store, schema, scope, &fields, Some(row.key))? {
        let text = format!("Record '{}' violates unique constraint on '{field}'", schema.name);
        return Err(Fault::run(text, None));
    }
    store.replace(schema, Row { fields, ..row.clone() })
}

/// Removes rows.
///
/// # Errors
/// The store's fault.
pub fn delete(store: &mut dyn Store, schema: &Schema, keys: &[RowKey]) -> Result<(), Fault> {
    keys.iter().try_for_each(|key| store.remove(schema, *key))
}

/// The fault of changing a field the record does not declare.
pub fn unknown_field(schema: &Schema, field: &str) -> Fault {
    let guide = Guide {
        what: format!("Unknown field '{field}' in record '{}'.", schema.name),
        why: "Update assignments must match declared record fields.".to_owned(),
        fix: "Use a field declared on the record.".to_owned(),
        example: format!("update \"{}\" where id is 1 set:\n  name is \"value\"", schema.name),
    };
    Fault::run_guided(guide, None)
}

fn seen(row: &Row, scope: &Scope) -> bool {
    let alive = match (row.expires_ms, scope.now_ms) {
        (Some(expires), Some(now)) => expires > now,
        _ => true,
    };
    alive && row.tenant == scope.tenant
}

/// The first unique field whose value another row holds.
fn clash(
    store: &dyn Store,
    schema: &Schema,
    scope: &Scope,
    fields: &Map,
    own: Option<RowKey>,
) -> Result<Option<(Arc<str>, RowKey)>, Fault> {
    for field in schema.unique_fields() {
        let value = match fields.get(field) {
            None | Some(Value::Null) => continue,
            Some(value) => value,
        };
        match store.holder(schema, field, value, scope)? {
            Some(holder) if Some(holder) != own => return Ok(Some((Arc::clone(field), holder))),
            _ => {}
        }
    }
    Ok(None)
}
