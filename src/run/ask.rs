//! Owns how an ask of a program becomes a call on the path, and what is told of it afterwards. Must not know how the
//! run that waits goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidegate_actors::WorkspaceId;
use tidegate_actors::call::{CacheWish, ChatWork, Deadline, Memory};
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::key::{BodyDigest, Key};
use tidegate_actors::ports::provider::Provider;
use tidegate_actors::route::{Route, Target};
use tidegate_actors::{
    Answered, Blame, Body, Call, CallError, CallId, Engine, Form, Kept, Outcome, Shape, Stage, Step, Upstream,
};

use super::hearing::Hearing;
use super::news::Tokens;
use super::payer::For;
use super::speech::Speech;
use crate::lang::fault::FaultKind;
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

    /// Puts an ask on the path, under the limits of who pays, and waits for its answer; where there are `tokens`, they are told as
    /// they come, and the answer is all of them. Dropping the future abandons the call.
    pub(super) async fn ask(
        &self,
        ask: Ask,
        mut tokens: Option<Tokens>,
        payer: &For,
    ) -> (Result<Arc<str>, AskFault>, Told) {
        let began = self.engine.clock().now();
        let mut told = Told {
            ask,
            call: None,
            outcome: None,
            key: None,
            began: began.since(self.born),
            took: Duration::ZERO,
            waited: Duration::ZERO,
            fault: None,
        };
        let answer = self.answer(&mut told, tokens.as_mut(), payer).await;
        if let Some(tokens) = tokens {
            tokens.end();
        }
        told.took = self.engine.clock().now().since(began);
        if let Err(fault) = &answer {
            told.fault = Some(fault.clone());
        }
        (answer, told)
    }

    /// Leaves the id of the call it makes in `told`, so that a failure can be explained too.
    async fn answer(
        &self,
        told: &mut Told,
        mut tokens: Option<&mut Tokens>,
        payer: &For,
    ) -> Result<Arc<str>, AskFault> {
        let provider = &told.ask.provider;
        let speaker = self.speakers.get(&**provider).ok_or_else(|| unknown(provider))?;
        let form = if tokens.is_some() { Form::Stream } else { Form::Whole };
        let mut call = self.call(&told.ask, speaker, form)?;
        told.call = Some(call.id);
        call.credential = payer.as_ref().map_or(0, |payer| payer.credential());
        let entered = payer.as_ref().map(|payer| payer.enter(&call)).transpose();
        // Held until the answer has ended.
        let _turn = entered.map_err(|message| AskFault { message, kind: FaultKind::AiLimited })?;
        let failed = |error| failed(provider, &error);
        let deadline = call.deadline;
        let Answered { outcome, key, ours, body, .. } = self.engine.chat(call).await.map_err(failed)?;
        let hear = |text: &str| tokens.iter_mut().for_each(|tokens| tokens.tell(text));
        let text =
            self.hear(speaker.speech, body, deadline, hear).await.map_err(failed)?.ok_or_else(|| {
                let message = format!("The provider '{provider}' answered without a text.");
                AskFault { message, kind: FaultKind::AiProvider }
            })?;
        (told.outcome, told.key, told.waited) = (Some(outcome), key, ours);
        Ok(text.into())
    }

    /// The text of an answer; `hear` is told it as it comes.
    async fn hear(
        &self,
        speech: Speech,
        body: Body,
        deadline: Deadline,
        mut hear: impl FnMut(&str),
    ) -> Result<Option<String>, CallError> {
        let mut all = |shape: Shape, pieces: &[Bytes]| {
            let mut hearing = Hearing::of(speech, shape);
            pieces.iter().for_each(|piece| hearing.piece(piece, &mut hear));
            hearing.finish()
        };
        let (shape, mut telling) = match body {
            Body::Kept(entry) => {
                return Ok(match &entry.kept {
                    Kept::Whole(body) => all(Shape::Whole, std::slice::from_ref(body)),
                    Kept::Events(events) => all(Shape::Events, events),
                    _ => None,
                });
            }
            Body::Done { shape, pieces, .. } => return Ok(all(shape, &pieces)),
            Body::Live { shape, telling } => (shape, telling),
        };
        let mut hearing = Hearing::of(speech, shape);
        let clock = self.engine.clock();
        let mut late = clock.sleep_until(deadline.at());
        loop {
            let step = tokio::select! {
                biased;
                step = telling.step() => step,
                () = &mut late => {
                    return Err(CallError::deadline_exceeded(Stage::Act, deadline.patience_ms));
                }
            };
            match step {
                Step::Piece(piece) => hearing.piece(&piece, &mut hear),
                Step::End(end) => return end.map(|_| hearing.finish()),
            }
        }
    }

    fn call(&self, ask: &Ask, speaker: &Speaker, form: Form) -> Result<Call<ChatWork>, AskFault> {
        let limits = JsonLimits { max_depth: JsonLimits::DEEPEST, ..JsonLimits::default() };
        let document = Document::parse(speaker.speech.body(ask), limits).map_err(|fault| AskFault {
            message: format!("The question cannot be put to the provider: {fault}"),
            kind: FaultKind::AiFailed,
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
            form,
            memory: wanted,
            affecting: Default::default(),
            tags: Default::default(),
            deadline: Deadline::within_ms(self.engine.clock().now(), self.patience_ms),
            client_attempt: None,
        })
    }
}

fn unknown(provider: &str) -> AskFault {
    let message = format!(
        "The provider '{provider}' is not configured. Add [providers.{provider}] to tidegate.toml, or use provider \"mock\"."
    );
    AskFault { message, kind: FaultKind::AiProvider }
}

fn failed(provider: &str, error: &CallError) -> AskFault {
    AskFault {
        message: format!("The provider '{provider}' gave no answer: {error}"),
        kind: if error.blame == Blame::Upstream { FaultKind::AiProvider } else { FaultKind::AiFailed },
    }
}
