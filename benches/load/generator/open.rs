//! Owns the open loop: requests leave at a fixed rate whatever the server does.
//!
//! Latency counts from the intended send time, so that a stalled server or generator cannot hide its stall
//! (coordinated omission). Must not slow down when answers are late; it opens more connections instead.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use super::connection::Connection;
use super::pace::Pacer;
use super::{Aim, Tally};

/// Connections opened before the first arrival.
const OPENED_BEFORE: usize = 16;

/// How many arrivals a second, for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    pub(crate) per_second: u32,
    /// Sent but not measured.
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

/// A connection that is free, with the request buffer that goes with it.
type Idle = Rc<RefCell<Vec<(Aim, Connection)>>>;

impl Open {
    /// Sends on schedule, then waits for the last answer.
    ///
    /// # Errors
    /// When the first connections or the timer cannot be opened.
    pub(crate) async fn run(self, aim: &Aim) -> io::Result<Tally> {
        let mut pool = Vec::with_capacity(OPENED_BEFORE);
        for _ in 0..OPENED_BEFORE {
            pool.push((aim.clone(), Connection::open(aim.addr).await?));
        }
        let idle: Idle = Rc::new(RefCell::new(pool));
        let tally = Rc::new(RefCell::new(Tally::new()));
        LocalSet::new().run_until(self.send_all(aim, &idle, &tally)).await?;
        let mut tally = tally.borrow().clone();
        tally.window = self.window;
        Ok(tally)
    }

    async fn send_all(self, aim: &Aim, idle: &Idle, tally: &Rc<RefCell<Tally>>) -> io::Result<()> {
        let pacer = Pacer::new()?;
        let mut sent = JoinSet::new();
        let begin = Instant::now();
        let gap = Duration::from_secs(1) / self.per_second;
        let mut intended = begin;
        while intended < begin + self.warm_up + self.window {
            pacer.until(intended).await?;
            let measured = intended >= begin + self.warm_up;
            let send = send_one(aim.clone(), Rc::clone(idle), Rc::clone(tally), intended, measured);
            sent.spawn_local(send);
            while sent.try_join_next().is_some() {}
            intended += gap;
        }
        sent.join_all().await;
        Ok(())
    }
}

/// One arrival; the connection goes back to the idle ones when it can be used again.
async fn send_one(aim: Aim, idle: Idle, tally: Rc<RefCell<Tally>>, intended: Instant, measured: bool) {
    let free = idle.borrow_mut().pop();
    let opened = match free {
        Some(pair) => Ok(pair),
        None => Connection::open(aim.addr).await.map(|connection| (aim, connection)),
    };
    let outcome = async {
        let (mut aim, mut connection) = opened?;
        let key = aim.keys.next();
        let answer = connection.exchange(aim.template.with_key(key), key, aim.proof).await?;
        tally.borrow_mut().add(&answer, intended, measured);
        if !answer.closes {
            idle.borrow_mut().push((aim, connection));
        }
        Ok(())
    };
    if let Err(reason) = outcome.await {
        tally.borrow_mut().add_break(&reason);
    }
}
