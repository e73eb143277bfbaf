//! How a request is changed for the model that answers it, as configuration says.
//!
//! Owns the edits; every byte of a field that is not named stays as the caller wrote it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_actors::json::{Document, Edit, Node};

use crate::config::{ANY_MODEL, MaxTokensField, Model, Quirks};

const MAX_TOKENS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// The quirks of every public model name.
#[derive(Debug, Clone)]
pub(super) struct QuirkTable {
    models: Arc<BTreeMap<String, Quirks>>,
}

impl QuirkTable {
    pub(super) fn new(models: &BTreeMap<String, Model>) -> Self {
        let quirks = models.iter().map(|(name, model)| (name.clone(), model.quirks.clone()));
        Self { models: Arc::new(quirks.collect()) }
    }

    /// The changes the model named by `document` asks for, and its new name.
    pub(super) fn edit(&self, document: &Document, model: &str) -> Changes<'_> {
        let root = document.root();
        let asked = root.get("model").and_then(|name| name.as_str());
        let named = asked.as_deref().and_then(|name| self.models.get(name));
        let quirks = named.or_else(|| self.models.get(ANY_MODEL));
        let mut edit = quirks.map_or_else(Edit::new, |quirks| changes(root, quirks));
        // Mostly the model has the name it is asked by, and the request goes on as it came.
        if !(edit.is_empty() && asked.as_deref() == Some(model)) {
            edit = edit.set_str("model", model);
        }
        Changes { quirks, edit }
    }
}

/// Changes under construction.
pub(super) struct Changes<'a> {
    quirks: Option<&'a Quirks>,
    edit: Edit,
}

impl Changes<'_> {
    /// One more change, unless configuration says that the upstream must not see `field`.
    pub(super) fn unless_dropped(mut self, field: &str, change: impl FnOnce(Edit) -> Edit) -> Self {
        let dropped = self.quirks.is_some_and(|quirks| quirks.drop_params.iter().any(|name| name == field));
        if !dropped {
            self.edit = change(self.edit);
        }
        self
    }

    /// One more change.
    pub(super) fn with(mut self, change: impl FnOnce(Edit) -> Edit) -> Self {
        self.edit = change(self.edit);
        self
    }

    /// The changed request.
    pub(super) fn apply(&self, document: &Document) -> Bytes {
        let root = document.root();
        if self.edit.is_empty() { root.raw_bytes() } else { self.edit.apply(root).into() }
    }
}

fn changes(root: Node<'_>, quirks: &Quirks) -> Edit {
    let mut edit = Edit::new();
    for name in &quirks.drop_params {
        edit = edit.remove(name);
    }
    for (from, to) in &quirks.rename_params {
        edit = rename(edit, root, from, to);
    }
    match quirks.max_tokens_field {
        None => edit,
        Some(MaxTokensField::MaxTokens) => rename(edit, root, MAX_TOKENS[1], MAX_TOKENS[0]),
        Some(MaxTokensField::MaxCompletionTokens) => rename(edit, root, MAX_TOKENS[0], MAX_TOKENS[1]),
    }
}

/// A value the caller gave under both names stays as given under `to`.
fn rename(edit: Edit, root: Node<'_>, from: &str, to: &str) -> Edit {
    let Some(value) = root.get(from) else { return edit };
    let edit = edit.remove(from);
    if root.get(to).is_some() { edit } else { edit.set(to, value.raw()) }
}

#[cfg(test)]
mod tests {
    use tidegate_actors::json::JsonLimits;

    use super::*;

    fn changed(quirks: Quirks, body: &'static str) -> String {
        let models = BTreeMap::from([("m".to_owned(), Model { quirks, ..Model::default() })]);
        let document =
            Document::parse(Bytes::from_static(body.as_bytes()), JsonLimits::default()).expect("json");
        text(QuirkTable::new(&models).edit(&document, "up").apply(&document))
    }

    fn text(bytes: Bytes) -> String {
        String::from_utf8(bytes.into()).expect("text")
    }

    #[test]
    fn without_quirks_only_the_model_changes() {
        let body = r#"{ "model" : "m","x":1.50,  "y":"\u00e4" }"#;
        assert_eq!(changed(Quirks::default(), body), r#"{ "model" : "up","x":1.50,  "y":"\u00e4" }"#);
    }

    #[test]
    fn a_model_of_the_same_name_leaves_the_request_as_it_came() {
        let body = r#"{"model":"up",  "x":1}"#;
        assert_eq!(changed(Quirks::default(), body), body);
    }

    #[test]
    fn params_are_dropped_and_renamed() {
        let quirks = Quirks {
            drop_params: vec!["seed".to_owned()],
            rename_params: BTreeMap::from([("user".to_owned(), "end_user".to_owned())]),
            max_tokens_field: Some(MaxTokensField::MaxCompletionTokens),
            ..Quirks::default()
        };
        let body = r#"{"model":"m","seed":1,"user":"u","max_tokens":5}"#;
        assert_eq!(changed(quirks, body), r#"{"model":"up","end_user":"u","max_completion_tokens":5}"#);
    }

    #[test]
    fn a_name_the_caller_already_used_wins_over_a_renamed_one() {
        let quirks = Quirks { max_tokens_field: Some(MaxTokensField::MaxTokens), ..Quirks::default() };
        let body = r#"{"model":"m","max_tokens":5,"max_completion_tokens":9}"#;
        assert_eq!(changed(quirks, body), r#"{"model":"up","max_tokens":5}"#);
    }

    #[test]
    fn a_model_without_a_table_follows_the_star() {
        let quirks = Quirks { drop_params: vec!["seed".to_owned()], ..Quirks::default() };
        let models = BTreeMap::from([(ANY_MODEL.to_owned(), Model { quirks, ..Model::default() })]);
        let body = Bytes::from_static(br#"{"model":"other","seed":1}"#);
        let document = Document::parse(body, JsonLimits::default()).expect("json");
        assert_eq!(
            text(QuirkTable::new(&models).edit(&document, "up").apply(&document)),
            r#"{"model":"up"}"#
        );
    }
}
