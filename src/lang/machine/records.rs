//! Owns the record instructions: walks over visible rows, writes, and what they bind. Must not judge values or
//! uniqueness; `records` does.

use std::sync::Arc;

use super::ctx::Ctx;
use super::effects::StepKind;
use super::frame::{Cell, Walker};
use super::{state, walk, words};
use crate::lang::compile::form::RecordForm;
use crate::lang::compile::op::{Op, Scanned};
use crate::lang::fault::Fault;
use crate::lang::records::{self, Row, Schema, Want};
use crate::lang::span::Span;
use crate::lang::value::{Map, Value, ops};

type Done = Result<(), Fault>;

impl<'m> Ctx<'m> {
    /// Carries out one record instruction, or says what of the records is missing for it.
    pub(super) fn record(&mut self, op: Op, span: Span) -> Done {
        let code = self.code();
        if self.shared.store.archive().is_some()
            && let Some(want) = self.missing(op)
        {
            self.come_again();
            self.shared.want = Some((want, Some(span)));
            return Ok(());
        }
        match op {
            Op::Latest(schema) => {
                let row = self.latest(schema)?;
                self.push(row);
                Ok(())
            }
            Op::Create(at) => {
                let form = &code.records[at as usize];
                let value = self.pop();
                let Value::Map(values) = value else { return Err(not_a_record(&value)) };
                let saved = self.save(form.schema, values, span)?;
                self.bind(form, saved);
                Ok(())
            }
            Op::SaveState(at) => self.save_state(&code.records[at as usize], span),
            Op::SaveFields(at) => self.save_fields(&code.records[at as usize], span),
            Op::Scan(schema) => {
                let rows = self.visible(self.schema(schema))?;
                self.shared.made += (rows.len() * size_of::<Row>()) as u64;
                self.strand.walks.push(Walker::Rows { rows, next: 0, kept: Vec::new() });
                Ok(())
            }
            Op::ScanNext(out) | Op::UpdateNext(out) => {
                if !self.next_row() {
                    self.frame().pc = out as usize;
                }
                Ok(())
            }
            Op::ScanKeep(what) => self.scan_keep(what),
            Op::RequireLatest(at) => self.require_latest(&code.records[at as usize]),
            other => self.record_end(other, span),
        }
    }

    /// Ends a walk over rows, or changes one of its rows.
    fn record_end(&mut self, op: Op, span: Span) -> Done {
        let code = self.code();
        match op {
            Op::FindClose(at) => {
                let found = self.kept().into_iter().map(|row| Value::Map(row.fields)).collect();
                let found = ops::list(found)?;
                self.bind(&code.records[at as usize], found);
                Ok(())
            }
            Op::UpdateOpen(at) => {
                self.refuse_unknown(&code.records[at as usize])?;
                let kept = self.kept();
                self.strand.walks.push(Walker::Rows { rows: kept, next: 0, kept: Vec::new() });
                Ok(())
            }
            Op::UpdateRow(at) => self.update_row(&code.records[at as usize], span),
            Op::UpdateClose => {
                let count = match self.strand.walks.pop() {
                    Some(Walker::Rows { rows, .. }) => rows.len(),
                    _ => 0,
                };
                self.last(Value::Number(count.into()));
                Ok(())
            }
            Op::DeleteClose(at) => {
                let rows = self.kept();
                self.delete(code.records[at as usize].schema, &rows, span)
            }
            Op::Clear(at) => {
                let schema = code.records[at as usize].schema;
                let rows = self.visible(self.schema(schema))?;
                self.delete(schema, &rows, span)
            }
            other => {
                Err(Fault::run(format!("The instruction {other:?} has no meaning here"), None).uncatchable())
            }
        }
    }

    /// What of the records is missing before the instruction can be carried out. Nothing where it will fail without them.
    fn missing(&self, op: Op) -> Option<Want> {
        let code = self.code();
        let rows = |schema: u32| self.shared.store.wants_rows(self.schema(schema));
        match op {
            Op::Latest(schema) | Op::Scan(schema) => rows(schema),
            Op::RequireLatest(at) | Op::Clear(at) => rows(code.records[at as usize].schema),
            Op::Create(at) | Op::SaveState(at) | Op::SaveFields(at) => {
                let form = &code.records[at as usize];
                let schema = self.schema(form.schema);
                let scope = self.shared.scope(schema).ok()?;
                let values = self.about_to_save(op, form)?;
                self.shared.store.wants_to_save(schema, &scope, &schema.stored(values))
            }
            // The others go on with a walk over rows.
            _ => None,
        }
    }

    /// What the instruction will save, its operands left where they are.
    fn about_to_save(&self, op: Op, form: &RecordForm) -> Option<Map> {
        let values = &self.strand.values;
        match op {
            Op::Create(_) => values.last()?.as_map().cloned(),
            Op::SaveState(_) => {
                let state = &self.shared.states[self.strand.state];
                state::get(state, form.path.as_ref()?).ok()?.as_map().cloned()
            }
            _ => fields_of(form, values[values.len() - form.fields.len()..].iter().cloned()).ok(),
        }
    }

    fn schema(&self, at: u32) -> &'m Schema {
        &self.program.schemas[at as usize]
    }

    fn visible(&self, schema: &Schema) -> Result<Vec<Row>, Fault> {
        let scope = self.shared.scope(schema)?;
        Ok(records::visible(&self.shared.store, schema, &scope))
    }

    fn latest(&self, at: u32) -> Result<Value, Fault> {
        let schema = self.schema(at);
        let scope = self.shared.scope(schema)?;
        let row = records::latest(&self.shared.store, schema, &scope);
        Ok(row.map_or(Value::Null, Value::Map))
    }

    fn save(&mut self, at: u32, values: Map, span: Span) -> Result<Value, Fault> {
        let schema = self.schema(at);
        let scope = self.shared.scope(schema)?;
        self.shared.store_bytes(Value::Map(values.clone()).bulk())?;
        let saved = records::save(&mut self.shared.store, schema, &scope, values)?;
        self.strand.effects.step(StepKind::Write, &schema.name, span);
        Ok(Value::Map(saved))
    }

    /// Gives the value to the statement's local, if it has one, and makes it the last value.
    fn bind(&mut self, form: &RecordForm, value: Value) {
        match form.into {
            Some(slot) => self.give(slot, value),
            None => self.last(value),
        }
    }

    fn save_state(&mut self, form: &RecordForm, span: Span) -> Done {
        let Some(path) = &form.path else { return Ok(()) };
        let Ok(Value::Map(values)) = state::get(self.state(), path).cloned() else {
            let text = format!("Expected state.{} to be a record dictionary", path.shown);
            return Err(Fault::run(text, None));
        };
        let saved = self.save(form.schema, values, span)?;
        self.bind(form, saved);
        Ok(())
    }

    fn save_fields(&mut self, form: &RecordForm, span: Span) -> Done {
        let values = self.pop_many(form.fields.len());
        let fields = fields_of(form, values)?;
        let saved = self.save(form.schema, fields, span)?;
        self.bind(form, saved);
        Ok(())
    }

    fn next_row(&mut self) -> bool {
        match self.strand.walks.last_mut() {
            Some(Walker::Rows { rows, next, .. }) if *next < rows.len() => {
                *next += 1;
                true
            }
            _ => false,
        }
    }

    fn scan_keep(&mut self, what: Scanned) -> Done {
        let Value::Bool(kept) = self.pop() else {
            let statement = match what {
                Scanned::Find => "Find",
                Scanned::Update => "Update",
                Scanned::Delete => "Delete",
            };
            return Err(Fault::run(format!("{statement} predicate must evaluate to boolean"), None));
        };
        let row = self.strand.walks.last().and_then(walk::row).cloned();
        if let (true, Some(row), Some(Walker::Rows { kept, .. })) = (kept, row, self.strand.walks.last_mut())
        {
            kept.push(row);
        }
        Ok(())
    }

    /// Ends the innermost walk over rows and gives those it kept.
    fn kept(&mut self) -> Vec<Row> {
        match self.strand.walks.pop() {
            Some(Walker::Rows { kept, .. }) => kept,
            _ => Vec::new(),
        }
    }

    /// Only declared fields are changed, whether a row is there or not.
    fn refuse_unknown(&self, form: &RecordForm) -> Done {
        let schema = self.schema(form.schema);
        let words = form.fields.iter().map(|field| (field.words.join("."), field.span));
        match words.into_iter().find(|(name, _)| !schema.declares(name)) {
            Some((name, span)) => Err(records::unknown_field(schema, &name).at(span)),
            None => Ok(()),
        }
    }

    fn update_row(&mut self, form: &RecordForm, span: Span) -> Done {
        let values = self.pop_many(form.fields.len());
        let schema = self.schema(form.schema);
        let scope = self.shared.scope(schema)?;
        let names = form.fields.iter().map(|field| Arc::from(field.words.join(".")));
        let changes = names.zip(values).collect();
        if let Some(row) = self.strand.walks.last().and_then(walk::row) {
            records::update(&mut self.shared.store, schema, &scope, row, changes)?;
        }
        self.strand.effects.step(StepKind::Write, &schema.name, span);
        Ok(())
    }

    fn delete(&mut self, at: u32, rows: &[Row], span: Span) -> Done {
        let schema = self.schema(at);
        let keys: Vec<records::RowKey> = rows.iter().map(|row| row.key).collect();
        records::delete(&mut self.shared.store, schema, &keys);
        self.strand.effects.step(StepKind::Write, &schema.name, span);
        self.last(Value::Number(rows.len().into()));
        Ok(())
    }

    /// Without a record the flow ends with a text that says so.
    fn require_latest(&mut self, form: &RecordForm) -> Done {
        let found = self.latest(form.schema)?;
        if let (Value::Map(_), Some(slot)) = (&found, form.into) {
            self.frame().cells[slot as usize] = Cell::Held(Value::Null);
            self.give(slot, found);
            return Ok(());
        }
        let message = form.message.clone().unwrap_or_default();
        let path = [Arc::from("status"), Arc::from("message")];
        state::set(self.state(), &path, Value::Text(message))?;
        let name = self.schema(form.schema).name.to_lowercase().replace('.', "_");
        self.finish(Value::text(format!("missing_{name}")), true)
    }
}

/// The map that `save "R" with:` stores.
fn fields_of(form: &RecordForm, values: impl IntoIterator<Item = Value>) -> Result<Map, Fault> {
    let mut fields = Map::default();
    for (field, value) in form.fields.iter().zip(values) {
        state::set(&mut fields, &field.words, value)?;
    }
    Ok(fields)
}

fn not_a_record(value: &Value) -> Fault {
    words::guided(
        "Create expects a record dictionary of values.",
        format!(
            "The provided value is {}, but create needs key/value fields to validate and save.",
            value.type_name()
        ),
        "Pass a dictionary (for example, state.order or an input payload).",
        "create \"Order\" with state.order as order",
    )
}
