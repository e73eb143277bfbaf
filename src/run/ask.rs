//! Owns how an ask of a program becomes a call on the path, and what is told of it afterwards. Must not know how the
//! run that waits goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate_actors::WorkspaceId;
use tidegate_actors::call::{CacheWish, ChatWork, Deadline, Memory};
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::key::{BodyDigest, Key};
use tidegate_actors::ports::provider::Provider;
use tidegate_actors::route::{Route, Target};
use tidegate_actors::{
    Answered, Blame, Body, Call, CallError, CallId, Engine, Form, Kept, Outcome, Upstream,
};

use super::speech::Speech;
use crate::lang::machine::{Ask, AskFault};

/// A provider as programs name it.
#[derive(Clone)]
pub struct Speaker {
    /// How it is asked.
    pub speech: Speech,
    /// Who answers.
    pub upstream: Arc<Upstream>,
}

/// What is known of an ask after its answer.
#[derive(Debug, Clone)]
pub struct Told {
    /// The ask.
    pub ask: Ask,
    /// The call it was, where one was made; [`Engine::explain`] knows more.
    pub call: Option<CallId>,
    /// How the answer came; nothing if there is none.
    pub outcome: Option<Outcome>,
    /// The key, where one was made.
    pub key: Option<Key>,
    /// When it was asked, since the asker was made.
    pub began: Duration,
    /// From the ask to its answer.
    pub took: Duration,
    /// Of this, what the provider did not need: waiting for a slot, mostly.
    pub waited: Duration,
    /// The fault there is instead of an answer.
    pub fault: Option<AskFault>,
}

/// Asks the engine what programs ask.
pub struct Asker {
    engine: Engine,
    speakers: BTreeMap<String, Speaker>,
    /// Answers are remembered.
    caching: bool,
    patience_ms: u64,
    born: tidegate_actors::ports::clock::Tick,
}

impl Asker {
    /// One that asks `speakers` by the names programs use, each call with `patience_ms` milliseconds of patience.
    #[must_use]
    pub fn new(engine: Engine, speakers: BTreeMap<String, Speaker>, caching: bool, patience_ms: u64) -> Self {
        let born = engine.clock().now();
        Self { engine, speakers, caching, patience_ms, born }
    }

    /// The same, with every provider behind a decorator.
    #[must_use]
    pub fn decorated(self, wrap: impl Fn(Arc<dyn Provider>) -> Arc<dyn Provider>) -> Self {
        self.with_upstreams(|upstream| upstream.decorated(&wrap))
    }

    /// The same, asking what `change` makes of each upstream.
    #[must_use]
    pub fn with_upstreams(mut self, change: impl Fn(&Upstream) -> Arc<Upstream>) -> Self {
        for speaker in self.speakers.values_mut() {
            speaker.upstream = change(&speaker.upstream);
        }
        self
    }

    /// The provider programs mean by this name.
    #[must_use]
    pub fn speaker(&self, provider: &str) -> Option<&Speaker> {
        self.speakers.get(provider)
    }

    /// The engine behind.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How long a call may take, in milliseconds.
    #[must_use]
    pub fn patience_ms(&self) -> u64 {
        self.patience_ms
    }

    /// Whether answers of this asker are remembered.
    #[must_use]
    pub fn caching(&self) -> bool {
        self.caching
    }

    /// Puts an ask on the path and waits for its answer. Dropping the future abandons the call.
    pub async fn ask(&self, ask: Ask) -> (Result<Arc<str>, AskFault>, Told) {
        let began = self.engine.clock().now();
        let mut call = None;
        let answer = self.answer(&ask, &mut call).await;
        let took = self.engine.clock().now().since(began);
        let mut told = Told {
            ask,
            call,
            outcome: None,
            key: None,
            began: began.since(self.born),
            took,
            waited: Duration::ZERO,
            fault: None,
        };
        match answer {
            Ok((text, answered)) => {
                told.outcome = Some(answered.outcome);
                told.key = answered.key;
                told.waited = answered.ours;
                (Ok(text), told)
            }
            Err(fault) => {
                told.fault = Some(fault.clone());
                (Err(fault), told)
            }
        }
    }

    /// Leaves the id of the call it makes in `id`, so that a failure can be explained too.
    async fn answer(&self, ask: &Ask, id: &mut Option<CallId>) -> Result<(Arc<str>, Answered), AskFault> {
        let speaker = self.speakers.get(&*ask.provider).ok_or_else(|| unknown(&ask.provider))?;
        let call = self.call(ask, speaker)?;
        *id = Some(call.id);
        let answered = self.engine.chat(call).await.map_err(|error| failed(&ask.provider, &error))?;
        let text = text(speaker.speech, &answered.body).ok_or_else(|| AskFault {
            message: format!("The provider '{}' answered without a text.", ask.provider),
            provider: true,
        })?;
        Ok((text.into(), answered))
    }

    fn call(&self, ask: &Ask, speaker: &Speaker) -> Result<Call<ChatWork>, AskFault> {
        let limits = JsonLimits { max_depth: JsonLimits::DEEPEST, ..JsonLimits::default() };
        let document = Document::parse(speaker.speech.body(ask), limits).map_err(|fault| AskFault {
            message: format!("The question cannot be put to the provider: {fault}"),
            provider: false,
        })?;
        let (speech, deny) = (speaker.speech, speaker.speech.deny());
        let digest = BodyDigest::of(document.root(), deny);
        let target = Target {
            name: format!("{}/{}", ask.provider, ask.model).into(),
            upstream: Arc::clone(&speaker.upstream),
            model: Arc::clone(&ask.model),
            weight: 1,
        };
        let wanted = match (self.caching, ask.cacheable()) {
            (true, true) => Memory::Use(CacheWish::default()),
            (true, false) => Memory::Bypass("not_cacheable"),
            (false, _) => Memory::Bypass("off"),
        };
        Ok(Call {
            id: CallId::fresh(),
            workspace: WorkspaceId::default_workspace(),
            credential: 0,
            door: speech.door(),
            model: Arc::clone(&ask.model),
            route: Arc::new(Route { model: Arc::clone(&ask.model), targets: vec![target] }),
            work: ChatWork { document: Arc::new(document), digest, deny, known: None },
            form: Form::Whole,
            memory: wanted,
            affecting: Default::default(),
            tags: Default::default(),
            deadline: Deadline::within_ms(self.engine.clock().now(), self.patience_ms),
            client_attempt: None,
        })
    }
}

/// The text of an answer that was asked for as one body.
fn text(speech: Speech, body: &Body) -> Option<String> {
    match body {
        Body::Kept(entry) => match &entry.kept {
            Kept::Whole(body) => speech.text(body),
            _ => None,
        },
        Body::Done { pieces, .. } => speech.text(pieces.first()?),
        Body::Live { .. } => None,
    }
}

fn unknown(provider: &str) -> AskFault {
    let message = format!(
        "The provider '{provider}' is not configured. Add [providers.{provider}] to tidegate.toml, or use provider \"mock\"."
    );
    AskFault { message, provider: true }
}

fn failed(provider: &str, error: &CallError) -> AskFault {
    AskFault {
        message: format!("The provider '{provider}' gave no answer: {error}"),
        provider: error.blame == Blame::Upstream,
    }
}
