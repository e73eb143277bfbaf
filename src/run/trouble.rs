//! Owns the decorators of providers that `prove` puts before them: answers late and in another order, a cache that is
//! killed around them, and an upstream whose answers are fixed. Everything they do follows from a seed and the question,
//! never from when it came. Shipped code: no test enters here.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::stream::iter;
use parking_lot::Mutex;
use tidegate_actors::call::EmbedItem;
use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::ports::provider::{
    Answer, Fault, Finish, Order, Piece, Provider, ProviderFuture, Rows, Task, Vector,
};
use tidegate_actors::{BreakerRules, Engine, Form, RetryRules, Upstream, UpstreamLimits};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::ask::Asker;
use super::speech::Speech;

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

/// A whole answer, or why there is none.
type Said = Result<(Bytes, Finish), Fault>;

/// Answers given so far; shared by all worlds of one proof.
///
/// In the first of them questions are put to the providers as always, retries and all. Then it is sealed: what was said
/// last is what is said ever after, failures too.
#[derive(Clone, Default)]
pub struct Given {
    said: Arc<Mutex<HashMap<Bytes, Said>>>,
    /// Vectors, by model and text.
    vectors: Arc<Mutex<HashMap<Bytes, Vector>>>,
    sealed: Arc<AtomicBool>,
}

impl Given {
    /// Fixes what is answered: each question is put to a provider once, and has that answer ever after. A model that
    /// answers differently each time would otherwise be blamed on the cache.
    #[must_use]
    pub fn fix(&self, asker: Asker) -> Asker {
        let asker = asker.decorated(|provider| Arc::new(Fixed { provider, given: self.clone() }));
        if self.is_sealed() { asker.with_upstreams(calm) } else { asker }
    }

    /// From here on, what was said is what is said.
    pub(super) fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
    }

    fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// The vectors of all items, if all are known.
    fn rows(&self, model: &Arc<str>, items: &[EmbedItem]) -> Option<Rows> {
        let vectors = self.vectors.lock();
        let known = items.iter().map(|item| vectors.get(&named(model, &item.json)).cloned());
        Some(Rows { vectors: known.collect::<Option<_>>()?, usage: None, model: Arc::clone(model) })
    }
}

/// Asks once and is never given up: how often a failure was repeated, and when a breaker opens, hangs on time.
fn calm(upstream: &Upstream) -> Arc<Upstream> {
    let limits = upstream.limits();
    upstream.limited(UpstreamLimits {
        retry: RetryRules { retries: 0, ..limits.retry },
        breaker: BreakerRules { failures: u32::MAX, ..limits.breaker },
        ..limits
    })
}

/// The form an answer is wanted in.
#[derive(Clone, Copy)]
struct InForm {
    /// Events, as this provider has them; else one body.
    events_of: Option<Speech>,
}

impl InForm {
    fn answer(self, (body, finish): (Bytes, Finish)) -> Answer {
        match self.events_of.and_then(|speech| speech.events(&body)) {
            Some(events) => {
                let events = events.into_iter().map(Piece::Data).chain([Piece::End(finish)]);
                Answer::Events(Box::pin(iter(events.map(Ok))))
            }
            None => Answer::Whole { body, finish },
        }
    }
}

struct Fixed {
    provider: Arc<dyn Provider>,
    given: Given,
}

impl Provider for Fixed {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        match &order.task {
            Task::Generate { door, document, form } => {
                let form = InForm { events_of: Speech::behind(door).filter(|_| *form == Form::Stream) };
                let question = named(&order.model, document.raw());
                self.generate(question, form, order)
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
    fn generate(&self, question: Bytes, form: InForm, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let known = self.given.said.lock().get(&question).cloned();
        if let Some(known) = known.filter(|known| known.is_ok() || self.given.is_sealed()) {
            return Box::pin(async move { known.map(|said| form.answer(said)) });
        }
        let (given, asked) = (self.given.clone(), self.provider.ask(order));
        Box::pin(async move {
            let answer = match asked.await {
                Ok(Answer::Whole { body, finish }) => Ok((body, finish)),
                Err(fault) => Err(fault),
                Ok(other) => return Ok(other), // the plain run asks for whole answers; nothing else comes here
            };
            let mut said = given.said.lock();
            let kept = said.entry(question).or_insert_with(|| answer.clone());
            // The first answer counts; a failure only until there is one.
            if kept.is_err() {
                *kept = answer;
            }
            kept.clone().map(|said| form.answer(said))
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
