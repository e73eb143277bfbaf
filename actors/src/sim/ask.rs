//! What a test asks: a call in words, with everything it does not mention left at a sensible default.
//!
//! Owns how words become a [`Call`]; must not know how it is answered.

use std::sync::Arc;

use bytes::Bytes;

use crate::call::{Affecting, CacheWish, Call, ChatWork, Deadline, Form, Memory, WorkspaceId};
use crate::json::quote;
use crate::key::{BodyDigest, Deny};
use crate::ports::clock::Tick;
use crate::route::Route;

/// A chat call in the making: declared deterministic, whole, by the default workspace, patient for a minute.
#[derive(Debug, Clone)]
pub struct Ask {
    body: String,
    model: String,
    workspace: String,
    credential: u64,
    form: Form,
    memory: Memory,
    tags: Vec<Box<str>>,
    affecting: Vec<(Box<str>, Box<str>)>,
    patience_ms: u64,
    client_attempt: Option<u32>,
    deny: Deny,
}

impl From<&str> for Ask {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Ask {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl Ask {
    /// Asks this as a user's message.
    pub fn new(text: &str) -> Self {
        let text = quote(text);
        Self::body(format!(r#"{{"temperature":0,"messages":[{{"role":"user","content":{text}}}]}}"#))
    }

    /// Asks with this body.
    pub fn body(body: impl Into<String>) -> Self {
        Self {
            body: body.into(),
            model: "test-model".into(),
            workspace: "default".into(),
            credential: 0,
            form: Form::Whole,
            memory: Memory::Use(CacheWish::default()),
            tags: Vec::new(),
            affecting: Vec::new(),
            patience_ms: 60_000,
            client_attempt: None,
            deny: Deny::OPENAI_CHAT,
        }
    }

    /// As a stream.
    #[must_use]
    pub fn stream(mut self) -> Self {
        self.form = Form::Stream;
        self
    }

    /// Under this public model.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        model.clone_into(&mut self.model);
        self
    }

    /// By this workspace.
    #[must_use]
    pub fn workspace(mut self, workspace: &str) -> Self {
        workspace.clone_into(&mut self.workspace);
        self
    }

    /// With this credential.
    #[must_use]
    pub fn credential(mut self, credential: u64) -> Self {
        self.credential = credential;
        self
    }

    /// Not declared deterministic: nothing is shared or kept.
    #[must_use]
    pub fn undeclared(mut self) -> Self {
        self.memory = Memory::Bypass("not_declared");
        self
    }

    /// With these cache directives.
    #[must_use]
    pub fn wish(mut self, wish: CacheWish) -> Self {
        self.memory = Memory::Use(wish);
        self
    }

    /// With this label.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// With this header, which is part of the key.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.affecting.push((name.into(), value.into()));
        self
    }

    /// By a caller that waits this long.
    #[must_use]
    pub fn patience_ms(mut self, ms: u64) -> Self {
        self.patience_ms = ms;
        self
    }

    /// By a client that says which attempt this is, counted from 0; it may come back for its answer.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.client_attempt = Some(attempt);
        self
    }

    /// With these fields left out of the key.
    #[must_use]
    pub fn deny(mut self, deny: Deny) -> Self {
        self.deny = deny;
        self
    }

    /// The public model asked for.
    pub(super) fn asked_model(&self) -> &str {
        &self.model
    }

    /// The call this is at `now`.
    ///
    /// # Panics
    /// When the body is not JSON: the test is wrong.
    pub fn call(self, route: Arc<Route>, now: Tick) -> Call<ChatWork> {
        let deadline = Deadline::within_ms(now, self.patience_ms);
        let mut call = Call::chat(&route, Bytes::from(self.body), deadline)
            .expect("a test asks with a body that is JSON");
        call.work.deny = self.deny;
        call.work.digest = BodyDigest::of(call.work.document.root(), self.deny);
        Call {
            workspace: WorkspaceId::new(self.workspace),
            credential: self.credential,
            form: self.form,
            memory: self.memory,
            affecting: Affecting::from(self.affecting),
            tags: self.tags.into(),
            client_attempt: self.client_attempt,
            ..call
        }
    }
}
