//! The two chat formats behind one face: what a door needs to know of the vendor whose shape it speaks.
//!
//! Owns the choice; every fact about a format is in `dialect`.

use actix_web::http::header::HeaderName;
use bytes::{Bytes, BytesMut};
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::key::Deny;

use crate::dialect::error::BadRequest;
use crate::dialect::sse::Frame;
use crate::dialect::{anthropic, openai_chat, sse};

static OPENAI_AFFECTING: [HeaderName; 1] = [HeaderName::from_static("openai-beta")];
static ANTHROPIC_AFFECTING: [HeaderName; 2] =
    [HeaderName::from_static("anthropic-beta"), HeaderName::from_static("anthropic-version")];

/// Whose shape a door speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    OpenAi,
    Anthropic,
}

/// What a door reads of a chat request, whatever its vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChatView {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) declared: bool,
    pub(crate) include_usage: bool,
}

/// An answer that cannot be told in the form asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the kept answer cannot be told in this form: {0}")]
pub(crate) struct Untellable(String);

impl Vendor {
    /// The engine's name of the door.
    pub(crate) const fn chat_door(self) -> &'static str {
        match self {
            Self::OpenAi => "openai.chat",
            Self::Anthropic => "anthropic.messages",
        }
    }

    /// Fields that cannot change the answer.
    pub(crate) const fn deny(self) -> Deny {
        match self {
            Self::OpenAi => Deny::OPENAI_CHAT,
            Self::Anthropic => Deny::ANTHROPIC,
        }
    }

    /// Request headers that can change the answer.
    pub(crate) fn affecting(self) -> &'static [HeaderName] {
        match self {
            Self::OpenAi => &OPENAI_AFFECTING,
            Self::Anthropic => &ANTHROPIC_AFFECTING,
        }
    }

    pub(crate) fn read(self, document: &Document) -> Result<ChatView, BadRequest> {
        match self {
            Self::OpenAi => {
                let request = openai_chat::ChatRequest::read(document)?;
                Ok(ChatView {
                    model: request.model.into_owned(),
                    stream: request.stream,
                    declared: request.declared,
                    include_usage: request.include_usage,
                })
            }
            Self::Anthropic => {
                let request = anthropic::MessagesRequest::read(document)?;
                Ok(ChatView {
                    model: request.model.into_owned(),
                    stream: request.stream,
                    declared: request.declared,
                    include_usage: true,
                })
            }
        }
    }

    /// The whole body a recorded stream amounts to.
    pub(crate) fn assemble(self, events: &[Bytes]) -> Result<Bytes, Untellable> {
        let payloads = events.iter().filter_map(Frame::of).filter_map(|frame| frame.data().cloned());
        match self {
            Self::OpenAi => {
                let mut assembler = openai_chat::Assembler::new();
                for payload in payloads {
                    assembler.push(&payload).map_err(|fault| Untellable(fault.to_string()))?;
                }
                // The recording has no `[DONE]`: the engine ends a stream by its own word.
                assembler
                    .push(&Bytes::from_static(openai_chat::DONE))
                    .map_err(|fault| Untellable(fault.to_string()))?;
                assembler.finish().map(Bytes::from).map_err(|fault| Untellable(fault.to_string()))
            }
            Self::Anthropic => {
                let mut assembler = anthropic::Assembler::new();
                for payload in payloads {
                    assembler.push(&payload).map_err(|fault| Untellable(fault.to_string()))?;
                }
                assembler.finish().map(Bytes::from).map_err(|fault| Untellable(fault.to_string()))
            }
        }
    }

    /// The stream a whole body amounts to, its end included.
    pub(crate) fn render(self, body: &Bytes, include_usage: bool) -> Result<Vec<Bytes>, Untellable> {
        let limits = JsonLimits { max_depth: JsonLimits::DEEPEST, ..JsonLimits::default() };
        let document =
            Document::parse(body.clone(), limits).map_err(|fault| Untellable(fault.to_string()))?;
        match self {
            Self::OpenAi => openai_chat::render(document.root(), include_usage)
                .map_err(|fault| Untellable(fault.to_string())),
            Self::Anthropic => {
                anthropic::render(document.root()).map_err(|fault| Untellable(fault.to_string()))
            }
        }
    }

    /// A recorded event as this caller is to see it; `None` if it is not.
    pub(crate) fn shape(self, event: Bytes, include_usage: bool) -> Option<Bytes> {
        let plain = self == Self::Anthropic
            || (!include_usage && memchr::memmem::find(&event, b"\"usage\"").is_none());
        if plain {
            return Some(event);
        }
        match Frame::of(&event) {
            Some(frame) => openai_chat::Shaper::new(include_usage).shape(&frame),
            None => Some(event),
        }
    }

    /// What ends a stream after its last event.
    pub(crate) fn end_of_stream(self) -> Option<Bytes> {
        match self {
            Self::OpenAi => Some(Bytes::from_static(b"data: [DONE]\n\n")),
            Self::Anthropic => None,
        }
    }

    /// An error told inside a stream.
    pub(crate) fn error_event(self, body: &[u8]) -> Bytes {
        match self {
            Self::OpenAi => sse::data_frame(body),
            Self::Anthropic => sse::event_frame("error", body),
        }
    }

    /// All events of a stream as one body.
    pub(crate) fn whole_stream<'a>(
        self,
        events: impl IntoIterator<Item = &'a Bytes>,
        include_usage: bool,
    ) -> Bytes {
        let mut body = BytesMut::new();
        for event in events {
            if let Some(event) = self.shape(event.clone(), include_usage) {
                body.extend_from_slice(&event);
            }
        }
        if let Some(end) = self.end_of_stream() {
            body.extend_from_slice(&end);
        }
        body.freeze()
    }
}
