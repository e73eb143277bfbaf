//! Owns how a run is driven: slices of instructions, asks put on the path as they appear, answers handed back as they
//! come. The order in which answers come never matters: the machine merges in the order of the program.

use futures_util::StreamExt;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;

use super::ask::{Asker, Told};
use crate::lang::Machine;
use crate::lang::machine::{Ask, Outcome, Progress, Yielded};

/// Instructions between two looks at what else there is to do on this thread: well under a millisecond.
const SLICE: u64 = 20_000;

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
    drive_telling(&mut machine, first, asker, |_| {}).await
}

/// As [`drive`]; messages of `yield` are told where the run pauses before its end. The outcome has all of them.
pub async fn drive_telling(
    machine: &mut Machine,
    first: Vec<Ask>,
    asker: &Asker,
    mut tell: impl FnMut(Vec<Yielded>),
) -> Ran {
    let mut open = FuturesUnordered::new();
    let mut handles: Vec<(u64, AbortHandle)> = Vec::new();
    let mut told = Vec::new();
    let mut asks = first;
    let mut yielded = 0;
    loop {
        for ask in asks.drain(..) {
            let (handle, registration) = AbortHandle::new_pair();
            handles.push((ask.id, handle));
            open.push(Abortable::new(asker.ask(ask), registration));
        }
        // What was answered meanwhile goes in at once; only a run that can do nothing waits.
        let progress = machine.advance(SLICE);
        let news = machine.yielded(yielded);
        if !news.is_empty() {
            yielded += news.len();
            tell(news);
        }
        match progress {
            Progress::Done(outcome) => {
                told.sort_by_key(|told: &Told| told.ask.id);
                return Ran { outcome: *outcome, told };
            }
            Progress::Spent => tokio::task::yield_now().await,
            Progress::Blocked(new) if !new.is_empty() => asks = new,
            Progress::Blocked(_) => {
                for gone in machine.take_cancelled() {
                    handles.retain(|(id, handle)| {
                        *id != gone || {
                            handle.abort();
                            false
                        }
                    });
                }
                let answered =
                    open.next().await.expect("a run that is blocked waits for an ask that is open");
                if let Ok((answer, about)) = answered {
                    handles.retain(|(id, _)| *id != about.ask.id);
                    machine.resolve(about.ask.id, answer);
                    told.push(about);
                }
            }
        }
    }
}
