//! Owns an app that runs many times: what it keeps between runs, and that concurrent runs leave what serial ones would.
//!
//! A run that can change what others see has that to itself; any other runs beside it. Must not know who asked.

mod look;

use std::sync::Arc;

use parking_lot::Mutex;

use super::ask::Asker;
use super::counters::Counters;
use super::drive::{Driver, Gives, Ran, Underway};
use super::line::{Line, Turn};
use super::news::Tell;
use super::observed::Observed;
use super::payer::For;
use super::refusal::Refusal;
use crate::config::Performance;
use crate::lang::machine::{Limits, Outcome, World};
use crate::lang::memory::Memory;
use crate::lang::records::Store;
use crate::lang::value::{Map, Value};
use crate::lang::{App, Machine};

/// What a run is asked to do.
#[derive(Clone)]
pub struct Question {
    /// The flow.
    pub flow: String,
    /// Its input, a map.
    pub input: Value,
    /// The caller, if anything is known about it.
    pub identity: Option<Map>,
    /// Who pays for what it asks.
    pub payer: For,
}

/// What an app keeps between runs.
pub struct Kept {
    /// The state the last run that went well left.
    pub state: Map,
    /// The records.
    pub store: Store,
    /// The short-term history.
    pub memory: Memory,
}

/// Something that is done on a page.
pub struct Visit {
    /// What must hold before; nothing for what everybody may do.
    pub rule: Option<Question>,
    /// What is done.
    pub deed: Question,
    /// What is to be judged afterwards.
    pub rules: Vec<Question>,
}

/// What came of a [`Visit`].
pub struct Visited {
    /// The run of the deed, or of the rule that did not hold.
    pub ran: Ran,
    /// Which of the rules hold now.
    pub hold: Vec<bool>,
}

/// Why an attempt without a line has an outcome.
const ALONE: &str = "who gives no way comes to an end";

/// On what terms an app runs.
pub struct Terms<'s> {
    /// Its settings.
    pub settings: &'s Performance,
    /// Log lines and metrics are collected.
    pub observing: bool,
    /// Runs that may wait for what the app keeps; one more is refused. Each waits as long as a call may take.
    pub queue_runs: usize,
}

/// An app and what it keeps.
pub struct Host {
    app: Arc<App>,
    asker: Asker,
    scheduled: bool,
    /// Before what is kept.
    line: Line,
    /// In place whenever nobody has the turn.
    kept: Mutex<Option<Kept>>,
    counters: Counters,
    observed: Observed,
}

impl Host {
    /// An app that begins with what was kept before.
    #[must_use]
    pub fn new(app: Arc<App>, asker: Asker, terms: &Terms<'_>, kept: Kept) -> Self {
        Self {
            app,
            asker,
            scheduled: terms.settings.async_runtime,
            line: Line::new(terms.queue_runs),
            kept: Mutex::new(Some(kept)),
            counters: Counters::default(),
            observed: Observed::new(terms.observing),
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

    /// Runs a flow; `tell` hears of it while it goes on.
    ///
    /// A run that sees or changes what others leave has that to itself, but not while a model answers: then it gives way
    /// to those who wait, and is attempted again from its beginning with the answers it was given. What all of them leave
    /// is what they would have left one after the other. Dropping the future gives up the place of a run that waits; one
    /// that has begun goes on to its end, unheard. Needs a `LocalSet`, which every actix thread has.
    ///
    /// # Errors
    /// [`Refusal`]; the app is then as it was before the run.
    pub async fn run_telling(
        self: &Arc<Self>,
        question: Question,
        tell: Option<Tell>,
    ) -> Result<Ran, Refusal> {
        if self.app.is_solitary(&question.flow) {
            return self.to_its_end(async move |host| Ok(host.alone(&question, tell).await)).await;
        }
        self.in_turn(async move |host, turn| Ok(host.change(turn, None, &question, tell).await?.0)).await
    }

    /// Runs beside all others, with nothing of what the app keeps.
    async fn alone(&self, question: &Question, tell: Option<Tell>) -> Ran {
        let mut run = Underway::new(self.machine(question, Kept::default()));
        let mut driver = Driver::new(&self.asker, tell, question.payer.clone());
        let outcome = driver.attempt(&mut run, Vec::new(), Gives::NoWay).await;
        let ran = driver.ran(*outcome.expect(ALONE));
        self.note(&ran);
        ran
    }

    /// As [`Host::run_telling`], telling nobody.
    ///
    /// # Errors
    /// As there.
    pub async fn run(self: &Arc<Self>, question: Question) -> Result<Ran, Refusal> {
        self.run_telling(question, None).await
    }

    /// Runs what a rule allows, and then other rules, with nobody else in between. The run has the app's state in its
    /// outcome whatever the flow does.
    ///
    /// # Errors
    /// As [`Host::run_telling`].
    pub async fn visit(self: &Arc<Self>, visit: Visit) -> Result<Visited, Refusal> {
        self.in_turn(async move |host, turn| {
            let Visit { rule, deed, rules } = visit;
            let (ran, _turn) = host.change(turn, rule.as_ref(), &deed, None).await?;
            let hold = host.judge_all(&rules).await?;
            Ok(Visited { ran, hold })
        })
        .await
    }

    /// Which of these rules hold, all at the same moment.
    ///
    /// # Errors
    /// As [`Host::run_telling`].
    pub async fn judge(&self, rules: &[Question]) -> Result<Vec<bool>, Refusal> {
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let _turn = self.turn().await?;
        self.judge_all(rules).await
    }

    /// Waits for the turn, then works to the end.
    async fn in_turn<T: 'static>(
        self: &Arc<Self>,
        work: impl AsyncFnOnce(&Self, Turn) -> Result<T, Refusal> + 'static,
    ) -> Result<T, Refusal> {
        let turn = self.turn().await?;
        self.to_its_end(async move |host| work(host, turn).await).await
    }

    /// Works in a task of its own: whoever stops listening must not end a run that has begun.
    async fn to_its_end<T: 'static>(
        self: &Arc<Self>,
        work: impl AsyncFnOnce(&Self) -> Result<T, Refusal> + 'static,
    ) -> Result<T, Refusal> {
        let host = Arc::clone(self);
        let under_way = self.line.under_way();
        let working = async move {
            let done = work(&host).await;
            drop(under_way);
            done
        };
        tokio::task::spawn_local(working).await.unwrap_or(Err(Refusal::BrokeOff))
    }

    /// Runs with what the app keeps and keeps what the run leaves, in as many attempts as it takes, and gives the turn
    /// back. Where `rule` does not hold, its run is all there is.
    async fn change(
        &self,
        mut turn: Turn,
        rule: Option<&Question>,
        deed: &Question,
        tell: Option<Tell>,
    ) -> Result<(Ran, Turn), Refusal> {
        let mut driver = Driver::new(&self.asker, tell, deed.payer.clone());
        loop {
            if let Some(rule) = rule {
                let ran = self.once(rule).await?;
                if ran.outcome.result.is_err() {
                    return Ok((ran, turn));
                }
            }
            let mut hands = Hands::take(self, deed)?;
            let gives = Gives::Way(Some(&self.line));
            if let Some(outcome) = driver.attempt(&mut hands.run, Vec::new(), gives).await {
                return Ok((self.over(hands, driver.ran(*outcome)), turn));
            }
            drop(hands); // undoes what the attempt did
            drop(turn);
            driver.answered().await;
            turn = self.line.rejoin().await?;
        }
    }

    async fn judge_all(&self, rules: &[Question]) -> Result<Vec<bool>, Refusal> {
        let mut hold = Vec::with_capacity(rules.len());
        for rule in rules {
            hold.push(self.once(rule).await?.outcome.result.is_ok());
        }
        Ok(hold)
    }

    /// Runs in one attempt. The caller has the turn.
    async fn once(&self, question: &Question) -> Result<Ran, Refusal> {
        let mut hands = Hands::take(self, question)?;
        let mut driver = Driver::new(&self.asker, None, question.payer.clone());
        let outcome = driver.attempt(&mut hands.run, Vec::new(), Gives::NoWay).await;
        let ran = driver.ran(*outcome.expect(ALONE));
        Ok(self.over(hands, ran))
    }

    /// Keeps what a run left and takes note of it.
    fn over(&self, hands: Hands<'_>, mut ran: Ran) -> Ran {
        hands.keep(&mut ran.outcome); // first: from here on nothing may get lost
        self.note(&ran);
        ran
    }

    async fn turn(&self) -> Result<Turn, Refusal> {
        self.line.join(self.asker.engine().clock(), self.asker.patience_ms()).await
    }

    /// How many wait for what the app keeps, and how many may.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        self.line.waiting()
    }

    /// Lets no run begin any more that needs what the app keeps, and waits until those that did have ended, also those
    /// nobody listens to.
    pub async fn close(&self) {
        self.line.close().await;
    }

    fn note(&self, ran: &Ran) {
        self.counters.count(&ran.told, self.asker.caching(), self.scheduled);
        self.observed.note(&ran.outcome);
    }

    fn machine(&self, question: &Question, kept: Kept) -> Box<Machine> {
        let Question { flow, input, identity, payer: _ } = question.clone();
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
}

/// What an app keeps, in the hands of a run. Dropped before the run has ended, as when it panics or the thread it is on
/// stops, it gives everything back as it was.
struct Hands<'h> {
    host: &'h Host,
    run: Underway,
    /// State and memory before the run; nothing once the run has ended.
    before: Option<(Map, Memory)>,
}

impl<'h> Hands<'h> {
    fn take(host: &'h Host, question: &Question) -> Result<Self, Refusal> {
        let kept = host.kept.lock().take().ok_or(Refusal::BrokeOff)?;
        let before = Some((kept.state.clone(), kept.memory.clone()));
        Ok(Self { host, run: Underway::new(host.machine(question, kept)), before })
    }

    /// Keeps what the run left.
    fn keep(mut self, outcome: &mut Outcome) {
        self.before = None;
        *self.host.kept.lock() = Some(Kept {
            state: outcome.state.clone(),
            store: std::mem::take(&mut outcome.store),
            memory: std::mem::take(&mut outcome.memory),
        });
    }
}

impl Drop for Hands<'_> {
    fn drop(&mut self) {
        let Some((state, memory)) = self.before.take() else { return };
        let store = self.run.machine.abandon();
        *self.host.kept.lock() = Some(Kept { state, store, memory });
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self { state: Map::default(), store: Store::new(), memory: Memory::new() }
    }
}
