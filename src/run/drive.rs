//! Owns how a run is driven: slices of instructions, asks put on the path as they appear, answers handed back as they
//! come. The order in which answers come never matters: the machine merges in the order of the program.
//!
//! A run that others wait for gives way while a model answers, and is attempted again: the first attempt is undone, the
//! next is given the same answers. Must not know what the attempts begin with.

use super::ask::{Asker, Told};
use super::asks::Asks;
use super::line::Line;
use crate::lang::Machine;
use crate::lang::machine::{Ask, Outcome, Progress, Yielded};

/// Instructions between two looks at what else there is to do on this thread: well under a millisecond.
const SLICE: u64 = 20_000;

/// So often a run gives way; afterwards it keeps its turn. Each time costs the instructions up to there once more.
const GIVES_WAY: usize = 8;

/// A run that has gone as far as it could without asking.
pub enum Begun {
    /// It asked nobody.
    Done(Box<Outcome>),
    /// It waits for the answers to these.
    Waits(Box<Machine>, Vec<Ask>),
}

/// A run that is over.
pub struct Ran {
    /// What it came to.
    pub outcome: Outcome,
    /// Every ask of it, in the order of their beginnings.
    pub told: Vec<Told>,
}

/// Runs without a runtime until the run is over or asks. Blocks the thread for as long as the program computes.
#[must_use]
pub fn begin(mut machine: Machine) -> Begun {
    loop {
        match machine.advance(u64::MAX) {
            Progress::Done(outcome) => return Begun::Done(outcome),
            Progress::Blocked(asks) => return Begun::Waits(Box::new(machine), asks),
            Progress::Spent => {}
        }
    }
}

/// Drives a run to its end. Dropping the future ends the run without a result and without committing anything.
pub async fn drive(mut machine: Box<Machine>, first: Vec<Ask>, asker: &Asker) -> Ran {
    let mut driver = Driver::new(asker, |_| {});
    let outcome = driver.attempt(&mut machine, first, None).await;
    driver.ran(*outcome.expect("a run that nobody waits for does not give way"))
}

/// Drives one run, in as many attempts as it takes. Messages of `yield` are told where the run pauses before its end; the
/// outcome has all of them.
pub(super) struct Driver<'a, T> {
    asks: Asks<'a>,
    tell: T,
    /// Messages told.
    told: usize,
    gave_way: usize,
    /// It has asked something for nothing: what others did in between led it another way.
    misled: bool,
}

impl<'a, T: FnMut(Vec<Yielded>)> Driver<'a, T> {
    pub(super) fn new(asker: &'a Asker, tell: T) -> Self {
        Self { asks: Asks::new(asker), tell, told: 0, gave_way: 0, misled: false }
    }

    /// Drives an attempt to the run's end, or until it gives way to `line`: then there is no outcome, what `machine` did
    /// must be undone, and [`Driver::answered`] says when the next attempt is worth while.
    pub(super) async fn attempt(
        &mut self,
        machine: &mut Machine,
        first: Vec<Ask>,
        line: Option<&Line>,
    ) -> Option<Box<Outcome>> {
        self.asks.begin_again();
        let mut asks = first;
        loop {
            for ask in asks.drain(..) {
                if let Some((number, answer)) = self.asks.put(ask) {
                    machine.resolve(number, answer);
                }
            }
            // What was answered meanwhile goes in at once; only a run that can do nothing waits.
            let progress = machine.advance(SLICE);
            self.tell_news(machine);
            match progress {
                Progress::Done(outcome) => return Some(outcome),
                Progress::Spent => tokio::task::yield_now().await,
                Progress::Blocked(new) if !new.is_empty() => asks = new,
                Progress::Blocked(_) => {
                    self.asks.give_up(&machine.take_cancelled());
                    self.misled |= self.asks.went_another_way();
                    if !self.wait(machine, line).await {
                        self.gave_way += 1;
                        return None;
                    }
                }
            }
        }
    }

    /// Waits for an answer. False if the run gives way instead.
    async fn wait(&mut self, machine: &mut Machine, line: Option<&Line>) -> bool {
        // What was told cannot be taken back, so the attempt that told it must be the last.
        let line = line.filter(|_| self.told == 0 && !self.misled && self.gave_way < GIVES_WAY);
        let wanted = async {
            match line {
                Some(line) => line.wanted().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased; // an answer that is there needs no wait
            answer = self.asks.next() => {
                let answer = answer.expect("a run that is blocked waits for an ask that is open");
                if let Some((number, answer)) = answer {
                    machine.resolve(number, answer);
                }
                true
            }
            () = wanted => false,
        }
    }

    fn tell_news(&mut self, machine: &Machine) {
        let news = machine.yielded(self.told);
        if !news.is_empty() {
            self.told += news.len();
            (self.tell)(news);
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
