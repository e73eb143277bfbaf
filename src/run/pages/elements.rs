//! Owns how the items of a page are told, and which action each of them offers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::action::{Action, Deed};
use super::{guards, slug};
use crate::lang::ast::{
    ContainerKind, Name, PageDecl, PageItem, PageItemKind, Program, RecordDecl, TypeKind,
};
use crate::lang::value::Value;

/// A walk over the items of one page.
pub(super) struct Walk<'w> {
    pub(super) page: &'w PageDecl,
    pub(super) slug: &'w str,
    pub(super) guard: Option<&'w Arc<str>>,
    /// The program the flows of forms are added to.
    pub(super) tree: &'w mut Program,
    pub(super) actions: &'w mut BTreeMap<String, Action>,
}

impl Walk<'_> {
    /// The elements of these items.
    pub(super) fn all(&mut self, items: &[PageItem]) -> Value {
        Value::list(items.iter().map(|item| self.one(&item.kind)).collect())
    }

    fn one(&mut self, item: &PageItemKind) -> Value {
        let shown = |kind: &str, value: &Arc<str>| {
            Value::fields([("type", kind.into()), ("value", Value::Text(Arc::clone(value)))])
        };
        match item {
            PageItemKind::Title(text) => shown("title", text),
            PageItemKind::Text(text) => shown("text", text),
            PageItemKind::Image(name) => {
                Value::fields([("name", Value::Text(Arc::clone(name))), ("type", "image".into())])
            }
            PageItemKind::Divider => Value::fields([("type", "divider".into())]),
            PageItemKind::Button { label, flow } => self.button(label, flow),
            PageItemKind::Form(record) => self.form(record),
            PageItemKind::Table(record) => self.table(record),
            PageItemKind::Container { kind, label, items } => {
                let label = label.clone().map(Value::Text).unwrap_or_default();
                let children = self.all(items);
                Value::fields([("children", children), ("label", label), ("type", container(*kind).into())])
            }
        }
    }

    fn button(&mut self, label: &Name, flow: &Name) -> Value {
        let deed = Deed::CallFlow { flow: Arc::clone(&flow.text), guard: self.guard.cloned() };
        let id = self.offer("button", &label.text, deed);
        Value::fields([
            ("action", self.action(&id)),
            ("action_id", Value::text(id.as_str())),
            ("id", Value::text(id.as_str())),
            ("label", Value::Text(Arc::clone(&label.text))),
            ("type", "button".into()),
        ])
    }

    fn form(&mut self, record: &Name) -> Value {
        let known = format!("page.{}.form.{}", self.slug, slug(&record.text));
        let id = match self.actions.get(&known).map(|action| &action.deed) {
            // The same form twice on a page is one action.
            Some(Deed::SubmitForm { form, .. }) if form.record() == &record.text => known,
            _ => {
                let form = guards::of_form(self.page, record, self.tree);
                let record = Arc::clone(&record.text);
                match form {
                    Some(form) => self.offer("form", &record, Deed::SubmitForm { form: Box::new(form) }),
                    None => known,
                }
            }
        };
        Value::fields([
            ("action", self.action(&id)),
            ("action_id", Value::text(id.as_str())),
            ("fields", fields(self.declared(record))),
            ("id", Value::text(id.as_str())),
            ("record", Value::Text(Arc::clone(&record.text))),
            ("type", "form".into()),
        ])
    }

    fn table(&self, record: &Name) -> Value {
        let declared = self.declared(record);
        Value::fields([
            ("columns", fields(declared)),
            ("id_field", declared.map_or("_id", id_field).into()),
            ("record", Value::Text(Arc::clone(&record.text))),
            ("type", "table".into()),
        ])
    }

    /// The action as the manifest tells it.
    fn action(&self, id: &str) -> Value {
        self.actions.get(id).map(Action::told).unwrap_or_default()
    }

    /// Of two records with one name the last counts.
    fn declared(&self, record: &Name) -> Option<&RecordDecl> {
        self.tree.records.iter().rfind(|declared| declared.name.text == record.text)
    }

    /// Gives the action an id of its own: two buttons that say the same and do the same are one.
    fn offer(&mut self, kind: &str, name: &str, deed: Deed) -> String {
        let plain = format!("page.{}.{kind}.{}", self.slug, slug(name));
        let mut id = plain.clone();
        let page = &self.page.name.text;
        for number in 2.. {
            match self.actions.get(&id) {
                Some(known) if known.page != *page || known.deed.flow() != deed.flow() => {
                    id = format!("{plain}_{number}");
                }
                _ => break,
            }
        }
        self.actions.insert(id.clone(), Action { id: id.clone(), page: Arc::clone(page), deed });
        id
    }
}

/// `{name, type}` of each field.
pub(in crate::run) fn fields(declared: Option<&RecordDecl>) -> Value {
    let field = |field: &crate::lang::ast::RecordField| {
        Value::fields([
            ("name", Value::Text(Arc::clone(&field.name.text))),
            ("type", type_name(&field.ty.kind).into()),
        ])
    };
    Value::list(declared.into_iter().flat_map(|record| &record.fields).map(field).collect())
}

/// The field that holds the id.
pub(in crate::run) fn id_field(record: &RecordDecl) -> &'static str {
    if record.fields.iter().any(|field| &*field.name.text == "id") { "id" } else { "_id" }
}

fn type_name(kind: &TypeKind) -> &str {
    match kind {
        TypeKind::Text => "text",
        TypeKind::Number | TypeKind::Integer => "number",
        TypeKind::Boolean => "boolean",
        TypeKind::Json => "json",
        TypeKind::List(_) => "list",
        TypeKind::Map => "map",
        TypeKind::Record(name) => name,
    }
}

const fn container(kind: ContainerKind) -> &'static str {
    match kind {
        ContainerKind::Section => "section",
        ContainerKind::Card => "card",
        ContainerKind::Row => "row",
        ContainerKind::Column => "column",
    }
}
