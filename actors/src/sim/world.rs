//! One engine of a test's own, with everything around it scripted.
//!
//! Owns the wiring and the final balance; must not decide anything the engine decides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;

use super::faults::{Fault, FaultPlan};
use super::{Ask, Books, Heard, ManualClock, Script, SimClock};
use crate::call::{Call, ChatWork};
use crate::engine::Engine;
use crate::error::CallError;
use crate::pipeline::{Answered, Body};
use crate::ports::clock::Tick;
use crate::route::Route;
use crate::sites::Site;
use crate::upstream::Upstream;
use crate::{Kept, Shape, Step};

/// Turns after which a world that never comes to rest is given up: two minutes of simulated time.
const TURNS: usize = 120_000;
/// The same where other threads work: turns of the test's own, each a look.
const SPINS: usize = 1_000_000;

/// Who moves the clock.
#[derive(Debug, Clone)]
pub(super) enum Time {
    Sim(Arc<SimClock>),
    Manual(ManualClock),
}

/// Providers by name: what each plays, and what the engine knows of it.
pub(super) type Providers = BTreeMap<String, (Script, Arc<Upstream>)>;

/// An engine of a test's own. Ends with [`World::assert_quiet`]; dropped without it, it fails the test.
pub struct World {
    pub(super) engine: Engine,
    pub(super) registry: Registry,
    pub(super) faults: Arc<FaultPlan>,
    pub(super) time: Time,
    pub(super) providers: Providers,
    pub(super) routes: BTreeMap<String, Arc<Route>>,
    pub(super) books: Arc<Books>,
    pub(super) asked: Arc<AtomicUsize>,
    pub(super) quiet: AtomicBool,
    /// The engine's actors have been up once; the first call waits for that, later ones see what they see.
    pub(super) started: Arc<AtomicBool>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("engine", &self.engine.read()).finish_non_exhaustive()
    }
}

impl World {
    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The books.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// The script of the one provider of a world that planned none, or of the first by name.
    ///
    /// # Panics
    /// Never: a world has a provider.
    pub fn script(&self) -> &Script {
        &self.providers.values().next().expect("a world has a provider").0
    }

    /// The script of a provider.
    pub fn script_of(&self, provider: &str) -> &Script {
        &self.providers[provider].0
    }

    /// A provider as the engine knows it.
    pub fn upstream(&self, provider: &str) -> &Arc<Upstream> {
        &self.providers[provider].1
    }

    /// The route of a model.
    pub fn route(&self, model: &str) -> Arc<Route> {
        Arc::clone(&self.routes[model])
    }

    /// Now, on the engine's clock.
    pub fn now(&self) -> Tick {
        self.engine.clock().now()
    }

    /// Lets simulated time pass, timer by timer; a manual clock is moved at once.
    pub async fn pass_ms(&self, ms: u64) {
        match &self.time {
            Time::Sim(_) => self.engine.clock().sleep_until(self.now().plus_ms(ms)).await,
            Time::Manual(clock) => clock.advance_ms(ms),
        }
    }

    /// Sets the wall clock forward or back; a world with a manual clock has none to set.
    pub fn jump_wall(&self, by: Duration, forward: bool) {
        if let Time::Sim(clock) = &self.time {
            let us = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            clock.jump_wall_us(if forward { us } else { -us });
        }
    }

    /// Plans a fault from now on.
    pub fn fault(&self, site: Site, fault: Fault) {
        self.faults.plan(site, fault);
    }

    /// Takes a fault back.
    pub fn heal(&self, site: Site) {
        self.faults.heal(site);
    }

    /// The call `ask` is now.
    pub fn call(&self, ask: impl Into<Ask>) -> Call<ChatWork> {
        let ask = ask.into();
        let route = self.route(ask.asked_model());
        ask.call(route, self.now())
    }

    /// Asks; a stream comes as it comes.
    ///
    /// # Errors
    /// The engine's.
    pub fn open<A: Into<Ask>>(&self, ask: A) -> impl Future<Output = Result<Answered, CallError>> + use<A> {
        let ask = ask.into();
        let (route, entered) = (self.route(ask.asked_model()), self.enter());
        async move {
            let engine = entered.await;
            engine.chat(ask.call(route, engine.clock().now())).await
        }
    }

    /// Counts a call as asked when it is first polled, and gives the engine it is for.
    pub(super) fn enter(&self) -> impl Future<Output = Engine> + use<> {
        self.quiet.store(false, Ordering::Relaxed);
        let (engine, asked, started) =
            (self.engine.clone(), Arc::clone(&self.asked), Arc::clone(&self.started));
        async move {
            if !started.load(Ordering::Relaxed) {
                engine.ready().await;
                started.store(true, Ordering::Relaxed);
            }
            asked.fetch_add(1, Ordering::Relaxed);
            engine
        }
    }

    /// Counts calls that reach the engine by another way than this world's own: through a server around it, say.
    pub fn called_elsewhere(&self, calls: usize) {
        self.quiet.store(false, Ordering::Relaxed);
        self.asked.fetch_add(calls, Ordering::Relaxed);
    }

    /// The route of the first model by name.
    pub(super) fn first_route(&self) -> Arc<Route> {
        let (_, route) = self.routes.first_key_value().expect("a world has a model");
        Arc::clone(route)
    }

    /// Asks and hears the answer to its end.
    ///
    /// # Errors
    /// The engine's, also that of a stream that broke on its way.
    pub fn chat<A: Into<Ask>>(&self, ask: A) -> impl Future<Output = Result<Heard, CallError>> + use<A> {
        let opened = self.open(ask);
        async move { hear(opened.await?).await }
    }

    /// A caller in a task of its own; aborting it is leaving.
    pub fn caller(&self, ask: impl Into<Ask>) -> JoinHandle<Result<Heard, CallError>> {
        actix::spawn(self.chat(ask.into()))
    }

    /// Asks all at once; gives the answers in the order of the questions.
    pub async fn call_all<A: Into<Ask>>(
        &self,
        asks: impl IntoIterator<Item = A>,
    ) -> Vec<Result<Heard, CallError>> {
        futures_util::future::join_all(asks.into_iter().map(|ask| self.chat(ask))).await
    }

    /// The sum of a metric's lines that carry all these labels; 0 if there is none.
    ///
    /// # Panics
    /// Never: it writes into memory.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("writing into a string cannot fail");
        let wanted: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let lines = text.lines().filter(of_name).filter(|line| wanted.iter().all(|pair| line.contains(pair)));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// Waits until `done` says so.
    ///
    /// # Panics
    /// When that never comes about.
    #[expect(clippy::panic, reason = "a condition that never comes about fails the test")]
    pub async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..self.turns() {
            if done(self) {
                return;
            }
            self.turn().await;
        }
        panic!("never came about: {what}; {self:?}");
    }

    pub(super) fn turns(&self) -> usize {
        match self.time {
            Time::Sim(_) => TURNS,
            Time::Manual(_) => SPINS,
        }
    }

    pub(super) async fn turn(&self) {
        match self.time {
            Time::Sim(_) => self.pass_ms(1).await,
            Time::Manual(_) => tokio::task::yield_now().await,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let forgotten = !self.quiet.load(Ordering::Relaxed) && !std::thread::panicking();
        assert!(!forgotten, "a test ends with world.assert_quiet().await");
    }
}

/// Hears an answer to its end.
///
/// # Errors
/// The stream's, if it broke on its way.
async fn hear(answered: Answered) -> Result<Heard, CallError> {
    let Answered { id, outcome, key, target, body, .. } = answered;
    let (shape, pieces, ending) = match body {
        Body::Kept(entry) => {
            let (shape, pieces) = match &entry.kept {
                Kept::Whole(body) => (Shape::Whole, vec![body.clone()]),
                Kept::Events(events) => (Shape::Events, events.to_vec()),
                Kept::Row { vector, .. } => (Shape::Whole, vec![vector.text.clone()]),
            };
            (shape, pieces, None)
        }
        Body::Done { shape, pieces, ending } => (shape, pieces, Some(ending)),
        Body::Live { shape, mut telling } => {
            let mut pieces = Vec::new();
            let ending = loop {
                match telling.step().await {
                    Step::Piece(piece) => pieces.push(piece),
                    Step::End(end) => break end?,
                }
            };
            (shape, pieces, Some(ending))
        }
    };
    Ok(Heard { id, outcome, key, target, shape, pieces, ending })
}
