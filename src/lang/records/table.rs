//! Owns the store that forgets when the process ends: tables with an index per unique field, and a list of what to
//! undo instead of a copy of everything. Must not judge values.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Row, RowKey, Schema, Scope, Store};
use crate::lang::fault::Fault;
use crate::lang::value::{JsonStyle, Value};

/// Records in memory.
#[derive(Debug, Default)]
pub struct InMemoryStore {
    tables: HashMap<Arc<str>, Table>,
    undo: Option<Vec<Undo>>,
}

#[derive(Debug, Default)]
struct Table {
    last_id: i64,
    last_key: RowKey,
    rows: BTreeMap<RowKey, Row>,
    /// Holders of each unique value. More than one only where a record got its constraint after its rows.
    unique: HashMap<(Arc<str>, String), Vec<RowKey>>,
}

/// What undoes one step.
#[derive(Debug)]
enum Undo {
    Counter { table: Arc<str>, last_id: i64 },
    Insert { table: Arc<str>, key: RowKey, unique: Vec<Arc<str>> },
    Remove { table: Arc<str>, row: Row, unique: Vec<Arc<str>> },
    Replace { table: Arc<str>, row: Row, unique: Vec<Arc<str>> },
}

/// One spelling per value, so that equal values collide: 1 and 1.0, but not 1 and "1".
fn unique_key(value: &Value, tenant: Option<&Arc<str>>) -> String {
    let spelled = match value.as_number() {
        Some(number) => number.to_plain(),
        None => value.to_json(JsonStyle::Compact),
    };
    match tenant {
        Some(tenant) => format!("{tenant}\0{spelled}"),
        None => spelled,
    }
}

impl Table {
    fn put(&mut self, unique: &[Arc<str>], row: Row) {
        for (field, key) in unique_values(unique, &row) {
            self.unique.entry((field, key)).or_default().push(row.key);
        }
        self.rows.insert(row.key, row);
    }

    fn take(&mut self, unique: &[Arc<str>], key: RowKey) -> Option<Row> {
        let row = self.rows.remove(&key)?;
        for entry in unique_values(unique, &row) {
            if let Some(holders) = self.unique.get_mut(&entry) {
                holders.retain(|holder| *holder != key);
                if holders.is_empty() {
                    self.unique.remove(&entry);
                }
            }
        }
        Some(row)
    }
}

fn unique_values(unique: &[Arc<str>], row: &Row) -> Vec<(Arc<str>, String)> {
    let value = |field: &Arc<str>| match row.fields.get(field) {
        None | Some(Value::Null) => None,
        Some(value) => Some((Arc::clone(field), unique_key(value, row.tenant.as_ref()))),
    };
    unique.iter().filter_map(value).collect()
}

fn unique_names(schema: &Schema) -> Vec<Arc<str>> {
    schema.unique_fields().cloned().collect()
}

impl InMemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn table(&mut self, name: &Arc<str>) -> &mut Table {
        self.tables.entry(Arc::clone(name)).or_default()
    }

    fn remember(&mut self, undo: Undo) {
        if let Some(steps) = &mut self.undo {
            steps.push(undo);
        }
    }

    fn revert(&mut self, step: Undo) {
        match step {
            Undo::Counter { table, last_id } => self.table(&table).last_id = last_id,
            Undo::Insert { table, key, unique } => {
                self.table(&table).take(&unique, key);
            }
            Undo::Remove { table, row, unique } => self.table(&table).put(&unique, row),
            Undo::Replace { table, row, unique } => {
                let table = self.table(&table);
                table.take(&unique, row.key);
                table.put(&unique, row);
            }
        }
    }
}

impl Store for InMemoryStore {
    fn begin(&mut self) -> Result<(), Fault> {
        self.undo = Some(Vec::new());
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Fault> {
        self.undo = None;
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), Fault> {
        let mut steps = self.undo.take().unwrap_or_default();
        while let Some(step) = steps.pop() {
            self.revert(step);
        }
        Ok(())
    }

    fn next_id(&mut self, schema: &Schema) -> Result<i64, Fault> {
        let table = self.table(&schema.name);
        let last_id = table.last_id;
        table.last_id += 1;
        self.remember(Undo::Counter { table: Arc::clone(&schema.name), last_id });
        Ok(last_id + 1)
    }

    fn insert(&mut self, schema: &Schema, mut row: Row) -> Result<RowKey, Fault> {
        let unique = unique_names(schema);
        let table = self.table(&schema.name);
        table.last_key += 1;
        row.key = table.last_key;
        let key = row.key;
        table.put(&unique, row);
        self.remember(Undo::Insert { table: Arc::clone(&schema.name), key, unique });
        Ok(key)
    }

    fn replace(&mut self, schema: &Schema, row: Row) -> Result<(), Fault> {
        let unique = unique_names(schema);
        let table = self.table(&schema.name);
        if let Some(old) = table.take(&unique, row.key) {
            table.put(&unique, row);
            self.remember(Undo::Replace { table: Arc::clone(&schema.name), row: old, unique });
        }
        Ok(())
    }

    fn remove(&mut self, schema: &Schema, key: RowKey) -> Result<(), Fault> {
        let unique = unique_names(schema);
        if let Some(row) = self.table(&schema.name).take(&unique, key) {
            self.remember(Undo::Remove { table: Arc::clone(&schema.name), row, unique });
        }
        Ok(())
    }

    fn rows(&self, schema: &Schema) -> Result<Vec<Row>, Fault> {
        let table = self.tables.get(&schema.name);
        Ok(table.map(|table| table.rows.values().cloned().collect()).unwrap_or_default())
    }

    fn holder(
        &self,
        schema: &Schema,
        field: &str,
        value: &Value,
        scope: &Scope,
    ) -> Result<Option<RowKey>, Fault> {
        let Some(table) = self.tables.get(&schema.name) else { return Ok(None) };
        let entry = (Arc::from(field), unique_key(value, scope.tenant.as_ref()));
        Ok(table.unique.get(&entry).and_then(|holders| holders.first().copied()))
    }
}
