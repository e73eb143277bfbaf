//! Owns the proof that settings change no result: one plain serial run, then the same run in every cell of a grid of
//! settings and troubles, each in a world of its own, compared byte for byte. Must not print, and must not touch what the
//! app keeps.

mod frozen;
mod trace;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tidegate_actors::ports::clock::{Clock, SystemClock};
use tidegate_actors::ports::provider::Provider;

use super::ask::{Asker, Told};
use super::drive::{Begun, Ran, Underway, begin, drive};
use super::ingest::{Embedder, Embedding, HASH, Pace};
use super::trouble::Trouble;
use crate::config::Performance;
use crate::lang::machine::{Ask, Limits, Outcome, Progress, World};
use crate::lang::memory::Memory;
use crate::lang::records::{Archive, Store};
use crate::lang::value::{Map, Value};
use crate::lang::{App, Machine};

use self::frozen::Frozen;

pub use super::trouble::Given;
pub use trace::{Difference, Trace};

/// Patience with one request for vectors, milliseconds.
const PATIENCE_MS: u64 = 600_000;

/// Slots the grid tries.
const CONCURRENCY: [usize; 4] = [1, 2, 8, 32];

/// A run to be proved.
pub struct Claim {
    /// The app.
    pub app: Arc<App>,
    /// The flow.
    pub flow: String,
    /// Its input, a map.
    pub input: Value,
    /// The caller.
    pub identity: Option<Map>,
    /// What earlier runs said.
    pub memory: Memory,
    /// Where the records lie and the milliseconds by which they expire, if they outlast the process. Nothing is written.
    pub archive: Option<(Arc<dyn Archive>, i64)>,
    /// Whether log lines and metric points are compared too.
    pub observing: bool,
    /// Texts whose vectors must be the same too, and who embeds them.
    pub texts: Vec<Arc<str>>,
    /// As `tidegate ingest` takes it: `hash`, or `PROVIDER/MODEL`.
    pub embedding: String,
}

/// One cell of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Answers are kept.
    pub cache: bool,
    /// Embeddings go in groups.
    pub batching: bool,
    /// Slots of the lanes.
    pub concurrency: usize,
    /// What is done to the ports.
    pub trouble: Trouble,
}

impl Cell {
    /// Every cell, in the order of reports.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let switches = [false, true];
        let mut cells = Vec::new();
        for trouble in Trouble::ALL {
            for cache in switches {
                for batching in switches {
                    cells.extend(CONCURRENCY.map(|concurrency| Self {
                        cache,
                        batching,
                        concurrency,
                        trouble,
                    }));
                }
            }
        }
        cells
    }

    /// The settings of a world of this cell.
    #[must_use]
    pub fn settings(&self) -> Performance {
        let usual = Performance::default();
        Performance {
            async_runtime: true,
            max_concurrency: self.concurrency,
            cache_size: if self.cache { usual.cache_size } else { 0 },
            enable_batching: self.batching,
            ..usual
        }
    }
}

/// What one cell came to.
#[derive(Debug)]
pub struct Tried {
    /// The cell.
    pub cell: Cell,
    /// Where it differs from the plain serial run; nowhere if all is well.
    pub differences: Vec<Difference>,
    /// Asks answered from memory, joined, and asked.
    pub came: [usize; 3],
    /// How long it took.
    pub took: Duration,
}

/// What a proof came to.
#[derive(Debug)]
pub struct Verdict {
    /// The seed of everything that was drawn.
    pub seed: u64,
    /// Asks of the plain serial run.
    pub asks: usize,
    /// The plain serial run.
    pub plain: Trace,
    /// Every cell, in the order given.
    pub tried: Vec<Tried>,
}

impl Verdict {
    /// Whether every cell gave the same.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.tried.iter().all(|tried| tried.differences.is_empty())
    }
}

/// Makes who asks, for a world with these settings; in a running actix `System`. What they are answered must be fixed by
/// the [`Given`].
pub type Making<'m> =
    dyn Fn(&Performance, &Given) -> Result<Asker, Box<dyn std::error::Error + Send + Sync>> + 'm;

/// Runs the plain serial run, which asks for whole answers, and every cell, which hears tokens where the program wants
/// them. `done` hears how many cells are through. Blocks the thread, and must not be
/// called where a runtime runs.
///
/// # Errors
/// Who asks cannot be made.
pub fn prove(
    claim: &Claim,
    cells: &[Cell],
    seed: u64,
    make: &Making<'_>,
    done: &mut dyn FnMut(usize),
) -> Result<Verdict, String> {
    let given = Given::default();
    let world = |settings: &Performance| make(settings, &given).map_err(|error| error.to_string());
    let frozen = claim.archive.as_ref().map(|(archive, _)| Arc::new(Frozen::of(Arc::clone(archive))));
    let store = || match &frozen {
        Some(frozen) => Store::lasting(Arc::clone(frozen) as Arc<dyn Archive>),
        None => Store::new(),
    };
    let plain = || {
        let mut asks = 0;
        let ended = in_world(claim, store(), async |begun| {
            let settings = Performance::default();
            let asker = world(&settings)?;
            let outcome = match begun {
                Begun::Done(outcome) => *outcome,
                Begun::Waits(run, first) => serially(run, first, &asker, &mut asks).await,
            };
            let vectors = vectors(claim, &asker, &settings, Trouble::None, seed).await?;
            Ok(Ended { outcome, told: Vec::new(), vectors })
        })?;
        Ok::<_, String>((asks, ended.trace(&claim.app)))
    };
    plain()?; // hears what the providers say
    given.seal();
    let (asks, plain) = plain()?;
    let mut tried = Vec::with_capacity(cells.len());
    for cell in cells {
        let clock = Stopwatch::start();
        let ended = in_world(claim, store(), async |begun| {
            let settings = cell.settings();
            let asker = troubled(world(&settings)?, cell.trouble, seed);
            asker.engine().ready().await;
            let ran = match begun {
                Begun::Done(outcome) => Ran { outcome: *outcome, told: Vec::new() },
                Begun::Waits(run, first) => drive(run, first, &asker, Some(Rc::new(drop))).await,
            };
            let vectors = vectors(claim, &asker, &settings, cell.trouble, seed).await?;
            Ok(Ended { outcome: ran.outcome, told: ran.told, vectors })
        })?;
        let differences = plain.differences(&ended.trace(&claim.app));
        tried.push(Tried { cell: *cell, differences, came: came(&ended.told), took: clock.read() });
        done(tried.len());
    }
    Ok(Verdict { seed, asks, plain, tried })
}

/// What one world came to.
struct Ended {
    outcome: Outcome,
    told: Vec<Told>,
    vectors: Vec<Embedding>,
}

impl Ended {
    fn trace(&self, app: &App) -> Trace {
        Trace::of(app, &self.outcome, &self.vectors)
    }
}

/// The vectors of the claim's texts, in groups as the settings say.
async fn vectors(
    claim: &Claim,
    asker: &Asker,
    settings: &Performance,
    trouble: Trouble,
    seed: u64,
) -> Result<Vec<Embedding>, String> {
    let mut all = Vec::with_capacity(claim.texts.len());
    if claim.texts.is_empty() {
        return Ok(all);
    }
    let embedder = Embedder::new(asker, &claim.embedding, Pace::of(settings, PATIENCE_MS))?;
    // Providers of the asker have their trouble already; the hash embedding is not among them.
    let embedder = match claim.embedding.as_str() {
        HASH => embedder.decorated(|provider| trouble.before(provider, seed, asker.engine())),
        _ => embedder,
    };
    embedder.embed(&claim.texts, |group| all.extend(group)).await;
    Ok(all)
}

/// Puts a trouble before everybody an asker asks.
fn troubled(asker: Asker, trouble: Trouble, seed: u64) -> Asker {
    let engine = asker.engine().clone();
    asker.decorated(|provider: Arc<dyn Provider>| trouble.before(provider, seed, &engine))
}

/// Runs until the flow asks; for what comes then, if anything, makes a `System` that ends with it.
fn in_world(
    claim: &Claim,
    store: Store,
    go: impl AsyncFnOnce(Begun) -> Result<Ended, String>,
) -> Result<Ended, String> {
    let world = World {
        identity: claim.identity.clone(),
        state: Map::default(),
        store,
        memory: claim.memory.clone(),
        limits: Limits::default(),
        observing: claim.observing,
        now_ms: claim.archive.as_ref().map(|(_, now_ms)| *now_ms),
    };
    let machine = Machine::start(Arc::clone(&claim.app), &claim.flow, claim.input.clone(), world);
    match begin(machine) {
        Begun::Done(outcome) if claim.texts.is_empty() => {
            Ok(Ended { outcome: *outcome, told: Vec::new(), vectors: Vec::new() })
        }
        begun => actix_rt::System::new().block_on(go(begun)),
    }
}

/// One ask at a time, in the order in which they appear.
async fn serially(mut run: Underway, first: Vec<Ask>, asker: &Asker, count: &mut usize) -> Outcome {
    let mut waiting = std::collections::VecDeque::from(first);
    loop {
        if let Some(ask) = waiting.pop_front() {
            *count += 1;
            let id = ask.id;
            let (answer, _) = asker.ask(ask, None, &None).await;
            run.machine.resolve(id, answer);
        }
        match run.machine.advance(u64::MAX) {
            Progress::Done(outcome) => return *outcome,
            Progress::Blocked(asks) => waiting.extend(asks),
            Progress::Wants(want) => {
                let supplied = run.fetch(want).await;
                run.machine.supply(supplied);
            }
            Progress::Spent => {}
        }
        let gone = run.machine.take_cancelled();
        waiting.retain(|ask| !gone.contains(&ask.id));
    }
}

fn came(told: &[Told]) -> [usize; 3] {
    use tidegate_actors::Outcome::{Hit, Joined};
    let count = |wanted| told.iter().filter(|told| told.outcome == Some(wanted)).count();
    let (hit, joined) = (count(Hit), count(Joined));
    [hit, joined, told.len() - hit - joined]
}

/// Time by the machine's clock, for reports only.
struct Stopwatch(SystemClock, tidegate_actors::ports::clock::Tick);

impl Stopwatch {
    fn start() -> Self {
        let clock = SystemClock::new();
        let now = clock.now();
        Self(clock, now)
    }

    fn read(&self) -> Duration {
        self.0.now().since(self.1)
    }
}
