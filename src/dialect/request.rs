//! Checks that every door's requests share.
//!
//! Owns reading one field with its type; which fields exist is each dialect's business.

use std::borrow::Cow;

use tidegate_actors::json::{Document, Kind, Node};

use super::error::BadRequest;

/// The body itself.
pub(super) fn object(doc: &Document) -> Result<Node<'_>, BadRequest> {
    let root = doc.root();
    if root.kind() == Kind::Object {
        return Ok(root);
    }
    let message = format!("the body must be a JSON object, not {}", root.kind().name());
    Err(BadRequest { message, param: None, code: "invalid_type" })
}

/// The `model` member: a string that is not empty.
pub(super) fn model<'a>(root: Node<'a>) -> Result<Cow<'a, str>, BadRequest> {
    let node = root.get("model").ok_or_else(|| BadRequest::missing("model"))?;
    let model = node.as_str().ok_or_else(|| BadRequest::wrong_type("model", "a string", node))?;
    match model.is_empty() {
        true => Err(BadRequest::field("model", "empty_string", "model is empty, name a model")),
        false => Ok(model),
    }
}

/// The number of `messages`: objects, at least one.
pub(super) fn messages(root: Node<'_>) -> Result<usize, BadRequest> {
    let messages = root.get("messages").ok_or_else(|| BadRequest::missing("messages"))?;
    if messages.kind() != Kind::Array {
        return Err(BadRequest::wrong_type("messages", "an array", messages));
    }
    if messages.is_empty() {
        return Err(BadRequest::field("messages", "empty_array", "messages is empty, give at least one"));
    }
    match messages.elements().enumerate().find(|(_, message)| message.kind() != Kind::Object) {
        Some((at, odd)) => Err(BadRequest::wrong_type(&format!("messages[{at}]"), "an object", odd)),
        None => Ok(messages.len()),
    }
}

/// A member that is a boolean, null or absent; the last two are false.
pub(super) fn flag(holder: Node<'_>, name: &str, param: &str) -> Result<bool, BadRequest> {
    match holder.get(name) {
        None => Ok(false),
        Some(node) if node.is_null() => Ok(false),
        Some(node) => node.as_bool().ok_or_else(|| BadRequest::wrong_type(param, "a boolean", node)),
    }
}

/// A member that is a number, null or absent.
pub(super) fn number<'a>(root: Node<'a>, name: &str) -> Result<Option<&'a str>, BadRequest> {
    match root.get(name).filter(|node| !node.is_null()) {
        None => Ok(None),
        Some(node) => match node.number_text() {
            Some(text) => Ok(Some(text)),
            None => Err(BadRequest::wrong_type(name, "a number", node)),
        },
    }
}

/// A member that is a positive integer, null or absent.
pub(super) fn positive(root: Node<'_>, name: &str) -> Result<Option<u64>, BadRequest> {
    let Some(text) = number(root, name)? else { return Ok(None) };
    match text.parse() {
        Ok(value @ 1..) => Ok(Some(value)),
        _ => {
            let message = format!("{name} must be an integer of at least 1, not {text}");
            Err(BadRequest::field(name, "invalid_value", message))
        }
    }
}

/// True for every spelling of zero: it has no digit but 0 before its exponent.
pub(super) fn is_zero(number: &str) -> bool {
    let digits = number.split(['e', 'E']).next().unwrap_or_default();
    digits.bytes().all(|byte| matches!(byte, b'0' | b'-' | b'.'))
}
