//! Owns an app that runs many times: what it keeps between runs, and that concurrent runs leave what serial ones would.
//!
//! A run that can change what others see has the app to itself; any other runs beside it. Must not know who asked.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::ask::Asker;
use super::counters::Counters;
use super::drive::{Ran, drive_telling};
use super::observed::Observed;
use crate::config::Performance;
use crate::lang::machine::{Limits, World, Yielded};
use crate::lang::memory::Memory;
use crate::lang::records::{InMemoryStore, Store};
use crate::lang::value::{Map, Value};
use crate::lang::{App, Machine};

/// What a run is asked to do.
pub struct Question {
    /// The flow.
    pub flow: String,
    /// Its input, a map.
    pub input: Value,
    /// The caller, if anything is known about it.
    pub identity: Option<Map>,
}

/// What an app keeps between runs.
pub struct Kept {
    /// The state the last run that went well left.
    pub state: Map,
    /// The records.
    pub store: Box<dyn Store>,
    /// The short-term history.
    pub memory: Memory,
}

/// Who is told the messages of `yield` before the run ends.
pub type Tell = Box<dyn FnMut(Vec<Yielded>)>;

/// An app and what it keeps.
pub struct Host {
    app: Arc<App>,
    asker: Asker,
    scheduled: bool,
    /// One at a time may change what is kept.
    turn: Arc<Semaphore>,
    kept: Mutex<Option<Kept>>,
    counters: Counters,
    observed: Observed,
}

impl Host {
    /// An app that keeps nothing yet.
    #[must_use]
    pub fn new(app: Arc<App>, asker: Asker, settings: &Performance, observing: bool) -> Self {
        Self::with(app, asker, (settings, observing), Kept::default())
    }

    /// An app that begins with what was kept before. `observing`: log lines and metrics are collected.
    #[must_use]
    pub fn with(
        app: Arc<App>,
        asker: Asker,
        (settings, observing): (&Performance, bool),
        kept: Kept,
    ) -> Self {
        Self {
            app,
            asker,
            scheduled: settings.async_runtime,
            turn: Arc::new(Semaphore::new(1)),
            kept: Mutex::new(Some(kept)),
            counters: Counters::default(),
            observed: Observed::new(observing),
        }
    }

    /// The app.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// What its AI calls came to so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Log lines, metrics and spans of its runs.
    #[must_use]
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Who asks for it.
    #[must_use]
    pub fn asker(&self) -> &Asker {
        &self.asker
    }

    /// Runs a flow; `tell` hears of its messages while it goes on, where it waits in between.
    ///
    /// A run that sees or changes what others leave waits until it is alone; the order is that of the calls. Dropping
    /// the future gives up the place of a run that waits or leaves the app alone; one that has begun to work on what the
    /// app keeps goes on to its end, unheard. Needs a `LocalSet`, which every actix thread has.
    ///
    /// # Errors
    /// [`Lost`] if an earlier run was torn away with the app's records in its hands, or this one just was.
    pub async fn run_telling(self: &Arc<Self>, question: Question, tell: Tell) -> Result<Ran, Lost> {
        if self.app.is_solitary(&question.flow) {
            let ran = self.go(question, Kept::default(), tell).await;
            self.note(&ran);
            return Ok(ran);
        }
        self.run_alone(question, tell).await
    }

    /// As [`Host::run_telling`], telling nobody.
    ///
    /// # Errors
    /// As there.
    pub async fn run(self: &Arc<Self>, question: Question) -> Result<Ran, Lost> {
        self.run_telling(question, Box::new(|_| {})).await
    }

    /// As [`Host::run_telling`], but alone and with the app's state in its outcome whatever the flow does.
    ///
    /// # Errors
    /// As there.
    pub async fn run_alone(self: &Arc<Self>, question: Question, tell: Tell) -> Result<Ran, Lost> {
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| Lost)?;
        let host = Arc::clone(self);
        let run = async move {
            let ran = host.change(question, tell).await;
            drop(turn);
            ran
        };
        // A task of its own: whoever stops listening must not tear the records away.
        tokio::task::spawn_local(run).await.map_err(|_| Lost)?
    }

    /// Runs with what the app keeps and keeps what the run leaves. The caller has the turn.
    async fn change(&self, question: Question, tell: Tell) -> Result<Ran, Lost> {
        let kept = self.kept.lock().take().ok_or(Lost)?;
        let mut ran = self.go(question, kept, tell).await;
        self.note(&ran);
        let outcome = &mut ran.outcome;
        *self.kept.lock() = Some(Kept {
            state: outcome.state.clone(),
            store: std::mem::replace(&mut outcome.store, Box::new(InMemoryStore::new())),
            memory: outcome.memory.clone(),
        });
        Ok(ran)
    }

    fn note(&self, ran: &Ran) {
        self.counters.count(&ran.told, self.asker.caching(), self.scheduled);
        self.observed.note(&ran.outcome);
    }

    async fn go(&self, question: Question, kept: Kept, tell: Tell) -> Ran {
        let Question { flow, input, identity } = question;
        let Kept { state, store, memory } = kept;
        let world = World {
            identity,
            state,
            store,
            memory,
            limits: Limits::default(),
            observing: self.observed.is_on(),
            now_ms: Some(self.now_ms()),
        };
        let machine = Box::new(Machine::start(Arc::clone(&self.app), &flow, input, world));
        drive_telling(machine, Vec::new(), &self.asker, tell).await
    }

    /// Milliseconds of the clock by which records expire.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.asker.engine().clock().unix_us() / 1_000
    }

    /// Looks at what the app keeps; waits until no run has it.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub async fn look<T>(&self, look: impl FnOnce(&Kept) -> T) -> Result<T, Lost> {
        let _turn = self.turn.acquire().await.map_err(|_| Lost)?;
        let kept = self.kept.lock();
        Ok(look(kept.as_ref().ok_or(Lost)?))
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self { state: Map::default(), store: Box::new(InMemoryStore::new()), memory: Memory::new() }
    }
}

/// The state and records of an app were in a run that was torn away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run of this app was torn away with its records; restart the server")]
pub struct Lost;
