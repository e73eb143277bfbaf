//! Owns how a run is driven: slices of instructions, asks put on the path as they appear, answers handed back as they
//! come, what it wants of its records fetched beside them. The order in which answers come never matters: the machine
//! merges in the order of the program.
//!
//! A run that others wait for gives way while a model answers, and is attempted again: the first attempt is undone, the
//! next is given the same answers. Must not know what the attempts begin with.

use super::ask::{Asker, Told};
use super::asks::{Answer, Asks};
use super::line::Line;
use super::news::{News, Tell};
use super::payer::For;
use crate::lang::Machine;
use crate::lang::fault::Fault;
use crate::lang::machine::{Ask, Outcome, Progress};
use crate::lang::records::{Pending, Session, Store, Supply, Want};

/// Instructions between two looks at what else there is to do on this thread: well under a millisecond.
const SLICE: u64 = 20_000;

/// So often a run gives way; afterwards it keeps its turn. Each time costs the instructions up to there once more.
const GIVES_WAY: usize = 8;

/// An attempt under way: its machine and, from its first want on, its transaction in the archive of its records. Dropping
/// it undoes what the archive was not told to keep.
pub struct Underway {
    /// The machine.
    pub machine: Box<Machine>,
    session: Option<Box<dyn Session>>,
    /// What is being fetched for the machine.
    fetching: Option<Pending<Supply>>,
    /// Nobody else may write into the archive until this is over.
    alone: bool,
}

impl Underway {
    /// A run that has not asked for anything yet.
    #[must_use]
    pub fn new(machine: Box<Machine>) -> Self {
        Self { machine, session: None, fetching: None, alone: false }
    }

    /// Asks the archive; the answer is for [`Machine::supply`].
    pub fn fetch(&mut self, want: Want) -> Pending<Supply> {
        self.alone |= matches!(want, Want::Begin { writes: true });
        let archive = || self.machine.archive().expect("only records in an archive want something of it");
        self.session.get_or_insert_with(|| archive().session()).fetch(want)
    }
}

/// A run that has gone as far as it could without asking.
pub enum Begun {
    /// It asked nobody.
    Done(Box<Outcome>),
    /// It waits for the answers to these.
    Waits(Underway, Vec<Ask>),
}

/// A run that is over.
pub struct Ran {
    /// What it came to.
    pub outcome: Outcome,
    /// Every ask of it, in the order of their beginnings.
    pub told: Vec<Told>,
}

/// Runs until the run is over or asks. Blocks the thread for as long as the program computes and its records are
/// fetched, so there must be no runtime on it.
#[must_use]
pub fn begin(machine: Machine) -> Begun {
    let mut run = Underway::new(Box::new(machine));
    loop {
        match run.machine.advance(u64::MAX) {
            Progress::Done(outcome) => return Begun::Done(outcome),
            Progress::Blocked(asks) => return Begun::Waits(run, asks),
            Progress::Wants(want) => {
                let supplied = wait(run.fetch(want));
                run.machine.supply(supplied);
            }
            Progress::Spent => {}
        }
    }
}

/// Waits for an archive where no runtime runs.
///
/// # Errors
/// What the archive says, or that nothing can be waited for.
pub fn wait<T>(pending: Pending<T>) -> Result<T, Fault> {
    match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime.block_on(pending),
        Err(error) => Err(Fault::run(format!("Records cannot be waited for: {error}"), None)),
    }
}

/// Drives a run to its end in one attempt; `tell` hears of it while it goes on. Dropping the future ends the run without a result and without committing
/// anything.
pub async fn drive(mut run: Underway, first: Vec<Ask>, asker: &Asker, tell: Option<Tell>) -> Ran {
    let mut driver = Driver::new(asker, tell, None);
    let outcome = driver.attempt(&mut run, first, Gives::NoWay).await;
    driver.ran(*outcome.expect("a run that gives no way comes to its end"))
}

/// As [`drive`], but lets go of the archive while a model answers, so that other processes need not wait for that.
/// `start` begins the run anew with its records.
pub async fn drive_beside_others(
    mut run: Underway,
    mut first: Vec<Ask>,
    asker: &Asker,
    tell: Option<Tell>,
    start: impl Fn(Store) -> Machine,
) -> Ran {
    let mut driver = Driver::new(asker, tell, None);
    loop {
        if let Some(outcome) = driver.attempt(&mut run, std::mem::take(&mut first), Gives::Way(None)).await {
            return driver.ran(*outcome);
        }
        let store = run.machine.abandon();
        drop(run);
        driver.answered().await;
        run = Underway::new(Box::new(start(store)));
    }
}

/// To whom a run gives way while a model answers.
#[derive(Clone, Copy)]
pub(super) enum Gives<'l> {
    /// To nobody.
    NoWay,
    /// To other processes, if it has the archive to itself, and to those in line.
    Way(Option<&'l Line>),
}

/// Drives one run, in as many attempts as it takes. Messages of `yield` are told where the run pauses before its end; the
/// outcome has all of them. Tokens are told as they come, whichever attempt asked.
pub(super) struct Driver<'a> {
    asks: Asks<'a>,
    tell: Option<Tell>,
    /// Messages told.
    told: usize,
    gave_way: usize,
    /// It has asked something for nothing: what others did in between led it another way.
    misled: bool,
}

/// What ended a wait.
enum Came {
    Answer(Option<(u64, Answer)>),
    Supply(Result<Supply, Fault>),
    Others,
}

impl<'a> Driver<'a> {
    pub(super) fn new(asker: &'a Asker, tell: Option<Tell>, payer: For) -> Self {
        Self { asks: Asks::new(asker, tell.clone(), payer), tell, told: 0, gave_way: 0, misled: false }
    }

    /// Drives an attempt to the run's end, or until it gives way: then there is no outcome, what `run` did must be
    /// undone, and [`Driver::answered`] says when the next attempt is worth while.
    pub(super) async fn attempt(
        &mut self,
        run: &mut Underway,
        first: Vec<Ask>,
        gives: Gives<'_>,
    ) -> Option<Box<Outcome>> {
        self.asks.begin_again();
        let mut asks = first;
        loop {
            for ask in asks.drain(..) {
                if let Some((number, answer)) = self.asks.put(ask) {
                    run.machine.resolve(number, answer);
                }
            }
            // What was answered meanwhile goes in at once; only a run that can do nothing waits.
            let progress = run.machine.advance(SLICE);
            self.tell_news(&run.machine);
            match progress {
                Progress::Done(outcome) => return Some(outcome),
                Progress::Spent => tokio::task::yield_now().await,
                Progress::Wants(want) => run.fetching = Some(run.fetch(want)),
                Progress::Blocked(new) if !new.is_empty() => asks = new,
                Progress::Blocked(_) => {
                    self.asks.give_up(&run.machine.take_cancelled());
                    // Without its records it cannot tell yet what it will ask.
                    self.misled |= run.fetching.is_none() && self.asks.went_another_way();
                    match self.wait(run, gives).await {
                        Came::Answer(Some((number, answer))) => run.machine.resolve(number, answer),
                        Came::Answer(None) => {}
                        Came::Supply(supplied) => {
                            run.fetching = None;
                            run.machine.supply(supplied);
                        }
                        Came::Others => {
                            self.gave_way += 1;
                            return None;
                        }
                    }
                }
            }
        }
    }

    /// Waits for an answer, for records, or until the run should give way.
    async fn wait(&mut self, run: &mut Underway, gives: Gives<'_>) -> Came {
        // What was told cannot be taken back, so the attempt that told it must be the last.
        let may = self.told == 0 && !self.misled && self.gave_way < GIVES_WAY && run.fetching.is_none();
        let alone = run.alone;
        let wanted = async {
            match gives {
                Gives::Way(_) if may && alone => {}
                Gives::Way(Some(line)) if may => line.wanted().await,
                _ => std::future::pending().await,
            }
        };
        let fetching = run.fetching.is_some();
        let answered = async {
            match self.asks.next().await {
                None if fetching => std::future::pending().await,
                answer => answer.expect("a run that is blocked waits for an ask that is open"),
            }
        };
        let supplied = async {
            match &mut run.fetching {
                Some(pending) => pending.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased; // an answer that is there needs no wait
            supplied = supplied => Came::Supply(supplied),
            answer = answered => Came::Answer(answer),
            () = wanted => Came::Others,
        }
    }

    fn tell_news(&mut self, machine: &Machine) {
        let Some(tell) = &self.tell else { return };
        for message in machine.yielded(self.told) {
            self.told += 1;
            tell(News::Yielded(message));
        }
    }

    /// Waits until everything is answered that was asked so far.
    pub(super) async fn answered(&mut self) {
        self.asks.all().await;
    }

    /// The run, over with this outcome.
    pub(super) fn ran(self, outcome: Outcome) -> Ran {
        Ran { outcome, told: self.asks.told() }
    }
}
