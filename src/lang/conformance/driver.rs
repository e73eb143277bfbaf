//! Owns the smallest driver that keeps the promises of a program: the mock, an answer cache of so many entries with
//! its counters, and the gate before the first step. Settings are read just well enough for these programs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::case::Case;
use crate::lang::fault::Fault;
use crate::lang::machine::{Ask, Limits, Machine, Outcome, Progress, World};
use crate::lang::memory::Memory;
use crate::lang::mock::{MockCall, answer};
use crate::lang::records::Store;
use crate::lang::value::{Map, Value};
use crate::lang::{App, load};

/// Instructions between two looks at the run.
const BUDGET: u64 = 1_000;

/// What a program came to.
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    /// Counters as they are promised, empty where nothing observes.
    pub(super) counters: Value,
}

/// Loads and runs a program.
pub(super) fn run(case: &Case) -> Result<Ran, Vec<Fault>> {
    let app = Arc::new(load(&case.source)?);
    let settings = Settings::of(case);
    settings.check(&app)?;
    let observing = case.env.get("N3_OBSERVABILITY").is_some_and(|value| value == "1");
    let world = World {
        identity: case.identity.as_ref().and_then(Value::as_map).cloned(),
        state: Map::default(),
        store: Store::new(),
        memory: Memory::new(),
        limits: Limits::default(),
        observing,
        now_ms: None,
    };
    let mut machine = Machine::start(app, &case.flow, case.input.clone(), world);
    let mut cache = Cache::new(settings.cached());
    loop {
        match machine.advance(BUDGET) {
            Progress::Blocked(asks) => {
                assert!(!asks.is_empty(), "{}: the run waits for nothing", case.name);
                // The last one first: the order of answers must not matter.
                for ask in asks.into_iter().rev() {
                    machine.resolve(ask.id, Ok(cache.answer(&ask)));
                }
            }
            Progress::Spent => {}
            Progress::Wants(_) => unreachable!("records in memory want nothing"),
            Progress::Done(outcome) => {
                let counters = if observing { cache.counters() } else { Value::fields([]) };
                return Ok(Ran { outcome: *outcome, counters });
            }
        }
    }
}

/// The settings of `[performance]` after file and variables.
struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    fn of(case: &Case) -> Self {
        let mut settings = BTreeMap::from([
            ("async_runtime", "false".to_owned()),
            ("max_concurrency", "8".to_owned()),
            ("cache_size", "128".to_owned()),
            ("enable_batching", "false".to_owned()),
        ]);
        for (key, value) in &mut settings {
            let mut lines =
                case.toml.iter().flat_map(|toml| toml.lines()).filter_map(|line| line.split_once('='));
            if let Some((_, written)) = lines.rfind(|(name, _)| name.trim() == *key) {
                *value = written.trim().to_owned();
            }
            if let Some(variable) = case.env.get(&format!("N3_{}", key.to_uppercase())) {
                *value = match variable.to_lowercase().as_str() {
                    "yes" | "on" | "true" => "true".to_owned(),
                    "no" | "off" | "false" => "false".to_owned(),
                    other => other.to_owned(),
                };
            }
        }
        for flag in ["async_runtime", "enable_batching"] {
            let flag = settings.get_mut(flag).expect("a known setting");
            *flag = flag.replace('1', "true").replace('0', "false");
        }
        Self(settings)
    }

    fn enabled(&self) -> bool {
        let set = |key: &str, off: &str| self.0[key] != off;
        set("async_runtime", "false")
            || set("enable_batching", "false")
            || set("max_concurrency", "8")
            || set("cache_size", "128")
    }

    /// Entries of the cache; 0 keeps none.
    fn cached(&self) -> usize {
        let size = self.0["cache_size"].parse().expect("a size");
        if self.enabled() { size } else { 0 }
    }

    fn check(&self, app: &App) -> Result<(), Vec<Fault>> {
        let granted = app.tree().capabilities.iter().any(|name| name.text.starts_with("performance"));
        if granted || !self.enabled() {
            return Ok(());
        }
        let text = "Performance runtime settings are enabled without the required capability.";
        Err(vec![Fault::run(text, None)])
    }
}

/// Answers by key, the oldest first.
struct Cache {
    size: usize,
    order: Vec<String>,
    answers: HashMap<String, Arc<str>>,
    hits: i64,
    misses: i64,
}

impl Cache {
    fn new(size: usize) -> Self {
        Self { size, order: Vec::new(), answers: HashMap::new(), hits: 0, misses: 0 }
    }

    fn answer(&mut self, ask: &Ask) -> Arc<str> {
        if self.size == 0 || !ask.cacheable() {
            return mocked(ask);
        }
        let key = ask.cache_key();
        self.order.retain(|other| *other != key);
        let answer = match self.answers.get(&key) {
            Some(answer) => {
                self.hits += 1;
                Arc::clone(answer)
            }
            None => {
                self.misses += 1;
                mocked(ask)
            }
        };
        self.order.push(key.clone());
        self.answers.insert(key, Arc::clone(&answer));
        if self.order.len() > self.size {
            let oldest = self.order.remove(0);
            self.answers.remove(&oldest);
        }
        answer
    }

    /// Counters that count anything.
    fn counters(&self) -> Value {
        let counters = [("performance_ai_cache_hit", self.hits), ("performance_ai_cache_miss", self.misses)];
        let counted = counters.into_iter().filter(|(_, count)| *count > 0);
        Value::map(counted.map(|(name, count)| (Arc::from(name), Value::int(count))).collect())
    }
}

fn mocked(ask: &Ask) -> Arc<str> {
    let call = MockCall {
        model: &ask.model,
        system_prompt: ask.system_prompt.as_deref(),
        input: &ask.input,
        recalled: ask.mock_recalled(),
    };
    Arc::from(answer(call))
}
