//! What the gateway reads of a chat request, and the request it sends on.
//!
//! Owns the checks of the fields it reads. A field it does not read is the upstream's to judge.

use std::borrow::Cow;

use tidegate_actors::json::{Document, Edit, Kind, Node};

use crate::dialect::error::BadRequest;
use crate::dialect::request as read;

/// A checked view of a chat request.
#[derive(Debug, Clone)]
pub struct ChatRequest<'a> {
    /// The public model name.
    pub model: Cow<'a, str>,
    /// The caller wants events.
    pub stream: bool,
    /// The caller wants a usage frame in them.
    pub include_usage: bool,
    /// Temperature 0 or a seed: the caller says that equal requests may get equal answers.
    pub declared: bool,
    /// Messages in the conversation.
    pub messages: usize,
    root: Node<'a>,
}

impl<'a> ChatRequest<'a> {
    /// Reads and checks `doc`.
    ///
    /// # Errors
    /// [`BadRequest`] naming the first field that cannot be taken.
    pub fn read(doc: &'a Document) -> Result<Self, BadRequest> {
        let root = read::object(doc)?;
        let model = read::model(root)?;
        let messages = read::messages(root)?;
        let stream = read::flag(root, "stream", "stream")?;
        let include_usage = include_usage(root)?;
        let temperature = read::number(root, "temperature")?;
        let seed = read::number(root, "seed")?;
        let declared = seed.is_some() || temperature.is_some_and(read::is_zero);
        Ok(Self { model, stream, include_usage, declared, messages, root })
    }

    /// The body for an upstream that knows the model as `model`. A stream always asks for usage:
    /// the ledger needs it, and [`super::Shaper`] takes it out again for a caller who did not.
    pub fn upstream_body(&self, model: &str) -> Vec<u8> {
        let edit = if self.model == model { Edit::new() } else { Edit::new().set_str("model", model) };
        let edit = match self.stream && !self.include_usage {
            true => edit.inside("stream_options", Edit::new().set("include_usage", "true")),
            false => edit,
        };
        edit.apply(self.root)
    }
}

fn include_usage(root: Node<'_>) -> Result<bool, BadRequest> {
    let Some(options) = root.get("stream_options").filter(|options| !options.is_null()) else {
        return Ok(false);
    };
    if options.kind() != Kind::Object {
        return Err(BadRequest::wrong_type("stream_options", "an object", options));
    }
    read::flag(options, "include_usage", "stream_options.include_usage")
}
