//! Owns the tables an app works on, in memory, with a list of what to undo instead of a copy of everything. Where records
//! outlast the process it says what is missing, takes that in, and says what has changed. Must not judge values, and
//! reaches no archive itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::table::Table;
use super::{
    Archive, Changes, Row, RowKey, Schema, Scope, Supply, TableChanges, TableName, UniqueValue, Want,
};
use crate::lang::value::Map;

/// Tables of rows with at most one open transaction.
#[derive(Default)]
pub struct Store {
    tables: HashMap<Arc<str>, Table>,
    undo: Option<Vec<Undo>>,
    lasting: Option<Lasting>,
}

/// Records that outlast the process: what is in memory are parts of what the archive has.
struct Lasting {
    archive: Arc<dyn Archive>,
    /// Of the archive, when the tables were last known to be right.
    epoch: Option<u64>,
    /// Whether the archive knows of the open transaction.
    begun: bool,
    /// Whether the open transaction may write.
    writes: bool,
}

/// What undoes one step.
#[derive(Debug)]
enum Undo {
    Counter { table: Arc<str>, last_id: i64 },
    Insert { table: TableName, key: RowKey },
    Remove { table: TableName, row: Row },
    Replace { table: TableName, row: Row },
}

impl Store {
    /// Records that end with the process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that outlast it, in `archive`.
    #[must_use]
    pub fn lasting(archive: Arc<dyn Archive>) -> Self {
        let lasting = Lasting { archive, epoch: None, begun: false, writes: false };
        Self { lasting: Some(lasting), ..Self::default() }
    }

    /// Where the records outlast the process.
    #[must_use]
    pub fn archive(&self) -> Option<&Arc<dyn Archive>> {
        self.lasting.as_ref().map(|lasting| &lasting.archive)
    }

    /// Starts a transaction, which may write or only reads; there is at most one.
    pub fn begin(&mut self, writes: bool) {
        self.undo = Some(Vec::new());
        if let Some(lasting) = &mut self.lasting {
            (lasting.begun, lasting.writes) = (false, writes);
            self.tables.retain(|_, table| table.is_whole());
        }
    }

    /// Keeps what was done since `begin`. Where records outlast the process, the archive has it already.
    pub fn commit(&mut self) {
        self.undo = None;
    }

    /// Undoes what was done since `begin`; without an open transaction nothing happens.
    pub fn rollback(&mut self) {
        let mut steps = self.undo.take().unwrap_or_default();
        while let Some(step) = steps.pop() {
            self.revert(step);
        }
    }

    /// Forgets what is known of an archive that failed; nothing where there is none.
    pub fn distrust(&mut self) {
        if let Some(lasting) = &mut self.lasting {
            lasting.epoch = None;
            self.tables.clear();
        }
    }

    /// What is missing before the rows of a table can be seen.
    #[must_use]
    pub fn wants_rows(&self, schema: &Schema) -> Option<Want> {
        let lasting = self.lasting.as_ref()?;
        match self.tables.get(&schema.name) {
            _ if !lasting.begun => Some(Want::Begin { writes: lasting.writes }),
            Some(table) if table.is_whole() => None,
            _ => Some(Want::Rows(name(schema))),
        }
    }

    /// What is missing before `values`, as they are stored, can become a row.
    #[must_use]
    pub fn wants_to_save(&self, schema: &Schema, scope: &Scope, values: &Map) -> Option<Want> {
        let lasting = self.lasting.as_ref()?;
        if !lasting.begun {
            return Some(Want::Begin { writes: lasting.writes });
        }
        let table = name(schema);
        let Some(known) = self.tables.get(&schema.name) else { return Some(Want::Head(table)) };
        let mut unique = UniqueValue::all_of(&table.unique, values, scope.tenant.as_ref()).into_iter();
        unique.find(|value| !known.knows(value)).map(|value| Want::Holder(table, value))
    }

    /// Takes in what was missing.
    pub fn supply(&mut self, supply: Supply) {
        let Some(lasting) = &mut self.lasting else { return };
        match supply {
            Supply::Begun { epoch } => {
                lasting.begun = true;
                if lasting.epoch.replace(epoch) != Some(epoch) {
                    self.tables.clear();
                }
            }
            Supply::Head(TableName { record, .. }, counters) => {
                self.tables.entry(record).or_insert_with(|| Table::in_part(counters));
            }
            Supply::Rows(TableName { record, unique }, counters, rows) => {
                let whole = Table::whole(counters, &unique, rows);
                let whole = match self.tables.remove(&record) {
                    Some(part) => whole.after(part, &unique),
                    None => whole,
                };
                self.tables.insert(record, whole);
            }
            Supply::Holder(TableName { record, .. }, value, holder) => {
                if let Some(table) = self.tables.get_mut(&record) {
                    table.learn(value, holder);
                }
            }
            Supply::Kept { epoch } => lasting.epoch = Some(epoch),
        }
    }

    /// What was done since `begin` and must be kept elsewhere; nothing where records end with the process.
    #[must_use]
    pub fn changes(&self) -> Option<Changes> {
        self.lasting.as_ref()?;
        let mut touched: BTreeMap<&Arc<str>, Touched> = BTreeMap::new();
        for step in self.undo.iter().flatten() {
            let (table, key, new) = match step {
                Undo::Counter { table, .. } => {
                    touched.entry(table).or_default();
                    continue;
                }
                Undo::Insert { table, key } => (table, *key, true),
                Undo::Remove { table, row } | Undo::Replace { table, row } => (table, row.key, false),
            };
            let touched = touched.entry(&table.record).or_default();
            touched.unique.clone_from(&table.unique);
            touched.new.entry(key).or_insert(new); // what the run did first says whether the row was there
        }
        let tables: Vec<_> =
            touched.into_iter().filter_map(|(record, touched)| self.changed(record, touched)).collect();
        (!tables.is_empty()).then_some(Changes { tables })
    }

    fn changed(&self, record: &Arc<str>, touched: Touched) -> Option<TableChanges> {
        let known = self.tables.get(record)?;
        let table = TableName { record: Arc::clone(record), unique: touched.unique };
        let mut changes = TableChanges {
            table,
            counters: known.counters,
            added: Vec::new(),
            changed: Vec::new(),
            gone: Vec::new(),
        };
        for (key, new) in touched.new {
            match (known.rows.get(&key), new) {
                (Some(row), true) => changes.added.push(row.clone()),
                (Some(row), false) => changes.changed.push(row.clone()),
                (None, true) => {}
                (None, false) => changes.gone.push(key),
            }
        }
        Some(changes)
    }

    fn table(&mut self, name: &Arc<str>) -> &mut Table {
        debug_assert!(self.lasting.is_none() || self.tables.contains_key(name), "{name} is asked for first");
        self.tables.entry(Arc::clone(name)).or_default()
    }

    fn remember(&mut self, undo: Undo) {
        if let Some(steps) = &mut self.undo {
            steps.push(undo);
        }
    }

    fn revert(&mut self, step: Undo) {
        match step {
            Undo::Counter { table, last_id } => self.table(&table).counters.last_id = last_id,
            Undo::Insert { table, key } => {
                self.table(&table.record).take(&table.unique, key);
            }
            Undo::Remove { table, row } => self.table(&table.record).put(&table.unique, row),
            Undo::Replace { table, row } => {
                let rows = self.table(&table.record);
                rows.take(&table.unique, row.key);
                rows.put(&table.unique, row);
            }
        }
    }

    /// The next number of the record's counter: from 1, never given twice by committed runs.
    pub fn next_id(&mut self, schema: &Schema) -> i64 {
        let counters = &mut self.table(&schema.name).counters;
        let last_id = counters.last_id;
        counters.last_id += 1;
        self.remember(Undo::Counter { table: Arc::clone(&schema.name), last_id });
        last_id + 1
    }

    /// Stores a new row; its key is chosen here and what `row` brings is ignored.
    pub fn insert(&mut self, schema: &Schema, mut row: Row) -> RowKey {
        let name = name(schema);
        let table = self.table(&schema.name);
        table.counters.last_key += 1;
        let key = table.counters.last_key;
        row.key = key;
        table.put(&name.unique, row);
        self.remember(Undo::Insert { table: name, key });
        key
    }

    /// Replaces the row of the same key.
    pub fn replace(&mut self, schema: &Schema, row: Row) {
        let name = name(schema);
        let table = self.table(&schema.name);
        if let Some(old) = table.take(&name.unique, row.key) {
            table.put(&name.unique, row);
            self.remember(Undo::Replace { table: name, row: old });
        }
    }

    /// Removes a row.
    pub fn remove(&mut self, schema: &Schema, key: RowKey) {
        let name = name(schema);
        if let Some(row) = self.table(&schema.name).take(&name.unique, key) {
            self.remember(Undo::Remove { table: name, row });
        }
    }

    /// All rows, in the order of their keys.
    #[must_use]
    pub fn rows(&self, schema: &Schema) -> Vec<Row> {
        self.tables.get(&schema.name).map(|table| table.rows.values().cloned().collect()).unwrap_or_default()
    }

    /// The row of the same tenant that holds `value` in a unique field.
    #[must_use]
    pub fn holder(&self, schema: &Schema, value: &UniqueValue) -> Option<RowKey> {
        self.tables.get(&schema.name)?.holder(value)
    }
}

/// What a run touched in a table.
#[derive(Default)]
struct Touched {
    unique: Vec<Arc<str>>,
    /// The rows, and whether they are of this run.
    new: BTreeMap<RowKey, bool>,
}

fn name(schema: &Schema) -> TableName {
    TableName { record: Arc::clone(&schema.name), unique: schema.unique_fields().cloned().collect() }
}
