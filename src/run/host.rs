//! Owns an app that runs many times: what it keeps between runs, and that concurrent runs leave what serial ones would.
//!
//! A run that can change what others see has the app to itself; any other runs beside it. Must not know who asked.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::ask::Asker;
use super::counters::Counters;
use super::drive::{Ran, drive};
use crate::config::Performance;
use crate::lang::machine::{Limits, World};
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
struct Kept {
    state: Map,
    store: Box<dyn Store>,
    memory: Memory,
}

/// An app and what it keeps.
pub struct Host {
    app: Arc<App>,
    asker: Asker,
    scheduled: bool,
    observing: bool,
    /// One at a time may change what is kept.
    turn: Semaphore,
    kept: Mutex<Option<Kept>>,
    counters: Counters,
}

impl Host {
    /// An app that begins with an empty state, `store` and `memory`.
    #[must_use]
    pub fn new(app: Arc<App>, asker: Asker, settings: &Performance, observing: bool) -> Self {
        Self {
            app,
            asker,
            scheduled: settings.async_runtime,
            observing,
            turn: Semaphore::new(1),
            kept: Mutex::new(Some(Kept::nothing())),
            counters: Counters::default(),
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

    /// Who asks for it.
    #[must_use]
    pub fn asker(&self) -> &Asker {
        &self.asker
    }

    /// Runs a flow.
    ///
    /// A run that sees or changes what others leave waits until it is alone; the order is that of the calls. Dropping
    /// the future of such a run must not lose what the app keeps, so let it end: spawn it.
    ///
    /// # Errors
    /// [`Lost`] if an earlier run was torn away with the app's records in its hands.
    pub async fn run(&self, question: Question) -> Result<Ran, Lost> {
        if self.app.is_solitary(&question.flow) {
            let ran = self.go(question, Kept::nothing()).await;
            self.counters.count(&ran.told, self.asker.caching(), self.scheduled);
            return Ok(ran);
        }
        let _turn = self.turn.acquire().await.map_err(|_| Lost)?;
        let kept = self.kept.lock().take().ok_or(Lost)?;
        let mut ran = self.go(question, kept).await;
        self.counters.count(&ran.told, self.asker.caching(), self.scheduled);
        let outcome = &mut ran.outcome;
        *self.kept.lock() = Some(Kept {
            state: outcome.state.clone(),
            store: std::mem::replace(&mut outcome.store, Box::new(InMemoryStore::new())),
            memory: outcome.memory.clone(),
        });
        Ok(ran)
    }

    async fn go(&self, question: Question, kept: Kept) -> Ran {
        let Question { flow, input, identity } = question;
        let Kept { state, store, memory } = kept;
        let world = World {
            identity,
            state,
            store,
            memory,
            limits: Limits::default(),
            observing: self.observing,
            now_ms: Some(self.asker.engine().clock().unix_us() / 1_000),
        };
        let machine = Box::new(Machine::start(Arc::clone(&self.app), &flow, input, world));
        drive(machine, Vec::new(), &self.asker).await
    }

    /// Looks at what the app keeps; waits until no run has it.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub async fn look<T>(&self, look: impl FnOnce(&Map, &dyn Store) -> T) -> Result<T, Lost> {
        let _turn = self.turn.acquire().await.map_err(|_| Lost)?;
        let kept = self.kept.lock();
        let kept = kept.as_ref().ok_or(Lost)?;
        Ok(look(&kept.state, &*kept.store))
    }
}

impl Kept {
    fn nothing() -> Self {
        Self { state: Map::default(), store: Box::new(InMemoryStore::new()), memory: Memory::new() }
    }
}

/// The state and records of an app were in a run that was torn away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run of this app was torn away with its records; restart the server")]
pub struct Lost;
