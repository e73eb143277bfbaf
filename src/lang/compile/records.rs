//! Owns how record statements become instructions, and the steps of declarative flows, which are made of them.
//! Must not touch the store.

use std::sync::Arc;

use super::body::{Body, push, state_path};
use super::form::{FieldPath, GuardForm, RecordForm};
use super::op::{Mutation, Op, Pc, Scanned};
use crate::lang::ast::{Expr, FieldDecl, FieldValue, Name, Step, StepKind, Stmt, StmtKind};
use crate::lang::span::Span;

impl Body<'_> {
    /// Writes a statement about records.
    pub(super) fn record(&mut self, stmt: &Stmt) {
        let span = stmt.span;
        match &stmt.kind {
            StmtKind::Save { record, fields: None } => self.save_state(record, span),
            StmtKind::Save { record, fields: Some(fields) } => self.save_fields(record, fields, span),
            StmtKind::Create { record, values, target } => {
                self.guard(Mutation::Create, record, span);
                self.expr(values);
                let into = Some(self.slot(&target.text));
                self.on_record(record, into, Op::Create, span);
            }
            StmtKind::Find { record, predicate } => {
                self.scan(record, predicate, Scanned::Find, span);
                let into = Some(self.slot(&results_name(&record.text)));
                self.on_record(record, into, Op::FindClose, span);
            }
            StmtKind::Update { record, predicate, fields } => {
                self.update(record, predicate, fields, span);
            }
            StmtKind::Delete { record, predicate } => {
                self.guard(Mutation::Delete, record, span);
                self.scan(record, predicate, Scanned::Delete, span);
                self.on_record(record, None, Op::DeleteClose, span);
            }
            StmtKind::Clear(records) => {
                for record in records {
                    self.guard(Mutation::Delete, record, span);
                    self.on_record(record, None, Op::Clear, span);
                }
            }
            StmtKind::RequireLatest { record, target, message } => {
                let into = Some(self.slot(&target.text));
                let form = RecordForm { message: Some(message.clone()), ..self.plain(record, into) };
                let at = push(&mut self.code.records, form);
                self.emit(Op::RequireLatest(at), span);
            }
            _ => {}
        }
    }

    fn plain(&mut self, record: &Name, into: Option<u32>) -> RecordForm {
        let schema = self.schema(record);
        RecordForm { schema, into, fields: Vec::new(), path: None, message: None }
    }

    /// Index of the record's schema.
    pub(super) fn schema(&mut self, record: &Name) -> u32 {
        self.index.schema(&record.text).unwrap_or_else(|| {
            self.unknown("record", record, record.span);
            0
        })
    }

    fn on_record(&mut self, record: &Name, into: Option<u32>, op: fn(u32) -> Op, span: Span) {
        let form = self.plain(record, into);
        let at = push(&mut self.code.records, form);
        self.emit(op(at), span);
    }

    fn guard(&mut self, action: Mutation, record: &Name, span: Span) {
        let at = push(&mut self.code.guards, GuardForm { action, record: record.text.clone() });
        self.emit(Op::Guard(at), span);
    }

    fn save_state(&mut self, record: &Name, span: Span) {
        self.guard(Mutation::Save, record, span);
        let lower = record.text.to_lowercase();
        let words: Vec<Name> = lower.split('.').map(|word| Name::new(word, record.span)).collect();
        let form = RecordForm { path: Some(state_path(&words)), ..self.plain(record, None) };
        let at = push(&mut self.code.records, form);
        self.emit(Op::SaveState(at), span);
    }

    /// The fields are counted as statements of their own, the save itself as one more.
    fn save_fields(&mut self, record: &Name, fields: &[FieldValue], span: Span) {
        // `block` has counted the first line already, under the name of the whole statement.
        if self.level == 1
            && let (Some(first), Some(top)) = (fields.first(), self.code.statements.last_mut())
        {
            (top.kind, top.span) = ("set", field_span(first, span));
        }
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                self.count("set", field_span(field, span));
            }
            self.expr(&field.value);
        }
        if !fields.is_empty() {
            self.count("create", span);
        }
        self.guard(Mutation::Create, record, span);
        let form = RecordForm { fields: paths(fields, span), ..self.plain(record, None) };
        let at = push(&mut self.code.records, form);
        self.emit(Op::SaveFields(at), span);
    }

    /// Leaves the chosen rows in the innermost walk.
    fn scan(&mut self, record: &Name, predicate: &Expr, what: Scanned, span: Span) {
        let schema = self.schema(record);
        self.emit(Op::Scan(schema), span);
        let next = self.emit(Op::ScanNext(0), span);
        self.in_predicate = true;
        self.expr(predicate);
        self.in_predicate = false;
        self.emit(Op::ScanKeep(what), span);
        self.emit(Op::Jump(next), span);
        self.land(next);
    }

    fn update(&mut self, record: &Name, predicate: &Expr, fields: &[FieldValue], span: Span) {
        self.guard(Mutation::Update, record, span);
        self.scan(record, predicate, Scanned::Update, span);
        let form = RecordForm { fields: paths(fields, span), ..self.plain(record, None) };
        let at = push(&mut self.code.records, form);
        self.emit(Op::UpdateOpen(at), span);
        let next = self.emit(Op::UpdateNext(0), span);
        self.in_predicate = true;
        fields.iter().for_each(|field| self.expr(&field.value));
        self.in_predicate = false;
        self.emit(Op::UpdateRow(at), span);
        self.emit(Op::Jump(next), span);
        self.land(next);
        self.emit(Op::UpdateClose, span);
    }

    /// Writes a flow without a colon.
    pub(super) fn steps(&mut self, inputs: &[FieldDecl], steps: &[Step], span: Span) {
        let at = push(&mut self.code.inputs, inputs.to_vec());
        self.emit(Op::FlowInput(at), span);
        self.level = 1;
        let mut gate = None;
        for step in steps {
            if let StepKind::Require(path) = &step.kind {
                gate.take().into_iter().for_each(|at| self.land(at));
                gate = self.gate(path, step.span);
            }
            self.step(step);
        }
        gate.into_iter().for_each(|at| self.land(at));
    }

    /// Writes `require "state.path"`; what is no state path keeps nothing back.
    fn gate(&mut self, path: &Name, span: Span) -> Option<Pc> {
        let words = path.text.strip_prefix("state.")?.split('.').filter(|word| !word.is_empty());
        let words: Vec<Name> = words.map(|word| Name::new(word, path.span)).collect();
        let path = self.state(&words);
        Some(self.emit(Op::Gate { path, out: 0 }, span))
    }

    fn step(&mut self, step: &Step) {
        let span = step.span;
        match &step.kind {
            // A gate before the steps up to the next one.
            StepKind::Require(_) => self.count("none", span),
            StepKind::Create { record, fields } => {
                self.count("create", span);
                self.guard(Mutation::Create, record, span);
                fields.iter().for_each(|field| self.expr(&field.value));
                let form = RecordForm { fields: paths(fields, span), ..self.plain(record, None) };
                let at = push(&mut self.code.records, form);
                self.emit(Op::SaveFields(at), span);
            }
            StepKind::Update { record, selector, fields } => {
                self.count("update", span);
                self.update(record, selector, fields, span);
            }
            StepKind::Delete { record, selector } => {
                self.count("delete", span);
                self.guard(Mutation::Delete, record, span);
                self.scan(record, selector, Scanned::Delete, span);
                self.on_record(record, None, Op::DeleteClose, span);
            }
        }
    }
}

fn paths(fields: &[FieldValue], statement: Span) -> Vec<FieldPath> {
    let path = |field: &FieldValue| FieldPath {
        words: field.path.iter().map(|word| word.text.clone()).collect(),
        span: field_span(field, statement),
    };
    fields.iter().map(path).collect()
}

fn field_span(field: &FieldValue, otherwise: Span) -> Span {
    field.path.first().map_or(otherwise, |word| word.span)
}

/// The local a `find` binds.
fn results_name(record: &str) -> Arc<str> {
    Arc::from(format!("{}_results", record.to_lowercase().replace('.', "_")))
}
