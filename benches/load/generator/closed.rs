//! Owns the closed loop: N connections, each asking again as soon as it has its answer.
//!
//! Must not be used for latency claims beyond those at saturation: a slow server slows its own clients here.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::Instant;

use super::connection::Connection;
use super::{Aim, Tally};

/// How many connections ask for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closed {
    pub(crate) connections: usize,
    /// Asked but not measured.
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

impl Closed {
    /// Opens every connection first, then lets them all ask until the window ends.
    ///
    /// # Errors
    /// When a connection cannot be opened at the start; later breaks are counted and replaced.
    pub(crate) async fn run(self, aim: &Aim) -> io::Result<Tally> {
        let mut opened = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            opened.push(Connection::open(aim.addr).await?);
        }
        let tally = Rc::new(RefCell::new(Tally::new()));
        let from = Instant::now() + self.warm_up;
        let until = from + self.window;
        let clients = LocalSet::new();
        for connection in opened {
            clients.spawn_local(client(aim.clone(), connection, Rc::clone(&tally), from, until));
        }
        clients.await;
        let mut tally = tally.borrow().clone();
        tally.window = self.window;
        Ok(tally)
    }

    /// Asks exactly `count` times in all, without a warm-up; used to fill caches.
    ///
    /// # Errors
    /// As [`Closed::run`].
    pub(crate) async fn count(connections: usize, count: u64, aim: &Aim) -> io::Result<Tally> {
        let tally = Rc::new(RefCell::new(Tally::new()));
        let left = Rc::new(std::cell::Cell::new(count));
        let begin = Instant::now();
        let clients = LocalSet::new();
        for _ in 0..connections {
            let connection = Connection::open(aim.addr).await?;
            clients.spawn_local(counted_client(aim.clone(), connection, Rc::clone(&tally), Rc::clone(&left)));
        }
        clients.await;
        let mut tally = tally.borrow().clone();
        tally.window = begin.elapsed();
        Ok(tally)
    }
}

async fn client(
    mut aim: Aim,
    mut connection: Connection,
    tally: Rc<RefCell<Tally>>,
    from: Instant,
    until: Instant,
) {
    let mut now = Instant::now();
    while now < until {
        let key = aim.keys.next();
        let since = now;
        match connection.exchange(aim.template.with_key(key), key, aim.proof).await {
            Ok(answer) => {
                now = answer.end;
                tally.borrow_mut().add(&answer, since, now >= from && now < until);
                if answer.closes && !replace(&mut connection, &aim, &tally).await {
                    return;
                }
            }
            Err(reason) => {
                tally.borrow_mut().add_break(&reason);
                if !replace(&mut connection, &aim, &tally).await {
                    return;
                }
                now = Instant::now();
            }
        }
    }
}

async fn counted_client(
    mut aim: Aim,
    mut connection: Connection,
    tally: Rc<RefCell<Tally>>,
    left: Rc<std::cell::Cell<u64>>,
) {
    while left.get() > 0 {
        left.set(left.get() - 1);
        let key = aim.keys.next();
        let since = Instant::now();
        match connection.exchange(aim.template.with_key(key), key, aim.proof).await {
            Ok(answer) => tally.borrow_mut().add(&answer, since, true),
            Err(reason) => {
                tally.borrow_mut().add_break(&reason);
                if !replace(&mut connection, &aim, &tally).await {
                    return;
                }
            }
        }
    }
}

/// A fresh connection in place of one that ended; false when the server takes no more.
async fn replace(connection: &mut Connection, aim: &Aim, tally: &Rc<RefCell<Tally>>) -> bool {
    match Connection::open(aim.addr).await {
        Ok(fresh) => *connection = fresh,
        Err(reason) => {
            tally.borrow_mut().add_break(&reason);
            return false;
        }
    }
    true
}
