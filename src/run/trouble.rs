//! Owns the decorators of providers that `prove` puts before them: answers late and in another order, a cache that is
//! killed around them, and an upstream whose answers are fixed. Everything they do follows from a seed and the question,
//! never from when it came. Shipped code: no test enters here.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tidegate_actors::Engine;
use tidegate_actors::call::EmbedItem;
use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::ports::provider::{
    Answer, Fault, Finish, Order, Provider, ProviderFuture, Rows, Task, Vector,
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::ask::Asker;

/// The latest an answer is held back, milliseconds: long enough to overtake, short enough for a grid of many cells.
const LATEST_MS: u64 = 4;

/// What is done to the ports of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// Answers come late, and so in another order.
    Late,
    /// The cache actor is killed before some answers and after others.
    CacheKilled,
}

impl Trouble {
    /// All there is.
    pub const ALL: [Self; 3] = [Self::None, Self::Late, Self::CacheKilled];

    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "as they are",
            Self::Late => "late, reordered",
            Self::CacheKilled => "cache killed",
        }
    }

    /// Puts the trouble before a provider that `engine` asks.
    pub(super) fn before(self, provider: Arc<dyn Provider>, seed: u64, engine: &Engine) -> Arc<dyn Provider> {
        match self {
            Self::None => provider,
            Self::Late => Arc::new(Late { provider, seed, clock: Arc::clone(engine.clock()) }),
            Self::CacheKilled => Arc::new(Killing { provider, seed, engine: engine.clone() }),
        }
    }
}

/// A number that looks random, the same for the same seed and question.
fn draw(seed: u64, order: &Order) -> u64 {
    let draw = match &order.task {
        Task::Generate { document, .. } => xxh3_64_with_seed(document.raw(), seed),
        Task::Embed { items, .. } => {
            items.iter().fold(seed, |so_far, item| xxh3_64_with_seed(&item.json, so_far))
        }
        Task::Forward(work) => xxh3_64_with_seed(&work.body, seed),
    };
    fastrand::Rng::with_seed(draw).u64(..)
}

/// Holds each answer back for a while.
struct Late {
    provider: Arc<dyn Provider>,
    seed: u64,
    clock: ClockRef,
}

impl Provider for Late {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let late_ms = draw(self.seed, &order) % (LATEST_MS + 1);
        let (clock, asked) = (Arc::clone(&self.clock), self.provider.ask(order));
        Box::pin(async move {
            let answer = asked.await;
            clock.sleep_until(clock.now().plus_ms(late_ms)).await;
            answer
        })
    }
}

/// Kills the cache actor at one answer of three before it, at one after it.
struct Killing {
    provider: Arc<dyn Provider>,
    seed: u64,
    engine: Engine,
}

impl Provider for Killing {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let when = draw(self.seed, &order) % 3;
        let (engine, asked) = (self.engine.clone(), self.provider.ask(order));
        Box::pin(async move {
            // A cache that is dead already is dead enough.
            if when == 0 {
                engine.restart_cache();
                tokio::task::yield_now().await;
            }
            let answer = asked.await;
            if when == 1 {
                engine.restart_cache();
            }
            answer
        })
    }
}

/// A question, and which attempt at it.
type Put = (Bytes, u32);
/// A whole answer, or why there is none.
type Said = Result<(Bytes, Finish), Fault>;

/// Answers given so far; shared by all worlds of one proof.
#[derive(Clone, Default)]
pub struct Given {
    said: Arc<Mutex<HashMap<Put, Said>>>,
    /// Vectors, by model and text.
    vectors: Arc<Mutex<HashMap<Bytes, Vector>>>,
}

impl Given {
    /// Fixes what is answered: each question is put to a provider once, and has that answer ever after. A model that
    /// answers differently each time would otherwise be blamed on the cache.
    #[must_use]
    pub fn fix(&self, asker: Asker) -> Asker {
        asker.decorated(|provider| Arc::new(Fixed { provider, given: self.clone() }))
    }

    /// The vectors of all items, if all are known.
    fn rows(&self, model: &Arc<str>, items: &[EmbedItem]) -> Option<Rows> {
        let vectors = self.vectors.lock();
        let known = items.iter().map(|item| vectors.get(&named(model, &item.json)).cloned());
        Some(Rows { vectors: known.collect::<Option<_>>()?, usage: None, model: Arc::clone(model) })
    }
}

struct Fixed {
    provider: Arc<dyn Provider>,
    given: Given,
}

impl Provider for Fixed {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        match &order.task {
            Task::Generate { document, .. } => {
                let question = (named(&order.model, document.raw()), order.attempt);
                self.generate(question, order)
            }
            Task::Embed { items, .. } => {
                let items = items.clone();
                self.embed(items, order)
            }
            Task::Forward(_) => self.provider.ask(order),
        }
    }
}

impl Fixed {
    fn generate(&self, question: Put, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let whole = |(body, finish)| Answer::Whole { body, finish };
        let known = self.given.said.lock().get(&question).cloned();
        if let Some(known) = known {
            return Box::pin(async move { known.map(whole) });
        }
        let (given, asked) = (self.given.clone(), self.provider.ask(order));
        Box::pin(async move {
            let answer = match asked.await {
                Ok(Answer::Whole { body, finish }) => Ok((body, finish)),
                Err(fault) => Err(fault),
                Ok(other) => return Ok(other), // asks are answered in one piece; nothing else comes here
            };
            // Whoever was first counts.
            given.said.lock().entry(question).or_insert(answer).clone().map(whole)
        })
    }

    fn embed(&self, items: Vec<EmbedItem>, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let model = Arc::clone(&order.model);
        if let Some(rows) = self.given.rows(&model, &items) {
            return Box::pin(async move { Ok(Answer::Rows(rows)) });
        }
        let (given, asked) = (self.given.clone(), self.provider.ask(order));
        Box::pin(async move {
            let answer = asked.await?;
            if let Answer::Rows(rows) = &answer
                && rows.vectors.len() == items.len()
            {
                let mut vectors = given.vectors.lock();
                for (item, vector) in items.iter().zip(&rows.vectors) {
                    vectors.entry(named(&model, &item.json)).or_insert_with(|| vector.clone());
                }
            }
            // The first vector of each counts; an answer that makes no sense goes on as it is.
            Ok(given.rows(&model, &items).map_or(answer, Answer::Rows))
        })
    }
}

/// A question to a model.
fn named(model: &str, question: &[u8]) -> Bytes {
    [model.as_bytes(), b"\n", question].concat().into()
}
