//! Records of `.ai` apps in a SQLite file: the archive a run asks through its driver.
//!
//! Owns the way from a run to the connection and back: a session is a task beside the connection, reached by a channel
//! of one order. Must not judge values, and never blocks who asks.

mod desk;
mod statements;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};

use self::desk::Desk;
use super::io::Io;
use super::schema::RECORDS;
use super::sqlite::Sqlite;
use super::trouble::Trouble;
use crate::lang::fault::Fault;
use crate::lang::records::{Archive, Pending, Session, Supply, Want};

/// How long a run waits for a run of another process that may write.
const PATIENCE: Duration = Duration::from_secs(30);

/// The records of one app in one file. The file is opened, and made, when it is first asked for something.
pub struct RecordFile {
    desk: Arc<Mutex<Desk>>,
    path: Arc<Path>,
    io: Io,
}

/// Something a session wants, and where the answer goes.
struct Order {
    want: Want,
    reply: oneshot::Sender<Result<Supply, Fault>>,
}

/// One transaction, as its run sees it; the other end is [`desk::transact`].
struct Transaction {
    orders: Result<mpsc::Sender<Order>, Fault>,
    path: Arc<Path>,
}

impl RecordFile {
    /// The file at `path`, which need not exist.
    #[must_use]
    pub fn at(path: &Path, io: Io) -> Self {
        Self::patient(path, io, PATIENCE)
    }

    fn patient(path: &Path, io: Io, patience: Duration) -> Self {
        let path: Arc<Path> = Arc::from(path);
        let sqlite = Sqlite { path: Arc::clone(&path), schema: &RECORDS, patience };
        Self { desk: Arc::new(Mutex::new(Desk::new(sqlite))), path, io }
    }

    /// Opens the file and looks whether it can be read. Blocks the thread until then: for the start of a server.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn check(&self) -> Result<(), Fault> {
        let mut session = self.session();
        let looked = session.fetch(Want::Begin { writes: false });
        let looked = self.io.wait(looked).map_err(|error| no_thread(&error, &self.path))?;
        looked.unwrap_or_else(|| Err(ended(&self.path))).map(drop)
    }
}

impl Archive for RecordFile {
    fn session(&self) -> Box<dyn Session> {
        let orders = self.io.handle().map_err(|error| no_thread(&error, &self.path)).map(|io| {
            let (orders, taken) = mpsc::channel(1);
            drop(io.spawn(desk::transact(Arc::clone(&self.desk), taken)));
            orders
        });
        Box::new(Transaction { orders, path: Arc::clone(&self.path) })
    }

    fn close(&self) -> Pending<()> {
        let desk = Arc::clone(&self.desk);
        Box::pin(async move {
            desk.lock().await.close().await;
            Ok(())
        })
    }
}

impl Session for Transaction {
    fn fetch(&mut self, want: Want) -> Pending<Supply> {
        let (reply, answer) = oneshot::channel();
        let sent = match &self.orders {
            // One want at a time, so there is room unless the task has ended.
            Ok(orders) => orders.try_send(Order { want, reply }).map_err(|_| ended(&self.path)),
            Err(fault) => Err(fault.clone()),
        };
        let path = Arc::clone(&self.path);
        Box::pin(async move {
            sent?;
            answer.await.unwrap_or_else(|_| Err(ended(&path)))
        })
    }
}

/// The task of a transaction is there no more: the process is ending.
fn ended(path: &Path) -> Fault {
    Trouble::Other("the transaction was broken off".to_owned()).fault(path)
}

fn no_thread(error: &std::io::Error, path: &Path) -> Fault {
    Trouble::Other(format!("no thread can be started for it: {error}")).fault(path)
}
