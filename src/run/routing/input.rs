//! Owns the input of a flow that a route runs: what stands in path, query and body, converted where the route says so.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::{Found, Reply, Route, refused};
use crate::lang::ast::TypeKind;
use crate::lang::value::{Map, Number, Value, parse_json};

/// Query parameters that are the server's.
const NOT_INPUT: [&str; 5] = ["page", "page_size", "filter", "format", "version"];

/// The pairs of a query, decoded.
pub fn query(text: &str) -> impl Iterator<Item = (String, String)> {
    let decoded = |text: &str| {
        let spaced: Cow<'_, str> =
            if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// Why a body is no input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// It is not JSON.
    NotJson,
    /// It is JSON, but no object.
    NotObject,
}

impl BodyFault {
    /// What a route answers.
    #[must_use]
    pub fn reply(self) -> Reply {
        let message = match self {
            Self::NotJson => "Request body must be valid JSON.",
            Self::NotObject => "Request body must be a JSON object.",
        };
        refused(400, message, "Send a JSON object, or nothing.")
    }
}

/// The object a body holds; nothing is an empty one.
///
/// # Errors
/// What the body is instead.
pub fn body(bytes: &[u8]) -> Result<Map, BodyFault> {
    if bytes.is_empty() {
        return Ok(Map::default());
    }
    let value = std::str::from_utf8(bytes).ok().and_then(|text| parse_json(text).ok());
    match value {
        Some(Value::Map(map)) => Ok(map),
        Some(_) => Err(BodyFault::NotObject),
        None => Err(BodyFault::NotJson),
    }
}

impl Found<'_> {
    /// The input: parameters of the path, then of the query, then fields of the body; the later one counts. Of a name that the
    /// query gives twice the first counts, and one without a value is not given.
    #[must_use]
    pub fn input(&self, query_text: &str, body: Map) -> Value {
        let mut input = Map::default();
        for (name, text) in &self.captures {
            input.insert(Arc::clone(name), self.route.converted(name, text));
        }
        let mut asked = HashSet::new();
        for (name, text) in query(query_text).filter(|(name, _)| !NOT_INPUT.contains(&name.as_str())) {
            if !text.is_empty() && asked.insert(name.clone()) {
                let value = self.route.converted(&name, &text);
                input.insert(name.into(), value);
            }
        }
        for (name, value) in body.into_entries() {
            input.insert(name, value);
        }
        Value::Map(input)
    }
}

impl Route {
    /// A text of the path or query as its parameter is declared.
    fn converted(&self, name: &str, text: &str) -> Value {
        let declared = self.parameters.iter().find(|field| &*field.name.text == name);
        declared.map_or_else(|| Value::text(text), |field| convert(&field.ty.kind, text))
    }
}

/// The text as a value of this type; a text it stays where it cannot be one.
fn convert(kind: &TypeKind, text: &str) -> Value {
    match kind {
        TypeKind::Number | TypeKind::Integer => number(text).unwrap_or_else(|| Value::text(text)),
        TypeKind::Boolean => match text.to_lowercase().as_str() {
            "true" | "yes" | "1" => Value::Bool(true),
            "false" | "no" | "0" => Value::Bool(false),
            _ => Value::text(text),
        },
        TypeKind::List(item) => {
            let item = item.as_deref().unwrap_or(&TypeKind::Text);
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::list(parts.map(|part| convert(item, part)).collect())
        }
        _ => Value::text(text),
    }
}

/// A whole number with all its digits, else a fraction as JSON would bring it.
fn number(text: &str) -> Option<Value> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Number::parse(text.strip_prefix('+').unwrap_or(text)).map(Value::Number);
    }
    text.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float)
}
