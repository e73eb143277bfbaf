//! Behaviour of records in a file: they come back exactly, one writer at a time, whole transactions or nothing, and a
//! clear word where the file cannot be used.

mod files;
mod like_memory;
mod transactions;

use std::path::PathBuf;

use super::*;
use crate::lang::fault::FaultKind;
use crate::lang::records::{Row, Schema, Scope, Store, save, visible};
use crate::lang::value::{Map, Number, Value};

/// Waits for an archive on the thread of the test.
fn wait<T>(pending: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    runtime.block_on(pending)
}

/// A folder with a file of records, opened by as many processes as a test likes.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("kept").join("data.db")
    }

    /// The file as a new process opens it.
    fn process(&self) -> Process {
        Process::of(RecordFile::at(&self.path(), Io::default()))
    }

    /// The same, but it does not wait for what others hold.
    fn impatient(&self) -> Process {
        Process::of(RecordFile::patient(&self.path(), Io::default(), Duration::ZERO))
    }

    /// A statement of nobody who knows the rules.
    fn tamper(&self, statement: &'static str) {
        let file = self.process().file;
        wait(async { file.desk.lock().await.tamper(statement).await });
        wait(file.close()).expect("it is closed");
    }
}

/// A process that opened the file, with what it keeps from run to run.
struct Process {
    store: Store,
    file: Arc<RecordFile>,
}

impl Process {
    fn of(file: RecordFile) -> Self {
        let file = Arc::new(file);
        Self { store: Store::lasting(Arc::clone(&file) as Arc<dyn Archive>), file }
    }

    fn begin(&mut self, writes: bool) -> Run<'_> {
        self.store.begin(writes);
        Run { session: self.file.session(), store: &mut self.store }
    }

    /// One run that ends well.
    fn run<T>(&mut self, work: impl FnOnce(&mut Run<'_>) -> T) -> T {
        let mut run = self.begin(true);
        let done = work(&mut run);
        run.keep().expect("it is kept");
        done
    }

    /// All rows, by a run that only reads.
    fn rows(&mut self, schema: &Schema) -> Result<Vec<String>, Fault> {
        let mut run = self.begin(false);
        let rows = run.rows(schema)?;
        Ok(rows.iter().map(told).collect())
    }
}

/// A run as the machine does it: asks for what is missing, then works on the store.
struct Run<'p> {
    store: &'p mut Store,
    session: Box<dyn Session>,
}

impl Run<'_> {
    fn fetch(&mut self, want: Want) -> Result<(), Fault> {
        self.store.supply(wait(self.session.fetch(want))?);
        Ok(())
    }

    fn rows(&mut self, schema: &Schema) -> Result<Vec<Row>, Fault> {
        while let Some(want) = self.store.wants_rows(schema) {
            self.fetch(want)?;
        }
        Ok(visible(self.store, schema, &Scope::default()))
    }

    fn save(&mut self, schema: &Schema, values: Map) -> Result<Map, Fault> {
        self.save_as(schema, &Scope::default(), values)
    }

    fn save_as(&mut self, schema: &Schema, scope: &Scope, values: Map) -> Result<Map, Fault> {
        while let Some(want) = self.store.wants_to_save(schema, scope, &schema.stored(values.clone())) {
            self.fetch(want)?;
        }
        save(self.store, schema, scope, values)
    }

    /// Ends the run well.
    fn keep(mut self) -> Result<(), Fault> {
        let kept = match self.store.changes() {
            Some(changes) => self.fetch(Want::Keep(changes)),
            None => Ok(()),
        };
        match kept {
            Ok(()) => self.store.commit(),
            Err(_) => {
                self.store.rollback();
                self.store.distrust();
            }
        }
        kept
    }
}

/// The record of a declaration.
fn schema(declaration: &str) -> Schema {
    let app = crate::lang::load(&format!("spec is \"1.0\"\n\n{declaration}\n")).expect("an app");
    Schema::new(&app.tree().records[0]).expect("a usable declaration")
}

fn notes() -> Schema {
    schema("record \"Note\":\n  body is text must be unique\n  n is number")
}

fn note(body: &str) -> Map {
    values([("body", body.into())])
}

fn values<const N: usize>(fields: [(&str, Value); N]) -> Map {
    match Value::fields(fields) {
        Value::Map(map) => map,
        _ => Map::default(),
    }
}

/// A row to the last digit.
fn told(row: &Row) -> String {
    format!("{:?} {:?} {}", row.tenant, row.expires_ms, Value::Map(row.fields.clone()).to_stored())
}

fn body(row: &str) -> &str {
    row.split("\"body\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default()
}
