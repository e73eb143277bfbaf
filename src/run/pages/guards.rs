//! Owns the flows that pages add to a program, so that what a page does is a run like any other: one transaction, with
//! the access rules, checks and triggers of the language.

use std::sync::Arc;

use super::action::Form;
use crate::lang::ast::{Expr, ExprKind, FlowBody, FlowDecl, Name, PageDecl, Program, Stmt, StmtKind, Target};
use crate::lang::records::Schema;
use crate::lang::span::Span;

/// Adds the flow that judges a page's `requires`; nothing for a page without.
pub(super) fn of_page(page: &PageDecl, tree: &mut Program) -> Option<Arc<str>> {
    page.requires.as_ref()?;
    Some(add(page, format!("page {}", page.name.text), Vec::new(), tree))
}

/// Adds the flow of a form: what was filled in becomes the state's, then a record. It runs under the page's rule.
/// Nothing for a record whose declaration cannot be used, which no program that was compiled has.
pub(super) fn of_form(page: &PageDecl, record: &Name, tree: &mut Program) -> Option<Form> {
    let declared = tree.records.iter().rfind(|declared| declared.name.text == record.text)?;
    let schema = Schema::new(declared).ok()?;
    let span = record.span;
    let path = schema.state_path.iter().map(|word| Name::new(Arc::clone(word), span)).collect();
    let input = ExprKind::Name { root: Arc::from("input"), attrs: Vec::new() };
    let set = StmtKind::Set { target: Target::State(path), value: Expr { kind: input, span } };
    let save = StmtKind::Save { record: record.clone(), fields: None };
    let body = vec![stmt(set, span), stmt(save, span)];
    let flow = add(page, format!("page {} form {}", page.name.text, record.text), body, tree);
    Some(Form::new(flow, schema))
}

fn stmt(kind: StmtKind, span: Span) -> Stmt {
    Stmt { kind, span }
}

fn add(page: &PageDecl, mut name: String, body: Vec<Stmt>, tree: &mut Program) -> Arc<str> {
    let taken = |name: &str| {
        let flows =
            tree.flows.iter().map(|flow| &flow.name).chain(tree.llm_calls.iter().map(|call| &call.name));
        flows.into_iter().any(|flow| &*flow.text == name)
    };
    while taken(&name) {
        name.push('\'');
    }
    let name: Arc<str> = name.into();
    tree.flows.push(FlowDecl {
        name: Name::new(Arc::clone(&name), page.span),
        requires: page.requires.clone(),
        audited: false,
        pure: false,
        body: FlowBody::Statements(body),
        span: page.span,
    });
    name
}
