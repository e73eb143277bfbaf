//! Whatever is done to records in a file gives what it gives in memory.

use proptest::prelude::*;

use super::*;
use crate::lang::records::{delete, update};

/// Something a program does.
#[derive(Clone, Debug)]
enum Step {
    Save {
        table: usize,
        body: u8,
        n: i8,
    },
    /// The row of that number, if there are so many.
    Update {
        table: usize,
        row: usize,
        body: u8,
    },
    Delete {
        table: usize,
        row: usize,
    },
    Find {
        table: usize,
    },
}

/// How a run ends, and whether another process goes on.
#[derive(Clone, Debug)]
struct End {
    well: bool,
    elsewhere: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let table = 0..2_usize;
    prop_oneof![
        4 => (table.clone(), 0..6_u8, any::<i8>()).prop_map(|(table, body, n)| Step::Save { table, body, n }),
        2 => (table.clone(), 0..4_usize, 0..6_u8).prop_map(|(table, row, body)| Step::Update { table, row, body }),
        1 => (table.clone(), 0..4_usize).prop_map(|(table, row)| Step::Delete { table, row }),
        2 => table.prop_map(|table| Step::Find { table }),
    ]
}

fn runs() -> impl Strategy<Value = Vec<(Vec<Step>, End)>> {
    let end = (prop::bool::weighted(0.7), prop::bool::weighted(0.3));
    let end = end.prop_map(|(well, elsewhere)| End { well, elsewhere });
    prop::collection::vec((prop::collection::vec(step(), 0..8), end), 1..8)
}

fn named(body: u8) -> Value {
    // Few of them, so that they collide; 0 is no value, 1 is equal in two spellings.
    match body {
        0 => Value::Null,
        1 => Value::Number(Number::parse("1.0").expect("a number")),
        2 => Value::int(1),
        other => Value::text(format!("body {other}")),
    }
}

/// What a step gives, as text.
fn take(step: &Step, schemas: &[Schema; 2], run: &mut dyn Work) -> String {
    let all = Scope::default();
    match step {
        Step::Save { table, body, n } => {
            let values = values([("body", named(*body)), ("n", Value::Float(f64::from(*n) / 4.0))]);
            match run.save(&schemas[*table], values) {
                Ok(map) => Value::Map(map).to_stored(),
                Err(fault) => fault.message(),
            }
        }
        Step::Update { table, row, body } => {
            let schema = &schemas[*table];
            let Some(row) = run.rows(schema).get(*row).cloned() else { return String::new() };
            let changes = vec![("body".into(), named(*body))];
            update(run.store(), schema, &all, &row, changes)
                .map_or_else(|fault| fault.message(), |()| String::new())
        }
        Step::Delete { table, row } => {
            let schema = &schemas[*table];
            let Some(row) = run.rows(schema).get(*row).cloned() else { return String::new() };
            delete(run.store(), schema, &[row.key]);
            String::new()
        }
        Step::Find { table } => run.rows(&schemas[*table]).iter().map(told).collect::<Vec<_>>().join("\n"),
    }
}

/// What a program can do, wherever its records lie.
trait Work {
    fn store(&mut self) -> &mut Store;
    fn rows(&mut self, schema: &Schema) -> Vec<Row>;
    fn save(&mut self, schema: &Schema, values: Map) -> Result<Map, Fault>;
}

impl Work for Store {
    fn store(&mut self) -> &mut Store {
        self
    }

    fn rows(&mut self, schema: &Schema) -> Vec<Row> {
        visible(self, schema, &Scope::default())
    }

    fn save(&mut self, schema: &Schema, values: Map) -> Result<Map, Fault> {
        save(self, schema, &Scope::default(), values)
    }
}

impl Work for Run<'_> {
    fn store(&mut self) -> &mut Store {
        self.store
    }

    fn rows(&mut self, schema: &Schema) -> Vec<Row> {
        Run::rows(self, schema).expect("rows")
    }

    fn save(&mut self, schema: &Schema, values: Map) -> Result<Map, Fault> {
        Run::save(self, schema, values)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_runs_in_any_processes_give_what_they_give_in_memory(runs in runs()) {
        let schemas = [
            schema("record \"A\":\n  body is json must be unique\n  n is number"),
            schema("record \"B\":\n  body is json\n  n is number must be at least -20"),
        ];
        let folder = Folder::new();
        let mut memory = Store::new();
        let mut processes = [folder.process(), folder.process()];
        for (at, (steps, end)) in runs.iter().enumerate() {
            memory.begin(true);
            let process = &mut processes[usize::from(end.elsewhere)];
            let mut run = process.begin(true);
            for step in steps {
                let expected = take(step, &schemas, &mut memory);
                prop_assert_eq!(take(step, &schemas, &mut run), expected, "run {} {:?}", at, step);
            }
            if end.well {
                memory.commit();
                run.keep().expect("it is kept");
            } else {
                memory.rollback();
                run.store.rollback();
            }
        }
        for schema in &schemas {
            let expected: Vec<String> = visible(&memory, schema, &Scope::default()).iter().map(told).collect();
            prop_assert_eq!(folder.process().rows(schema).expect("rows"), expected);
        }
    }
}
