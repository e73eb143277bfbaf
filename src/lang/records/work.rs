//! Owns the operations of the language on a store. Must not know predicates: the machine asks for the visible rows and
//! judges them.

use std::sync::Arc;

use super::row::sort_by_id;
use super::{Row, RowKey, Schema, Scope, Store, UniqueValue};
use crate::lang::fault::{Fault, Guide};
use crate::lang::value::{Map, Value};

/// Makes text of what stands in text fields, then validates and stores the values, giving them their id. The answer
/// is what is stored.
///
/// # Errors
/// The first violation.
pub fn save(store: &mut Store, schema: &Schema, scope: &Scope, values: Map) -> Result<Map, Fault> {
    let mut fields = schema.stored(values);
    schema.check(&fields)?;
    if let Some(field) = clash(store, schema, scope, &fields, None) {
        return Err(schema.not_unique(&field).into());
    }
    let id = store.next_id(schema);
    if !fields.contains_key(&schema.id_field) {
        fields.insert(Arc::clone(&schema.id_field), Value::int(id));
    }
    let (tenant, expires_ms) = (scope.tenant.clone(), schema.expiry(scope));
    store.insert(schema, Row { key: 0, fields: fields.clone(), tenant, expires_ms });
    Ok(fields)
}

/// The rows the scope may see, sorted by id.
#[must_use]
pub fn visible(store: &Store, schema: &Schema, scope: &Scope) -> Vec<Row> {
    let mut rows = store.rows(schema);
    rows.retain(|row| seen(row, scope));
    sort_by_id(&mut rows, &schema.id_field);
    rows
}

/// The visible record with the highest id.
#[must_use]
pub fn latest(store: &Store, schema: &Schema, scope: &Scope) -> Option<Map> {
    visible(store, schema, scope).pop().map(|row| row.fields)
}

/// Sets fields of one row and validates the whole of it.
///
/// # Errors
/// The first violation, or a unique value another row holds. The fields are declared ones.
pub fn update(
    store: &mut Store,
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
    if let Some(field) = clash(store, schema, scope, &fields, Some(row.key)) {
        let text = format!("Record '{}' violates unique constraint on '{field}'", schema.name);
        return Err(Fault::run(text, None));
    }
    store.replace(schema, Row { fields, ..row.clone() });
    Ok(())
}

/// Removes rows.
pub fn delete(store: &mut Store, schema: &Schema, keys: &[RowKey]) {
    keys.iter().for_each(|key| store.remove(schema, *key));
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
    store: &Store,
    schema: &Schema,
    scope: &Scope,
    fields: &Map,
    own: Option<RowKey>,
) -> Option<Arc<str>> {
    let unique: Vec<Arc<str>> = schema.unique_fields().cloned().collect();
    let values = UniqueValue::all_of(&unique, fields, scope.tenant.as_ref());
    let held = |value: &UniqueValue| store.holder(schema, value).is_some_and(|holder| Some(holder) != own);
    values.into_iter().find(held).map(|value| value.field)
}
