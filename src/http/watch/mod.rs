//! What every console is shown of this moment: worked out once a second for all that look, and never while nobody does.
//!
//! Owns when it is worked out and what the looks before came to. Must not hold up a call: it reads what others count, and hears
//! calls as any listener of the ledger does.

mod sight;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tidegate_actors::WorkspaceId;
use tidegate_actors::ports::books::{Heard, Listening, Wanted};

use self::window::Window;
use super::Doors;

pub(crate) use sight::Sight;

/// Consoles that may look at once.
const MOST_LOOKING: usize = 256;
/// Readings further apart tell no rate of now.
const STALE_US: i64 = 5_000_000;
/// Who comes back so soon has only loaded the page anew, and sees the minutes before again.
const AWAY_US: i64 = 10_000_000;

/// Who looks, and what they are shown.
pub struct Watch {
    looking: Mutex<usize>,
    board: Mutex<Board>,
    shown: Gauge,
    dropped: Counter,
}

/// What is shown, by whose it is.
#[derive(Default)]
struct Board {
    ear: Option<Listening>,
    /// When it was last listened to.
    heard_us: i64,
    window: Window,
    told: BTreeMap<Option<WorkspaceId>, (i64, Bytes)>,
    before: Option<(i64, Counted)>,
    rates: Option<Rated>,
}

/// Counts of the engine, of which consoles are shown how fast they grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    /// By lane: refused because it was full, and because it was closed.
    pub(crate) refused: Vec<[u64; 2]>,
}

/// The same as per second.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rated {
    pub(crate) completed: f64,
    pub(crate) failed: f64,
    pub(crate) refused: Vec<[f64; 2]>,
}

impl Watch {
    /// Nobody looks yet.
    pub fn register(registry: &mut Registry) -> Self {
        let (shown, dropped) = (Gauge::default(), Counter::default());
        registry.register("tidegate_console_listeners", "Consoles that look", shown.clone());
        registry.register(
            "tidegate_console_dropped",
            "Moments that a console was too slow to be shown",
            dropped.clone(),
        );
        Self { looking: Mutex::new(0), board: Mutex::default(), shown, dropped }
    }

    /// Begins to look; nothing if as many look as may.
    ///
    /// # Errors
    /// How many may.
    pub(crate) fn look(&self) -> Result<(), usize> {
        let mut looking = self.looking.lock();
        if *looking >= MOST_LOOKING {
            return Err(MOST_LOOKING);
        }
        *looking += 1;
        self.shown.inc();
        Ok(())
    }

    /// Looks no more. With the last of them nothing more is heard.
    pub(crate) fn leave(&self) {
        let mut looking = self.looking.lock();
        *looking = looking.saturating_sub(1);
        self.shown.dec();
        if *looking == 0 {
            self.board.lock().ear = None;
        }
    }

    /// Somebody was not shown so many seconds.
    pub(crate) fn dropped(&self, seconds: u64) {
        self.dropped.inc_by(seconds);
    }

    /// What is shown this second of `whose` calls, or of everybody's. `write` makes it, if nobody has.
    pub(crate) fn at(
        &self,
        doors: &Doors,
        whose: Option<&WorkspaceId>,
        write: impl FnOnce(Sight, Option<&Rated>) -> Bytes,
    ) -> Bytes {
        let now_us = doors.engine.clock().unix_us();
        let second = now_us.div_euclid(1_000_000);
        let mut board = self.board.lock();
        let whose = whose.cloned();
        if let Some((_, told)) = board.told.get(&whose).filter(|(at, _)| *at == second) {
            return told.clone();
        }
        board.hear(doors, now_us);
        board.count(now_us, counted(doors));
        let told = write(board.window.sight(whose.as_ref(), now_us), board.rates.as_ref());
        board.told.retain(|_, (at, _)| *at == second);
        board.told.insert(whose, (second, told.clone()));
        told
    }
}

impl Board {
    /// Takes in what was told since the last time.
    fn hear(&mut self, doors: &Doors, now_us: i64) {
        if self.ear.is_none() {
            if now_us - self.heard_us > AWAY_US {
                self.window = Window::from(now_us);
            }
            let all = Wanted::all(WorkspaceId::default_workspace(), 1);
            self.ear = doors.books.as_ref().and_then(|books| books.listen(None, all).ok());
        }
        while let Some(Some(heard)) = self.ear.as_mut().and_then(|ear| ear.next().now_or_never()) {
            match heard {
                Heard::Call(call) => self.window.add(call),
                Heard::Lost(calls) => self.window.miss(now_us, calls),
                Heard::Sampled { told, heard } => self.window.miss(now_us, told.saturating_sub(heard)),
            }
        }
        self.heard_us = now_us;
        self.window.trim(now_us);
    }

    fn count(&mut self, now_us: i64, now: Counted) {
        if self.before.as_ref().is_some_and(|(at, _)| now_us - at < 500_000) {
            return; // of another workspace, in the same second
        }
        let before = self.before.take().filter(|(at, _)| now_us - at < STALE_US);
        self.rates = before.map(|(at, before)| now.since(&before, (now_us - at) as f64 / 1e6));
        self.before = Some((now_us, now));
    }
}

impl Counted {
    fn since(&self, before: &Self, seconds: f64) -> Rated {
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        let lanes = self.refused.iter().zip(&before.refused);
        Rated {
            completed: rate(self.completed, before.completed),
            failed: rate(self.failed, before.failed),
            refused: lanes.map(|(now, then)| [0, 1].map(|at| rate(now[at], then[at]))).collect(),
        }
    }
}

fn counted(doors: &Doors) -> Counted {
    let reading = doors.engine.read();
    let (completed, failed, _) = reading.operations;
    let refused = reading.lanes.iter().map(|lane| [lane.refused_full, lane.refused_closed]).collect();
    Counted { completed, failed, refused }
}

/// Somebody who looks, until dropped.
pub(crate) struct Looking(Arc<Watch>);

impl Looking {
    /// Begins.
    ///
    /// # Errors
    /// As many look as may: how many.
    pub(crate) fn at(watch: &Arc<Watch>) -> Result<Self, usize> {
        watch.look().map(|()| Self(Arc::clone(watch)))
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_last_second_and_of_none_where_nobody_looked() {
        let count = |completed| Counted { completed, failed: completed / 10, refused: vec![[completed, 0]] };
        let mut board = Board::default();
        board.count(0, count(100));
        assert_eq!(board.rates, None, "one reading has no rate");
        board.count(2_000_000, count(300));
        let rated = Rated { completed: 100.0, failed: 10.0, refused: vec![[100.0, 0.0]] };
        assert_eq!(board.rates, Some(rated.clone()));
        board.count(2_100_000, count(400));
        assert_eq!(board.rates, Some(rated), "the same second, of another workspace");
        board.count(60_000_000, count(10_000));
        assert_eq!(board.rates, None, "a minute ago is not now");
    }

    #[test]
    fn only_so_many_look_and_who_leaves_makes_room() {
        let watch = Arc::new(Watch::register(&mut Registry::default()));
        let mut all: Vec<_> =
            (0..MOST_LOOKING).map(|_| Looking::at(&watch).expect("there is room")).collect();
        assert_eq!(Looking::at(&watch).err(), Some(MOST_LOOKING));
        assert_eq!(watch.shown.get(), MOST_LOOKING as i64);
        all.pop();
        drop(Looking::at(&watch).expect("there is room"));
        all.clear();
        assert_eq!((*watch.looking.lock(), watch.shown.get()), (0, 0));
    }
}
