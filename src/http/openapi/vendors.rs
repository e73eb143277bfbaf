//! The vendors' bodies, as far as Tidegate reads or tells them. Every other field of a request passes through
//! untouched, and so does every other field of an answer.
#![expect(dead_code, reason = "these types describe bodies that are read as tokens and told as bytes")]

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::LimitProblem;

/// A chat request in OpenAI's form.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatRequest {
    /// A configured name.
    #[schema(example = "mock-chat")]
    model: String,
    #[schema(min_items = 1)]
    messages: Vec<ChatMessage>,
    /// Events instead of one body.
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// 0 declares that equal requests may get equal answers: they are then remembered and joined.
    temperature: Option<f64>,
    /// Declares the same.
    seed: Option<i64>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// One message of a conversation.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatMessage {
    role: String,
    /// A text or a list of parts.
    content: Value,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// What a stream tells besides the answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct StreamOptions {
    include_usage: Option<bool>,
}

/// A chat answer in OpenAI's form, byte for byte the upstream's.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatCompletion {
    id: String,
    object: String,
    created: i64,
    model: String,
    choices: Vec<ChatChoice>,
    usage: Option<BTreeMap<String, Value>>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// One of the answers asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatChoice {
    index: u32,
    message: BTreeMap<String, Value>,
    finish_reason: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// An embeddings request.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmbeddingsRequest {
    #[schema(example = "mock-embed")]
    model: String,
    input: EmbeddingsInput,
    /// `float` or `base64` (little-endian f32).
    encoding_format: Option<String>,
    #[schema(minimum = 1)]
    dimensions: Option<u32>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// One item or many, as text or as tokens.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum EmbeddingsInput {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u32>),
    TokenLists(Vec<Vec<u32>>),
}

/// Vectors in the order of the items.
#[derive(Serialize, ToSchema)]
pub(crate) struct Embeddings {
    object: String,
    data: Vec<Embedding>,
    model: String,
    usage: EmbeddingsUsage,
}

/// One vector.
#[derive(Serialize, ToSchema)]
pub(crate) struct Embedding {
    object: String,
    index: usize,
    embedding: Vector,
}

/// Numbers, or their bytes in base64.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

/// Tokens of one embeddings call.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmbeddingsUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// An error as OpenAI words it.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenAiProblem {
    error: OpenAiProblemDetail,
}

/// What was wrong.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenAiProblemDetail {
    message: String,
    #[serde(rename = "type")]
    kind: String,
    /// The field at fault.
    param: Option<String>,
    /// A word for programs, never a number.
    code: Option<String>,
    /// Which limit has no room, if that is why; not from vendors.
    limit: Option<LimitProblem>,
}

/// A chat request in Anthropic's form.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessagesRequest {
    #[schema(example = "mock-claude")]
    model: String,
    messages: Vec<ChatMessage>,
    max_tokens: u32,
    stream: Option<bool>,
    temperature: Option<f64>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// An answer in Anthropic's form.
#[derive(Serialize, ToSchema)]
pub(crate) struct Message {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    role: String,
    model: String,
    content: Vec<BTreeMap<String, Value>>,
    stop_reason: Option<String>,
    usage: BTreeMap<String, Value>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Tokens of a request that was not sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenCount {
    input_tokens: u64,
}

/// An error as Anthropic words it.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnthropicProblem {
    #[serde(rename = "type")]
    kind: String,
    error: AnthropicProblemDetail,
    request_id: Option<String>,
}

/// What was wrong.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnthropicProblemDetail {
    #[serde(rename = "type")]
    kind: String,
    message: String,
    /// Which limit has no room, if that is why; not from vendors.
    limit: Option<LimitProblem>,
}
