//! Owns what can be told of the AI calls of a run after it: how each came by its answer and why, what made its key, what
//! it waited for. Reads what the engine remembers; must not print or draw.

use tidegate_actors::Stage;
use tidegate_actors::record::CallRecord;

use super::ask::{Asker, Told};
use crate::lang::machine::Ask;
use crate::lang::memory::Item;
use crate::lang::value::Value;

/// One ask of a run and its way.
#[derive(Debug)]
pub struct Explained {
    /// Place among the asks of the run, from 1.
    pub number: usize,
    /// The ask.
    pub told: Told,
    /// Its way along the path; nothing if no call was made or newer calls took its place in the engine's memory.
    pub record: Option<CallRecord>,
    /// The ask whose answer it got, if not its own.
    pub payer: Option<usize>,
    /// The ask it differs least from, of those before it.
    pub nearest: Option<usize>,
    /// Where it differs from that one; paths of the request as it is put to the provider.
    pub differs: Vec<String>,
}

/// Explains the asks of a run, in their order. `asker` is who asked them.
#[must_use]
pub fn explain(asker: &Asker, told: &[Told]) -> Vec<Explained> {
    let number_of = |call| told.iter().position(|told| told.call == Some(call)).map(|at| at + 1);
    let explained = told.iter().enumerate().map(|(at, told)| {
        let (record, near) = told.call.and_then(|call| asker.engine().explain(call)).unzip();
        let near = near.flatten();
        let differs = match (&record, &near) {
            (Some(CallRecord { fields: Some(own), .. }), Some(CallRecord { fields: Some(other), .. })) => {
                own.diff(other)
            }
            _ => Vec::new(),
        };
        Explained {
            number: at + 1,
            told: told.clone(),
            payer: record.as_ref().and_then(|record| number_of(record.payer?)),
            nearest: near.filter(|_| !differs.is_empty()).and_then(|near| number_of(near.id)),
            differs,
            record,
        }
    });
    explained.collect()
}

impl Explained {
    /// `hit`, `joined`, `miss`, `bypass` or `failed`; `not_asked` if no call could be made.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match (&self.record, &self.told.call) {
            (Some(record), _) => record.outcome,
            (None, Some(_)) => "forgotten",
            (None, None) => "not_asked",
        }
    }

    /// Why it came out so, as a sentence.
    #[must_use]
    pub fn because(&self) -> String {
        if let Some(fault) = &self.told.fault {
            return fault.message.clone();
        }
        let Some(record) = &self.record else {
            return "newer calls took its place in the engine's memory".to_owned();
        };
        match (record.outcome, record.reason) {
            ("hit", _) => format!("{} was answered with the same key", self.other(self.payer)),
            ("joined", _) => format!("{} with the same key was in the air", self.other(self.payer)),
            (_, "off") => "answers are not kept: the settings leave the cache off".to_owned(),
            (_, "not_cacheable") => "never kept: the profile has tools, or it is a one-shot call".to_owned(),
            (_, "absent") => self.absent(),
            (_, "expired") => "what was kept is too old".to_owned(),
            (_, "mismatch") => "another request has the same short hash".to_owned(),
            (_, "offline") => "the cache was starting again".to_owned(),
            (_, reason) => reason.to_owned(),
        }
    }

    fn absent(&self) -> String {
        match self.nearest {
            Some(near) => {
                format!("not kept; call {near} is nearest and differs in {}", self.differs.join(", "))
            }
            None => "not kept".to_owned(),
        }
    }

    fn other(&self, number: Option<usize>) -> String {
        number.map_or_else(|| "another run's call".to_owned(), |number| format!("call {number}"))
    }

    /// The fields of the language's cache key, and its hash.
    #[must_use]
    pub fn key(&self) -> (String, Value) {
        (self.told.ask.cache_key(), key_fields(&self.told.ask))
    }

    /// Everything, as a map. Durations are milliseconds with fractions.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let Told { ask, call, key, began, took, waited, fault, .. } = &self.told;
        let (cache_key, key_fields) = self.key();
        let texts = |list: &[String]| Value::list(list.iter().map(|text| text.as_str().into()).collect());
        let target = self.record.as_ref().and_then(|record| record.target.clone());
        Value::fields([
            ("agent", ask.agent.clone().map(Value::Text).unwrap_or_default()),
            ("attempts", whole(self.record.as_ref().map_or(0, |record| record.attempts as usize))),
            ("because", Value::text(self.because())),
            ("began_ms", ms(*began)),
            ("cache_key", Value::text(cache_key)),
            ("call", call.map(|call| Value::text(call.to_string())).unwrap_or_default()),
            ("differs", texts(&self.differs)),
            ("error", fault.as_ref().map(|fault| Value::text(fault.message.as_str())).unwrap_or_default()),
            ("flow", Value::Text(ask.flow.clone())),
            ("key", key.map(|key| Value::text(key.hex())).unwrap_or_default()),
            ("key_fields", key_fields),
            ("line", whole(ask.span.line as usize)),
            ("model", Value::Text(ask.model.clone())),
            ("nearest", self.nearest.map(whole).unwrap_or_default()),
            ("number", whole(self.number)),
            ("outcome", self.outcome().into()),
            ("payer", self.payer.map(whole).unwrap_or_default()),
            ("profile", Value::Text(ask.profile.clone())),
            ("provider", Value::Text(ask.provider.clone())),
            ("reason", self.record.as_ref().map_or("", |record| record.reason).into()),
            ("stages", Value::list(self.stages())),
            ("target", target.map(Value::Text).unwrap_or_default()),
            ("took_ms", ms(*took)),
            ("waited_ms", ms(*waited)),
        ])
    }

    /// The stages it reached, each with the time of its end since admission.
    fn stages(&self) -> Vec<Value> {
        let Some(record) = &self.record else { return Vec::new() };
        let reached = Stage::ALL.into_iter().filter_map(|stage| Some((stage, record.mark(stage)?)));
        reached
            .map(|(stage, nanos)| {
                Value::fields([("at_ms", Value::Float(nanos as f64 / 1e6)), ("stage", stage.name().into())])
            })
            .collect()
    }
}

fn whole(number: usize) -> Value {
    Value::int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn ms(time: std::time::Duration) -> Value {
    Value::Float(time.as_micros() as f64 / 1e3)
}

fn key_fields(ask: &Ask) -> Value {
    let recalled = ask.recalled.iter().flatten().map(Item::to_value).collect();
    Value::fields([
        ("memory", Value::fields([("short_term", Value::list(recalled))])),
        ("model", Value::Text(ask.model.clone())),
        ("provider", Value::Text(ask.provider.clone())),
        ("system_prompt", ask.system_prompt.clone().map(Value::Text).unwrap_or_default()),
        ("tools", Value::list(ask.tools.iter().cloned().map(Value::Text).collect())),
        ("user_input", Value::Text(ask.input.clone())),
    ])
}
