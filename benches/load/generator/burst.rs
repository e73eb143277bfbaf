//! Owns bursts: everybody asks at the same moment over connections that are already open.
//!
//! Must not reuse a connection whose answer was not read to its end.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::Instant;

use super::connection::Connection;
use super::{Aim, Tally};

/// Connections that stay open between bursts.
pub(crate) struct Burst {
    aim: Aim,
    connections: Vec<Connection>,
}

impl Burst {
    /// Opens `callers` connections.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub(crate) async fn open(callers: usize, aim: &Aim) -> io::Result<Self> {
        let mut connections = Vec::with_capacity(callers);
        for _ in 0..callers {
            connections.push(Connection::open(aim.addr).await?);
        }
        Ok(Self { aim: aim.clone(), connections })
    }

    /// All callers ask for `key` at once; the tally's window is the time to the last answer.
    pub(crate) async fn fire(&mut self, key: u64) -> Tally {
        let tally = Rc::new(RefCell::new(Tally::new()));
        let survivors = Rc::new(RefCell::new(Vec::with_capacity(self.connections.len())));
        let callers = LocalSet::new();
        let begin = Instant::now();
        for mut connection in self.connections.drain(..) {
            let (mut aim, tally, survivors) = (self.aim.clone(), Rc::clone(&tally), Rc::clone(&survivors));
            callers.spawn_local(async move {
                match connection.exchange(aim.template.with_key(key), key, aim.proof).await {
                    Ok(answer) => {
                        tally.borrow_mut().add(&answer, begin, true);
                        survivors.borrow_mut().push(connection);
                    }
                    Err(reason) => tally.borrow_mut().add_break(&reason),
                }
            });
        }
        callers.await;
        self.connections = survivors.take();
        let mut tally = tally.borrow().clone();
        tally.window = begin.elapsed();
        tally
    }
}

/// Opens `count` streams that differ in their key and returns when each has shown its first event; dropping
/// the result ends them.
///
/// # Errors
/// When a stream cannot be opened, is refused, or shows nothing within a minute.
pub(crate) async fn hold_streams(count: usize, aim: &Aim) -> io::Result<Vec<Connection>> {
    let held = Rc::new(RefCell::new(Vec::with_capacity(count)));
    let faults = Rc::new(RefCell::new(Vec::new()));
    let callers = LocalSet::new();
    for _ in 0..count {
        let (aim, held, faults) = (aim.clone(), Rc::clone(&held), Rc::clone(&faults));
        callers.spawn_local(async move {
            let opened = tokio::time::timeout(Duration::from_secs(60), hold_one(aim)).await;
            match opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(connection) => held.borrow_mut().push(connection),
                Err(fault) => faults.borrow_mut().push(fault),
            }
        });
    }
    callers.await;
    match faults.take().pop() {
        Some(fault) => Err(fault),
        None => Ok(held.take()),
    }
}

async fn hold_one(mut aim: Aim) -> io::Result<Connection> {
    let mut connection = Connection::open(aim.addr).await?;
    let key = aim.keys.next();
    match connection.first_event(aim.template.with_key(key)).await? {
        200 => Ok(connection),
        status => Err(io::Error::other(format!("a stream was answered with status {status}"))),
    }
}
