//! Owns `ask ai` and `run agent`: the input, what is recalled, the ask that is handed out, the answer that comes back.
//! Must not call anybody: an ask is data.

use std::sync::Arc;

use super::ctx::Ctx;
use super::effects::{Memorable, StepKind};
use super::strand::Status;
use super::world::{Ask, AskFault};
use crate::lang::ast::{AskMode, ProfileDecl};
use crate::lang::compile::form::AskForm;
use crate::lang::fault::Fault;
use crate::lang::memory::session_key;
use crate::lang::span::Span;
use crate::lang::value::{JsonStyle, Value};

type Done = Result<(), Fault>;

/// An ask a strand waits for.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    session: Arc<str>,
    short_term: u64,
    input: Arc<str>,
    into: Option<u32>,
    /// Whether the answer comes as `{text}`.
    agent: bool,
    /// Whether it is remembered.
    remembered: bool,
    span: Span,
}

/// Who speaks, with what prompt.
struct Voice<'p> {
    profile: &'p ProfileDecl,
    agent: Option<Arc<str>>,
    system_prompt: Option<Arc<str>>,
}

impl Ctx<'_> {
    /// `ask ai`, and the single ask of an `llm_call` flow.
    pub(super) fn ask(&mut self, form: &AskForm, once: bool, span: Span) -> Done {
        let profile = &self.program.profiles[form.target as usize];
        let voice = Voice { profile, agent: None, system_prompt: profile.system_prompt.clone() };
        self.begin_ask(form, &voice, once, span)
    }

    /// `run agent`
    pub(super) fn run_agent(&mut self, form: &AskForm, span: Span) -> Done {
        let agent = &self.program.agents[form.target as usize];
        let Some(profile) = agent.profile.and_then(|at| self.program.profiles.get(at as usize)) else {
            return Err(Fault::run(format!("Agent '{}' has no AI profile", agent.name), None));
        };
        let system_prompt = agent.system_prompt.clone().or_else(|| profile.system_prompt.clone());
        let voice = Voice { profile, agent: Some(Arc::clone(&agent.name)), system_prompt };
        self.begin_ask(form, &voice, false, span)
    }

    fn begin_ask(&mut self, form: &AskForm, voice: &Voice<'_>, once: bool, span: Span) -> Done {
        let memory = voice.profile.memory.short_term;
        if memory > 0 && !once && !self.strand.head {
            // What it recalls depends on the parts before it: this instruction comes again when they are done.
            self.come_again();
            self.strand.status = Status::AwaitHead;
            return Ok(());
        }
        let value = self.pop();
        let most = self.shared.limits.text_bytes;
        if value.bulk() > most as u64 {
            return Err(super::limits::hit(format!("The input of an ask may be at most {most} bytes long.")));
        }
        let input = input_text(&value, form.mode)?;
        let state = Value::Map(self.state().clone());
        let session = session_key(&state);
        let recalled = if once {
            None
        } else {
            let limit = usize::try_from(memory).unwrap_or(usize::MAX);
            Some(self.shared.memory.recall(&session, limit))
        };
        let id = *self.next_ask;
        *self.next_ask += 1;
        self.asks.push(Ask {
            id,
            profile: Arc::clone(&voice.profile.name.text),
            agent: voice.agent.clone(),
            provider: Arc::from(voice.profile.provider.text.to_lowercase()),
            model: Arc::clone(&voice.profile.model.text),
            system_prompt: voice.system_prompt.clone(),
            tools: voice.profile.tools.iter().map(|tool| Arc::clone(&tool.text)).collect(),
            input: Arc::clone(&input),
            recalled,
            stream: form.stream,
            flow: Arc::clone(&self.flow().1.name),
            span,
        });
        self.strand.effects.step(StepKind::Ask, &input, span);
        let agent = voice.agent.is_some();
        self.strand.waiting = Some(Waiting {
            session,
            short_term: memory,
            input,
            into: form.into,
            agent,
            remembered: !once,
            span,
        });
        self.strand.status = Status::Asking(id);
        Ok(())
    }

    /// Goes on with an answer, or with the fault there is instead.
    pub(super) fn answer(&mut self, answer: Result<Arc<str>, AskFault>) {
        let Some(waiting) = self.strand.waiting.take() else { return };
        self.strand.status = Status::Ready;
        let span = waiting.span;
        let outcome = match answer {
            Ok(text) => self.take_answer(waiting, text),
            Err(fault) => {
                self.strand.effects.step(StepKind::AskFailed, &Arc::from(&*fault.message), span);
                Err(Fault::run(fault.message, None).of_kind(fault.kind))
            }
        };
        if let Err(fault) = outcome {
            self.raise(Box::new(fault.at(span)));
        }
    }

    fn take_answer(&mut self, waiting: Waiting, text: Arc<str>) -> Done {
        let Waiting { session, short_term, input, into, agent, remembered, span } = waiting;
        if text.len() > self.shared.limits.text_bytes {
            let most = self.shared.limits.text_bytes;
            return Err(super::limits::hit(format!("An answer may be at most {most} bytes long.")));
        }
        self.strand.effects.step(StepKind::Answer, &text, span);
        self.shared.made += text.len() as u64;
        self.shared.store_bytes((input.len() + text.len()) as u64)?;
        if remembered {
            let output = Arc::clone(&text);
            self.strand.effects.memorable.push(Memorable { session, short_term, input, output });
            if self.strand.head {
                self.shared.remember(&mut self.strand.effects.memorable);
            }
        }
        let Some(slot) = into else {
            let value = if agent { Value::fields([("text", Value::Text(text))]) } else { Value::Text(text) };
            self.push(value);
            return Ok(());
        };
        self.strand.effects.answers.push(Arc::clone(&text));
        let name = &self.code().names[slot as usize];
        if self.frame().constants[slot as usize] {
            return Err(Fault::run(format!("Cannot assign to constant '{name}'"), None));
        }
        let value = if agent { Value::fields([("text", Value::Text(text))]) } else { Value::Text(text) };
        self.give(slot, value);
        Ok(())
    }
}

/// The text a model is sent.
fn input_text(value: &Value, mode: AskMode) -> Result<Arc<str>, Fault> {
    match (mode, value) {
        (AskMode::Structured, value) => Ok(Arc::from(value.to_json(JsonStyle::Canonical))),
        (AskMode::Text, Value::Text(text)) => Ok(Arc::clone(text)),
        (AskMode::Text, value) => match value.as_map().and_then(|map| map.get("text")) {
            Some(Value::Text(text)) => Ok(Arc::clone(text)),
            _ => Err(Fault::run("AI input must be a string", None)),
        },
    }
}
