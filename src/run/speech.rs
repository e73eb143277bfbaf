//! Owns the words in which an ask is put to each kind of provider, and which events a whole answer
//! amounts to. Pure.

use bytes::Bytes;
use serde_json::json;
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::key::Deny;

use crate::dialect::{anthropic, openai_chat};
use crate::lang::machine::Ask;
use crate::lang::memory::{Item, Speaker};
use crate::lang::mock::{MockCall, answer};
use crate::lang::value::{JsonStyle, Value, parse_json};

/// Tokens an answer may have where the vendor wants to be told; programs do not say.
const MAX_TOKENS: u32 = 4_096;

/// The form in which a provider is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// The mock's: the parts of the language's cache key.
    Mock,
    /// Chat completions, as OpenAI and most others have them.
    OpenAi,
    /// Messages, as Anthropic has them.
    Anthropic,
}

impl Speech {
    /// The door whose form this is; part of the key.
    pub(super) const fn door(self) -> &'static str {
        match self {
            Self::Mock => "ai.text",
            Self::OpenAi => "openai.chat",
            Self::Anthropic => "anthropic.messages",
        }
    }

    /// Who speaks behind a door.
    pub(super) fn behind(door: &str) -> Option<Self> {
        [Self::Mock, Self::OpenAi, Self::Anthropic].into_iter().find(|speech| speech.door() == door)
    }

    /// Fields that cannot change the answer.
    pub(super) const fn deny(self) -> Deny {
        match self {
            Self::Mock => Deny::NONE,
            Self::OpenAi => Deny::OPENAI_CHAT,
            Self::Anthropic => Deny::ANTHROPIC,
        }
    }

    /// The request body.
    pub(super) fn body(self, ask: &Ask) -> Bytes {
        match self {
            Self::Mock => mock_body(ask).into(),
            Self::OpenAi => openai_body(ask).to_string().into(),
            Self::Anthropic => anthropic_body(ask).to_string().into(),
        }
    }

    /// The events a whole answer amounts to; `None` if it cannot be told so.
    pub(super) fn events(self, body: &Bytes) -> Option<Vec<Bytes>> {
        if self == Self::Mock {
            return std::str::from_utf8(body).ok().map(words);
        }
        let limits = JsonLimits { max_depth: JsonLimits::DEEPEST, ..JsonLimits::default() };
        let document = Document::parse(body.clone(), limits).ok()?;
        match self {
            Self::Mock => None,
            Self::OpenAi => {
                let mut events = openai_chat::render(document.root(), true).ok()?;
                events.pop(); // `[DONE]` is no event of a recording
                Some(events)
            }
            Self::Anthropic => anthropic::render(document.root()).ok(),
        }
    }
}

/// The words of a text, each with the space behind it: the mock's tokens.
pub(super) fn words(text: &str) -> Vec<Bytes> {
    text.split_inclusive(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}

/// The object of the language's cache key, and what else the mock's words depend on.
fn mock_body(ask: &Ask) -> String {
    let mut tools: Vec<&str> = ask.tools.iter().map(AsRef::as_ref).collect();
    tools.sort_unstable();
    let recalled = ask.recalled.as_ref().map(|items| Value::list(items.iter().map(Item::to_value).collect()));
    let words = Value::fields([
        ("model", Value::Text(ask.model.clone())),
        ("provider", Value::Text(ask.provider.clone())),
        ("short_term", recalled.unwrap_or_default()),
        ("system_prompt", ask.system_prompt.clone().map(Value::Text).unwrap_or_default()),
        ("tools", Value::list(tools.into_iter().map(Value::from).collect())),
        ("user_input", Value::Text(ask.input.clone())),
    ]);
    words.to_json(JsonStyle::Canonical)
}

/// What the mock says to a body made here.
pub(super) fn mocked(body: &Bytes, model: &str) -> Option<String> {
    let words = parse_json(std::str::from_utf8(body).ok()?).ok()?;
    let words = words.as_map()?;
    let recalled = words.get("short_term").and_then(Value::as_list).map(|items| items.len());
    let tools = words.get("tools").and_then(Value::as_list).map_or(0, |tools| tools.len());
    Some(answer(MockCall {
        model,
        system_prompt: words.get("system_prompt").and_then(Value::as_text).map(AsRef::as_ref),
        input: words.get("user_input").and_then(Value::as_text)?,
        recalled: recalled.filter(|_| tools == 0),
    }))
}

/// System prompt and summary of what is recalled, for vendors that take one text.
fn instructions(ask: &Ask) -> Option<String> {
    let summary = ask.recalled.iter().flatten().filter(|item| item.speaker == Speaker::Summary);
    let said = summary.map(|item| format!("Earlier in this conversation: {}", item.text));
    let parts: Vec<String> = ask.system_prompt.iter().map(ToString::to_string).chain(said).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// What was said before, and what is said now.
fn turns(ask: &Ask) -> Vec<serde_json::Value> {
    let said = ask.recalled.iter().flatten().filter_map(|item| match item.speaker {
        Speaker::User => Some(json!({"role": "user", "content": &*item.text})),
        Speaker::Ai => Some(json!({"role": "assistant", "content": &*item.text})),
        Speaker::Summary => None,
    });
    said.chain([json!({"role": "user", "content": &*ask.input})]).collect()
}

fn openai_body(ask: &Ask) -> serde_json::Value {
    let system = instructions(ask).map(|text| json!({"role": "system", "content": text}));
    let messages: Vec<_> = system.into_iter().chain(turns(ask)).collect();
    json!({"model": &*ask.model, "messages": messages})
}

fn anthropic_body(ask: &Ask) -> serde_json::Value {
    let mut body = json!({"model": &*ask.model, "max_tokens": MAX_TOKENS, "messages": turns(ask)});
    if let Some(system) = instructions(ask) {
        body["system"] = system.into();
    }
    body
}
