//! The folder: groups of the journal become lines of tables, by the UTC day.
//!
//! Owns the thread that folds, its rhythm, and the days that are dropped. What is in a table already is not added again, so a
//! group may be folded any number of times; it is forgotten only when its days have it on disk. The thread takes only the time that
//! nobody else wants, so under load the journal grows; once it is half full, folding takes its share like anybody else.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use tidegate_actors::ports::clock::ClockRef;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::days::Day;
use super::front::Front;
use super::health::Health;
use super::retention::{Dropped, Keep};
use super::rows;
use super::tables::Tables;
use crate::stores::aside::{self, Courtesy};
use crate::stores::journal::Journal;
use crate::stores::lock;
use crate::stores::trouble::Trouble;

/// Bytes of the journal folded in one transaction a day.
const FOLD_BYTES: usize = 1 << 20;
/// How often the journal is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// From this part of the journal's bound on, folding takes its share of the processors, until the second part is reached.
const CROWDED: u64 = 2;
const EASED: u64 = 8;
/// How long the system is given to have a thread again.
const RETRY: Duration = Duration::from_secs(1);

/// Folds until it is ended. Clones are one.
#[derive(Clone)]
pub(super) struct Folder {
    asks: mpsc::Sender<oneshot::Sender<()>>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    end: Arc<Mutex<Option<oneshot::Sender<()>>>>,
    health: Health,
    front: Front,
}

impl Folder {
    /// Starts the thread, which tells `health` what keeps it.
    pub(super) fn start(
        journal: Journal,
        tables: Tables,
        keep: Keep,
        clock: ClockRef,
        health: Health,
    ) -> std::io::Result<Self> {
        let (asks, asked) = mpsc::channel(16);
        let (end, ended) = oneshot::channel();
        let front = Front::after(journal.storage().last()?);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let folding = Folding {
            journal,
            tables,
            keep,
            clock,
            asked,
            ended,
            waiting: None,
            pace: Pace::Aside,
            looked_on: None,
            was_in_trouble: false,
            health: health.clone(),
            front: front.clone(),
        };
        let thread = thread::Builder::new().name("tidegate-fold".into());
        let thread = thread.spawn(move || keep_folding(folding, &runtime))?;
        let (thread, end) = (Arc::new(Mutex::new(Some(thread))), Arc::new(Mutex::new(Some(end))));
        Ok(Self { asks, thread, end, health, front })
    }

    /// How far the tables are.
    pub(super) fn front(&self) -> &Front {
        &self.front
    }

    /// What is wrong with the tables.
    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// Told when everything that is in the journal now is in tables; dropped if that cannot be.
    pub(super) async fn folded(&self) -> Result<(), oneshot::error::RecvError> {
        let (done, told) = oneshot::channel();
        // A folder that has ended drops it, which is heard below.
        let _ = self.asks.send(done).await;
        told.await
    }

    /// Ends the thread, once it has done what it is doing. Blocks until then.
    pub(super) fn end(&self) {
        drop(self.end.lock().take());
        if let Some(thread) = self.thread.lock().take() {
            // A folder that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Which time folding takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// What nobody else wants.
    Aside,
    /// Its share.
    Share,
}

impl Pace {
    /// The pace for a journal of so many bytes, of so many at most, after this one.
    fn then(self, (bytes, most): (u64, u64)) -> Self {
        if bytes >= most / CROWDED {
            Self::Share
        } else if bytes <= most / EASED {
            Self::Aside
        } else {
            self
        }
    }
}

/// How far a pass came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Folded {
    /// To the end of the journal.
    All,
    /// It has to go on elsewhere, or not at all.
    Some,
}

/// Folds in threads of the pace that is right, one after the other: what has stepped aside cannot come back.
fn keep_folding(mut folding: Folding, runtime: &Runtime) {
    while !folding.is_ended() {
        let pace = folding.pace;
        let work = || {
            if pace == Pace::Aside {
                aside::step();
            }
            runtime.block_on(folding.run());
        };
        let spawned = thread::scope(|scope| {
            // A thread that panicked has said so.
            let name = thread::Builder::new().name("tidegate-fold".into());
            name.spawn_scoped(scope, work).map(|thread| thread.join().is_ok())
        });
        match spawned {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!("the system gives no thread to fold the ledger: {error}");
                runtime.block_on(tokio::time::sleep(RETRY));
            }
        }
    }
}

/// What folds. More than eight fields: it outlives the threads it works in, so all they would hold is here.
struct Folding {
    journal: Journal,
    tables: Tables,
    keep: Keep,
    clock: ClockRef,
    asked: mpsc::Receiver<oneshot::Sender<()>>,
    ended: oneshot::Receiver<()>,
    /// Who waits until everything is folded.
    waiting: Option<oneshot::Sender<()>>,
    pace: Pace,
    /// The day on which it was looked what is kept no longer.
    looked_on: Option<Day>,
    was_in_trouble: bool,
    health: Health,
    front: Front,
}

impl Folding {
    fn is_ended(&mut self) -> bool {
        !matches!(self.ended.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    /// Folds until it is ended or its pace has to change.
    async fn run(&mut self) {
        loop {
            if self.waiting.is_none() {
                tokio::select! {
                    biased;
                    _ = &mut self.ended => break,
                    waiting = self.asked.recv() => self.waiting = waiting,
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
            let folded = self.fold_all(self.waiting.is_some()).await;
            self.tell(&folded);
            if let Ok(Folded::Some) = folded {
                break; // who waits goes on waiting
            }
            if let (Some(waiting), Ok(Folded::All)) = (self.waiting.take(), folded) {
                // Who left needs no answer.
                let _ = waiting.send(());
            }
            let today = Day::of(self.clock.unix_us());
            if self.looked_on != Some(today) {
                self.drop_old(today).await;
                self.looked_on = Some(today);
            }
        }
        self.tables.close().await;
    }

    /// Says once that it cannot go on, and once that it can again.
    fn tell(&mut self, folded: &Result<Folded, Trouble>) {
        match folded {
            Err(trouble) if !self.was_in_trouble => {
                tracing::error!("the ledger cannot be folded into tables: {trouble}")
            }
            Ok(_) if self.was_in_trouble => tracing::info!("the ledger is folded into tables again"),
            _ => {}
        }
        self.was_in_trouble = folded.is_err();
        self.health.folded(folded.as_ref().err());
    }

    /// Folds every group there is, unless it is ended or its pace has to change; `all`: also those whose rows were pushed and are
    /// not written.
    async fn fold_all(&mut self, all: bool) -> Result<Folded, Trouble> {
        if all {
            // What cannot be written cannot be folded; what was written before can.
            let _ = self.journal.written().await;
        }
        let mut from = 0;
        let mut courtesy = Courtesy::new(Arc::clone(&self.clock));
        loop {
            let groups = self.journal.storage().read(from, FOLD_BYTES).map_err(|error| lock::of(&error))?;
            let Some(last) = groups.last() else { return Ok(Folded::All) };
            if self.is_ended() {
                return Ok(Folded::Some); // what the journal holds is folded after the next start
            }
            from = last.number + 1;
            for row in groups.iter().flat_map(|group| rows::rows(&group.bytes)) {
                if let Some(rest) = courtesy.step()
                    && self.may_rest()
                {
                    tokio::time::sleep(rest).await;
                    courtesy.rested();
                }
                self.tables.put(&row).await?;
            }
            let front = self.front.clone();
            front.advance(from, self.tables.commit()).await?;
            self.journal.forget(from);
            let pace = self.pace.then(self.journal.kept());
            if pace != self.pace {
                self.pace = pace;
                return Ok(Folded::Some);
            }
        }
    }

    /// Whether nobody waits for what is folded.
    fn may_rest(&mut self) -> bool {
        self.pace == Pace::Aside && self.waiting.is_none() && self.asked.is_empty() && !self.is_ended()
    }

    async fn drop_old(&mut self, today: Day) {
        match self.tables.drop_old(self.keep, today).await {
            Ok(Dropped { days: 0, tables: 0 }) => {}
            Ok(Dropped { days, tables }) => {
                tracing::info!(days, tables, "dropped what the ledger keeps no longer (ledger.*_days)");
            }
            Err(trouble) => tracing::warn!("what the ledger keeps no longer cannot be dropped: {trouble}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;

    #[test]
    fn folding_takes_its_share_from_half_of_the_bound_on_and_until_an_eighth_is_left() {
        let paces = [0, 49, 50, 90, 13, 12, 49].into_iter().scan(Pace::Aside, |pace, bytes| {
            *pace = pace.then((bytes, 100));
            Some(*pace)
        });
        let (aside, share) = (Pace::Aside, Pace::Share);
        assert_eq!(paces.collect::<Vec<_>>(), [aside, aside, share, share, share, aside, aside]);
    }
}
