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
use crate::lang::machine::{Limits, Outcome, World, Yielded};
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
    /// [`Lost`] if the run breaks off; the app is then as it was before the run.
    pub async fn run_telling(self: &Arc<Self>, question: Question, tell: Tell) -> Result<Ran, Lost> {
        if self.app.is_solitary(&question.flow) {
            let mut machine = self.machine(question, Kept::default());
            let ran = drive_telling(&mut machine, Vec::new(), &self.asker, tell).await;
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
        // A task of its own: whoever stops listening must not end a run that has begun.
        tokio::task::spawn_local(run).await.map_err(|_| Lost)?
    }

    /// Runs with what the app keeps and keeps what the run leaves. The caller has the turn.
    async fn change(&self, question: Question, tell: Tell) -> Result<Ran, Lost> {
        let mut hands = Hands::take(self, question)?;
        let mut ran = drive_telling(&mut hands.machine, Vec::new(), &self.asker, tell).await;
        hands.keep(&mut ran.outcome); // first: from here on nothing may get lost
        self.note(&ran);
        Ok(ran)
    }

    fn note(&self, ran: &Ran) {
        self.counters.count(&ran.told, self.asker.caching(), self.scheduled);
        self.observed.note(&ran.outcome);
    }

    fn machine(&self, question: Question, kept: Kept) -> Box<Machine> {
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
        Box::new(Machine::start(Arc::clone(&self.app), &flow, input, world))
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

/// What an app keeps, in the hands of a run. Dropped before the run has ended, as when it panics or the thread it is on
/// stops, it gives everything back as it was.
struct Hands<'h> {
    host: &'h Host,
    machine: Box<Machine>,
    /// State and memory before the run; nothing once the run has ended.
    before: Option<(Map, Memory)>,
}

impl<'h> Hands<'h> {
    fn take(host: &'h Host, question: Question) -> Result<Self, Lost> {
        let kept = host.kept.lock().take().ok_or(Lost)?;
        let before = Some((kept.state.clone(), kept.memory.clone()));
        Ok(Self { host, machine: host.machine(question, kept), before })
    }

    /// Keeps what the run left.
    fn keep(mut self, outcome: &mut Outcome) {
        self.before = None;
        *self.host.kept.lock() = Some(Kept {
            state: outcome.state.clone(),
            store: std::mem::replace(&mut outcome.store, Box::new(InMemoryStore::new())),
            memory: std::mem::take(&mut outcome.memory),
        });
    }
}

impl Drop for Hands<'_> {
    fn drop(&mut self) {
        let Some((state, memory)) = self.before.take() else { return };
        let (store, undone) = self.machine.abandon();
        if let Err(fault) = undone {
            tracing::error!(
                "what a run that broke off did to the records is not undone: {}",
                fault.message()
            );
        }
        *self.host.kept.lock() = Some(Kept { state, store, memory });
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self { state: Map::default(), store: Box::new(InMemoryStore::new()), memory: Memory::new() }
    }
}

/// A run broke off: by a fault of ours, or with the thread it was on. What it did is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run broke off before its end; nothing it did is kept")]
pub struct Lost;
