//! An embedding request, taken apart into items, and the request a batch of items becomes.
//!
//! Owns the checks of `input`. It counts tokens only where they are given as numbers.

use std::borrow::Cow;

use tidegate_actors::json::{Document, Edit, Kind, Node};
use tidegate_actors::key::{BodyDigest, Deny, ItemKind};

use super::Encoding;
use crate::dialect::error::BadRequest;
use crate::dialect::request as read;
use crate::dialect::write::array;

/// What one request may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbedLimits {
    /// Items in one request.
    pub max_items: usize,
    /// Tokens in one item.
    pub max_item_tokens: usize,
    /// Tokens in all items together.
    pub max_request_tokens: usize,
}

impl Default for EmbedLimits {
    /// What the vendor's API refuses.
    fn default() -> Self {
        Self { max_items: 2_048, max_item_tokens: 8_192, max_request_tokens: 300_000 }
    }
}

/// One text or one list of tokens.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Which of the two.
    pub kind: ItemKind,
    /// The JSON value: its text is what travels upstream.
    pub node: Node<'a>,
}

impl Item<'_> {
    /// The number of tokens, where it is known without a tokenizer.
    pub fn tokens(&self) -> Option<usize> {
        (self.kind == ItemKind::Tokens).then(|| self.node.len())
    }
}

/// A checked view of an embedding request.
#[derive(Debug, Clone)]
pub struct EmbedRequest<'a> {
    /// The public model name.
    pub model: Cow<'a, str>,
    /// In the order of the request. Never empty, all of one kind.
    pub items: Vec<Item<'a>>,
    /// What the caller wants back; absent, null and `""` are floats.
    pub encoding: Encoding,
    /// Length of the vectors, if the caller says.
    pub dimensions: Option<u64>,
    root: Node<'a>,
}

impl<'a> EmbedRequest<'a> {
    /// Reads and checks `doc`.
    ///
    /// # Errors
    /// [`BadRequest`] naming the field, and the item where it is one.
    pub fn read(doc: &'a Document, limits: &EmbedLimits) -> Result<Self, BadRequest> {
        let root = read::object(doc)?;
        let model = read::model(root)?;
        let input = root.get("input").ok_or_else(|| BadRequest::missing("input"))?;
        let items = items(input, limits)?;
        let encoding = encoding(root)?;
        let dimensions = read::positive(root, "dimensions")?;
        Ok(Self { model, items, encoding, dimensions, root })
    }

    /// Digest of everything but the items and the form of the answer: with it, equal items of
    /// different requests have equal keys.
    pub fn others(&self) -> BodyDigest {
        BodyDigest::of(self.root, Deny::EMBED)
    }

    /// The digest of one item of this request; see [`BodyDigest::item`].
    pub fn digest(&self, others: &BodyDigest, item: &Item<'_>) -> BodyDigest {
        others.item(item.kind, item.node)
    }

    /// The body for an upstream that knows the model as `model`, asking for `items` (JSON texts).
    pub fn upstream_body<T: AsRef<[u8]>>(&self, model: &str, items: impl IntoIterator<Item = T>) -> Vec<u8> {
        upstream_body(self.root, model, items)
    }
}

/// As [`EmbedRequest::upstream_body`], for a batch that outlives the request it was opened by:
/// `template` is any request whose other fields equal those of every item's own.
///
/// Floats are asked for, whatever the callers want: their digits hold the f32 bits too, and the
/// other way round the digits would be ours.
pub fn upstream_body<T: AsRef<[u8]>>(
    template: Node<'_>,
    model: &str,
    items: impl IntoIterator<Item = T>,
) -> Vec<u8> {
    let edit = Edit::new().set_str("model", model).set("input", array(items));
    edit.set_str("encoding_format", "float").apply(template)
}

fn encoding(root: Node<'_>) -> Result<Encoding, BadRequest> {
    let Some(node) = root.get("encoding_format").filter(|node| !node.is_null()) else {
        return Ok(Encoding::Float);
    };
    let Some(name) = node.as_str() else {
        return Err(BadRequest::wrong_type("encoding_format", "a string", node));
    };
    match &*name {
        "float" | "" => Ok(Encoding::Float),
        "base64" => Ok(Encoding::Base64),
        other => {
            let message = format!("encoding_format must be \"float\" or \"base64\", not {other:?}");
            Err(BadRequest::field("encoding_format", "invalid_value", message))
        }
    }
}

/// `string | [string] | [int] | [[int]]`. A list that starts with a number is one token list.
fn items<'a>(input: Node<'a>, limits: &EmbedLimits) -> Result<Vec<Item<'a>>, BadRequest> {
    let items: Vec<Node<'a>> = match input.kind() {
        Kind::String => vec![input],
        Kind::Array => match input.elements().next().map(|first| first.kind()) {
            None => return Err(empty("input is an empty array, give at least one item", "input")),
            Some(Kind::Number) => vec![input],
            Some(_) => input.elements().collect(),
        },
        _ => return Err(BadRequest::wrong_type("input", "a string or an array", input)),
    };
    if items.len() > limits.max_items {
        let message =
            format!("input has {} items, the limit is {}, send it in parts", items.len(), limits.max_items);
        return Err(BadRequest::field("input", "too_many_items", message));
    }
    let listed = input.kind() == Kind::Array && input.len() == items.len() && items[0].span() != input.span();
    let name = |at: usize| if listed { format!("input[{at}]") } else { "input".to_owned() };
    let mut checked = Vec::with_capacity(items.len());
    let mut tokens = 0;
    for (at, node) in items.into_iter().enumerate() {
        let item = item(node, &name(at), limits)?;
        same_kind(checked.first(), item, &name(at))?;
        tokens += item.tokens().unwrap_or(0);
        checked.push(item);
    }
    if tokens > limits.max_request_tokens {
        let limit = limits.max_request_tokens;
        let message = format!("input has {tokens} tokens, the limit is {limit} a request, send it in parts");
        return Err(BadRequest::field("input", "too_many_tokens", message));
    }
    Ok(checked)
}

fn item<'a>(node: Node<'a>, name: &str, limits: &EmbedLimits) -> Result<Item<'a>, BadRequest> {
    match node.kind() {
        Kind::String if node.is_empty() => {
            Err(empty(&format!("{name} is an empty string, every item needs text"), name))
        }
        Kind::String => Ok(Item { kind: ItemKind::Text, node }),
        Kind::Array if node.is_empty() => {
            Err(empty(&format!("{name} is an empty array, every item needs at least one token"), name))
        }
        Kind::Array => tokens(node, name, limits),
        _ => Err(BadRequest::wrong_type(name, "a string or an array of tokens", node)),
    }
}

fn tokens<'a>(node: Node<'a>, name: &str, limits: &EmbedLimits) -> Result<Item<'a>, BadRequest> {
    let is_token = |token: Node<'_>| token.number_text().is_some_and(|text| text.parse::<u32>().is_ok());
    if let Some((at, odd)) = node.elements().enumerate().find(|(_, token)| !is_token(*token)) {
        let shown: String = String::from_utf8_lossy(odd.raw()).chars().take(32).collect();
        let message = format!("{name}[{at}] must be a token number, not {shown}");
        return Err(BadRequest::field(format!("{name}[{at}]"), "invalid_type", message));
    }
    if node.len() > limits.max_item_tokens {
        let limit = limits.max_item_tokens;
        let message = format!("{name} has {} tokens, the limit is {limit} an item, shorten it", node.len());
        return Err(BadRequest::field(name, "too_many_tokens", message));
    }
    Ok(Item { kind: ItemKind::Tokens, node })
}

fn same_kind(first: Option<&Item<'_>>, item: Item<'_>, name: &str) -> Result<(), BadRequest> {
    let said = |kind| if kind == ItemKind::Text { "a string" } else { "an array of tokens" };
    match first {
        Some(first) if first.kind != item.kind => {
            Err(BadRequest::wrong_type(name, &format!("{} as input[0] is", said(first.kind)), item.node))
        }
        _ => Ok(()),
    }
}

fn empty(message: &str, param: &str) -> BadRequest {
    BadRequest::field(param, "empty_input", message)
}
